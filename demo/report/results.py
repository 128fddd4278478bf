# SPDX-License-Identifier: GPL-2.0
"""What the guests brought back, one Run for each transfer in each mode."""

import json
import os
import re

from capture import Connection

ADDRESS = {"client": "192.0.2.1", "server": "192.0.2.2"}
NAME = {address: name for name, address in ADDRESS.items()}
OTHER = {"client": "server", "server": "client"}
MODES = ["vanilla", "1", "2"]
MODE_NAME = {"vanilla": "no module", "1": "mode 1", "2": "mode 2"}


class Trace:
    """The sender's system calls on the data connection: seconds since the epoch, or None."""

    def __init__(self, path):
        self.ktls = self.notify = self.shutdown = self.end = None
        self.end_name = "close()"
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                self._take(line)

    def _take(self, line):
        found = re.match(r"\d+ +(\d+\.\d+) (.*)", line)
        if not found:
            return
        time, call = float(found[1]), found[2]
        if call.startswith("+++ killed by SIGKILL") and self.notify:
            self.end, self.end_name = time, "SIGKILL"
        ports = re.search(r"<TCP:\[[\d.]+:(\d+)->[\d.]+:(\d+)\]>", call)
        if not ports or "21" in ports.groups():
            return
        if "TLS_TX" in call and call.endswith("= 0"):
            self.ktls = time
        elif call.startswith("sendmsg") and "SOL_TLS" in call and self.ktls and \
                not re.search(r"= -1", call):
            self.notify = self.notify or time
        elif call.startswith("shutdown") and self.notify:
            self.shutdown = time
        elif call.startswith("close") and self.notify:
            self.end = time


class Run:
    """One row of the table: what was asked for, and everything that was measured."""

    def __init__(self, row, directory):
        self.row = row
        self.key, self.mode, self.title = row["key"], row["mode"], row["title"]
        self.sender, self.receiver = row["sender"], OTHER[row["sender"]]
        prefix = os.path.join(directory, f"{self.key}.{self.mode}")
        self.near, self.far = (Connection(f"{prefix}.{end}.pcap", ADDRESS[self.sender])
                               for end in (self.sender, self.receiver))
        self.trace = Trace(prefix + ".strace")

    @property
    def whole(self):
        return self.row["delivered_sha256"] == self.row["sent_sha256"] and \
            self.row["delivered"] == self.row["sent"]

    @property
    def last_words(self):
        """The client's."""
        return (self.row["output"].strip().splitlines() or ["(nothing)"])[-1]

    @property
    def missing(self):
        return self.row["sent"] - self.row["delivered"]

    @property
    def in_established(self):
        """Was it the close() itself that made the RST go out, and neither end had closed before? A
        RST for what came after close() is another: then the connection is in FIN_WAIT1 or later."""
        reset, end = self.near.reset, self.trace.end
        if not reset or reset.source != ADDRESS[self.sender] or end is None or self.trace.shutdown:
            return False
        return not any(time <= reset.time and (fin or time > end) for time, fin in self.near.heard)

    @property
    def promised(self):
        """Does the module promise a whole file? Mode 1 leaves a RST in ESTABLISHED alone."""
        return self.mode == "2" or self.mode == "1" and not self.in_established

    def socket(self, before=None):
        """The last ss(8) line of the connection, before a moment."""
        lines = [line for time, line in self.row.get("ss", []) if before is None or time < before]
        return lines[-1] if lines else ""

    @property
    def ktls(self):
        """How the kernel does the data connection's records, as all three witnesses agree."""
        said = re.search(r"tcp-ulp-tls version: (\S+) cipher: (\S+) rxconf: (\S+) txconf: (\S+)",
                         " ".join(line for _, line in self.row.get("ss", [])))
        counted = self.row["change"]["tls_stat"].get("TlsTxSw", 0)
        if not (said and counted and self.trace.ktls) or said[4] != "sw":
            return ""
        return f"TLS {said[1]} {said[2]}"

    def at_close(self):
        """Received and unread, accepted and unacknowledged: the last look before the close."""
        fields = self.socket(before=self.trace.end).split()
        return (int(fields[1]), int(fields[2])) if len(fields) > 2 else (0, 0)

    def held(self):
        """Was the connection seen as held?"""
        return any("tcp-ulp-tls-held" in line for _, line in self.row.get("ss", []))

    @property
    def path(self):
        rate = self.row["rate"].replace("mbit", " Mbit/s")
        delay = self.row["delay"].replace("ms", " ms")
        return f"{rate}, {delay} each way"

    def counted(self):
        """The module's counters that moved."""
        return {name.removeprefix("TlsDrst"): value for name, value in
                self.row["change"]["tls_drst_stat"].items()}


def load(directories):
    """All runs, transfers in the order of the list, modes in theirs."""
    runs = []
    for directory in directories:
        with open(os.path.join(directory, "results.jsonl"), encoding="utf-8") as file:
            runs += [Run(json.loads(line), directory) for line in file]
    return sorted(runs, key=lambda run: (run.row["order"], MODES.index(run.mode)))
