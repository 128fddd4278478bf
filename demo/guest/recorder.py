# SPDX-License-Identifier: GPL-2.0
"""What is recorded of a transfer, without touching the programs.

 - a capture on both ends (tcpdump), of the data connection only;
 - the sender's system calls that matter here, with their times (strace);
 - the sender's socket as the kernel sees it (ss -tie), a few times a second.
"""

import os
import selectors
import signal
import subprocess
import time

from lab import CLIENT, SERVER, inside, run

CONTROL_PORT = 21
DATA = f"tcp and not port {CONTROL_PORT}"
CALLS = "setsockopt,sendmsg,shutdown,close,exit_group"
SAMPLE_SECONDS = 0.4


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
    """tcpdump on both ends' devices."""

    def __init__(self, prefix, deadline):
        self.processes = []
        for end in (CLIENT, SERVER):
            self.processes.append(subprocess.Popen(
                inside(end, "tcpdump", "-i", "eth0", "-s", "96", "-B", "8192", "-w",
                       f"{prefix}.{end}.pcap", DATA),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        for process in self.processes:
            await_line(process.stderr, deadline)    # "listening on"

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            process.communicate()


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
        """Until a socket ends or the time for a sample has come."""
        for key, _ in self.selector.select(seconds):
            if not key.data.read():
                self.selector.unregister(key.data)

    def all_gone(self):
        return not any(run(*inside(end, "ss", "-tnH", "state", "connected", "exclude",
                                   "time-wait")) for end in (CLIENT, SERVER))

    def watch(self, finished, deadline):
        """Sample until finished() and no connection is left, held ones included."""
        while True:
            self.sample()
            if finished() and self.all_gone():
                return
            if time.monotonic() > deadline:
                raise TookTooLong("a connection is left")
            self.wait(SAMPLE_SECONDS)

    def stop(self):
        for process in self.events:
            process.terminate()
            process.communicate()
