# SPDX-License-Identifier: GPL-2.0
"""Reads a capture of one TCP connection: the classic pcap format, Ethernet, IPv4."""

import socket
import struct
from dataclasses import dataclass

FIN, SYN, RST, ACK = 1, 2, 4, 16
LAST_PORT = 9   # what ends a capture, see guest/recorder.py
MAGIC = {b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\xa1\xb2\xc3\xd4": (">", 1e-6),
         b"\x4d\x3c\xb2\xa1": ("<", 1e-9), b"\xa1\xb2\x3c\x4d": (">", 1e-9)}


@dataclass
class Segment:
    """One TCP segment; seq and ack as on the wire."""
    time: float
    source: str
    seq: int
    ack: int
    flags: int
    length: int


def _segment(time, frame):
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    ip_header = (frame[14] & 15) * 4
    total, tcp = struct.unpack_from("!H", frame, 16)[0], 14 + ip_header
    if LAST_PORT in struct.unpack_from("!HH", frame, tcp):
        return None
    seq, ack, offset, flags = struct.unpack_from("!IIBB", frame, tcp + 4)
    return Segment(time, socket.inet_ntoa(frame[26:30]), seq, ack, flags,
                   total - ip_header - (offset >> 4) * 4)


def segments(path):
    """The segments of a pcap file, in their order."""
    with open(path, "rb") as file:
        data = file.read()
    order, unit = MAGIC[data[:4]]
    position = 24
    while position + 16 <= len(data):
        seconds, fraction, kept, _ = struct.unpack_from(order + "IIII", data, position)
        position += 16
        found = _segment(seconds + fraction * unit, data[position:position + kept])
        position += kept
        if found:
            yield found


@dataclass
class Reset:
    """The first RST of a connection in a capture."""
    time: float
    source: str
    acked: int      # bytes of the sender's stream that the receiver had acknowledged by then
    sent: int       # and that the sender had sent


class Connection:
    """The sender's stream as one end saw it; byte numbers begin with 0."""

    def __init__(self, path, sender):
        self.acks = []              # (time, bytes acknowledged), rising
        self.heard = []             # (time, with a FIN?) of the receiver's data and FIN
        self.reset = None
        self.began = None
        self.acked = self.sent = 0
        self._origin = None
        for segment in segments(path):
            if self.began is None:
                self.began = segment.time
            if segment.source == sender:
                self._from_sender(segment)
            else:
                self._from_receiver(segment)
            if segment.flags & RST and self.reset is None:
                self.reset = Reset(segment.time, segment.source, self.acked, self.sent)

    def _offset(self, number):
        return (number - self._origin) & 0xffffffff

    def _from_sender(self, segment):
        if segment.flags & SYN:
            self._origin = (segment.seq + 1) & 0xffffffff
        elif self._origin is not None and segment.length and not segment.flags & RST:
            self.sent = max(self.sent, self._offset(segment.seq) + segment.length)

    def _from_receiver(self, segment):
        if segment.length or segment.flags & FIN:
            self.heard.append((segment.time, bool(segment.flags & FIN)))
        if self._origin is None or not segment.flags & ACK or segment.flags & RST:
            return
        # a FIN has a number, too, but is no byte
        acked = min(self._offset(segment.ack), self.sent)
        if acked > self.acked:
            self.acked = acked
            self.acks.append((segment.time, acked))
