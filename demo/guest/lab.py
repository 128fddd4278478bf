# SPDX-License-Identifier: GPL-2.0
"""The network: a client and a server, each in a namespace of its own, and a slow path between.

    client 192.0.2.1 ---- path (bridge, netem both ways) ---- 192.0.2.2 server

The delay and the rate are in a third namespace, not on the ends' own devices: the captures on
both ends then show when a packet was really sent and when it really arrived, and the sender's
kernel feels its device take packets at once, as with a real network card.
"""

import ctypes
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

CLIENT, SERVER, PATH = "client", "server", "path"
ADDRESS = {CLIENT: "192.0.2.1", SERVER: "192.0.2.2"}
CLONE_NEWNET = 0x40000000
MTU = "9000"
TCP_TIME_WAIT, TCP_LISTEN = "06", "0A"

libc = ctypes.CDLL(None, use_errno=True)


def run(*argv):
    """Run a command that must succeed; its standard output."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout


def inside(namespace, *argv):
    """The command line that runs a command in a namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *argv]


def _enter(namespace):
    """Python 3.11 has no os.setns."""
    with open(f"/run/netns/{namespace}", "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def within(namespace, function, *arguments):
    """Call a function in a namespace, where it can open files and sockets: in a thread, as a
    process for each look costs an emulated CPU more than the transfer itself."""
    with ThreadPoolExecutor(1, initializer=_enter, initargs=(namespace,)) as pool:
        return pool.submit(function, *arguments).result()


def _read(name):
    with open(name, encoding="ascii") as file:
        return file.read()


def proc_net(namespace, name):
    """A file of /proc/net."""
    return within(namespace, _read, f"/proc/thread-self/net/{name}")


def listen(namespace, port):
    """A listening socket of ours in a namespace."""
    return within(namespace, socket.create_server, (ADDRESS[namespace], port))


def _connect(end):
    """One end's device, with packets of one segment as on a real wire, and its port on the bridge.

    They are large ones (jumbo frames): the CPU, often emulated, has less to do for each byte.
    """
    run("ip", "link", "add", "eth0", "netns", end, "mtu", MTU, "type", "veth",
        "peer", "name", end, "netns", PATH)
    run("ip", "-n", PATH, "link", "set", end, "mtu", MTU)
    run("ip", "-n", end, "address", "add", ADDRESS[end] + "/24", "dev", "eth0")
    for device, namespace in (("eth0", end), (end, PATH)):
        run(*inside(namespace, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off"))
    run("ip", "-n", PATH, "link", "set", end, "master", "bridge", "up")
    run("ip", "-n", end, "link", "set", "lo", "up")
    run("ip", "-n", end, "link", "set", "eth0", "up")


def build(rate, delay, queue):
    """Make the three namespaces; rate, delay and queue (packets) as netem has them, each way."""
    for namespace in (CLIENT, SERVER, PATH):
        run("ip", "netns", "add", namespace)
    run("ip", "-n", PATH, "link", "add", "bridge", "mtu", MTU, "type", "bridge")
    run("ip", "-n", PATH, "link", "set", "bridge", "up")
    for end in (CLIENT, SERVER):
        _connect(end)
    for end in (CLIENT, SERVER):
        run("tc", "-n", PATH, "qdisc", "add", "dev", end, "root", "netem",
            "rate", rate, "delay", delay, "limit", queue)


def counters(namespace, name):
    """A file of /proc/net that has a name and a number on each line; {} where it is not there."""
    try:
        lines = proc_net(namespace, name).splitlines()
    except FileNotFoundError:
        return {}
    return {key: int(value) for key, value in map(str.split, lines)}


def tcp_ext(namespace):
    """The TcpExt counters of a namespace."""
    lines = proc_net(namespace, "netstat").splitlines()
    names, values = [line.split()[1:] for line in lines if line.startswith("TcpExt:")]
    return dict(zip(names, map(int, values)))


def connected(namespace):
    """Is there a TCP connection that is not over?"""
    states = [line.split()[3] for name in ("tcp", "tcp6")
              for line in proc_net(namespace, name).splitlines()[1:]]
    return any(state not in (TCP_TIME_WAIT, TCP_LISTEN) for state in states)


def _write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


def sysctl(namespace, key, value):
    """Set a knob of /proc/sys/net."""
    within(namespace, _write, f"/proc/sys/{key.replace('.', '/')}", value)
