# SPDX-License-Identifier: GPL-2.0
"""What the tries have in common: TAP, the release, the peer."""
import os
import select
import socket
import subprocess
import threading
import time

os.environ["OPENSSL_CONF"] = "/dev/null"    # the peer's own TLS is in user space

import ssl

import lab
from table import BOTH, CERT, DIR, FILE, KEY, PLAIN, PORT, SIZE, SMALL, USER

ROOT = "/release"
LIMIT = 240             # seconds for anything that is waited for, on an emulated CPU
RCVBUF = 16384          # what is not on the path is in the program's send queue, and is lost there
OP_IGNORE_UNEXPECTED_EOF = 1 << 7
EXTRA = b"more than the program wants"
ESTABLISHED, SYN_SENT, SYN_RECV, TIME_WAIT, CLOSE, LISTEN = "01", "02", "03", "06", "07", "0A"


class Tally:
    """TAP on standard output."""

    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, what, detail=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        if not good:
            for line in str(detail).splitlines():
                print("#   " + line, flush=True)


def note(text):
    print("# " + text, flush=True)


# ---------------------------------------------------------------- the release

def mount_release():
    for folder in (ROOT, "/release-low", "/release-rw"):
        os.mkdir(folder)
    lab.run("mount", "-o", "ro", "/dev/vdd", "/release-low")
    lab.run("mount", "-t", "tmpfs", "release", "/release-rw")
    for folder in ("upper", "work"):
        os.mkdir("/release-rw/" + folder)
    lab.run("mount", "-t", "overlay", "-o",
            "lowerdir=/release-low,upperdir=/release-rw/upper,workdir=/release-rw/work", "release", ROOT)
    for folder in ("proc", "dev"):
        lab.run("mount", "--rbind", "/" + folder, f"{ROOT}/{folder}")
    for folder, mode in (("run", "755"), ("tmp", "1777")):
        lab.run("mount", "-t", "tmpfs", "-o", "mode=" + mode, folder, f"{ROOT}/{folder}")


def switch_on():
    """As docs/howto.md says."""
    lab.run("chroot", ROOT, "sh", "-c", r"""
        cd /etc/ssl
        sed -i '/^\[openssl_init\]/a ssl_conf = ssl_sect' openssl.cnf
        printf '\n[ssl_sect]\nsystem_default = system_default_sect\n\n[system_default_sect]\nOptions = KTLS\n' >>openssl.cnf""")


def files():
    os.makedirs(ROOT + DIR)
    lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-config", "/etc/ssl/openssl.cnf", "-subj", "/CN=programs", "-days", "2",
            "-keyout", ROOT + KEY, "-out", ROOT + CERT)
    with open(ROOT + BOTH, "w", encoding="ascii") as both:
        for name in (KEY, CERT):
            with open(ROOT + name, encoding="ascii") as part:
                both.write(part.read())
    for name, size in ((FILE, SIZE), (DIR + "/small", SMALL)):
        with open(ROOT + name, "wb") as file:
            file.write(b"x" * size)
    with open(f"{ROOT}{DIR}/lines", "w", encoding="ascii") as file:
        file.write("a line\n" * 1000)
    for name in os.listdir(ROOT + DIR):
        os.chmod(f"{ROOT}{DIR}/{name}", 0o644)
    with open(ROOT + "/etc/hosts", "w", encoding="ascii") as file:
        file.write(f"127.0.0.1 localhost {socket.gethostname()}\n")
    password = lab.run("openssl", "passwd", "-6", USER).strip()
    lab.run("chroot", ROOT, "useradd", "--create-home", "--shell", "/bin/sh", "--password", password, USER)


def new_log():
    """What programs say. They append, so that reading it does not move where they write."""
    with open("/tmp/program.log", "w", encoding="utf-8"):
        return open("/tmp/program.log", "a+", encoding="utf-8", errors="replace")


def start(namespace, argv, log, stdin="/dev/null", conf="/etc/ssl/openssl.cnf"):
    """A program of the release, in a namespace; CONF is its openssl.cnf."""
    with open(ROOT + stdin, "rb") as given:
        return subprocess.Popen(
            lab.inside(namespace, "chroot", ROOT, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                       "HOME=/root", "OPENSSL_CONF=" + conf, *argv),
            stdin=given, stdout=log, stderr=log, start_new_session=True)


# ---------------------------------------------------------------- the peer

class Cannot(Exception):
    """A program did not do what it takes to judge it."""


def until(what, ready, proc=None):
    """Polls for what raises no event."""
    end = time.monotonic() + LIMIT
    while not ready():
        if time.monotonic() > end:
            raise Cannot(f"waited {LIMIT} seconds: {what}")
        if proc and proc.poll() is not None:
            raise Cannot(f"exit {proc.returncode}: {what}")
        time.sleep(0.02)


def sockets(namespace, port):
    """The states of the TCP sockets with that port."""
    port = f":{port:04X}"
    lines = [line.split() for name in ("tcp", "tcp6") for line in lab.proc_net(namespace, name).splitlines()[1:]]
    return [line[3] for line in lines if line[1].endswith(port) or line[2].endswith(port)]


def closing(namespace, port):
    """Has the program begun to close its connection?"""
    return any(state not in (ESTABLISHED, SYN_SENT, SYN_RECV, TIME_WAIT, CLOSE, LISTEN)
               for state in sockets(namespace, port))


def over(namespace, port):
    """Is no connection left, held or not?"""
    return set(sockets(namespace, port)) <= {TIME_WAIT, LISTEN, CLOSE}


def connect(port=PORT):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
    sock.settimeout(LIMIT)
    sock.connect((lab.ADDRESS[lab.SERVER], port))
    return sock


def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RCVBUF)
    listener.settimeout(LIMIT)
    listener.bind((lab.ADDRESS[lab.SERVER], PORT))
    listener.listen()
    return listener


def trusting():
    """A client's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def serve_plain():
    """A server without TLS, for the programs that want one behind them. It reads to the end, so it never resets."""
    def answer(sock):
        with sock, open(ROOT + FILE, "rb") as file:
            sock.sendall(file.read())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass

    def accept():
        try:
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
        except OSError:     # it is closed
            pass

    listener = socket.create_server(("127.0.0.1", PLAIN))
    threading.Thread(target=accept, daemon=True).start()
    return listener


class Peer:
    """The other end of one connection."""

    def __init__(self, sock, server, namespace, scene, port=PORT):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if server else trusting()
        if server:
            context.load_cert_chain(ROOT + CERT, ROOT + KEY)
        # Python's default, which takes an end of file for a close_notify
        context.options &= ~OP_IGNORE_UNEXPECTED_EOF
        self.sock = context.wrap_socket(sock, server_side=server, suppress_ragged_eofs=False)
        self.namespace, self.scene, self.port = namespace, scene, port
        self.got, self.end = b"", ""

    def more(self):
        """Sends what the program is not to read, once it is time."""
        if self.scene == "unread" and self.got or self.scene == "after" and closing(self.namespace, self.port):
            self.scene = ""
            try:
                self.sock.sendall(EXTRA)
            except OSError as e:
                note(f"more: {e}")

    def talk(self, request=b"", answer=b"", goodbye=b"", size=0):
        """Reads to the end: with close_notify, without, or nothing comes any more."""
        self.sock.sendall(request)
        end = time.monotonic() + LIMIT
        try:
            while not self.end:
                self.more()
                if self.sock.pending() or select.select([self.sock], [], [], 0.02)[0]:
                    data = self.sock.recv(65536)
                    self.got += data
                    self.end = "" if data else "close_notify"
                elif time.monotonic() > end:
                    self.end = "nothing"
                if answer and self.got:
                    self.sock.sendall(answer)
                    answer = b""
                if goodbye and len(self.got) >= size:
                    self.sock.sendall(goodbye)
                    goodbye = b""
        except OSError as e:    # of a reset, too, Python says that it is an end of file
            self.end = "no close_notify"
            if not isinstance(e, ssl.SSLError):
                note(str(e))
        self.sock.close()
