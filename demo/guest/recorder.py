# SPDX-License-Identifier: GPL-2.0
"""What is recorded of a transfer, without touching the programs.

 - a capture on both ends (tcpdump), of the data connection only;
 - the sender's system calls that matter here, with their times (strace);
 - the sender's socket as the kernel sees it (ss -tie), every other second.
"""

import contextlib
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import threading
import time

from lab import ADDRESS, CLIENT, SERVER, connected, inside, run, within

CONTROL_PORT = 21
DATA = f"tcp and not port {CONTROL_PORT}"
LAST_PORT = 9           # discard: the guest does not serve it
LAST_SECONDS = 30
CALLS = "setsockopt,sendmsg,shutdown,close,exit_group"
SAMPLE_SECONDS = 1.5


class TookTooLong(Exception):
    """An event did not come."""


def traced(argv, path):
    """A command line that writes its system calls to a file and is otherwise the same."""
    return ["strace", "-f", "-qq", "-ttt", "-yy", "--seccomp-bpf", "-e", "trace=" + CALLS,
            "-o", path, *argv]


def await_line(stream, deadline):
    """The next line of a pipe."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(max(0, deadline - time.monotonic())):
            raise TookTooLong("no line from a program")
    return stream.readline()


class Capture:
    """tcpdump on one end's device.

    Stopped by a signal it would drop what it has not read yet, which is the end of the connection.
    So it is stopped when it has been seen to write a packet known to be the last.
    """

    def __init__(self, end, path, deadline):
        self.process = subprocess.Popen(
            inside(end, "tcpdump", "-i", "eth0", "-s", "96", "-B", "8192", "--immediate-mode", "-U",
                   "-w", "-", DATA), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.last = None
        self.seen = threading.Event()
        self.copier = threading.Thread(target=self._copy, args=(path,), daemon=True)
        self.copier.start()
        await_line(self.process.stderr, deadline)   # "listening on"

    def _copy(self, path):
        tail = b""
        with open(path, "wb") as file:
            while chunk := self.process.stdout.read1(65536):
                file.write(chunk)
                tail = tail[-64:] + chunk
                if self.last and self.last in tail:
                    self.seen.set()

    def stop(self):
        """How many packets are missing."""
        whole = self.seen.wait(LAST_SECONDS)
        self.process.send_signal(signal.SIGINT)
        self.copier.join()
        said = self.process.stderr.read()
        self.process.wait()
        dropped = sum(map(int, re.findall(rb"(\d+) packets? dropped by kernel", said)))
        return dropped + (not whole)


class Captures:
    """tcpdump on both ends."""

    def __init__(self, prefix, deadline):
        self.captures = [Capture(end, f"{prefix}.{end}.pcap", deadline) for end in (CLIENT, SERVER)]

    def _knock(self):
        """A connection to a port where nobody is: its SYN and the RST in reply follow everything
        that is on the path."""
        with socket.socket() as knock:
            knock.bind((ADDRESS[CLIENT], 0))
            ports = struct.pack("!HH", LAST_PORT, knock.getsockname()[1])
            for capture in self.captures:
                capture.last = ports
            knock.connect_ex((ADDRESS[SERVER], LAST_PORT))

    def stop(self):
        """How many packets are missing."""
        within(CLIENT, self._knock)
        return sum([capture.stop() for capture in self.captures])


class Sockets:
    """Data connections of both ends: what they are like, and the moment when all are gone."""

    def __init__(self, sender):
        self.sender = sender
        self.samples = []
        self.events = [subprocess.Popen(inside(end, "ss", "--events", "-tnH"),
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                       for end in (CLIENT, SERVER)]
        self.selector = selectors.DefaultSelector()
        for process in self.events:
            os.set_blocking(process.stdout.fileno(), False)
            self.selector.register(process.stdout, selectors.EVENT_READ, process.stdout)

    def sample(self):
        """Keep what ss(8) says of the sender's end of the data connection."""
        text = run(*inside(self.sender, "ss", "-tieOnH", "state", "connected", "exclude",
                           "time-wait", "sport", "!=", f":{CONTROL_PORT}", "dport", "!=",
                           f":{CONTROL_PORT}"))
        for line in text.splitlines():
            self.samples.append((time.time(), line))

    def wait(self, seconds):
        """Until a socket or a process ends or the time for a sample has come."""
        for key, _ in self.selector.select(max(0, seconds)):
            if not key.data or not key.data.read():
                self.selector.unregister(key.fileobj)

    def watch(self, processes, deadline):
        """Sample until the processes have ended and no connection is left, held ones included."""
        next_sample = 0
        with contextlib.ExitStack() as files:
            for process in processes:
                file = files.enter_context(open(os.pidfd_open(process.pid), "rb"))
                self.selector.register(file, selectors.EVENT_READ)
            while any(process.poll() is None for process in processes) or \
                    any(map(connected, (CLIENT, SERVER))):
                if time.monotonic() > deadline:
                    raise TookTooLong("a process or a connection is left")
                if time.monotonic() >= next_sample:
                    self.sample()
                    next_sample = time.monotonic() + SAMPLE_SECONDS
                self.wait(next_sample - time.monotonic())

    def stop(self):
        for process in self.events:
            process.terminate()
            process.communicate()
