#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""ftps against peers that mean harm, on loopback; TAP on standard output.

    hostile.py FTPS [NAME...]     all tests, or those whose name contains a NAME

For each: a clear error and the exit status for it, no name given to what is not whole, nobody
else's loss, and an end. The peers here never close by themselves where a test is about hanging:
they wait until ftps has left.
"""
import os
import pty
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import warnings

from harness import *  # pylint: disable=wildcard-import,unused-wildcard-import

MEGABYTE = 1 << 20


def wait_until_left(sock):
    """The other end is gone, or says goodbye. Return: what it had said."""
    heard = b""
    try:
        while b"QUIT" not in heard:
            piece = sock.recv(65536)
            if not piece:
                break
            heard += piece
    except OSError:
        pass
    return heard


def trickle(sock, byte):
    """A byte now and then until the other end leaves."""
    sock.settimeout(0.2)
    while True:
        try:
            sock.sendall(byte)
            if not sock.recv(1):
                return
        except socket.timeout:
            pass
        except OSError:
            return


def flood(sock, piece):
    """As much as the other end takes, until it leaves."""
    try:
        while True:
            sock.sendall(piece)
    except OSError:
        pass


def dribble(sock, byte):
    """A byte now and then, and nothing is ever read."""
    try:
        while True:
            sock.sendall(byte)
            time.sleep(0.2)
    except OSError:
        pass


# ---------------------------------------------------------------- hostile servers

def is_clean(run, want, what, local=None):
    """Its status, a word about it on standard error, no file of that name."""
    is_status(run, want, what)
    ok(run.stderr.count("\n") >= 1 and run.stderr.startswith("ftps: "), f"{what}: it is said",
       run.stderr)
    if local:
        ok(not os.path.exists(local), f"{what}: no such file")


def before_login(play, want, what, *options):
    up = make_file("up", 10)
    with Fake(play) as server:
        is_clean(put(server, up, *options), want, what)


def test_replies_without_end():
    def plain(piece):
        def play(fake):
            flood(fake.sock, piece)
        return play

    def in_tls(piece):
        def play(fake):
            fake.to_login()
            fake.hear("EPSV")
            flood(fake.sock, piece)
        return play
    for where, play in (("in the greeting", plain), ("after login", in_tls)):
        before_login(play(b"220-and so on\r\n"), PROTOCOL, f"a reply without end {where}")
        before_login(play(b"120 soon\r\n"), PROTOCOL, f"\"soon\" without end {where}")
        before_login(play(b"220 " + b"x" * MEGABYTE), PROTOCOL, f"a line without end {where}")
        before_login(play(b"220-" + b"x" * MEGABYTE + b"\r\n220 x\r\n"), PROTOCOL,
                     f"a line of a megabyte {where}")
        before_login(play(b"\0" * 4096), PROTOCOL, f"NULs {where}")
        before_login(play(b"220 a\0b\r\n"), PROTOCOL, f"a NUL in a line {where}")
        before_login(play(b"220 a\rb\r\n"), PROTOCOL, f"a CR in a line {where}")
        before_login(play(bytes(range(128, 256)) * 8 + b"\r\n"), PROTOCOL, f"noise {where}")


def test_slow_loris_server():
    before_login(lambda fake: trickle(fake.sock, b"2"), TIMEOUT,
                 "a greeting byte by byte", "--timeout", SHORT)
    before_login(lambda fake: trickle(fake.sock, b"220-x\r\n"), TIMEOUT,
                 "a greeting line by line", "--timeout", SHORT)

    def handshake(fake):
        fake.say("220 x")
        fake.hear("AUTH")
        fake.say("234 ok")
        # A record of 16 KiB, a byte now and then.
        fake.sock.sendall(b"\x16\x03\x03\x40\x00")
        trickle(fake.sock, b"\x02")
    up = make_file("up", 10)
    with Fake(handshake) as server:
        r = put(server, up, "--timeout", SHORT)
        ok(r.returncode in (TIMEOUT, PROTOCOL), f"a handshake byte by byte: {r.returncode}",
           r.stderr)


@ktls_matters
def test_downgrade():
    """Nothing is ever sent to a server that will not protect it."""
    heard = []

    def say_no(reply):
        def play(fake):
            fake.say("220 x")
            fake.hear("AUTH")
            fake.say(reply)
            if reply.startswith("2"):
                # Then it wants TLS, and there is none.
                heard.append(fake.sock.recv(65536))
                fake.say("500 what?")
            heard.append(wait_until_left(fake.sock))
        return play
    for reply in ("500 what?", "502 no TLS here", "504 no", "534 policy", "431 no certificate",
                  "230 you are logged in", "331 password?", "200 ok, but without TLS"):
        up = make_file("up", 10)
        heard.clear()
        with Fake(say_no(reply)) as server:
            r = put(server, up)
        ok(r.returncode in (REFUSED, PROTOCOL), f"AUTH answered by \"{reply}\": {r.returncode}",
           r.stderr)
        said = b"".join(heard)
        ok(b"USER" not in said and b"PASS" not in said, "and no password is sent", said)

    def old_tls(fake):
        fake.say("220 x")
        fake.hear("AUTH")
        fake.say("234 ok")
        # A ServerHello of TLS 1.1, of a kind.
        fake.sock.recv(65536)
        fake.sock.sendall(bytes.fromhex("160302002a0200002603020000") + bytes(30) +
                          bytes.fromhex("00002f00"))
        wait_until_left(fake.sock)
    before_login(old_tls, PROTOCOL, "TLS 1.1")

    def no_prot(fake):
        fake.to_tls_login()
        fake.hear("PBSZ")
        fake.say("200 ok")
        fake.hear("PROT P")
        fake.say("536 only PROT C")
        heard.append(wait_until_left(fake.sock))
    heard.clear()
    before_login(no_prot, REFUSED, "PROT P refused")
    ok(b"STOR" not in b"".join(heard), "and no file is sent", heard)


def to_data(fake, verb="RETR"):
    """To where a data connection is wanted. Return: its listener."""
    fake.to_login()
    port = fake.data_port()
    if verb == "RETR":
        for verb_before in ("SIZE", "MDTM"):
            fake.hear(verb_before)
            fake.say("550 no")
    fake.hear("EPSV")
    fake.say(f"229 ok (|||{port}|)")
    fake.hear(verb)
    fake.say("150 ok")
    return fake.data_listener


@ktls_matters
def test_data_connection_of_a_server():
    down = path("hostile-down")

    def plain(fake):
        with to_data(fake).accept()[0] as data:
            data.sendall(b"the file, without TLS" * 1000)
            wait_until_left(data)

    def other_cert(fake):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(path("evil.pem"), path("evil.key"))
        with to_data(fake).accept()[0] as data:
            try:
                with ctx.wrap_socket(data, server_side=True) as tls:
                    tls.sendall(b"the wrong file")
                    wait_until_left(tls)
            except OSError:
                pass

    def silent(fake):
        with to_data(fake).accept()[0] as data:
            wait_until_left(data)

    def garbled(fake):
        listener = to_data(fake)
        raw = listener.accept()[0]
        with fake.context().wrap_socket(raw, server_side=True) as data:
            data.sendall(b"x" * 1000)
            # A record that no key of this connection made.
            os.write(data.fileno(), b"\x17\x03\x03\x00\x20" + b"y" * 32)
            wait_until_left(data)

    make_cert(path("evil.pem"), path("evil.key"), "IP:127.0.0.1")
    for play, want, what, *options in ((plain, PROTOCOL, "data without TLS"),
                                       (other_cert, CERTIFICATE, "data with another certificate"),
                                       (silent, TIMEOUT, "silence", "--timeout", SHORT),
                                       (garbled, PROTOCOL, "a record that was tampered with")):
        with Fake(play) as server:
            is_clean(get(server, "f", down, *options), want, what, down)


def test_passive_replies():
    up = make_file("up", 10)
    with socket.create_server(("127.0.0.9", 0)) as elsewhere:
        elsewhere.setblocking(False)
        port = elsewhere.getsockname()[1]
        replies = {
            "another host": (f"227 ok (127,0,0,9,{port >> 8},{port & 255})", (NETWORK,)),
            "port 0": ("227 ok (127,0,0,1,0,0)", (PROTOCOL,)),
            "no numbers": ("227 ok", (PROTOCOL,)),
            "large numbers": ("227 ok (127,0,0,1,999,999)", (PROTOCOL,)),
            "many numbers": ("227 " + "1," * 1500, (PROTOCOL, NETWORK)),
        }
        for what, (reply, want) in replies.items():
            def play(fake, reply=reply):
                fake.to_login()
                fake.hear("PASV")
                fake.say(reply)
                wait_until_left(fake.sock)
            with Fake(play) as server:
                r = put(server, up, "--no-epsv", "--timeout", "5")
            ok(r.returncode in want, f"PASV with {what}: {r.returncode}", r.stderr)
        try:
            elsewhere.accept()
            came = True
        except BlockingIOError:
            came = False
        ok(not came, "nobody went to the other host")
    for reply, want in (("229 ok (|||0|)", PROTOCOL), ("229 ok (|||70000|)", PROTOCOL),
                        ("229 ok (|1|10.0.0.1|21|)", PROTOCOL), ("229", PROTOCOL)):
        def play_epsv(fake, reply=reply):
            fake.to_login()
            fake.hear("EPSV")
            fake.say(reply)
            wait_until_left(fake.sock)
        with Fake(play_epsv) as server:
            is_clean(put(server, up), want, f"EPSV: {reply}")


def test_active_from_elsewhere():
    """Somebody else comes to the port that PORT told, before the server does."""
    seen = []

    def play(fake):
        fake.to_login()
        line = fake.hear("PORT").split()[1].split(",")
        fake.say("200 ok")
        fake.hear("STOR")
        fake.say("150 ok")
        to = (".".join(line[:4]), int(line[4]) * 256 + int(line[5]))
        with socket.create_connection(to, timeout=LIMIT,
                                      source_address=("127.0.0.9", 0)) as stranger:
            wait_until_left(stranger)
        with fake.context().wrap_socket(socket.create_connection(to, timeout=LIMIT),
                                        server_side=True) as data:
            for piece in iter(lambda: data.recv(65536), b""):
                seen.append(piece)
            data.unwrap()
        fake.say("226 ok")
        fake.hear("QUIT")
        fake.say("221 bye")
    up = make_file("up", 1000)
    with Fake(play) as server:
        is_status(put(server, up, "--active"), COMPLETE, "a stranger is sent away")
    ok(b"".join(seen) == open(up, "rb").read(), "and the server gets the file")


@ktls_matters
def test_sends_and_never_reads():
    """What it sends, little or much, is no progress of what it is sent."""
    up = make_file("up", 20_000_000)
    for what, send in (("a byte now and then", dribble), ("a flood", flood)):
        def play(fake, send=send):
            with fake.context().wrap_socket(to_data(fake, "STOR").accept()[0],
                                            server_side=True) as data:
                send(data, b"x")
        with Fake(play) as server:
            is_clean(put(server, up, "--timeout", SHORT), TIMEOUT, f"{what}, nothing read")

    def to_the_end(fake):
        with fake.context().wrap_socket(to_data(fake, "STOR").accept()[0],
                                        server_side=True) as data:
            for _ in iter(lambda: data.recv(65536), b""):
                pass
            flood(data, b"x" * MEGABYTE)
    up = make_file("up", 1000)
    with Fake(to_the_end) as server:
        is_clean(put(server, up, "--timeout", SHORT), UNCONFIRMED, "a flood behind our close_notify")


@ktls_matters
def test_noise_amid_an_upload():
    """It ends the upload, and what is told is the record, not that nothing can be sent then."""
    def play(fake):
        with fake.context().wrap_socket(to_data(fake, "STOR").accept()[0],
                                        server_side=True) as data:
            data.recv(1000)
            os.write(data.fileno(), b"\x17\x03\x03\x00\x20" + b"y" * 32)
            wait_until_left(data)
    with Fake(play) as server:
        r = put(server, make_file("up", 20_000_000))
    is_clean(r, PROTOCOL, "a record that was tampered with, amid an upload")
    ok("bad record mac" in r.stderr, "it is the record that is told", r.stderr)


@ktls_matters
def test_silence_at_the_end():
    """All data went well, and then nothing more is said."""
    def play(fake):
        with fake.context().wrap_socket(to_data(fake, "STOR").accept()[0],
                                        server_side=True) as data:
            for _ in iter(lambda: data.recv(65536), b""):
                pass
            data.unwrap()
        wait_until_left(fake.sock)
    up = make_file("up", 1000)
    with Fake(play) as server:
        is_clean(put(server, up, "--timeout", SHORT), UNCONFIRMED, "no final reply")


def test_listing_with_commands():
    """A listing's escape sequences do not get to a terminal."""
    def play(fake):
        with fake.context().wrap_socket(to_data(fake, "LIST").accept()[0],
                                        server_side=True) as data:
            data.sendall(b"evil\x1b]0;title\x07\x1b[2J\0\x9b2J\r\n" +
                         "good \u00e4\u20ac evil \u009b2J\r\n".encode())
            data.unwrap()
        fake.say("226 \x1b[2Jdone")
        fake.hear("QUIT")
        fake.say("221 bye")
    with Fake(play) as server:
        ours, theirs = pty.openpty()
        with subprocess.Popen([FTPS, "ls", "-v", "--cacert", CERT, server.url()], stdout=theirs,
                              stderr=theirs, stdin=subprocess.DEVNULL) as proc:
            os.close(theirs)
            shown = b""
            try:
                while True:
                    shown += os.read(ours, 4096)
            except OSError:
                pass
            status = proc.wait(LIMIT)
        os.close(ours)
    ok(status == COMPLETE and b"evil" in shown and b"\x1b" not in shown and b"\x07" not in shown and
       b"\x9b" not in shown and "good \u00e4\u20ac".encode() in shown,
       "escape sequences are masked", shown)


# ---------------------------------------------------------------- hostile users of this machine

def set_rule(name, value):
    """A rule of proc_sys_fs(5). Return: what it was."""
    with open(f"/proc/sys/fs/{name}", "r+") as f:
        was = f.read().strip()
        f.seek(0)
        f.write(str(value))
    return was


def test_planted():
    """Somebody else's link or file in a sticky folder: the kernel says who may write to it."""
    rules = ("protected_symlinks", "protected_regular")
    try:
        was = {rule: set_rule(rule, 0) for rule in rules}
    except OSError as e:
        skip("files that others planted", f"the kernel's rules cannot be set: {e}")
        return
    folder = tempfile.mkdtemp(dir=WORK)
    os.chmod(folder, 0o1777)
    mine, link, file = path("root's own"), os.path.join(folder, "x"), os.path.join(folder, "y")
    nothing = os.path.join(folder, "astray")
    try:
        for rule in (0, 1):
            for name in rules:
                set_rule(name, rule)
            for planted in (link, file, nothing):
                with open(mine, "w") as f:
                    f.write("as it was")
                os.symlink(mine if planted == link else path("made"), planted)
                if planted == file:
                    os.unlink(planted)
                    make_file(planted, 10)
                os.lchown(planted, 65534, 65534)
                what = f"get to somebody's {os.path.basename(planted)}, rule {rule}"
                with Server() as server:
                    make_file(server.file("f"), 1000)
                    r = get(server, "f", planted)
                is_status(r, LOCAL if rule else COMPLETE, what)
                ok(not rule or "Permission denied" in r.stderr, f"{what}: as open(2)", r.stderr)
                ok(os.path.islink(planted) == (planted != file) and
                   os.lstat(planted).st_uid == 65534, f"{what}: it stays what it is, and whose")
                ok((open(mine, "rb").read() == b"as it was") == bool(rule or planted != link) and
                   os.path.exists(path("made")) == (not rule and planted == nothing),
                   f"{what}: root's file is as open(2) would have it")
                os.unlink(planted)
                if os.path.exists(path("made")):
                    os.unlink(path("made"))
            no_leftovers(folder)
    finally:
        for rule, value in was.items():
            set_rule(rule, value)


# ---------------------------------------------------------------- hostile clients

def serves_others(server):
    up = make_file("other", 1000)
    r = put(server, up)
    ok(r.returncode == COMPLETE and same(up, server.file("other")), "others are served as ever",
       r.stderr)


def test_lines_of_a_client():
    with Server("--timeout", "5") as server:
        for tls in (False, True):
            where = "in TLS" if tls else "in the clear"
            for what, piece in (("a line of a megabyte", b"A" * MEGABYTE + b"\r\n"),
                                ("a megabyte of NULs", b"\0" * MEGABYTE),
                                ("a NUL", b"USER a\0b\r\n"), ("a CR", b"USER a\rb\r\n")):
                raw = Raw(server, tls=tls, login=False)
                try:
                    raw.sock.sendall(piece)
                    got = raw.reply()
                except OSError:
                    got = "reset"
                # What it had not read yet turns its goodbye into a reset.
                ok(got.startswith("500") or got in ("reset", ""), f"{what} {where}: {got}")
                wait_until_left(raw.sock)
                raw.close()
        # A receive buffer that may grow takes minutes to fill.
        raw = Raw(server, tls=False, login=False, room=4096)
        flood(raw.sock, b"NOOP\r\n" * 10_000)
        ok(True, "commands without end, replies unread: it leaves")
        raw = Raw(server, tls=False, login=False)
        raw.sock.sendall(b"AUTH TLS\r\n" + os.urandom(1000))
        wait_until_left(raw.sock)
        ok(True, "noise behind AUTH TLS: it leaves")
        serves_others(server)


@ktls_matters
def test_replies_unread():
    with Server("--timeout", "5", "--idle", "1000") as server:
        raw = Raw(server, tls=False, login=False, room=4096)
        raw.sock.sendall(b"NOOP\r\n" * 5000)
        until(lambda: not server.sessions(), "a session whose replies nobody reads to end")
        ok(True, "replies that fit into the send queue, unread: it leaves")
        serves_others(server)


def test_slow_loris_client():
    with Server("--idle", SHORT, "--timeout", SHORT) as server:
        raw = Raw(server, tls=False, login=False)
        ok(raw.reply().startswith("421"), "silence")
        raw = Raw(server, tls=False, login=False)
        trickle(raw.sock, b"N")
        ok(True, "a command byte by byte")
        raw = Raw(server, tls=False, login=False)
        raw.ask("AUTH TLS")
        wait_until_left(raw.sock)
        ok(True, "no handshake")
        raw = Raw(server, tls=False, login=False)
        raw.ask("AUTH TLS")
        raw.sock.sendall(b"\x16\x03\x01\x40\x00")
        trickle(raw.sock, b"\x01")
        ok(True, "a handshake byte by byte")
        raw = Raw(server)
        raw.protect()
        raw.ask("EPSV")
        raw.sock.sendall(b"STOR never\r\n")
        raw.reply()
        ok(raw.reply().startswith("425"), "a data connection that does not come")
    with Server("--timeout", SHORT) as server:
        raw = Raw(server)
        raw.protect()
        port = raw.epsv()
        raw.sock.sendall(b"STOR never\r\n")
        raw.reply()
        with socket.create_connection((server.host, port)):
            ok(raw.reply().startswith("425"), "a data connection without handshake")
        port = raw.epsv()
        raw.sock.sendall(b"STOR never\r\n")
        raw.reply()
        with raw.data(port) as data:
            data.sendall(b"begun")
            got = raw.reply()
        ok(got.startswith("426") and "timeout" in got, f"data that do not go on: {got}")
        ok(sorted(os.listdir(server.dir)) == ["never.partial"], "what came is kept as .partial",
           os.listdir(server.dir))


@ktls_matters
def test_data_connection_of_a_client():
    with Server() as server:
        raw = Raw(server)
        raw.protect()
        for what, piece in (("without TLS", b"hello, this is the file\r\n" * 100),
                            ("with noise", os.urandom(1000))):
            port = raw.epsv()
            raw.sock.sendall(b"STOR evil\r\n")
            raw.reply()
            with socket.create_connection((server.host, port), timeout=LIMIT) as data:
                try:
                    data.sendall(piece)
                except OSError:
                    pass
                got = raw.reply()
            report = server.line()
            ok(got.startswith("425") and report["reply"] == 425, f"data {what}: {got}", report)
        for end, want in (("FIN", "truncated"), ("tampering", "protocol"), ("data", "complete")):
            port = raw.epsv()
            raw.sock.sendall(b"STOR evil\r\n")
            raw.reply()
            data = raw.data(port)
            data.sendall(b"x" * 1000)
            if end == "data":
                data.unwrap()
            elif end == "tampering":
                os.write(data.fileno(), b"\x17\x03\x03\x00\x20" + b"y" * 32)
            data.close()
            got, report = raw.reply(), server.line()
            ok(report["result"] == want and got[:3] == ("226" if want == "complete" else "426"),
               f"1000 bytes, then {end}: {got}", report)
            ok(os.path.exists(server.file("evil")) == (want == "complete"),
               f"{end}: the name is there only for what is whole")
        raw.sock.sendall(b"STOR gone\r\n")
        serves_others(server)


@ktls_matters
def test_client_never_reads():
    for what, send in (("a byte now and then", dribble), ("a flood", flood)):
        with Server("--timeout", SHORT) as server:
            make_file(os.path.join(server.dir, "f"), 20_000_000)
            raw = Raw(server)
            raw.protect()
            raw.ask("TYPE I")
            port = raw.epsv()
            raw.sock.sendall(b"RETR f\r\n")
            raw.reply()
            with raw.data(port) as data:
                sender = threading.Thread(target=send, args=(data, b"x"), daemon=True)
                sender.start()
                got = raw.reply()
            ok(got.startswith("426 timeout"), f"{what}, nothing read: {got}")
            sender.join(LIMIT)
            serves_others(server)


@ktls_matters
def test_downgrade_by_a_client():
    with Server() as server:
        raw = Raw(server)
        for line, want in (("AUTH TLS", "503"), ("AUTH SSL", "504"), ("CCC", "534"),
                           ("PROT P", "503"), ("PBSZ 0", "200"), ("PROT C", "534"),
                           ("PROT E", "536"), ("EPSV", "229"), ("RETR x", "521"),
                           ("STOR x", "521"), ("LIST", "521"), ("MLSD", "521"), ("NLST", "521")):
            got = raw.ask(line)
            ok(got.startswith(want), f"\"{line}\": {got}")
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            raw = Raw(server, tls=False, login=False)
            raw.ask("AUTH TLS")
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
            ctx.set_ciphers("ALL:@SECLEVEL=0")
            try:
                # Deprecated, and that is the point.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ctx.minimum_version = ctx.maximum_version = version
                ctx.wrap_socket(raw.sock).close()
                got = "accepted"
            except (ssl.SSLError, ConnectionError) as e:
                got = str(e)
            ok(got != "accepted", f"{version.name}: {got}")
        serves_others(server)


def test_path_escapes():
    with Server() as server:
        outside = tempfile.mkdtemp(prefix="outside.", dir=WORK)
        secret = os.path.join(outside, "secret")
        with open(secret, "w") as f:
            f.write("the secret")
        before = os.stat(secret).st_mode, os.stat(outside).st_mtime
        os.mkdir(server.file("dir"))
        os.symlink(secret, server.file("link"))
        os.symlink(outside, server.file("dirlink"))
        os.symlink("../" + os.path.basename(outside), server.file("dir/rel"))
        os.symlink("/proc/self/root", server.file("magic"))
        os.symlink("loop", server.file("loop"))
        raw = Raw(server)
        raw.protect()
        raw.ask("TYPE I")
        up = "../" * 20
        names = [secret, up + secret[1:], f"../{os.path.basename(outside)}/secret", "link",
                 "dirlink/secret", "dir/rel/secret", f"magic{secret}", "loop", "dir/../link",
                 f"dir/../../{os.path.basename(outside)}/secret", f"//{secret}", f"./{up}etc/passwd",
                 "dir/" + up + "etc/passwd", "..", "../", "/..", ".", "\\..\\..\\etc\\passwd"]
        for name in names:
            for verb in ("SIZE", "MDTM"):
                got = raw.ask(f"{verb} {name}")
                ok(got.startswith("550"), f"{verb} of something outside: {got}", name)
            raw.ask("EPSV")
            got = raw.ask(f"RETR {name}")
            ok(got.startswith("550"), f"RETR of something outside: {got}", name)
        for name in ("link/x", "dirlink/x", "dir/rel/x", "magic/tmp/x", "loop/x", "link", "dirlink",
                     "dir/rel", "..", "../", "dir", "magic"):
            for verb in ("STOR", "APPE"):
                raw.ask("EPSV")
                got = raw.ask(f"{verb} {name}")
                ok(got.startswith("55"), f"{verb} to something outside: {got}", name)
        make_file(server.file("dir/mine"), 10)
        for name in ("link/x", "dirlink/x", "dirlink/secret", "dir/rel/x", "dir/rel/secret",
                     "magic/tmp/x", "loop/x", ".ftps.x", "dir/.ftps.x", "x\x1fy"):
            for verb in ("MKD", "RMD", "DELE", "RNFR", "SITE CHMOD 777", "MFMT 20010101000000"):
                got = raw.ask(f"{verb} {name}")
                ok(got.startswith("55"), f"{verb} of something outside: {got}", name)
            raw.ask("RNFR dir/mine")
            got = raw.ask(f"RNTO {name}")
            ok(got.startswith("55"), f"RNTO something outside: {got}", name)
        for name in ("../../x", "dir/../../y"):
            ok(raw.ask(f"MKD {name}") == f'257 "/{name[-1]}"' and
               raw.ask(f"RMD /{name[-1]}").startswith("250"), "MKD above the root is in it", name)
        for verb in ("SITE CHMOD 777", "MFMT 20010101000000"):
            for name in ("link", "dirlink", "dir/rel", "loop"):
                got = raw.ask(f"{verb} {name}")
                ok(got.startswith("55"), f"{verb} of what a link leads to: {got}", name)
        # A link that is elsewhere leads no further than it did.
        for name in ("link", "dir/rel"):
            raw.ask(f"RNFR {name}")
            ok(raw.ask("RNTO dir/moved").startswith("250"), "RNTO moves the link itself", name)
            raw.ask("EPSV")
            got = raw.ask("RETR dir/moved"), raw.ask("SIZE dir/moved/secret")
            ok(got[0].startswith("550") and got[1].startswith("550"), f"and it stays shut: {got}")
            raw.ask("RNFR dir/moved")
            raw.ask(f"RNTO {name}")
        raw.ask("DELE dir/mine")
        for name in ("dirlink", "dir/rel", "magic", "link", "loop"):
            got = raw.ask(f"CWD {name}")
            ok(got.startswith("550"), f"CWD to something outside: {got}", name)
            raw.ask("EPSV")
            got = raw.ask(f"MLSD {name}")
            ok(got.startswith("55") or got.startswith("501"), f"MLSD of something outside: {got}",
               name)
        for name in ("../../..", "/", "../dir/../.."):
            ok(raw.ask(f"CWD {name}").startswith("250") and raw.ask("PWD") == '257 "/"',
               "CWD above the root stays there", name)
        ok(os.listdir(outside) == ["secret"] and open(secret).read() == "the secret" and
           (os.stat(secret).st_mode, os.stat(outside).st_mtime) == before, "outside all is as it was",
           os.listdir(outside))
        ok(sorted(os.listdir(server.dir)) == ["dir", "dirlink", "link", "loop", "magic"],
           "and so is the folder", os.listdir(server.dir))


def test_race_of_links():
    """A folder that turns into a link to outside, and back, while it is worked in."""
    with Server() as server:
        outside = tempfile.mkdtemp(prefix="outside.", dir=WORK)
        make_file(os.path.join(outside, "secret"), 10)
        make_file(server.file("mine"), 10)
        os.mkdir(server.file("d"))
        make_file(server.file("d/stays"), 10)
        os.symlink(outside, server.file("link"))
        done = threading.Event()

        def swap():
            while not done.is_set():
                for a, b in (("d", "away"), ("link", "d"), ("d", "link"), ("away", "d")):
                    os.rename(server.file(a), server.file(b))
        swapper = threading.Thread(target=swap, daemon=True)
        swapper.start()
        raw = Raw(server)
        raw.protect()
        said = set()
        for i in range(100):
            for line in (f"MKD d/{i}", "DELE d/secret", "RMD d", "RNFR mine", "RNTO d/mine",
                         "RNFR d/secret", "RNTO stolen", "RNFR d/mine", "RNTO mine", "SIZE d/secret"):
                got = raw.ask(line)[:3]
                said.add(got)
                # The pipe of the log must not fill up.
                if line[:4] not in ("RNFR", "SIZE") and got != "503":
                    server.line()
        done.set()
        swapper.join(LIMIT)
        ok({"257", "550"} <= said, "both were met", said)
        ok(os.listdir(outside) == ["secret"] and not os.path.exists(server.file("stolen")),
           "nothing is made, removed or moved outside", os.listdir(outside))


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
