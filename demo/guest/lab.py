# SPDX-License-Identifier: GPL-2.0
"""The network: a client and a server, each in a namespace of its own, and a slow path between.

    client 192.0.2.1 ---- path (bridge, netem both ways) ---- 192.0.2.2 server

The delay and the rate are in a third namespace, not on the ends' own devices: the captures on
both ends then show when a packet was really sent and when it really arrived, and the sender's
kernel feels its device take packets at once, as with a real network card.
"""

import ctypes
import os
import socket
import subprocess

CLIENT, SERVER, PATH = "client", "server", "path"
ADDRESS = {CLIENT: "192.0.2.1", SERVER: "192.0.2.2"}
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def run(*argv):
    """Run a command that must succeed; its standard output."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def inside(namespace, *argv):
    """The command line that runs a command in a namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *argv]


def _enter(namespace_file):
    fd = os.open(namespace_file, os.O_RDONLY)
    try:
        if libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)


def listen(namespace, port):
    """A listening socket of ours in a namespace. (Python 3.11 has no os.setns.)"""
    home = f"/proc/self/task/{os.getpid()}/ns/net"
    here = os.open(home, os.O_RDONLY)
    _enter(f"/run/netns/{namespace}")
    try:
        return socket.create_server((ADDRESS[namespace], port))
    finally:
        _enter(f"/proc/self/fd/{here}")
        os.close(here)


def _connect(end):
    """One end's device, in small packets as on a real wire, and its port on the bridge."""
    run("ip", "link", "add", "eth0", "netns", end, "type", "veth",
        "peer", "name", end, "netns", PATH)
    run("ip", "-n", end, "address", "add", ADDRESS[end] + "/24", "dev", "eth0")
    for device, namespace in (("eth0", end), (end, PATH)):
        run(*inside(namespace, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off"))
    run("ip", "-n", PATH, "link", "set", end, "master", "bridge", "up")
    run("ip", "-n", end, "link", "set", "lo", "up")
    run("ip", "-n", end, "link", "set", "eth0", "up")


def build(rate, delay):
    """Make the three namespaces; rate and delay as tc-netem(8) has them, each way."""
    for namespace in (CLIENT, SERVER, PATH):
        run("ip", "netns", "add", namespace)
    run("ip", "-n", PATH, "link", "add", "bridge", "type", "bridge")
    run("ip", "-n", PATH, "link", "set", "bridge", "up")
    for end in (CLIENT, SERVER):
        _connect(end)
    for end in (CLIENT, SERVER):
        run("tc", "-n", PATH, "qdisc", "add", "dev", end, "root", "netem",
            "rate", rate, "delay", delay)


def counters(namespace, name):
    """A file of /proc/net that has a name and a number on each line, or {} where it is not there."""
    done = subprocess.run(inside(namespace, "cat", f"/proc/net/{name}"), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return {key: int(value) for key, value in map(str.split, done.stdout.splitlines())}


def tcp_ext(namespace):
    """The TcpExt counters of a namespace."""
    lines = run(*inside(namespace, "cat", "/proc/net/netstat")).splitlines()
    names, values = [line.split()[1:] for line in lines if line.startswith("TcpExt:")]
    return dict(zip(names, map(int, values)))


def sysctl(namespace, values):
    """Set knobs."""
    for key, value in values.items():
        run(*inside(namespace, "sysctl", "-qw", f"{key}={value}"))


def sysctl_value(namespace, key):
    return run(*inside(namespace, "sysctl", "-n", key)).strip()
