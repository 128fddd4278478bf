#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`drstat doctor` in each situation of docs/diagnosing.md, made for real; TAP on standard output.

    doctor_test.py DRSTAT [NAME...]     all tests, or those whose name contains a NAME

Runs as root in a test guest whose kernel has neither tls nor tls_drst loaded: `vm run --no-module`.
OPENSSL_CONF names a file with Options = KTLS: Python has OpenSSL, so the doctor looks at us, too.
Where the doctor names a command that mends the matter, that command is run, what has failed is
done again, and the doctor must have nothing more to say.
"""
import concurrent.futures
import contextlib
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys

from harness import *  # pylint: disable=wildcard-import,unused-wildcard-import

DRSTAT = FTPS       # the harness calls so what it tests
FINDINGS = 6
KO = os.environ.get("TLS_DRST_KO", "")
KTLS_CNF = os.environ.get("OPENSSL_CONF", "")

# Both ends of a connection by OpenSSL, in one process, until it is told to end.
BY_OPENSSL = """
import socket, ssl, sys, threading
cert, key = sys.argv[1:]
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    global served
    served = context.wrap_socket(listener.accept()[0], server_side=True)
    served.sendall(b"hello")
thread = threading.Thread(target=serve)
thread.start()
client = ssl.create_default_context(cafile=cert).wrap_socket(
    socket.create_connection(listener.getsockname()), server_hostname="127.0.0.1")
client.recv(5)
thread.join()
print("up", flush=True)
sys.stdin.read()
"""

SOL_TLS, TLS_TX, TLS_SET_RECORD_TYPE, TCP_ULP, ALERT = 282, 1, 1, 31, b"\x15"
TLS_1_3, AES_GCM_128 = 0x304, 51
SENT = 100000
LIBC = ctypes.CDLL(None, use_errno=True)


class Netns:
    """A network namespace with a loopback device; its counters begin at 0."""
    made = 0

    def __init__(self, **knobs):
        Netns.made += 1
        self.name = f"doctor{Netns.made}"
        self.run("ip", "netns", "add", self.name, inside=False)
        self.run("ip", "link", "set", "lo", "up")
        for name, value in knobs.items():
            self.run("sysctl", f"net.tls_drst.{name}={value}")

    def run(self, *argv, inside=True):
        prefix = ["ip", "netns", "exec", self.name] if inside else []
        subprocess.run([*prefix, *argv], check=True, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def program(self, script, *args, first, **more):
        """One that goes on until its standard input ends; @first: the line that it says."""
        proc = subprocess.Popen(["ip", "netns", "exec", self.name, sys.executable, "-c", script,
                                 *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True, env={**os.environ, **more})
        try:
            line = proc.stdout.readline()
            if line != first + "\n":
                raise RuntimeError(f"it says {line!r} instead of {first!r}")
            yield proc
        finally:
            proc.kill()
            proc.communicate()

    def openssl(self, conf):
        return self.program(BY_OPENSSL, CERT, KEY, first="up", OPENSSL_CONF=conf)

    def inside(self, function):
        """What the function returns that runs in the namespace, in a thread of its own."""
        def enter():
            with open("/run/netns/" + self.name) as netns:
                if LIBC.setns(netns.fileno(), 0):
                    raise OSError(ctypes.get_errno(), "setns")
            return function()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            return pool.submit(enter).result()

    @contextlib.contextmanager
    def cut(self, notify=True, cause="unread"):
        """A sender by kernel TLS that has closed, owing a RST, while its peer has read nothing."""
        def connect():
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            sender = socket.create_connection(listener.getsockname())
            with listener:
                return sender, listener.accept()[0]
        sender, peer = self.inside(connect)
        with sender, peer:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SENT)
            sender.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
            sender.setsockopt(SOL_TLS, TLS_TX,
                              struct.pack("=HH", TLS_1_3, AES_GCM_128) + bytes(range(36)))
            sender.sendall(bytes(SENT))
            if notify:
                sender.sendmsg([b"\1\0"], [(SOL_TLS, TLS_SET_RECORD_TYPE, ALERT)])
            if cause == "unread":
                peer.sendall(b"x")
                sender.recv(1, socket.MSG_PEEK)
            else:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.close()
            yield peer

    def doctor(self):
        r = subprocess.run([DRSTAT, "doctor", "--json", "--netns", self.name], capture_output=True,
                           text=True, check=False)
        return self.understood(r.returncode, r.stdout, r.stderr)

    def doctor_while(self, action):
        """The doctor, who has begun before that and judges after it."""
        with subprocess.Popen([DRSTAT, "doctor", "--json", "--netns", self.name, "3600"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as proc:
            # It sleeps only when it has looked.
            until(lambda: open(f"/proc/{proc.pid}/comm").read() == "drstat\n" and
                  open(f"/proc/{proc.pid}/stat").read().split()[2] == "S", "it to have looked")
            action()
            proc.send_signal(signal.SIGINT)
            out, err = proc.communicate(timeout=LIMIT)
        return self.understood(proc.returncode, out, err)

    @staticmethod
    def understood(status, out, err):
        if status not in (0, FINDINGS):
            raise RuntimeError(f"exit {status}: {out}{err}")
        said = json.loads(out)
        if (status == FINDINGS) != bool(said["findings"]):
            raise RuntimeError(f"exit {status} with {said['findings']}")
        if said["unseen"]:
            raise RuntimeError(f"root does not see {said['unseen']}")
        return said


def found(said):
    return {f["finding"]: f["run"] for f in said["findings"]}


def says(said, want, what):
    ok(set(found(said)) == set(want), f"{what}: {', '.join(want) or 'nothing to do'}",
       json.dumps(said, indent=1))


def cure(command):
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


def drained(peer):
    """Return: how many bytes the peer of a sender gets in the end."""
    got = 0
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65536):
            got += len(piece)
    return got


def insmod():
    subprocess.run(["insmod", KO], check=True)


# Tests run in this order: the module comes in the first, and stays.

def test_1_before_the_module():
    ok(not os.path.exists("/proc/net/tls_stat"), "the kernel has no kernel TLS so far")
    says(Netns().doctor(), ["no-kernel-tls"], "no kernel TLS")
    subprocess.run(["modprobe", "tls"], check=True)
    netns = Netns()
    says(netns.doctor(), ["not-loaded", "unused"], "kernel TLS, which nobody uses")
    with netns.openssl(KTLS_CNF) as proc:
        said = netns.doctor()
        says(said, ["not-loaded"], "a program uses it")
        ok(found(said)["not-loaded"] == "modprobe tls_drst", "the cure", found(said))
        ok([(p["name"], p["pid"], p["ktls"], p["openssl"]) for p in said["programs"]] ==
           [("python3", proc.pid, 2, "ktls")], "which one, how many connections", said["programs"])
        insmod()
        said = netns.doctor()
        says(said, ["loaded-late"], "the module comes after its connections")
        ok(found(said)["loaded-late"].endswith("ss -tienp") and
           "python3 has to be started again" in said["findings"][0]["text"], "the cure", said)
    with netns.openssl(KTLS_CNF):
        says(netns.doctor(), [], "it is started again")


def test_2_openssl_conf():
    netns = Netns()
    conf = path("openssl.cnf")
    with open("/etc/ssl/openssl.cnf") as debian, open(conf, "w") as f:
        f.write(debian.read())
    with netns.openssl(conf) as proc:
        said = netns.doctor()
        says(said, ["openssl-conf"], "a program that does not use kernel TLS")
        text = said["findings"][0]["text"]
        ok(text.startswith(f"python3[{proc.pid}] "), "it is named", text)
        cure(found(said)["openssl-conf"])
        os.utime(conf, (time.time() + 60,) * 2)     # a second or less is none
        says(netns.doctor(), ["openssl-stale"], "its file is mended, it runs on")
    os.utime(conf, (time.time() - 60,) * 2)
    with netns.openssl(conf):
        said = netns.doctor()
        says(said, [], "it is started again")
        ok(said["programs"][0]["ktls"] == 2, "and uses kernel TLS now", said["programs"])


def cut_and_mended(what, finding, netns, cause="unread"):
    """What is cut is found, and the cure helps; both by what the peer got."""
    def one():
        with netns.cut(cause=cause) as peer:
            got.append(drained(peer))
    got = []
    said = netns.doctor_while(one)
    says(said, [finding], what)
    ok(got[0] < SENT, f"{what}: data was lost", got)
    cure(found(said)[finding])
    says(netns.doctor_while(one), [], f"{what}: after {found(said)[finding].split(' ', 2)[-1]}")
    ok(got[1] > SENT, f"{what}: nothing is lost then", got)


def test_3_cut():
    cut_and_mended("mode 1", "mode", Netns(mode=1))
    cut_and_mended("mode 0, linger 0", "mode", Netns(mode=0), cause="linger")
    cut_and_mended("hold_linger 0", "hold-linger", Netns(mode=2, hold_linger=0), cause="linger")
    cut_and_mended("mode 1, hold_linger 0", "mode", Netns(mode=1, hold_linger=0), cause="linger")
    cut_and_mended("max_held 0", "over-limit", Netns(mode=2, max_held=0))


def test_4_close_notify():
    for mode in (0, 1, 2):
        netns = Netns(mode=mode)
        with netns.cut(notify=False) as peer:
            ok(drained(peer) < SENT, f"mode {mode}, no close_notify: data is lost")
        said = netns.doctor()
        says(said, ["close-notify"], f"mode {mode}, no close_notify")
    # The command shows who it is; it ends with the reader.
    trace, reader = found(said)["close-notify"].rsplit(" && ", 1)
    ok(reader == "cat trace_pipe", "the trace", found(said))
    cure("mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing")
    cure(trace)
    with open("/sys/kernel/tracing/trace_pipe") as pipe:
        with netns.cut(notify=False):
            line = pipe.readline()
    ok("tls_drst_cut" in line and "comm=python3" in line, "names the program", line)


def test_5_limits():
    netns = Netns(mode=2, timeout_ms=200)
    with netns.cut():
        until(lambda: netns.doctor()["counters"]["TlsDrstTimedOut"], "timeout_ms to strike")
    says(netns.doctor(), ["timed-out"], "timeout_ms has struck")
    netns = Netns(mode=2, max_held=1)
    with netns.cut() as peer:
        said = netns.doctor()
        says(said, ["near-limit"], "max_held is reached")
        cure(found(said)["near-limit"])
        says(netns.doctor(), [], "and is set to twice that")
        ok(drained(peer) > SENT, "nothing is lost")


def test_6_all_well():
    netns = Netns(mode=2)
    with netns.cut() as peer:
        said = netns.doctor()
        says(said, [], "one is held, and all is well")
        ok(said["counters"]["TlsDrstCurrHeld"] == 1, "it is held", said["counters"])
        ok(drained(peer) > SENT, "nothing is lost")
    Netns(max_held=0)
    r = subprocess.run([DRSTAT, "doctor", "--all-netns"], capture_output=True, text=True)
    ok(r.returncode == FINDINGS and f"\nnetns {netns.name}\n" in r.stdout, "--all-netns: all", r)
    here = [part for part in r.stdout.split("\n\n") if part.startswith(f"netns {netns.name}\n")]
    ok(len(here) == 1 and here[0].rstrip().endswith("Nothing to do."), "each by itself", r.stdout)
    commands = [line.split("Run: ")[1] for line in r.stdout.splitlines() if "sysctl" in line]
    ok(commands and all(c.startswith("nsenter --net=/run/netns/") for c in commands),
       "a knob is set where it is wrong", commands)


if __name__ == "__main__":
    if os.getuid() or not KO or not KTLS_CNF:
        print("1..0 # SKIP not in a test guest as selftests/vm.d/suite makes it")
        sys.exit(4)
    sys.exit(run_tests(globals()))
