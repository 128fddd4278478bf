#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""End-to-end checks of ftps, on loopback; TAP on standard output.

    check.py FTPS [NAME...]     all tests, or those whose name contains a NAME

Client and server are checked against each other, against Python's ftplib and curl,
and against a server written here that misbehaves on purpose. Where the kernel has no
kTLS the same tests run with user-space TLS.
"""
import calendar
import contextlib
import errno
import fcntl
import ftplib
import hashlib
import json
import os
import pty
import pwd
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import types
import warnings

from harness import *  # pylint: disable=wildcard-import,unused-wildcard-import

# ---------------------------------------------------------------- tests: it works

@ktls_matters
def test_both_ways():
    for host in ("127.0.0.1", "::1"):
        with Server("--sha256", host=host) as server:
            for tls in ("1.2", "1.3"):
                for size in (0, 1, 100_000, 3_000_000):
                    what = f"{host}, TLS {tls}, {size} bytes"
                    up = make_file("up", size)
                    r = put(server, up, "--tls", tls, "--sha256")
                    is_status(r, COMPLETE, "put " + what)
                    ok(same(up, server.file("up")), f"put {what}: same on the server")
                    f, there = facts(r), server.line()
                    ok(f.get("tls") == "TLSv" + tls and f.get("bytes") == size and
                       f.get("sha256") == sha(up) == there["sha256"] and
                       f.get("end") == "acknowledged" and there["end"] == "close_notify",
                       f"put {what}: both ends report it", (f, there))
                    r = get(server, "up", path("down"), "--tls", tls)
                    is_status(r, COMPLETE, "get " + what)
                    ok(same(path("down"), up), f"get {what}: same here")
                    ok(facts(r).get("end") == "close_notify" and
                       server.line()["end"] == "acknowledged", f"get {what}: ended well")
            no_leftovers(server.dir)
    no_leftovers(WORK)


@ktls_matters
def test_ktls_is_told():
    with Server() as server:
        up = make_file("up", 1000)
        tx = facts(put(server, up))["ktls"]["tx"]
        off = facts(put(server, up, "--no-ktls"))["ktls"]
        ulp = open("/proc/sys/net/ipv4/tcp_available_ulp").read().split()
        ok(tx == ("tls" in ulp), f"kTLS TX: {tx}, and the kernel has {ulp}")
        ok(off == {"tx": False, "rx": False}, "--no-ktls: none", off)
        r = run("put", "--cacert", CERT, up, server.url())
        ok(("kTLS TX" if tx else "user-space TLS") in r.stdout, "said in words, too", r.stdout)


def test_pasv():
    with Server() as server:
        up = make_file("up", 5000)
        r = put(server, up, "--no-epsv", "-v")
        is_status(r, COMPLETE, "put over PASV")
        ok("227 " in r.stderr and "229 " not in r.stderr, "PASV and not EPSV", r.stderr)


@ktls_matters
def test_active():
    for host in ("127.0.0.1", "::1"):
        with Server(host=host) as server:
            up = make_file("up", 50_000)
            is_status(put(server, up, "--active"), COMPLETE, f"{host}: put, server connects")
            is_status(get(server, "up", path("down"), "--active"), COMPLETE, "get, too")
            ok(same(up, server.file("up")) and same(up, path("down")), "same both ways")


@ktls_matters
def test_implicit():
    for tls in ("1.2", "1.3"):
        with Server("--implicit") as server:
            up = make_file("up", 50_000)
            is_status(put(server, up, "--implicit", "--tls", tls), COMPLETE, "implicit TLS " + tls)
            ok(same(up, server.file("up")), "same")
            r = put(server, up, "--timeout", "3")
            ok(r.returncode in (TIMEOUT, NETWORK, PROTOCOL), "explicit to implicit: an error")


@ktls_matters
def test_clear_data():
    with Server("--clear-data") as server:
        up = make_file("up", 300_000)
        r = put(server, up, "--clear-data")
        is_status(r, COMPLETE, "put with PROT C")
        ok("WARNING" in r.stderr and facts(r)["tls"] == "none", "and it is said aloud", r.stderr)
        r = get(server, "up", path("down"), "--clear-data")
        is_status(r, COMPLETE, "get with PROT C")
        ok(same(up, server.file("up")) and same(up, path("down")), "same both ways")
        is_status(put(server, up), COMPLETE, "PROT P works there, too")
    with Server("--clear-data", "--end", "rst-middle") as server:
        make_file(os.path.join(server.dir, "f"), 300_000)
        r = get(server, "f", path("cut"), "--clear-data")
        is_status(r, RESET, "get with PROT C, cut")
    with Server() as server:
        is_status(put(server, up, "--clear-data"), REFUSED, "PROT C where it is not allowed")


def test_ls():
    # Python's ftplib resumes no session.
    with Server("--no-require-reuse") as server:
        os.mkdir(server.file("dir"))
        for name in ("one", "dir/two", "dir/thr ee"):
            make_file(os.path.join(server.dir, name), 1234)
        for odd in ("a\nb", ".ftps.hidden"):
            make_file(os.path.join(server.dir, odd), 1)
        os.symlink("/etc", server.file("link"))
        base = ["ls", "--cacert", CERT]
        r = run(*base, "--names", server.url())
        ok(r.returncode == 0 and r.stdout.split("\n") == ["dir", "one", ""],
           "ls --names", r)
        r = run(*base, "--names", server.url("dir"))
        ok(r.stdout.splitlines() == ["thr ee", "two"], "ls --names dir", r)
        r = run(*base, "--facts", server.url("dir"))
        ok(len(r.stdout.splitlines()) == 2 and
           all(x.startswith("type=file;size=1234;modify=20") for x in r.stdout.splitlines()),
           "ls --facts dir", r)
        r = run(*base, server.url("one"))
        ok(r.stdout.startswith("-rw") and " 1234 " in r.stdout, "ls of a file", r)
        is_status(run(*base, server.url("none")), REFUSED, "ls of nothing")
        is_status(run(*base, server.url("link/x")), REFUSED, "ls through a link")
        r = run(*base, "--json", server.url())
        ok(json.loads(r.stderr)["op"] == "ls", "ls --json: summary on standard error")
        ctx = ssl.create_default_context(cafile=CERT)
        ftp = ftplib.FTP_TLS(context=ctx)
        ftp.connect(server.host, server.port, timeout=LIMIT)
        ftp.login(USER, PASSWORD)
        ftp.prot_p()
        ok(sorted(n for n, f in ftp.mlsd("dir")) == ["thr ee", "two"], "ftplib's mlsd()")
        ok(ftp.nlst("-a dir") == ["thr ee", "two"], "ftplib's nlst()")
        lines = []
        ftp.dir(lines.append)
        ok(len(lines) == 2, "ftplib's dir()", lines)
        ok(" type=file;size=1234;" in ftp.sendcmd("MLST dir/two"), "MLST")
        ftp.close()


@ktls_matters
def test_resume_get():
    with Server("--end", "rst-middle", "--cut-at", "70000") as server:
        f = make_file(os.path.join(server.dir, "f"), 200_000)
        keep = shutil.copy2(f, path("keep"))
        is_status(get(server, "f", path("part")), RESET, "get, cut")
    have = os.path.getsize(path("part.partial"))
    with Server() as server:
        shutil.copy2(keep, server.file("f"))
        r = get(server, "f", path("part"), "--resume")
        is_status(r, COMPLETE, f"get --resume from {have}")
        ok(facts(r)["bytes"] == 200_000 - have > 0, "only the rest was sent")
        ok(same(path("part"), keep) and not os.path.exists(path("part.partial")),
           "whole, and no .partial any more")
        is_status(get(server, "f", path("part"), "--resume"), COMPLETE, "nothing to resume")


@ktls_matters
def test_resume_put():
    up = make_file("up", 200_000)
    with Server() as server:
        is_status(put(server, up, "--end", "rst-middle"), RESET, "put, cut")
        line = server.line()
        have = os.path.getsize(server.file("up.partial")) if line["partial"] else 0
        part = os.stat(server.file("up.partial")).st_ino if have else None
        r = put(server, up, "--resume")
        is_status(r, COMPLETE, f"put --resume from {have}")
        ok(facts(r)["bytes"] == 200_000 - have, "only the rest was sent")
        ok(same(up, server.file("up")) and os.listdir(server.dir) == ["up"],
           "whole, and no .partial any more", os.listdir(server.dir))
        ok(os.stat(server.file("up")).st_ino == part, "nothing was copied")
        make_file("up", 100)
        is_status(put(server, up, "--resume"), LOCAL, "the server has more than we")
    with Server() as server:
        for newer in (True, False):
            up = make_file("up", 200_000)
            is_status(put(server, up, "--end", "rst-middle"), RESET, "put, cut")
            part = sha(server.file("up.partial"))
            then = os.stat(server.file("up.partial")).st_mtime
            if not newer:
                make_file("up", 200_000)
            os.utime(up, (then, then + (10 if newer else -10)))
            r = put(server, up, "--resume")
            is_status(r, LOCAL, "put --resume of a file that is " + ("newer" if newer else "another"))
            ok("without --resume" in r.stderr and sha(server.file("up.partial")) == part and
               not os.path.exists(server.file("up")), "nothing is joined, and it is said what to do", r.stderr)


def cut_get(server_file, to):
    """A get that is cut in the middle. Return: where what came is."""
    with Server("--end", "rst-middle", "--cut-at", "70000") as server:
        shutil.copy2(server_file, server.file("f"))
        r = get(server, "f", to)
        is_status(r, RESET, "get, cut")
        return facts(r)["partial"]


def test_partial_is_mine():
    """What a user has as NAME.partial is no business of a get that fails."""
    f, down = make_file("mine", 200_000), path("taken")
    mine = make_file("taken.partial", 100)
    shutil.copy(mine, path("mine.copy"))
    # Where no attribute tells whose a part is, none is replaced.
    known = xattrs(WORK)
    for number in (1, 1 if known else 2):
        part = cut_get(f, down)
        ok(part == f"{down}.partial.{number}" and same(mine, path("mine.copy")),
           f"a user's own .partial stays; what came is .partial.{number}", part)
    ok(os.stat(part).st_mode & 0o777 == 0o600, "and nobody else can read it")
    for name in os.listdir(WORK):
        if name.startswith("taken.partial"):
            os.unlink(path(name))
    first, second = cut_get(f, down), cut_get(f, down)
    ok(first == down + ".partial" and second == first + ("" if known else ".1"),
       f"ours is {'replaced' if known else 'not, as nothing says that it is'}", second)


def test_resume_other():
    """Parts of different files are not joined."""
    f, down = make_file("joined", 200_000), path("join")

    def resume(what, want):
        with Server() as server:
            shutil.copy2(f, server.file("f"))
            r = get(server, "f", down, "--resume")
        is_status(r, want, "get --resume, " + what)
        ok(same(f, down) if want == COMPLETE else "without --resume" in r.stderr,
           "whole, or it is said what to do", r.stderr)
        ok(want == COMPLETE or (not os.path.exists(down) and same(part, path("kept"))),
           "and what was there is as it was")
    part = cut_get(f, down)
    shutil.copy(part, path("kept"))
    then = os.stat(f).st_mtime
    os.utime(f, (then, then - 10))
    resume("another time", LOCAL)
    os.truncate(f, 200_001)
    os.utime(f, (then, then))
    resume("another size", LOCAL if xattrs(WORK) else COMPLETE)
    os.truncate(f, 200_000)
    os.utime(f, (then, then))
    if not os.path.exists(part):
        os.unlink(down)
        shutil.copy(cut_get(f, down), path("kept"))
    if not os.geteuid():
        os.chown(part, 1, 1)
        resume("a part that somebody else chose", LOCAL)
        os.chown(part, 0, 0)
    resume("the same file", COMPLETE)
    part = make_file("join.partial", 100)
    os.utime(part, (then, then - 10))
    shutil.copy(part, path("kept"))
    os.unlink(down)
    resume("a part that is none", LOCAL)


def xattrs(folder):
    """Whether a file here can have attributes of its user's."""
    try:
        os.setxattr(make_file(os.path.join(folder, "xattr"), 1), "user.test", b"x")
        return True
    except OSError:
        return False


ACL = "system.posix_acl_access"


def acl(*entries):
    """An ACL as the kernel has it: tag (1, 2, 4, 8, 16, 32 as in acl(5)), permissions, id."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *e) for e in entries)


def attributes(name):
    sb = os.stat(name)
    return (oct(sb.st_mode), sb.st_uid, sb.st_gid, sb.st_nlink,
            {x: os.getxattr(name, x) for x in os.listxattr(name)})


def test_attributes():
    """A file that is replaced keeps all but its content."""
    new = make_file("new", 200_000)

    def adorn(name, links):
        make_file(name, 3000)
        os.chmod(name, 0o604)
        if not os.geteuid():
            os.chown(name, 1, 2)
            os.chmod(name, 0o2640)
        for attr, value in (("user.test", b"mine"),
                            (ACL, acl((1, 6, -1), (2, 4, 12), (4, 0, -1), (16, 4, -1), (32, 0, -1)))):
            try:
                os.setxattr(name, attr, value)
            except OSError as e:
                print(f"# {attr}: {e}")
        if links:
            os.link(name, name + ".link")
        return name

    for links in (False, True):
        for verb in ("get", "put", "put --append"):
            what = f"{verb}, {'with' if links else 'without'} another name"
            with Server() as server:
                if verb == "get":
                    os.rename(shutil.copy(new, path("f")), server.file("f"))
                    there = adorn(path(f"adorned{links}"), links)
                    before = attributes(there)
                    r = get(server, "f", there)
                else:
                    there = adorn(server.file("new"), links)
                    before = attributes(there)
                    r = put(server, new, *verb.split()[1:])
                is_status(r, COMPLETE, what)
                ok(attributes(there) == before, f"{what}: all attributes are as before",
                   (before, attributes(there)))
                ok(os.path.getsize(there) == 200_000 + 3000 * ("append" in verb), "the data are new")
                ok(not links or same(there, there + ".link"), "under both names")
                no_leftovers(os.path.dirname(there))


def grant(name, caps):
    try:
        os.setxattr(name, "security.capability", caps)
        return True
    except OSError:
        return False


def test_privileges():
    """What a file may do was granted to its content, and is not the new content's."""
    new = make_file("new", 200_000)
    # cap_net_bind_service=ep, as capabilities(7) has it
    caps = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
    for links in (False, True):
        for verb in ("get", "put"):
            what = f"{verb}, {'with' if links else 'without'} another name"
            with Server() as server:
                there = make_file(f"granted{links}" if verb == "get" else server.file("new"), 3000)
                os.chmod(there, 0o6755)
                granted = grant(there, caps)
                if links:
                    os.link(there, there + ".link")
                if verb == "get":
                    shutil.copy(new, server.file("f"))
                    r = get(server, "f", there)
                else:
                    r = put(server, new)
                is_status(r, COMPLETE, what)
                ok(same(new, there) and os.stat(there).st_mode & 0o7777 == 0o755,
                   f"{what}: neither set-user-ID nor set-group-ID", attributes(there))
                if granted:
                    ok("security.capability" not in os.listxattr(there),
                       f"{what}: no capabilities", attributes(there))
                else:
                    skip(f"{what}: no capabilities", "they cannot be given here")


def test_modes():
    """umask and default ACLs are for what is complete; what is not is its owner's alone."""
    with Server("--rate", "200000") as server:
        make_file(server.file("f"), 100_000)
        folder = tempfile.mkdtemp(dir=WORK)
        args = [FTPS, "get", "--cacert", CERT, server.url("f")]
        with subprocess.Popen([*args, "f"], cwd=folder, umask=0o027, stdout=subprocess.DEVNULL) as proc:
            name = until(lambda: arriving(folder), "the first bytes")
            mode = os.stat(os.path.join(folder, name)).st_mode
            proc.wait(LIMIT)
        ok(mode & 0o777 == 0o600, f"a temporary file has mode {mode & 0o777:o}")
        mode = os.stat(os.path.join(folder, "f")).st_mode
        ok(mode & 0o777 == 0o640, f"a new file has mode {mode & 0o777:o}")
        try:
            os.setxattr(folder, "system.posix_acl_default",
                        acl((1, 7, -1), (2, 6, 12), (4, 5, -1), (16, 7, -1), (32, 0, -1)))
        except OSError as e:
            skip("a default ACL", f"no ACLs here: {e}")
            return
        with open(os.path.join(folder, "like this"), "w"):
            pass
        is_status(run(*args[1:], "g", cwd=folder), COMPLETE, "get into a folder with a default ACL")
        ok(attributes(os.path.join(folder, "g")) == attributes(os.path.join(folder, "like this")),
           "a new file has what any new file has there", attributes(os.path.join(folder, "g")))


def test_append():
    with Server() as server:
        up = make_file("up", 1000)
        for i in range(3):
            is_status(put(server, up, "--append"), COMPLETE, "put --append")
        ok(open(server.file("up"), "rb").read() == 3 * open(up, "rb").read(), "three times")
        is_status(put(server, up, "--append", "--end", "no-close-notify"), UNCONFIRMED,
                  "an append that is cut")
        ok(os.path.getsize(server.file("up")) == 3000, "leaves the file as it was")


@ktls_matters
def test_append_in_place():
    with Server("--timeout", SHORT) as server:
        f = make_file(server.file("f"), 100_000)
        before = os.stat(f)
        with open(f, "rb") as file:
            old = file.read()
        raw, other = Raw(server), Raw(server)
        for r in (raw, other):
            r.protect()
            r.ask("TYPE I")
        with raw.begin("APPE f") as data:
            data.sendall(b"more")
            until(lambda: os.path.getsize(f) == 100_004, "what came to be in the file")
            ok(os.listdir(server.dir) == ["f"], "nothing is copied", os.listdir(server.dir))
            other.ask("EPSV")
            got = other.ask("APPE f")
            ok(got.startswith("450"), f"two at once: {got}")
            data.shutdown(socket.SHUT_RDWR)
            got = raw.reply()
        ok(got.startswith("426") and os.path.getsize(f) == 100_000, f"a cut one is taken back: {got}")
        raw.ask("EPSV")
        ok(raw.ask("APPE f").startswith("150") and raw.reply().startswith("425") and
           os.path.getsize(f) == 100_000, "so is one without a data connection")
        with raw.begin("APPE f") as data:
            data.sendall(b"more")
            data.unwrap()
        ok(raw.reply().startswith("226") and open(f, "rb").read() == old + b"more" and
           os.stat(f).st_ino == before.st_ino and os.listdir(server.dir) == ["f"],
           "a whole one stays, and the file is the same one")


def test_rest_and_stor():
    with Server() as server:
        f = make_file(server.file("f"), 100_000)
        with open(f, "rb") as file:
            old = file.read()
        raw = Raw(server)
        raw.protect()
        raw.ask("TYPE I")
        raw.ask("REST 50000")
        port = raw.epsv()
        raw.sock.sendall(b"STOR f\r\n")
        raw.reply()
        # The session awaits the data connection now.
        ok([os.path.getsize(server.file(n)) for n in os.listdir(server.dir) if n != "f"] == [0],
           "no copy without a data connection", os.listdir(server.dir))
        with raw.data(port) as data:
            data.sendall(b"end")
            data.unwrap()
        ok(raw.reply().startswith("226") and open(f, "rb").read() == old[:50_000] + b"end",
           "the first half is kept")
        part = make_file(server.file("f.partial"), 80_000)
        if xattrs(server.dir):
            raw.ask("REST 60000")
            raw.ask("EPSV")
            ok(raw.ask("STOR g").startswith("553"), "REST into nothing")
            mine = make_file(server.file("g.partial"), 80_000)
            before = sha(mine)
            raw.ask("REST 60000")
            raw.ask("EPSV")
            ok(raw.ask("STOR g").startswith("553") and sha(mine) == before,
               "REST into a file of the user's own that is called so")
            os.unlink(mine)
            os.setxattr(part, "user.ftps.source", b"-")
        for offset, whose, first in ((50_002, f, old[:50_000] + b"en"),
                                     (60_000, part, open(part, "rb").read()[:60_000])):
            raw.ask(f"REST {offset}")
            with raw.begin("STOR f") as data:
                data.sendall(b"more")
                data.unwrap()
            ok(raw.reply().startswith("226") and open(f, "rb").read() == first + b"more",
               f"REST {offset}: goes on in {os.path.basename(whose)}")
        ok(not os.path.exists(part), "which has become the file")
        raw.ask("REST 60005")
        raw.ask("EPSV")
        ok(raw.ask("STOR f").startswith("553"), "more than there is")
        os.truncate(f, 1 << 36)
        raw.ask(f"REST {1 << 36}")
        with raw.begin("STOR f"):
            got = raw.ask("ABOR")
            ok(got.startswith("426") and raw.reply().startswith("226"), f"ABOR amid a copy: {got}")
        ok(all(os.stat(server.file(n)).st_size < 1 << 36 for n in os.listdir(server.dir) if n != "f"),
           "which was not made to its end")


def test_commit_fails():
    """All came, and then the name is not to be had."""
    with Server() as server:
        raw = Raw(server)
        raw.protect()
        with raw.begin("STOR f") as data:
            os.mkdir(server.file("f"))
            data.sendall(b"x")
            data.unwrap()
        got = raw.reply()
        line = server.line()
        ok(got == "451 Is a directory" and line["error"] == "Is a directory", f"the reply says why: {got}")
        ok(line["partial"] == "/f.partial", "the log where it is", line)
        ok(sorted(os.listdir(server.dir)) == ["f", "f.partial"], "and what came is kept",
           os.listdir(server.dir))
    with Server("--rate", "100000") as server:
        make_file(server.file("f"), 100_000)
        folder = tempfile.mkdtemp(dir=WORK)
        down = os.path.join(folder, "f")
        with subprocess.Popen([FTPS, "get", "--json", "--cacert", CERT, server.url("f"), down],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as proc:
            until(lambda: arriving(folder), "the first bytes")
            os.mkdir(down)
            said = json.loads(proc.communicate(timeout=LIMIT)[0])
        ok(proc.returncode == LOCAL and said["partial"] == down + ".partial" and
           same(said["partial"], server.file("f")), "get: what came is kept, and it is told where", said)


def test_max_size():
    with Server("--max-size", "100K") as server:
        is_status(put(server, make_file("up", 102_400)), COMPLETE, "as large as may be")
        r = put(server, make_file("up2", 102_401))
        ok(r.returncode in (REFUSED, UNCONFIRMED) and facts(r)["reply"] == 552,
           "a byte more: 552", r)
        ok(not os.path.exists(server.file("up2")), "and it is not there")


def device():
    """One of our own, that nothing can be renamed to: a wrong program would replace /dev/null for all."""
    return os.ttyname(os.openpty()[1])


def test_mtime():
    times = (0, 951_782_400, 1_000_000_000, 4_102_444_799)
    with Server() as server:
        raw = Raw(server)
        f, down = make_file(os.path.join(server.dir, "f"), 10), path("down")
        for when in times:
            os.utime(f, (when, when))
            want = "213 " + time.strftime("%Y%m%d%H%M%S", time.gmtime(when))
            ok(raw.ask("MDTM f") == want, f"MDTM: {want}")
            r = get(server, "f", down)
            is_status(r, COMPLETE, f"get of a file from {time.gmtime(when).tm_year}")
            ok(os.stat(down).st_mtime == when, "its time is the server's", os.stat(down).st_mtime)
        r = get(server, "f", down, "--no-mtime", "-v")
        ok(os.stat(down).st_mtime != times[-1] and "MDTM" not in r.stderr,
           "--no-mtime: it is not, nor asked for", r.stderr)
        is_status(get(server, "f", device()), COMPLETE, "a device's time is left alone")

    def play(reply):
        def play(fake):
            fake.to_login()
            port = fake.data_port()
            fake.hear("SIZE")
            fake.say("213 1")
            fake.hear("MDTM")
            fake.say(reply)
            fake.hear("EPSV")
            fake.say(f"229 ok (|||{port}|)")
            fake.hear("RETR")
            fake.say("150 ok")
            with fake.data() as data:
                data.sendall(b"x")
                data.unwrap()
            fake.say("226 ok")
            fake.hear("QUIT")
        return play
    for reply, want in (("213 20010909014640", 1_000_000_000), ("213 20010909014640.5", 1_000_000_000),
                        ("213 20011309014640", None), ("213 then", None), ("502 what?", None),
                        ("550 no", None)):
        with Fake(play(reply)) as server:
            is_status(get(server, "f", down), COMPLETE, f"MDTM is answered by {reply}")
            ok(want in (None, os.stat(down).st_mtime) and
               (want or os.stat(down).st_mtime > times[2]), "and that is what the file's time shows")


def test_links():
    """get follows a user's own links."""
    with Server() as server:
        f = make_file(os.path.join(server.dir, "f"), 1000)
        os.makedirs(path("there/deep"))
        os.symlink("there/deep/file", path("link"))
        os.symlink("link", path("link to link"))
        os.symlink(path("there/deep/file"), path("there/absolute"))
        os.symlink("loop", path("loop"))
        os.symlink("nowhere/file", path("astray"))
        for link in ("link", "link to link", "there/absolute"):
            for before in (True, False):
                if before:
                    make_file("there/deep/file", 10)
                is_status(get(server, "f", path(link)), COMPLETE,
                          f"get to a {link}, {'to a file' if before else 'to nothing yet'}")
                ok(os.path.islink(path(link)) and same(f, path("there/deep/file")),
                   "the link stays, the file is replaced")
                os.unlink(path("there/deep/file"))
        for link in ("loop", "astray"):
            is_status(get(server, "f", path(link)), LOCAL, f"get to a link that goes {link}")
            ok(os.path.islink(path(link)), "the link stays")
        os.symlink(device(), path("terminal"))
        is_status(get(server, "f", path("terminal")), COMPLETE, "get to a link to a device")
        ok(os.path.islink(path("terminal")), "the link stays")
    with Server("--end", "rst-middle") as server:
        make_file(os.path.join(server.dir, "f"), 200_000)
        r = get(server, "f", path("link"))
        ok(facts(r)["partial"] == path("there/deep/file.partial") and
           os.path.exists(path("there/deep/file.partial")), "a partial file is beside the real one",
           r.stdout)
    no_leftovers(path("there/deep"))


@ktls_matters
def test_streams():
    with Server() as server:
        up = make_file("up", 300_000)
        with open(up, "rb") as f:
            r = subprocess.run([FTPS, "put", "--json", "--cacert", CERT, "-",
                                server.url("in")], stdin=f, capture_output=True, text=True)
        is_status(r, COMPLETE, "put from standard input")
        ok(same(up, server.file("in")), "same on the server")
        r = subprocess.run([FTPS, "get", "--json", "--cacert", CERT, server.url("in"), "-"],
                           capture_output=True)
        ok(r.returncode == 0 and hashlib.sha256(r.stdout).hexdigest() == sha(up),
           "get to standard output has the file and nothing else", r.stderr)
        ok(json.loads(r.stderr)["bytes"] == 300_000, "the summary is on standard error")


def test_names():
    with Server() as server:
        up = make_file("up", 100)
        os.mkdir(server.file("dir"))
        is_status(put(server, up, name="dir/"), COMPLETE, "put to a folder")
        ok(same(up, server.file("dir/up")), "has the file's own name")
        is_status(put(server, up, name="a%20b%25%22c"), COMPLETE, "put to an odd name")
        ok(same(up, server.file('a b%"c')), "name decoded")
        r = run("get", "--cacert", CERT, server.url("dir/up"), cwd=server.dir)
        is_status(r, COMPLETE, "get without FILE")
        ok(same(up, server.file("up")), "has the remote name")


@ktls_matters
def test_ftplib():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Server("--no-require-reuse") as server:
            ctx = ssl.create_default_context(cafile=CERT)
            ctx.minimum_version = ctx.maximum_version = version
            ftp = ftplib.FTP_TLS(context=ctx)
            ftp.connect(server.host, server.port, timeout=LIMIT)
            ftp.login(USER, PASSWORD)
            ftp.prot_p()
            up = make_file("up", 2_000_000)
            with open(up, "rb") as f:
                reply = ftp.storbinary("STOR up", f)
            ok(reply.startswith("226") and same(up, server.file("up")),
               f"ftplib {version.name} STOR: {reply}")
            got = hashlib.sha256()
            reply = ftp.retrbinary("RETR up", got.update)
            ok(reply.startswith("226") and got.hexdigest() == sha(up),
               f"ftplib {version.name} RETR: {reply}")
            ok(ftp.size("up") == 2_000_000, "SIZE")
            ok(ftp.pwd() == "/", "PWD")
            ok(ftp.quit().startswith("221"), "QUIT")


@ktls_matters
def test_curl():
    if not shutil.which("curl"):
        skip("curl", "no curl here")
        return
    with Server() as server:
        base = ["curl", "-sS", "--ssl-reqd", "--cacert", CERT, "-u", f"{USER}:{PASSWORD}"]
        url = f"ftp://{server.host}:{server.port}/"
        up = make_file("up", 2_000_000)
        for tls in ("--tls-max 1.2", "--tlsv1.3"):
            r = subprocess.run([*base, *tls.split(), "-T", up, url], capture_output=True)
            ok(r.returncode == 0 and same(up, server.file("up")), f"curl {tls} upload", r.stderr)
            r = subprocess.run([*base, *tls.split(), url + "up", "-o", path("down")],
                               capture_output=True)
            ok(r.returncode == 0 and same(up, path("down")), f"curl {tls} download", r.stderr)
            names = [os.path.basename(make_file(f"up{i}", 1000)) for i in range(4)]
            r = subprocess.run([*base, *tls.split(), "-T", path("{%s}" % ",".join(names)), url], capture_output=True)
            ok(r.returncode == 0 and all(same(path(n), server.file(n)) for n in names),
               f"curl {tls} uploads several files in one session", r.stderr)
            r = subprocess.run([*base, *tls.split(), url + "{%s}" % ",".join(names), "-o", path("down#1")],
                               capture_output=True)
            ok(r.returncode == 0 and all(same(path("down" + n), server.file(n)) for n in names),
               f"curl {tls} downloads them", r.stderr)


@ktls_matters
def test_many_at_once():
    with Server("--max-clients", "4") as server:
        up = make_file("up", 500_000)
        procs = [subprocess.Popen([FTPS, "put", "--cacert", CERT, up, server.url(f"n{i}")],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for i in range(4)]
        ok(all(p.wait(LIMIT) == 0 for p in procs), "four clients at once")
        ok(all(same(up, server.file(f"n{i}")) for i in range(4)), "four files")
        idle = []
        while len(idle) < 4:
            # The sessions from before may need a moment to be gone.
            s = socket.create_connection((server.host, server.port))
            if s.recv(10).startswith(b"220"):
                idle.append(s)
        r = put(server, up)
        is_status(r, REFUSED, "the fifth of four clients")
        for s in idle:
            s.close()


@ktls_matters
def test_ascii():
    """Lines end in LF in files, in CR LF on the wire."""
    with Server() as server:
        text = b"one\ntwo\r\n\rthree\r\r\n\n" * 20_000 + b"\r"
        up = path("up")
        with open(up, "wb") as f:
            f.write(text)
        wire = text.replace(b"\n", b"\r\n")
        for size, what in ((len(text), "a text"), (0, "nothing")):
            os.truncate(up, size)
            r = put(server, up, "--ascii")
            is_status(r, COMPLETE, "put --ascii " + what)
            ok(same(up, server.file("up")), "is the same on the server")
            r = get(server, "up", path("down"), "--ascii")
            is_status(r, COMPLETE, "get --ascii " + what)
            ok(same(up, path("down")), "is the same here")
            ok(facts(r)["bytes"] == (len(wire) if size else 0), "its bytes on the wire are told")
        with open(server.file("text"), "wb") as f:
            f.write(text)
        got = hashlib.sha256()
        raw = Raw(server)
        raw.protect()
        ok(raw.ask("SIZE text").startswith("550"), "TYPE A from the start: no SIZE")
        port = raw.epsv()
        raw.sock.sendall(b"RETR text\r\n")
        raw.reply()
        with raw.data(port) as data:
            for piece in iter(lambda: data.recv(65536), b""):
                got.update(piece)
            data.unwrap()
        ok(raw.reply().startswith("226") and got.hexdigest() == hashlib.sha256(wire).hexdigest(),
           "every LF is CR LF on the wire")
        raw.ask("EPSV")
        raw.ask("REST 5")
        ok(raw.ask("RETR text").startswith("504"), "no REST within a text")
        ok(raw.ask("TYPE I").startswith("200") and
           raw.ask("SIZE text") == f"213 {len(text)}", "TYPE I: SIZE is the file's")
        for verb in ("put", "get"):
            is_status(run(verb, "--ascii", "--resume", server.url("x"), server.url("x")), USAGE,
                      f"{verb} --ascii --resume")


@ktls_matters
def test_require_reuse():
    with Server() as server:
        up = make_file("up", 100_000)
        for tls, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
            is_status(put(server, up, "--tls", tls), COMPLETE, f"put, TLS {tls}")
            is_status(get(server, "up", path("down"), "--tls", tls), COMPLETE, "get, too")
            ctx = client_context(version)
            one, two = Raw(server, ctx=ctx), Raw(server, ctx=ctx)
            for raw, session, want in ((one, None, "522"), (one, two.sock.session, "522"),
                                       (one, one.sock.session, "226"),
                                       (two, two.sock.session, "226")):
                raw.protect()
                port = raw.epsv()
                raw.sock.sendall(b"STOR reuse\r\n")
                raw.reply()
                got = None
                try:
                    with raw.data(port, session) as data:
                        data.sendall(b"mine")
                        data.unwrap()
                except OSError as e:
                    got = e
                got = (raw.reply(), got)
                whose = "no" if not session else "its own" if session is raw.sock.session else \
                    "another's"
                ok(got[0].startswith(want), f"TLS {tls}, {whose} session: {got[0]}", got)
            left = one.sock.session.ticket_lifetime_hint
            ok(left >= 7 * 24 * 3600, f"TLS {tls}: it can be resumed for as long as is allowed: {left} s")
    with Server("--no-require-reuse") as server:
        raw = Raw(server)
        raw.protect()
        port = raw.epsv()
        raw.sock.sendall(b"LIST\r\n")
        raw.reply()
        with raw.data(port, None) as data:
            data.unwrap()
        ok(raw.reply().startswith("226"), "--no-require-reuse: a session of its own will do")


def test_users():
    users = path("users")
    with open(users, "w") as f:
        f.write("# comment\n\n")
        for name, secret in (("ann", "one:two"), ("bob", "three four")):
            done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=secret + "\n",
                                  capture_output=True, text=True, check=True)
            f.write(f"{name}:{done.stdout}")
    is_status(run("serve", "--cert", CERT, "--users", users, WORK), USAGE,
              "a users' file that others may read")
    os.chmod(users, 0o600)
    is_status(run("serve", "--cert", CERT, "--users", users, "--anonymous", WORK), USAGE,
              "--users with --anonymous")
    is_status(run("serve", "--cert", CERT, "--users", path("none"), WORK), USAGE,
              "a users' file that is not there")
    with Server("--users", users, login=()) as server:
        for name, secret, want in (("ann", "one:two", "230"), ("bob", "three four", "230"),
                                   ("ann", "three four", "530"), ("bob", "", "530"),
                                   ("eve", "x", "530"), ("eve", "", "530"), ("# comment", "", "530")):
            raw = Raw(server, login=False)
            raw.ask("USER " + name)
            got = raw.ask("PASS " + secret)
            ok(got.startswith(want), f"{name}, \"{secret}\": {got}")
            raw.close()


def test_max_per_host():
    with Server("--max-per-host", "2") as server:
        def come(source):
            sock = socket.create_connection((server.host, server.port), timeout=LIMIT,
                                            source_address=(source, 0))
            return sock, sock.makefile("rb").readline().decode().strip()
        here = [come("127.0.0.1") for _ in range(3)]
        ok([line[:3] for _, line in here] == ["220", "220", "421"], "two from one address",
           here)
        other = come("127.0.0.2")
        ok(other[1].startswith("220"), "and one from another", other[1])
        here[0][0].close()
        until(lambda: come("127.0.0.1")[1].startswith("220"), "a free place")
        ok(True, "who leaves makes room")


def on_terminal(term, *args):
    """Run with a terminal as standard error. Return: (exit status, what it showed)."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([FTPS, *args], stdout=subprocess.DEVNULL, stderr=theirs,
                          env={**os.environ, "TERM": term}) as proc:
        os.close(theirs)
        shown = b""
        try:
            while True:
                shown += os.read(ours, 4096)
        except OSError:
            pass
        os.close(ours)
        return proc.wait(LIMIT), shown


@ktls_matters
def test_progress():
    with Server("--rate", "100000") as server:
        make_file(os.path.join(server.dir, "f"), 60_000)
        base = ["get", "--cacert", CERT, server.url("f"), path("down")]
        status, shown = on_terminal("xterm", *base)
        ok(status == COMPLETE and b"% [#" in shown and b"\rf " in shown,
           "a bar on a terminal", shown)
        ok(shown.endswith(b"\r\x1b[K"), "that is gone at the end", shown[-20:])
        for term, *more in (("dumb",), ("xterm", "--no-progress"), ("xterm", "--json")):
            status, shown = on_terminal(term, *base, *more)
            ok(status == COMPLETE and shown == b"", f"none with {[term, *more]}", shown)
        r = run(*base)
        ok(r.returncode == COMPLETE and r.stderr == "", "none without a terminal", r.stderr)


# ---------------------------------------------------------------- tests: the server

# Anonymous clients of root's server need somebody to be.
NOBODY = ("--run-as", "nobody") if os.geteuid() == 0 else ()


def anonymous(*options):
    """A server whose folder its user may write to."""
    server = Server(*options, *NOBODY, login=())
    if NOBODY:
        shutil.chown(server.dir, "nobody")
    return server


def test_mirror():
    if not shutil.which("lftp"):
        skip("lftp mirrors a tree both ways", "no lftp here")
        return
    tree = path("tree")
    for folder in ("a/b/c d", "empty", "\u00e4"):
        os.makedirs(os.path.join(tree, folder))
    for name in ("one", "a/two", "a/b/c d/thr ee", "\u00e4/\u00f6"):
        make_file(os.path.join(tree, name), 10_000)
    os.chmod(os.path.join(tree, "one"), 0o750)
    os.utime(os.path.join(tree, "a/two"), (1e9, 1e9))
    with Server() as server:
        def mirror(*more):
            return subprocess.run(
                ["lftp", "--norc", "-c", f"set ssl:ca-file {CERT}; set ftp:ssl-force true;"
                 "set ftp:ssl-protect-data true; set net:max-retries 1; set cmd:fail-exit true;"
                 f"open -u {USER},'{PASSWORD}' -p {server.port} {server.host};"
                 f"mirror {' '.join(more)}"], capture_output=True, text=True, timeout=LIMIT)
        for name in ("old", "a/old"):
            os.makedirs(server.file(name))
            make_file(server.file(name + "/file"), 10)
        # Its file goes first.
        os.makedirs(server.file("old/sub"))
        os.symlink("../file", server.file("old/sub/link"))
        r = mirror("-R", "--delete", tree, "/")
        is_status(r, 0, "lftp mirror -R")
        ok(r.stderr == "", "it lacks nothing", r.stderr)
        done = subprocess.run(["diff", "-r", tree, server.dir], capture_output=True, text=True)
        is_status(done, 0, "the tree is there, and what was there is not")
        r = mirror("/", path("back"))
        is_status(r, 0, "lftp mirror")
        done = subprocess.run(["diff", "-r", tree, path("back")], capture_output=True, text=True)
        is_status(done, 0, "and the tree is back")
        for top in (server.dir, path("back")):
            one, two = (os.stat(os.path.join(top, name)) for name in ("one", "a/two"))
            ok(one.st_mode & 0o777 == 0o750 and two.st_mtime == 1e9, "with its modes and times", (one, two))
        r = mirror("--verbose", "/", tree)
        ok(r.returncode == 0 and not re.search("Transferring|Removing", r.stdout + r.stderr),
           "and then there is nothing to do", r)


def test_create_dirs():
    if not shutil.which("curl"):
        skip("curl --ftp-create-dirs", "no curl here")
        return
    up = make_file("up", 1000)
    with Server() as server:
        for _ in range(2):
            r = subprocess.run(["curl", "-sS", "--ssl-reqd", "--cacert", CERT, "-u",
                                f"{USER}:{PASSWORD}", "--ftp-create-dirs", "-T", up,
                                f"ftp://{server.host}:{server.port}/new/deep/up"],
                               capture_output=True, text=True)
            ok(r.returncode == 0 and same(up, server.file("new/deep/up")),
               "curl --ftp-create-dirs", r.stderr)


def test_changes():
    with Server() as server:
        raw = Raw(server)
        for line, want in (('MKD d"d', '257 "/d""d"'), ('MKD d"d', "550"), ("MKD e/f", "550"),
                           ("MKD e", "257"), ("CWD e", "250"), ("MKD f", '257 "/e/f"'),
                           ("CDUP", "250"), ("RMD e", "550"), ("DELE e", "550"), ("DELE x", "550"),
                           ("RNTO y", "503"), ("RNFR x", "550"), ("RNTO y", "503"),
                           ("RNFR e", "350"), ("NOOP", "200"), ("RNTO y", "503"),
                           ("RNFR e/.ftps.x", "553"), ("RNTO y", "503"),
                           ("RNFR e", "350"), ("RNTO y", "250"), ("RNFR y/f", "350"),
                           ("RNTO y/f/g", "550"), ("RMD y/f", "250"), ("RMD y", "250"),
                           ('RMD d"d', "250"), ("RMD /", "550"), ("DELE /", "550"),
                           ("MKD /", "550"), ("MKD", "501"), ("MKD e", "257"),
                           ("SITE CHMOD 0700 e", "250"), ("site chmod 4750 e", "250"),
                           ("SITE CHMOD 8 e", "501"), (f"SITE CHMOD {'0' * 40}777 e", "501"),
                           ("SITE CHMOD 10000 e", "501"), (f"MFMT 20010909014640.{'0' * 40} e", "501"),
                           ("SITE CHMOD -1 e", "501"), ("SITE CHMOD 755", "501"),
                           ("SITE CHMOD 755 ", "501"), ("SITE CHMOD 755 x", "550"), ("SITE HELP", "502"),
                           ("MFMT 20010909014640 e", "213"), ("MFMT 20010909014640 x", "550"),
                           ("MFMT 20011309014640 e", "501"), ("MFMT e", "501"), ("MFMT 20010909014640", "501")):
            got = raw.ask(line)
            ok(got.startswith(want), f"{line}: {got}")
        ok(raw.ask("MFMT 20010909014640.123456789 e").startswith("213"), "MFMT with a fraction")
        sb = os.stat(server.file("e"))
        ok(sb.st_mode & 0o7777 == 0o750 and sb.st_mtime == 1e9, "mode and time are set", sb)
        raw.ask("RMD e")
        make_file(server.file("a"), 10)
        make_file(server.file("b"), 20)
        raw.ask("RNFR a")
        ok(raw.ask("RNTO b").startswith("250") and os.listdir(server.dir) == ["b"] and
           os.path.getsize(server.file("b")) == 10, "RNTO replaces a file")
        ok(raw.ask("DELE b").startswith("250") and not os.listdir(server.dir), "DELE")
        lines = []
        while not lines or lines[-1]["path"] != "/b" or lines[-1]["op"] != "DELE":
            lines.append(server.line())
        ok([line["op"] for line in lines[:3]] == ["MKD"] * 3 and
           [(line["result"], line["reply"]) for line in lines[:3]] ==
           [("complete", 257), ("local", 550), ("local", 550)] and
           (lines[-2]["op"], lines[-2]["from"], lines[-2]["path"]) == ("RNTO", "/a", "/b"),
           "each is in the log", lines)


def test_anonymous():
    root = run("serve", "--anonymous", "--cert", CERT, WORK)
    if NOBODY:
        is_status(root, USAGE, "root serves --anonymous")
        ok("--run-as" in root.stderr, "what to do is said", root.stderr)
        is_status(run("serve", "--anonymous-write", "--run-as", "root", "--cert", CERT, WORK), USAGE,
                  "--run-as root")
    is_status(run("serve", "--anonymous", "--run-as", "no-such-user", "--cert", CERT, WORK), USAGE,
              "--run-as nobody there")
    with anonymous("--anonymous") as server:
        make_file(server.file("f"), 100)
        is_status(get(server, "f", path("down")), COMPLETE, "--anonymous reads")
        raw = Raw(server)
        raw.protect()
        for line in ("STOR x", "APPE f", "MKD x", "RMD x", "DELE f", "RNFR f", "RNTO y", "SITE CHMOD 777 f",
                     "MFMT 20010101000000 f"):
            raw.ask("EPSV")
            got = raw.ask(line)
            ok(got.startswith("550"), f"--anonymous, {line}: {got}")
        ok(os.listdir(server.dir) == ["f"], "and writes nothing")
    with anonymous("--anonymous-write") as server:
        is_status(put(server, path("down")), COMPLETE, "--anonymous-write writes")


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f)


def test_run_as():
    """All of root's rights are gone, and what was opened before stays usable."""
    if not NOBODY:
        is_status(run("serve", "--anonymous", "--run-as", "nobody", "--listen", "127.0.0.1:0",
                      "--cert", CERT, "--key", KEY, WORK), LOCAL, "--run-as without root")
        return
    up, who = make_file("up", 1000), pwd.getpwnam("nobody")
    with Server(*NOBODY, program=("setpriv", "--groups", "0,4", FTPS)) as server:
        os.chmod(server.dir, 0o777)
        is_status(put(server, up), COMPLETE, "put to --run-as")
        file = os.stat(server.file("up"))
        ok((file.st_uid, file.st_gid) == (who.pw_uid, who.pw_gid), "the file is the user's", file)
        os.chmod(make_file(server.file("secret"), 10), 0o600)
        raw = Raw(server)
        raw.ask("TYPE I")
        ok(raw.ask("SIZE up") == "213 1000" and raw.ask("SIZE secret").startswith("550"),
           "root's files are not to be read")
        for pid in (server.proc.pid, *server.sessions()):
            status = status_of(pid)
            ok({*status["Uid"].split()} == {str(who.pw_uid)} and
               {*status["Gid"].split()} == {str(who.pw_gid)} and not status["Groups"].strip() and
               status["NoNewPrivs"] == "1" and
               not any(int(status["Cap" + kind], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
               "a process of it has none of root's rights", status)


def test_change_unreadable():
    """An owner may take back that he may not read a file."""
    with Server(*NOBODY) as server:
        os.chmod(server.dir, 0o755)
        f = make_file(server.file("f"), 10)
        if NOBODY:
            shutil.chown(f, "nobody")
        os.chmod(f, 0o200)
        raw = Raw(server)
        got = raw.ask("MFMT 20010909014640 f"), raw.ask("SITE CHMOD 640 f")
        sb = os.stat(f)
        ok(got[0].startswith("213") and got[1].startswith("250") and sb.st_mode & 0o777 == 0o640 and
           sb.st_mtime == 1e9, f"time and mode of a file that may not be read: {got}", sb)


def test_login_deadline():
    with Server("--timeout", SHORT) as server:
        raw = Raw(server, login=False)
        heard = []
        while raw.file and not (heard and heard[-1][:3] in ("421", "")):
            heard.append(raw.ask("NOOP"))
        ok(heard[-1].startswith("421"), f"NOOP without a login, {len(heard)} times: {heard[-1]}")
        raw = Raw(server, tls=False, login=False)
        raw.sock.sendall(b"NOOP\r\n" * 100_000)
        until(lambda: not server.sessions(), "the end of it")
        ok(True, "nor does a flood of them last longer")
    with Server() as server:
        socks = [socket.create_connection((server.host, server.port)) for _ in range(9)]
        said = sorted(s.recv(3) for s in socks)
        ok(said == [b"220"] * 8 + [b"421"], "8 from one host unless told otherwise", said)
        ok(server.line("refused")["peer"].startswith("127.0.0.1:"), "the ninth is in the log")
        for s in socks:
            s.close()


def test_bad_commands():
    http = b"POST / HTTP/1.1\r\n" + b"Host: x\r\n" * 200
    with Server() as server:
        for tls, login in ((False, False), (True, False), (True, True)):
            raw = Raw(server, tls=tls, login=login)
            raw.sock.sendall(http)
            replies = []
            while not (replies and replies[-1][:3] in ("421", "")):
                replies.append(raw.reply())
            ok([r[:3] for r in replies] == ["500"] * 9 + ["421"],
               f"HTTP, TLS {tls}, login {login}: the tenth line ends it", replies)
        raw = Raw(server)
        ok(all(raw.ask("FOO").startswith("500") and raw.ask("NOOP").startswith("200")
               for _ in range(15)), "good ones between them")
        ok(all(raw.ask("ALLO 5").startswith("502") for _ in range(15)),
           "what RFC 959 has and we have not is no bad one")


@ktls_matters
def test_alpn():
    with Server() as server:
        for names, want in ((["ftp"], "ftp"), (["http/1.1"], None), (["http/1.1", "ftp"], "ftp"),
                            (["ftp-data"], "ftp-data"), ([], "none")):
            ctx = client_context()
            ctx.set_alpn_protocols(names)
            try:
                got = Raw(server, login=False, ctx=ctx).sock.selected_alpn_protocol() or "none"
            except ssl.SSLError:
                got = None
            ok(got == want, f"ALPN {names}: {got}")


def timers(port, end=1):
    """What timers run on the connections of a port, local (1) or remote (2), see proc(5): 2 is keepalive."""
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f][1:]
    return {row[5].split(":")[0] for row in rows
            if int(row[end].split(":")[1], 16) == port and row[3] == "01"}


@ktls_matters
def test_keepalive():
    with Server() as server:
        raw = Raw(server)
        ok(until(lambda: timers(server.port) == {"02"}, "the keepalive timer"),
           "the server's control connection has keepalive")
        raw.close()
    seen = []
    with Fake(lambda f: (seen.append(until(lambda: timers(f.port, 2) == {"02"}, "the timer")),
                         f.say("421 bye"))) as server:
        run("ls", "--cacert", CERT, server.url())
    ok(seen == [True], "and so has the client's", seen)


@ktls_matters
def test_shrinks():
    """A file becomes shorter while it is sent: it must not look complete."""
    with Server("--rate", "200000") as server:
        for verb in ("RETR f", "TYPE A"):
            make_file(server.file("f"), 100_000)
            raw = Raw(server)
            raw.protect()
            raw.ask("TYPE I" if verb == "RETR f" else verb)
            with raw.begin("RETR f") as data:
                data.recv(1)
                os.truncate(server.file("f"), 50_000)
                try:
                    while data.recv(65536):
                        pass
                    ended = "close_notify"
                except ssl.SSLError:
                    ended = "cut"
                got = raw.reply()
            ok(got.startswith("451") and "shorter" in got and ended == "cut", f"{verb}: {got}", ended)
            ok(server.line()["result"] == "local", "and the log has it")


def test_reload():
    """SIGHUP: new certificate and users for those who come; what runs goes on."""
    cert, key, users = path("reload.pem"), path("reload.key"), path("reload.users")

    def renew(name):
        make_cert(cert, key, "IP:127.0.0.1")
        done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=PASSWORD + "\n",
                              capture_output=True, text=True, check=True)
        with open(users, "w", opener=lambda *a: os.open(*a, 0o600)) as f:
            f.write(f"{name}:{done.stdout}")

    def look(server):
        """Return: (its certificate, whether the second user may log in)."""
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        raw = Raw(server, login=False, ctx=ctx)
        raw.ask("USER second")
        found = raw.sock.getpeercert(True), raw.ask("PASS " + PASSWORD)[:3]
        raw.close()
        return found
    renew(USER)
    with Server("--rate", "50000", "--cert", cert, "--key", key, "--users", users,
                login=()) as server:
        make_file(server.file("f"), 50_000)
        with subprocess.Popen([FTPS, "get", "--insecure", server.url("f"), path("down")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL) as proc:
            until(server.sessions, "the transfer's session")
            server.line("login")
            renew("second")
            for pid in (*server.sessions(), server.proc.pid):
                os.kill(int(pid), signal.SIGHUP)
            second = until(lambda: look(server)[1] == "230" and look(server), "the new user")
            with open(cert) as f:
                ok(second[0] == ssl.PEM_cert_to_DER_cert(f.read()), "the certificate is new, too")
            status = proc.wait(LIMIT)
        ok(status == COMPLETE and same(path("down"), server.file("f")),
           f"the transfer went on to its end: {status}")
        with open(key, "w") as f:
            f.write("no key\n")
        os.unlink(users)
        server.proc.send_signal(signal.SIGHUP)
        said = until(lambda: (s := open(server.errors.name).read()).count("SIGHUP") == 2 and s,
                     "two complaints")
        ok(key in said and users in said and look(server) == second,
           "what cannot be loaded is named, and all stays as it is", said)


def test_audit():
    with Server() as server:
        raw = Raw(server, login=False)
        for name, want in (("a\tb", "501"), ('a" b', "501"), ("x" * 2000, "501"), ("eve", "331")):
            got = raw.ask("USER " + name)
            ok(got.startswith(want), f"USER {name[:9]!r}: {got}")
        raw.ask("PASS wrong")
        raw.ask("USER " + USER)
        raw.ask("PASS " + PASSWORD)
        raw.protect()
        make_file(server.file("f"), 10)
        raw.fetch("RETR f")
        seen = [server.line("login"), server.line("login"), server.line()]
        ok([(x["user"], x.get("detail")) for x in seen] ==
           [("eve", "refused"), (USER, "accepted"), (USER, None)], "logins and users", seen)
        now = time.time()
        ok(all(abs(calendar.timegm(time.strptime(x["time"], "%Y-%m-%dT%H:%M:%SZ")) - now) < LIMIT
               for x in seen), "and when it was", seen)
        ok(all(x["peer"] == "%s:%d" % raw.sock.getsockname() for x in seen), "and from where", seen)
        for line, want in (("RETR none", "No such file"), ("RETR .", "Is a directory"), ("STOR no/x", "No such file"),
                           ("APPE .", ""), ("DELE none", "No such file"), ("SITE CHMOD 700 none", "No such file")):
            raw.ask("EPSV")
            raw.ask(line)
            got = server.line()
            ok(got["op"] == line[:4] and got["result"] == "local" and got["reply"] in (550, 553) and
               want in got["error"], f"{line}: its error", got)
        for line in ("MKD .ftps.x", "STOR .ftps.x", "LIST none", "MLSD f", "RETR f"):
            raw.ask("TYPE I")
            raw.ask("REST 11")
            raw.ask("EPSV")
            reply = raw.ask(line)
            got = server.line()
            ok((got["op"], str(got["reply"])) == (line[:4].strip(), reply[:3]) and got["error"] in reply,
               f"{line}: refused", (got, reply))
        binary(server).ask("RETR f")
        got = server.line()
        ok((got["reply"], got["result"]) == (425, "refused"), "RETR without a port", got)
        raw = Raw(server)
        raw.ask("STOR g")
        got = server.line()
        ok((got["path"], got["reply"], got["result"]) == ("g", 521, "refused"), "STOR without PROT P", got)
    with anonymous("--anonymous") as server:
        raw = Raw(server)
        raw.ask("DELE f")
        got = server.line()
        ok(got["op"] == "DELE" and got["path"] == "f" and got["result"] == "refused", "what may not be", got)
    with Server("--timeout", SHORT) as server:
        raw = Raw(server)
        raw.protect()
        raw.ask("EPSV")
        raw.ask("NLST")
        got = server.line("data")
        ok("timed out" in got["detail"], "a data connection that does not come", got)
        got = server.line()
        ok((got["op"], got["reply"], got["result"]) == ("NLST", 425, "network") and "timed out" in got["error"],
           "and the command that it was for", got)
    with subprocess.Popen([FTPS, "serve", "--listen", "127.0.0.1:0", "--cert", CERT, "--key", KEY,
                           "--user", USER, "--password-file", path("password"), WORK],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace") as proc:
        try:
            server = types.SimpleNamespace(host="127.0.0.1",
                                           port=int(proc.stdout.readline().rsplit(":", 1)[1]))
            raw = Raw(server, login=False)
            raw.ask("USER ev\xc2\x9b2J login: accepted")
            raw.ask("PASS x")
            got = proc.stdout.readline()
            raw.ask("USER " + USER)
            raw.ask("PASS " + PASSWORD)
            raw.ask("RMD none")
            ok(re.search(r'"joe" RMD /none: local, reply 550, No such file or directory$', proc.stdout.readline() and
                         proc.stdout.readline()), "with the reason")
            ok(re.fullmatch(r'\d{4}-\d\d-\d\dT[\d:]{8}Z 127\.0\.0\.1:\d+ '
                            r'"ev\S+2J login: accepted" login: refused\n', got) and "\x9b" not in got,
               f"in words: {got!r}")
        finally:
            proc.terminate()


def test_long_names():
    """A line of the log goes to a pipe at once, however long its names are."""
    with Server() as server:
        os.mkdir(server.file("d"))
        raw = binary(server)
        for name in ("x" * 4000, '"' * 4000, "x" + "\u00e4" * 1990, "\xff" * 4000):
            name = name.encode("latin-1" if name[0] == "\xff" else "utf-8")
            for first, line in (("", b"DELE "), ("RNFR d", b"RNTO ")):
                if first:
                    raw.ask(first)
                raw.sock.sendall(line + name + b"\r\n")
                ok(raw.reply().startswith("55"), f"{line.decode()}{name[:3]}...")
                said = server.proc.stdout.readline()
                while "login" in said:
                    said = server.proc.stdout.readline()
                got = json.loads(said)
                ok(len(said) <= 4096 and got["op"] == line[:4].decode() and len(got["path"]) > 500 and
                   (("\\xff" * 3 if name[0] == 0xff else name.decode()[:3]) in got["path"]),
                   "a line of the log as long as a pipe takes at once", (len(said), said))


def test_nul_in_a_text():
    with Server() as server:
        for data, want in ((b"a text\n", False), (b"no\0text\n", True)):
            with open(server.file("f"), "wb") as f:
                f.write(data)
            up = server.file("f")
            for verb in (lambda: get(server, "f", path("down"), "--ascii"),
                         lambda: put(server, up, "--ascii", name="g")):
                is_status(verb(), COMPLETE, f"{data} as a text")
            make_file(server.file("f"), 10)
        # Of four transfers the last two have a warning.
        lines = [json.loads(server.proc.stdout.readline()) for _ in range(10)]
        seen = [x.get("op") or x["event"] for x in lines if x.get("event") != "login"]
        ok(seen == ["RETR", "STOR", "RETR", "warning", "STOR", "warning"], "NULs are in the log", lines)


def test_links_are_listed():
    with Server() as server:
        os.mkdir(server.file("dir"))
        make_file(server.file("dir/f"), 123)
        for name, target in (("in", "dir/f"), ("dir/up", "../in"), ("folder", "dir"), ("out", "/etc"),
                             ("dir/out", "../../x"), ("none", "nothing"), ("loop", "loop"),
                             ("above", ".."), ("absolute", server.file("dir/f"))):
            os.symlink(target, server.file(name))
        raw = Raw(server)
        raw.protect()
        raw.ask("TYPE I")
        got, _ = raw.fetch("NLST")
        ok(got.split() == [b"dir", b"folder", b"in", b"loop", b"none"],
           "links that stay inside are listed, others not", got)
        for name in got.split()[1:3]:
            ok(raw.ask("MLST " + name.decode()).startswith("250"), "and can be looked at")
        ok(raw.fetch("NLST dir")[0].split() == [b"f", b"up"], "in a folder below, too")
        got = raw.fetch("LIST")[0].decode().splitlines()
        ok([x.split(None, 8)[8] for x in got] == ["dir", "folder -> dir", "in -> dir/f", "loop -> loop",
                                                    "none -> nothing"] and
           [x[0] for x in got] == ["d", "l", "l", "l", "l"], "LIST says what they are", got)
        got = raw.fetch("MLSD")[0].decode().splitlines()
        ok([x.split(";")[0] for x in got] ==
           ["type=dir", *("type=OS.unix=slink:" + x for x in ("dir", "dir/f", "loop", "nothing"))],
           "so does MLSD", got)
        # where a line lacks it, lftp takes all of them for links
        ok(all(re.search(r";UNIX\.mode=0[0-7]{3};", x) for x in got), "each with its mode", got)
        ok(len(raw.fetch("RETR in")[0]) == 123, "and they can be fetched")


def free_ports(n):
    """The first of so many in a row, where the kernel draws none for others (ip_local_port_range)."""
    for base in random.sample(range(20000, 30000), 100):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + n):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return base
    raise RuntimeError("no free ports")


def test_pasv_ports():
    base = free_ports(3)
    with Server("--pasv-ports", f"{base}-{base + 2}", "--pasv-address", "192.0.2.7") as server:
        up = make_file("up", 1000)
        for _ in range(3):
            is_status(put(server, up), COMPLETE, "put to one of three ports")
        raw = [Raw(server) for _ in range(4)]
        ports = sorted(r.epsv() for r in raw[:3])
        ok(ports == [base, base + 1, base + 2], "all three are used", ports)
        ok(raw[3].ask("EPSV").startswith("425"), "a fourth there is not")
        raw[0].ask("QUIT")
        port = until(lambda: (r := raw[3].ask("PASV")).startswith("227") and r, "a free port")
        ok("(192,0,2,7," in port, f"--pasv-address: {port}")
    for args in (["--pasv-ports", "5000"], ["--pasv-ports", "6000-5000"], ["--pasv-ports", "0-10"],
                 ["--pasv-ports", "1-65536"], ["--pasv-ports", "1-2x"], ["--pasv-address", "here"],
                 ["--pasv-address", "::1"]):
        is_status(run("serve", *args, "--cert", CERT, "--user", "x", "--password-file",
                      path("password"), WORK), USAGE, " ".join(args))


# ---------------------------------------------------------------- tests: endings

def slow(*more):
    """Options of a peer that reads late from a small buffer."""
    return ("--rcvbuf", "4096", "--read-delay", "400", *more)


@ktls_matters
def test_put_clean_slow():
    up = make_file("up", 2_000_000)
    for tls in ("1.2", "1.3"):
        with Server(*slow()) as server:
            r = put(server, up, "--tls", tls)
            is_status(r, COMPLETE, f"put, clean, slow reader, TLS {tls}")
            ok(same(up, server.file("up")), "whole")
            f = facts(r)
            ok(f["unacked"] == 0 and f["unread"] == 0, "nothing unacknowledged or unread", f)


@ktls_matters
def test_put_careless():
    """What loses data in vanilla, and is complete where the kernel keeps sending."""
    up = make_file("up", 2_000_000)
    for end in ("tickets-unread", "linger0"):
        with Server("--rcvbuf", "65536", "--read-delay", "1000", "--rate", "200000",
                    "--tickets", "2") as server:
            r = put(server, up, "--tls", "1.3", "--end", end)
            f, there = facts(r), server.line()
            if end == "tickets-unread":
                ok(f["unread"] > 0, f"{end}: {f['unread']} bytes of tickets unread")
            ok(f["unacked"] > 0, f"{end}: {f['unacked']} bytes not acknowledged at close")
            if not VANILLA:
                skip(end, "tls_drst is loaded")
                continue
            is_status(r, UNCONFIRMED, f"put --end={end}, slow reader")
            ok(f["reply"] == 426 and there["end"] in ("reset", "truncated") and
               there["bytes"] < 2_000_000, f"server got {there['bytes']} bytes: {there['end']}")
            ok(not os.path.exists(server.file("up")), "the name is not there")
            ok(os.path.getsize(server.file("up.partial")) == there["bytes"],
               "what came is kept as .partial")


@ktls_matters
def test_put_endings():
    up = make_file("up", 200_000)
    plain = {"close": (COMPLETE,), "half-close": (COMPLETE,),
             "shut-rdwr": (COMPLETE, UNCONFIRMED), "rst-after-notify": (COMPLETE,),
             "no-close-notify": (UNCONFIRMED,), "rst-middle": (RESET,),
             "kill": (-signal.SIGKILL,)}
    for tls in ("1.2", "1.3"):
        for end, want in plain.items():
            with Server("--conddisp", "delete") as server:
                r = put(server, up, "--tls", tls, "--end", end)
                ok(r.returncode in want, f"put --end={end}, TLS {tls}: exit {r.returncode}",
                   r.stdout + r.stderr)
                there = server.line()
                whole = there["end"] == "close_notify"
                ok(same(up, server.file("up")) if whole else os.listdir(server.dir) == [],
                   f"{end}: {there['end']}, file {'whole' if whole else 'gone'}",
                   (there, os.listdir(server.dir)))
                if end == "no-close-notify":
                    ok(there["end"] == "truncated" and there["reply"] == 426 and
                       there["bytes"] == 200_000, "all bytes, no close_notify: truncated", there)
                if end == "rst-middle":
                    ok(there["end"] == "reset" and there["bytes"] <= 100_000,
                       f"reset after {there['bytes']} bytes", there)
                if end == "rst-after-notify":
                    ok(there["result"] == "complete", "a RST after close_notify is no error")


@ktls_matters
def test_get_endings():
    plain = {"close": COMPLETE, "half-close": COMPLETE, "tickets-unread": COMPLETE,
             "rst-after-notify": COMPLETE, "kill": COMPLETE,
             "no-close-notify": TRUNCATED, "rst-middle": RESET}
    old = b"the file from before"
    for tls in ("1.2", "1.3"):
        for end, want in plain.items():
            with Server("--end", end) as server:
                make_file(os.path.join(server.dir, "f"), 200_000)
                down = path("down")
                with open(down, "wb") as f:
                    f.write(old)
                r = get(server, "f", down, "--tls", tls)
                is_status(r, want, f"get from --end={end}, TLS {tls}")
                if want == COMPLETE:
                    ok(same(down, server.file("f")), "whole")
                    continue
                ok(open(down, "rb").read() == old, "the file from before is untouched")
                f = facts(r)
                ok(f["partial"] == down + ".partial" and
                   os.path.getsize(down + ".partial") == f["bytes"] > 0,
                   "what came is kept as .partial", f)
                os.unlink(down + ".partial")
                get(server, "f", down, "--tls", tls, "--conddisp", "delete")
                ok(not os.path.exists(down + ".partial"), "--conddisp=delete: nothing is kept")
    no_leftovers(WORK)


@ktls_matters
def test_get_linger0_slow():
    with Server("--end", "linger0") as server:
        make_file(os.path.join(server.dir, "f"), 2_000_000)
        r = get(server, "f", path("down"), *slow())
        if VANILLA:
            is_status(r, RESET, "get from --end=linger0, slow reader")
        else:
            skip("get from --end=linger0", "tls_drst is loaded")


@ktls_matters
def test_put_receiver_endings():
    up = make_file("up", 2_000_000)
    with Server("--end", "rst-middle", "--cut-at", "100000") as server:
        r = put(server, up)
        is_status(r, RESET, "put to a server that resets in the middle")
        ok(facts(r)["reply"] == 426, "its reply is reported")
    with Server("--end", "linger0") as server:
        r = put(server, up)
        is_status(r, COMPLETE, "put to a server that resets after the close_notify")
        ok(same(up, server.file("up")), "whole")


# ---------------------------------------------------------------- tests: exit statuses

def test_usage():
    up = make_file("up", 10)
    good = "ftps://joe@127.0.0.1:1/x"
    for args in ([], ["frobnicate"], ["put"], ["put", up], ["put", up, "ftp://u@h/x"],
                 ["get"], ["get", "ftps://joe@h/"], ["get", "ftps://joe@127.0.0.1:1/-"],
                 ["get", "ftps://joe:s3cr3t@h/x"],
                 ["put", "--end=sideways", up, good], ["put", "--tls=1.1", up, good],
                 ["put", "--timeout=0", up, good], ["put", "--rate=1x", up, good],
                 ["put", "--no-such", up, good], ["serve", "/tmp"],
                 ["serve", "--cert", CERT, "/tmp"]):
        is_status(run(*args), USAGE, "ftps " + " ".join(args[:2]))
    is_status(run("get", "ftps://h/x", env={**os.environ, "HOME": WORK}), USAGE, "no user name")
    r = run("--help")
    ok(r.returncode == 0 and "unconfirmed" in r.stdout, "--help has the exit statuses")
    ok(max(map(len, r.stdout.splitlines())) <= 80, "--help fits 80 columns")


def test_roles():
    """An option that has no effect is refused, and it is said whose it is."""
    up = make_file("up", 10)
    url = "ftps://joe@127.0.0.1:1/x"
    for args, whose in ((["get", "--append", url], "put"), (["get", "--max-size=1K", url], "serve"),
                        (["put", "--anonymous", up, url], "serve"), (["put", "--tickets=2", up, url], "serve"),
                        (["put", "--conddisp=delete", up, url], "get serve"),
                        (["put", "--read-delay=1", up, url], "get ls serve"),
                        (["put", "--no-mtime", up, url], "get"), (["ls", "--resume", url], "put get"),
                        (["get", "--facts", url], "ls"), (["serve", "--insecure", WORK], "put get ls"),
                        (["serve", "--cacert", CERT, WORK], "put get ls")):
        r = run(*args)
        is_status(r, USAGE, " ".join(args[:2]))
        ok(f"not for {args[0]}: it is an option of {whose}\n" in r.stderr, f"whose it is: {whose}", r.stderr)


def old_context(role):
    """A peer with nothing newer than TLS 1.1."""
    ctx = ssl.SSLContext(role)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    # Deprecated, and that is the point.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion.TLSv1_1
    return ctx


def old_server(fake, implicit):
    ctx = old_context(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(CERT, KEY)
    if not implicit:
        fake.say("220 x")
        fake.hear("AUTH")
        fake.say("234 ok")
    ctx.wrap_socket(fake.sock, server_side=True)


def test_advice():
    """What is said says what to do."""
    up = make_file("up", 10)
    broken = make_file("broken\nname", 10)
    url = "ftps://joe@127.0.0.1:1/x"

    def says(what, words, want, *args):
        r = run(*args)
        is_status(r, want, what)
        ok(re.search(words, r.stderr), f"{what}: \"{words}\"", r.stderr)
    for what, words, *args in (
            ("a bad number", r'--timeout: "0" is not a whole number from 1 to ', "put", "--timeout=0", up, url),
            ("a bad word", r'--tls: "1.1" is not one of 1\.2, 1\.3', "put", "--tls=1.1", up, url),
            ("another bad word", r"--end: .* one of clean, .*rst-middle", "put", "--end=x", up, url),
            ("bad bytes", r"--rate: .* with K, M or G", "put", "--rate=1x", up, url),
            ("no command", r"put, get, ls or serve is wanted", "copy", up, url),
            ("a folder", r"is a folder: put sends one file", "put", WORK, url),
            ("a line break in a URL", r"line breaks .* cannot be in a name", "get", url + "%0d%0aDELE%20x"),
            ("a line break in a name", r"line break in its name.*another one", "put", broken, url[:-1]),
            ("another scheme", r"the form is ftps://USER@HOST", "get", "http://joe@h/x"),
            ("no host", r"the form is ftps://USER@HOST", "get", "ftps://joe@/x"),
            ("a host that is none", r"no host is called so: the form", "get", "ftps://joe@h?x"),
            ("a bad port", r"from 1 to 65535", "get", "ftps://joe@h:65536/x"),
            ("a bare IPv6 address", r"in brackets", "get", "ftps://joe@::1/x"),
            ("a bare %", r"% itself is %25", "get", url + "%"),
            ("no file", r"no file name", "get", url[:-1]),
            ("nowhere to resume", r"--resume: needs a file", "get", "--resume", url, "-")):
        says(what, words, USAGE, *args)
    for at in ("127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1:ftp", "127.0.0.1", "localhost:21", "[::1", "::1:x", ""):
        says(f"--listen {at}", r"not ADDR:PORT", USAGE, "serve", "--listen", at, "--cert", CERT, "--key", KEY, "--user",
             USER, "--password-file", path("password"), WORK)
    folder = os.open(WORK, os.O_RDONLY)
    r = subprocess.run([FTPS, "put", "-", url], stdin=folder, capture_output=True, text=True)
    os.close(folder)
    is_status(r, USAGE, "a folder as standard input")
    ok("is a folder" in r.stderr, "it is told", r.stderr)
    with Server("--implicit") as server:
        says("explicit to implicit", r"Then say --implicit", TIMEOUT, "put", "--timeout", "1", "--cacert",
             CERT, up, server.url())
    with Fake(lambda f: None) as server:
        says("explicit to implicit, which closes", r"closed by peer: .* say --implicit", NETWORK, "put", up,
             server.url())
    for versions in ("implicit", "explicit"):
        with Fake(lambda f, v=versions: old_server(f, v == "implicit")) as server:
            says(f"TLS 1.1 at most, {versions}", r"must have TLS 1\.2 or 1\.3, or what --tls says$", PROTOCOL, "put",
                 *(["--implicit"] if versions == "implicit" else []), up, server.url())
    with Server() as server:
        raw = Raw(server, tls=False, login=False)
        raw.ask("AUTH TLS")
        try:
            old_context(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(raw.sock)
        except (ssl.SSLError, ConnectionError):
            pass
        got = server.line("no TLS")["detail"]
        ok("must have TLS 1.2 or 1.3" in got, "a client with TLS 1.1 at most is in the log", got)
    with Server() as server:
        says("implicit to explicit", r"Then use neither --implicit nor port 990", PROTOCOL, "put", "--implicit",
             "--cacert", CERT, up, server.url())
        says("an unknown CA", r"name its CA's by --cacert", CERTIFICATE, "put", up, server.url())
        says("a folder to get to", r"is a folder: name the file", LOCAL, "get", server.url("x"), WORK)
    with Fake(lambda f: (f.say("220 x"), f.hear("AUTH"), f.say("502 no TLS"))) as server:
        says("AUTH refused", r"502 no TLS: it has no explicit TLS.*--implicit", REFUSED, "put", up, server.url())
    says("port 990 is implicit", r"port 990: ", NETWORK, "put", up, "ftps://joe@127.0.0.9:990/x")

    def begins_with_tls(fake):
        with fake.context().wrap_socket(fake.sock, server_side=True) as fake.sock:
            fake.say("421 busy")
    # Nobody may listen at port 990 but root; the scheme's port is looked at, not the server's.
    if not os.geteuid():
        with Fake(begins_with_tls, port=990) as server:
            says("a server at port 990", r"greeting: server said 421 busy", REFUSED, "put", "--cacert", CERT,
                 up, server.url())
        with Server("--listen", "127.0.0.1:990") as server:
            is_status(put(server, up), COMPLETE, "ftps serve is implicit at port 990, too")


def test_password_file():
    up, secret = make_file("up", 10), make_secret("secret", PASSWORD + "\nand more\n")
    with Server() as server:
        args = ["put", "--cacert", CERT, "--password-file", secret, up, server.url()]
        is_status(run(*args), COMPLETE, "a password file that its owner alone can read")
        with open(secret) as f:
            piped = subprocess.run(["cat"], stdin=f, capture_output=True, check=True).stdout
        r, w = os.pipe()
        os.write(w, piped)
        os.close(w)
        args[4] = f"/dev/fd/{r}"
        is_status(run(*args, pass_fds=(r,)), COMPLETE, "a pipe, as the shell's <()")
        os.close(r)
        args[4] = secret
        for mode in (0o640, 0o604):
            os.chmod(secret, mode)
            for who in (args, ["serve", "--cert", CERT, "--key", KEY, "--user", USER, *args[3:5], WORK]):
                r = run(*who)
                is_status(r, USAGE, f"{who[0]}, a password file of mode {mode:o}")
                ok("chmod 600" in r.stderr, "and it is said what to do", r.stderr)
        args[4] = path("no such file")
        r = run(*args)
        ok(r.returncode == USAGE and "No such file" in r.stderr, "one that is not there", r.stderr)


def test_client_certificate():
    """A server that wants to see the client's certificate, on both connections."""
    class Strict(Fake):
        def context(self):
            ctx = Fake.context(self)
            ctx.load_verify_locations(path("client.pem"))
            ctx.verify_mode = ssl.CERT_REQUIRED
            return ctx

    def play(verb):
        def play(fake):
            fake.to_transfer(verb)
            fake.say("150 ok")
            with fake.data() as data:
                if verb != "STOR":
                    data.sendall(b"x")
                    data.unwrap()
                else:
                    while data.recv(1000):
                        pass
                    data.unwrap()
            fake.say("226 ok")
            fake.hear("QUIT")
        return play
    make_cert(path("client.pem"), path("client.key"), "DNS:client")
    up = make_file("up", 10)
    for args, verb in ((["put", up], "STOR"), (["get"], "RETR"), (["ls"], "LIST")):
        for own in (["--cert", path("client.pem"), "--key", path("client.key")], []):
            with Strict(play(verb)) as server:
                r = run(args[0], "--cacert", CERT, *own, *args[1:], server.url("x"),
                        *([path("certified")] if verb == "RETR" else []))
            ok((r.returncode == COMPLETE) == bool(own),
               f"{args[0]} {'with' if own else 'without'} a certificate of ours: {r.returncode}", r.stderr)
    is_status(run("put", "--key", KEY, up, server.url()), USAGE, "--key without --cert")


def reset(data):
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    data.close()


def gives_up(reply):
    """A server that gives up an upload resets the data connection, and says why."""
    def play(fake):
        fake.to_stor()
        data = fake.data()
        data.recv(1000)
        reset(data)
        fake.say(reply)
        fake.hear("QUIT")
    return play


@ktls_matters
def test_reply_wins():
    up = make_file("up", 20_000_000)
    for reply, want, words in (("452-Error writing\r\n452 Disk full", REFUSED, "452 Error writing; Disk full"),
                               ("451 local", REFUSED, "451 local"), ("552 quota", REFUSED, "552 quota"),
                               ("426 cut", RESET, "reset by peer; server said 426 cut"),
                               ("425 none", RESET, "reset by peer; server said 425 none")):
        with Fake(gives_up(reply)) as server:
            r = put(server, up)
        is_status(r, want, f"a reset, and \"{reply[:8]}\"")
        ok(words in r.stderr and words in facts(r)["error"], f"it is told: {words}", r.stderr)


@ktls_matters
def test_reset_amid_a_pipe():
    """The same where there is nothing to send just then."""
    with Fake(gives_up("426 cut")) as server:
        with subprocess.Popen([FTPS, "put", "--cacert", CERT, "-", server.url("f")], stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as proc:
            proc.stdin.write(b"x" * 1000)
            proc.stdin.flush()
            proc.wait(LIMIT)
            said = proc.stderr.read().decode()
    ok(proc.returncode == RESET and "reset by peer; server said 426 cut" in said,
       "put -: a reset, and \"426 cut\"", (proc.returncode, said))


def half_close(data):
    """A FIN, and no close_notify."""
    with socket.socket(fileno=os.dup(data.fileno())) as raw:
        raw.shutdown(socket.SHUT_WR)


@ktls_matters
def test_receiver_half_closes():
    """A receiver that is done with sending receives all the same."""
    def play(fake):
        fake.to_stor()
        data = fake.data()
        fake.got = len(data.recv(1000))
        half_close(data)
        fake.got += sum(len(piece) for piece in iter(lambda: data.recv(65536), b""))
        data.close()
        fake.say("226 ok")
        fake.hear("QUIT")
    up = make_file("up", 8_000_000)
    for tls in ("1.2", "1.3"):
        with Fake(play) as server:
            is_status(put(server, up, "--tls", tls), COMPLETE, f"put, TLS {tls}, to a server that half-closes")
        ok(server.got == 8_000_000, "it has all", server.got)
        with Server("--tls", tls) as server:
            shutil.copy(up, server.file("f"))
            raw = binary(server)
            with raw.begin("RETR f") as data:
                half_close(data)
                got = b"".join(iter(lambda: data.recv(65536), b""))
            ok(raw.reply().startswith("226") and got == open(up, "rb").read() and
               server.line()["result"] == "complete", f"RETR, TLS {tls}, by a client that half-closes")


def no_tls(fake, verb, reply):
    """A transfer whose data connection goes down before TLS."""
    fake.to_transfer(verb)
    fake.say("150 ok")
    fake.data_listener.accept()[0].close()
    if reply:
        fake.say(reply)


@ktls_matters
def test_no_before_data():
    """Behind 150 a server says why there is no data connection."""
    def passive(fake, reply):
        no_tls(fake, "STOR", reply)
        fake.hear("QUIT")

    def active(fake, reply):
        fake.to_login()
        fake.hear("PORT")
        fake.say("200 ok")
        fake.hear("STOR")
        fake.say(f"150 ok\r\n{reply}" if fake.at_once else "150 ok")
        if not fake.at_once:
            fake.say(reply)
        fake.hear("QUIT")
    up = make_file("up", 10)
    for play, options, at_once in ((passive, (), False), (active, ("--active",), False),
                                   (active, ("--active",), True)):
        for reply, want in (("552 quota exceeded", REFUSED), ("425 cannot connect", NETWORK)):
            def play_it(fake, play=play, reply=reply, at_once=at_once):
                fake.at_once = at_once
                play(fake, reply)
            with Fake(play_it) as server:
                r = put(server, up, *options)
            is_status(r, want, f"{play.__name__}, 150 and \"{reply}\"{' at once' if at_once else ''}")
            ok(facts(r)["reply"] == int(reply[:3]) and "server said " + reply in r.stderr, "which is told", r)
    with Fake(lambda fake: (no_tls(fake, "RETR", "550 unmounted"), fake.hear("QUIT"))) as server:
        is_status(get(server, "f", path("down")), REFUSED, "get, 150 and \"550 unmounted\"")


def test_which_connection():
    """The connection that failed is named, not the one that was asked last."""
    def stalls(fake):
        to_retr(fake, 1000)
        with fake.data() as data:
            data.sendall(b"x" * 999)
            fake.stalled.set()
            fake.hear("QUIT")
    down = path("stalled")
    with Fake(stalls) as server:
        server.stalled = threading.Event()
        r = get(server, "f", down, "--timeout", SHORT)
    is_status(r, TIMEOUT, "data that stall")
    ok("data connection: no progress" in r.stderr and "control" not in r.stderr, "the data connection is named",
       r.stderr)


@ktls_matters
def test_stopped_anywhere():
    """Ctrl-C is told as such, whatever it comes amid."""
    def at_data(fake, verb, tls=True):
        fake.to_transfer(verb)
        fake.say("150 ok")
        fake.stream = fake.data() if tls else fake.data_listener.accept()[0]

    def get_some(fake):
        at_data(fake, "RETR")
        fake.stream.sendall(b"x")

    def no_final(fake):
        at_data(fake, "STOR")
        while fake.stream.recv(65536):
            pass
        fake.stream.unwrap()

    plays = {
        "the greeting": ("put", lambda f: None),
        "AUTH": ("put", lambda f: (f.say("220 x"), f.hear("AUTH"))),
        "the handshake": ("put", lambda f: (f.say("220 x"), f.hear("AUTH"), f.say("234 ok"), f.sock.recv(1))),
        "a command": ("put", lambda f: (f.to_login(), f.hear("EPSV"))),
        "STOR": ("put", lambda f: f.to_transfer("STOR")),
        "the data's handshake": ("put", lambda f: at_data(f, "STOR", False)),
        "an upload": ("put", lambda f: at_data(f, "STOR")),
        "a download": ("get", get_some),
        "the final reply": ("put", no_final),
    }
    up, down = make_file("up", 100), path("stopped")
    big = make_file("big", 20_000_000)
    for where, (verb, play) in plays.items():
        there = threading.Event()

        def stay(fake, play=play, there=there):
            play(fake)
            there.set()
            while fake.sock.recv(65536):
                pass
        with Fake(stay) as server:
            args = [big if where == "an upload" else up, server.url("f")]
            if verb == "get":
                args = [server.url("f"), down]
            with subprocess.Popen([FTPS, verb, "--cacert", CERT, *args], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True) as proc:
                ok(there.wait(LIMIT), f"it comes to {where}")
                proc.send_signal(signal.SIGINT)
                said = proc.communicate(timeout=LIMIT)[1]
            ok(proc.returncode == -signal.SIGINT and said.splitlines()[-1] == "ftps: stopped by a signal",
               f"Ctrl-C amid {where}", (proc.returncode, said))


def test_atomic():
    old = b"what was there"
    up = make_file("up", 200_000)
    for end, want in (("clean", COMPLETE), ("rst-middle", RESET)):
        with Server("--rate", "400000") as server:
            with open(server.file("f"), "wb") as f:
                f.write(old)
            with subprocess.Popen([FTPS, "put", "--cacert", CERT, "--atomic", "--end", end, up, server.url("f")],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proc:
                until(lambda: arriving(server.dir), "the first bytes")
                during = open(server.file("f"), "rb").read()
                proc.wait(LIMIT)
            is_status(proc, want, f"put --atomic, {end}")
            ok(during == old, "meanwhile the name has what it had")
            ok(os.listdir(server.dir) == ["f"] and
               (same(up, server.file("f")) if want == COMPLETE else open(server.file("f"), "rb").read() == old),
               "then it has all, or what it had", os.listdir(server.dir))

    def play(fake):
        name = fake.to_transfer("STOR f.new.").split()[1]
        fake.say("150 ok")
        fake.receive()
        fake.say("226 ok")
        fake.hear("RNFR " + name)
        fake.say("350 go on")
        fake.hear("RNTO f")
        fake.say("553 it is there")
        fake.hear("QUIT")

    def vanish(fake):
        fake.to_stor()
        fake.data().close()
    with Fake(vanish) as server:
        r = put(server, up, "--atomic", name="f")
    ok(r.returncode != COMPLETE and "may still be on the server, as f.new." in r.stderr,
       "the server vanishes: it is told what it may have", r.stderr)

    def without_tls(fake):
        no_tls(fake, "STOR", "522 no TLS")
        fake.removed = [fake.hear("DELE f.new."), fake.say("250 ok"), fake.hear("DELE f.new.")]
        fake.say("550 no")
        fake.hear("QUIT")
    with Fake(without_tls) as server:
        r = put(server, up, "--atomic", name="f")
    is_status(r, REFUSED, "no data connection behind 150")
    ok(len(server.removed) == 3 and "still be" not in r.stderr, "what STOR has made is removed", r.stderr)
    with Fake(lambda fake: no_tls(fake, "STOR", None)) as server:
        r = put(server, up, "--atomic", name="f")
    ok(r.returncode == NETWORK and "may still be on the server, as f.new." in r.stderr,
       "no data connection, no reply: it is told what it may have", r.stderr)

    def keep(fake):
        fake.to_stor()
        fake.say("451 no")
        fake.data().close()
        for _ in range(2):
            fake.hear("DELE f.new.")
            fake.say("550 Permission denied")
        fake.hear("QUIT")
    with Fake(keep) as server:
        r = put(server, up, "--atomic", name="f")
    ok(r.returncode != COMPLETE and "may still be on the server, as f.new." in r.stderr,
       "DELE refused: it is told what is there", r.stderr)
    with Fake(play) as server:
        r = put(server, up, "--atomic", name="f")
    is_status(r, UNCONFIRMED, "RNTO refused")
    ok("553 it is there" in r.stderr and "the server has it as f.new." in r.stderr, "it is told where the file is",
       r.stderr)
    for more in ("--append", "--resume"):
        is_status(run("put", "--atomic", more, up, "ftps://joe@h/x"), USAGE, "put --atomic " + more)


def test_refused():
    with Server() as server:
        up = make_file("up", 10)
        r = get(server, "none", path("down"))
        is_status(r, REFUSED, "get what is not there")
        ok(facts(r)["reply"] == 550, "550")
        is_status(put(server, up, name="no/dir"), REFUSED, "put where no folder is")
        wrong = make_secret("wrong", "wrong\n")
        r = run("put", "--cacert", CERT, "--password-file", wrong, up, server.url("x"))
        is_status(r, REFUSED, "wrong password")
        ok("530" in r.stderr, "530", r.stderr)
        no_leftovers(WORK)


def test_certificate():
    with Server() as server:
        up = make_file("up", 10)
        make_cert(path("other.pem"), path("other.key"), "IP:127.0.0.1")
        is_status(run("put", up, server.url()), CERTIFICATE, "a certificate of nobody we know")
        is_status(run("put", "--cacert", path("other.pem"), up, server.url()), CERTIFICATE,
                  "another one")
        r = run("put", "--cacert", CERT, up, server.url().replace("127.0.0.1", "127.0.0.2"))
        is_status(r, NETWORK, "(nobody listens on 127.0.0.2)")
        r = run("put", "--insecure", up, server.url())
        is_status(r, COMPLETE, "--insecure")
        ok("WARNING" in r.stderr, "and it is said aloud", r.stderr)
    with Server(host="127.0.0.3") as server:
        is_status(put(server, up), CERTIFICATE, "right certificate, wrong host")


def test_network():
    up = make_file("up", 10)
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    is_status(run("put", up, f"ftps://joe@127.0.0.1:{port}/x"), NETWORK, "nobody listens")
    is_status(run("put", up, "ftps://joe@no.such.host.invalid/x"), NETWORK, "no such host")

    def leave(fake):
        fake.to_login()
        fake.hear("EPSV")
    with Fake(leave) as server:
        is_status(put(server, up), NETWORK, "the server leaves")


def test_bad_pem():
    up = make_file("up", 10)
    with open(path("no.pem"), "w") as f:
        f.write("this is no PEM\n")
    login = ("--user", USER, "--password-file", path("password"))
    with Server() as server:
        for name, why in ((path("none.pem"), "No such file"), (path("no.pem"), ""), (WORK, "")):
            said = []
            for args in (["put", "--cacert", name, up, server.url()],
                         ["serve", *login, "--cert", name, WORK],
                         ["serve", *login, "--cert", CERT, "--key", name, WORK]):
                r = run(*args)
                is_status(r, LOCAL, f"{args[0]} with a bad {args[-3]}")
                ok(f"{name}: " in r.stderr and (why or "not a PEM that fits") in r.stderr and " lib" not in r.stderr,
                   f"{args[0]}: the file and the reason are named", r.stderr)
                said.append(r.stderr.splitlines()[0])
            print("\n".join("# " + line for line in said))


def test_local():
    with Server() as server:
        up = make_file("up", 10)
        put(server, up)
        is_status(put(server, path("none")), LOCAL, "put what is not there")
        r = put(server, WORK, name="up")
        is_status(r, USAGE, "put a folder")
        ok("is a folder" in r.stderr and same(up, server.file("up")),
           "it is said why, and the file of that name stays as it is", r.stderr)
        is_status(get(server, "up", path("no/dir/x")), LOCAL, "get to where no folder is")
        is_status(get(server, "up", WORK), LOCAL, "get to a folder")
        if os.path.exists("/dev/full"):
            is_status(get(server, "up", "/dev/full"), LOCAL, "get to a full disk")


def test_protocol():
    up = make_file("up", 10)
    plays = {
        "no FTP at all": lambda f: f.say("SSH-2.0-OpenSSH"),
        "NUL in a reply": lambda f: f.say("220 a\0b"),
        "a line without end": lambda f: f.say("220 " + "x" * 100_000),
        "a reply without end": lambda f: [f.say("220-x") for i in range(1000)],
        "a reply injected before TLS": lambda f: (f.say("220 x"), f.hear("AUTH"),
                                                  f.say("234 ok\r\n230 welcome")),
        "no TLS behind 234": lambda f: (f.say("220 x"), f.hear("AUTH"), f.say("234 ok"),
                                        f.sock.recv(1), f.say("hello" * 10), f.sock.recv(99)),
    }
    for what, play in plays.items():
        with Fake(play) as server:
            is_status(put(server, up), PROTOCOL, what)
    with Fake(lambda f: (f.say("220 x"), f.hear("AUTH"), f.say("502 no TLS"))) as server:
        is_status(put(server, up), REFUSED, "a server without TLS gets no password")


@ktls_matters
def test_timeout():
    up = make_file("up", 10)
    with Fake(lambda f: f.sock.recv(100)) as server:
        is_status(put(server, up, "--timeout", SHORT), TIMEOUT, "a silent server")
    big = make_file("big", 8_000_000)
    with Server("--rcvbuf", "4096", "--read-delay", "60000") as server:
        is_status(put(server, big, "--timeout", SHORT), TIMEOUT, "a server that does not read")


def test_timeout_of_a_question():
    """A question that is not answered ends the get: the next reply would be that to this one."""
    heard = []

    def play(fake):
        fake.to_login()
        while True:
            heard.append(fake.hear(""))
            if heard[-1].startswith(answered):
                fake.say("502 no")
    for answered, asked in (("none", "SIZE"), ("SIZE", "MDTM")):
        heard.clear()
        with Fake(play) as server:
            r = get(server, "f", path("down"), "--timeout", SHORT)
        is_status(r, TIMEOUT, f"no answer to {asked}")
        ok([x.split()[0] for x in heard][-2:] == [asked, "QUIT"] and len(heard) < 4, "no other is asked", heard)


@ktls_matters
def test_unconfirmed():
    def play(reply):
        def play(fake):
            fake.to_stor()
            fake.receive()
            if reply:
                fake.say(reply)
                fake.hear("QUIT")
                fake.say("221 bye")
        return play
    up = make_file("up", 100_000)
    for reply, want in (("226 fine", COMPLETE), ("250 fine", COMPLETE), ("451 no", UNCONFIRMED),
                        ("552 no", UNCONFIRMED), ("", UNCONFIRMED)):
        with Fake(play(reply)) as server:
            is_status(put(server, up), want, f"all arrived, reply \"{reply}\"")


def to_retr(fake, size):
    """A get, up to its data; without a size the server does not know SIZE."""
    fake.to_login()
    port = fake.data_port()
    fake.hear("SIZE")
    fake.say(f"213 {size}" if size else "502 no SIZE")
    fake.hear("MDTM")
    fake.say("502 no MDTM")
    fake.hear("EPSV")
    fake.say(f"229 ok (|||{port}|)")
    fake.hear("RETR")
    fake.say("150 ok")


@ktls_matters
def test_short_file():
    """close_notify and 226, but fewer bytes than SIZE said."""
    def play(fake):
        to_retr(fake, 1000)
        data = fake.data()
        data.sendall(b"x" * 999)
        data.unwrap()
        fake.say("226 done")
    with Fake(play) as server:
        is_status(get(server, "f", path("short")), TRUNCATED, "999 bytes of 1000")
        ok(not os.path.exists(path("short")), "no file of that name")


def test_negative_size():
    """There are servers that say -1 where they do not know."""
    def play(fake):
        to_retr(fake, -1)
        with fake.data() as data:
            data.sendall(b"x" * 1000)
            data.unwrap()
        fake.say("226 done")
        fake.hear("QUIT")
    with Fake(play) as server:
        is_status(get(server, "f", path("down")), COMPLETE, "SIZE: 213 -1")


def test_no_name():
    """Why a file did not get its name is told, whatever else failed."""
    folder = tempfile.mkdtemp(dir=WORK)

    def play(fake):
        to_retr(fake, 1000)
        with fake.data() as data:
            data.sendall(b"x" * 1000)
            os.unlink(os.path.join(folder, until(lambda: arriving(folder), "the first bytes")))
            data.unwrap()
    with Fake(play) as server:
        r = get(server, "f", os.path.join(folder, "f"))
    is_status(r, LOCAL, "no reply, and the temporary file is gone")
    ok("f: " + os.strerror(errno.ESTALE) in r.stderr, "which is told", r.stderr)


@ktls_matters
def test_unconfirmed_get():
    """Whose word is good enough for the name: SIZE's, the reply's, or close_notify's."""
    def play(protected, size, reply):
        def play(fake):
            to_retr(fake, size)
            data = fake.data() if protected else fake.data_listener.accept()[0]
            data.sendall(b"half")
            if protected:
                data.unwrap()
            data.close()
            if reply:
                fake.say(reply)
        return play
    for protected, size, reply, want, named in (
            (True, 4, "", COMPLETE, True), (True, 0, "", UNCONFIRMED, True),
            (True, 4, "451 no", UNCONFIRMED, True), (True, 0, "451 no", UNCONFIRMED, False),
            (True, 8, "226 ok", TRUNCATED, False),
            (False, 4, "", COMPLETE, True), (False, 0, "", UNCONFIRMED, False),
            (False, 0, "226 ok", COMPLETE, True), (False, 0, "451 no", UNCONFIRMED, False),
            (False, 8, "", TRUNCATED, False)):
        for disp in ("catlg", "delete"):
            down = path("half")
            with Fake(play(protected, size, reply)) as server:
                r = get(server, "f", down, "--conddisp", disp,
                        *(() if protected else ("--clear-data",)))
            what = f"PROT {'P' if protected else 'C'}, SIZE {size or 'unknown'}, \"{reply}\""
            is_status(r, want, f"{what}, --conddisp={disp}")
            there = (os.path.exists(down), os.path.exists(down + ".partial"))
            ok(there == (named, not named and disp == "catlg"),
               f"{what}: {'named' if named else 'not named'}", there)
            for name in (down, down + ".partial"):
                if os.path.exists(name):
                    os.unlink(name)


# ---------------------------------------------------------------- tests: care

def test_pasv_address_ignored():
    def play(fake):
        fake.to_login()
        port = fake.data_port()
        fake.hear("PASV")
        fake.say(f"227 ok (10,9,8,7,{port >> 8},{port & 255})")
        fake.hear("STOR")
        fake.say("150 ok")
        fake.receive()
        fake.say("226 done")
        fake.hear("QUIT")
        fake.say("221 bye")
    up = make_file("up", 1000)
    with Fake(play) as server:
        is_status(put(server, up, "--no-epsv"), COMPLETE, "PASV names another host: ignored")


@ktls_matters
def test_early_no():
    """The server gives up in the middle, and says so: no need to send the rest."""
    def play(fake):
        fake.to_stor()
        data = fake.data()
        data.recv(1000)
        fake.say("452 disk full")
        # Not a byte more is read: only the reply can end this.
        fake.hear("QUIT")
    up = make_file("up", 20_000_000)
    with Fake(play) as server:
        r = put(server, up)
        is_status(r, REFUSED, "452 in the middle")
        ok(facts(r)["reply"] == 452 and facts(r)["bytes"] < 20_000_000, "and stops there",
           r.stdout)


@ktls_matters
def test_no_at_once():
    """The same in one record with 150, which no event tells of."""
    def play(fake):
        fake.to_transfer("STOR")
        fake.say("150 ok\r\n452 disk full")
        fake.data()
        fake.hear("QUIT")
    with Fake(play) as server:
        r = put(server, make_file("up", 20_000_000))
    is_status(r, REFUSED, "452 right behind 150")
    ok(facts(r)["bytes"] == 0, "nothing is sent", r.stdout)


@ktls_matters
def test_noise_amid_data():
    """What is no reply breaks the rules of FTP amid an upload, too."""
    def play(fake):
        fake.to_stor()
        data = fake.data()
        data.recv(1000)
        fake.say("what?")
        fake.sock.recv(1)
    with Fake(play) as server:
        is_status(put(server, make_file("up", 20_000_000)), PROTOCOL, "no reply amid the data")


def test_netrc():
    with Server() as server:
        up = make_file("up", 10)
        rc = path("netrc")
        with open(rc, "w") as f:
            f.write(f'machine 127.0.0.1 login {USER} password "{PASSWORD}"\n')
        os.chmod(rc, 0o600)
        args = ["put", "--cacert", CERT, "--netrc-file", rc, up,
                f"ftps://127.0.0.1:{server.port}/x"]
        is_status(run(*args), COMPLETE, "user and password from a netrc")
        for entry in (f"login {USER} password wrong", f"login {USER}", f"password wrong login {USER}"):
            make_secret("netrc", f"machine 127.0.0.1 {entry}\n")
            is_status(run(*args, "--password-file", path("password")), COMPLETE,
                      f"user from a netrc ({entry}), password from its file")
        os.chmod(rc, 0o644)
        is_status(run(*args), USAGE, "a netrc that others can read")
        os.unlink(rc)
        is_status(run(*args), USAGE, "no netrc")
        args = ["put", "--cacert", CERT, up, f"ftps://{USER}@127.0.0.1:{server.port}/x"]
        r = run(*args, start_new_session=True, env={**os.environ, "HOME": WORK})
        is_status(r, USAGE, "no password, and nobody to ask")


def test_prompt():
    with Server() as server:
        up = make_file("up", 10)
        pid, fd = pty.fork()
        if pid == 0:
            # Writing waits, and so the program stays where it is about to show the prompt.
            termios.tcflow(0, termios.TCOOFF)
            os.environ["HOME"] = WORK
            os.execv(FTPS, [FTPS, "put", "--cacert", CERT, up,
                            f"ftps://{USER}@127.0.0.1:{server.port}/x"])
        until(lambda: not termios.tcgetattr(fd)[3] & termios.ECHO, "echo off ahead of the prompt")
        with open(f"/proc/{pid}/fd/0", "rb", buffering=0) as terminal:
            termios.tcflow(terminal, termios.TCOON)
        said = b""
        while b"Password" not in said:
            said += os.read(fd, 1000)
        os.write(fd, PASSWORD.encode() + b"\n")
        try:
            while True:
                more = os.read(fd, 1000)
                said += more
        except OSError:
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ok(status == COMPLETE, "password asked for on the terminal", said)
        ok(PASSWORD.encode() not in said, "and not echoed, for echo is off before it is asked for", said)


def test_password_in_url():
    """Refused before anything is done with it, and not repeated."""
    up = make_file("up", 10)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        for args in (["put", up], ["get"], ["ls"]):
            for secret in (PASSWORD.replace(" ", "%20"), ""):
                r = run(*args, f"ftps://{USER}:{secret}@127.0.0.1:{server.getsockname()[1]}/x")
                is_status(r, USAGE, f"{args[0]} with a password in the URL")
                ok("--password-file" in r.stderr and "netrc" in r.stderr and
                   "s3cr3t" not in r.stderr + r.stdout, "what to do is said, and not the password",
                   r.stderr)
        try:
            server.accept()
            called = True
        except BlockingIOError:
            called = False
        ok(not called, "and nobody is called")


def test_password_not_shown():
    with Server() as server:
        r = put(server, make_file("up", 10), "-v")
        ok(r.returncode == COMPLETE and "PASS ****" in r.stderr and "s3cr3t" not in r.stderr,
           "-v does not show the password", r.stderr)
    with Server("-v") as server:
        def said():
            return open(server.errors.name).read()
        for line in ("PASS s3cr3t", "pass s3cr3t", "PASS  s3cr3t", "PASS\ts3cr3t", "PASS"):
            raw = Raw(server)
            raw.ask(line)
            raw.protect()
            with raw.begin("STOR f") as data:
                before = said().count("(amid a transfer)")
                raw.sock.sendall(line.encode() + b"\r\n")
                until(lambda: said().count("(amid a transfer)") > before, "the line")
                data.unwrap()
            raw.reply()
            raw.reply()
        ok("PASS ****" in said() and "s3cr3t" not in said(), "the server's neither, amid a transfer or not", said())


def arriving(folder):
    """The name of the temporary file in which something has arrived."""
    for name in os.listdir(folder):
        if name.startswith(".ftps.") and os.path.getsize(os.path.join(folder, name)) > 0:
            return name
    return None


def interrupted(conddisp):
    def play(fake):
        to_retr(fake, 2_000_000)
        data = fake.data()
        data.sendall(b"x" * 100_000)
        # The rest never comes, nor does a reply.
        while fake.sock.recv(1000):
            pass
    with Fake(play) as server:
        folder = tempfile.mkdtemp(dir=WORK)
        with subprocess.Popen([FTPS, "get", "--cacert", CERT, "--conddisp", conddisp,
                               server.url("f"), "f"], cwd=folder, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as proc:
            until(lambda: arriving(folder), "the first bytes")
            ok(len(os.listdir(folder)) == 1, "during a get the name is not there",
               os.listdir(folder))
            proc.send_signal(signal.SIGINT)
            status = proc.wait(LIMIT)
        ok(status == -signal.SIGINT, f"SIGINT ends it: {status}")
        want = ["f.partial"] if conddisp == "catlg" else []
        ok(os.listdir(folder) == want, f"--conddisp={conddisp} leaves {want}",
           os.listdir(folder))


def test_interrupt():
    interrupted("catlg")
    interrupted("delete")


@ktls_matters
def test_interrupt_blocked():
    """Ctrl-C where a FIFO has no other end, and where no name server answers."""
    os.mkfifo(path("fifo"))
    with Server() as server:
        for args in (["put", path("fifo"), server.url("x")], ["get", server.url("x"), path("fifo")]):
            for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with subprocess.Popen([FTPS, *args, "--cacert", CERT], stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL) as proc:
                    until(lambda p=proc: opens(p.pid, "fifo"), "the open")
                    proc.send_signal(sig)
                    status = proc.wait(LIMIT)
                ok(status == -sig, f"{args[0]} of a FIFO, {sig.name}: {status}")
    up = make_file("up", 10)
    with Server() as server:
        put_it = ["put", path("fifo"), server.url("x")]
        get_it = ["get", server.url("x"), path("fifo")]
        for args, source, sink in ((put_it, up, path("fifo")), (get_it, path("fifo"), path("got"))):
            with subprocess.Popen([FTPS, *args, "--cacert", CERT], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as proc:
                with open(source, "rb") as f, open(sink, "wb") as to:
                    shutil.copyfileobj(f, to)
                proc.wait(LIMIT)
            is_status(proc, COMPLETE,
                          f"{args[0]} of a FIFO that has another end")
        ok(same(up, server.file("x")) and same(up, path("got")), "same both ways")


# A machine whose name server is deaf: it hears the question, and says nothing.
DEAF = """
import os, signal, socket, subprocess, sys
os.environ.pop("RES_OPTIONS", None)
for name, text in (("resolv.conf", "nameserver 127.0.0.1\\n"), ("nsswitch.conf", "hosts: dns\\n")):
    with open(sys.argv[1] + name, "w") as f:
        f.write(text)
    subprocess.run(["mount", "--bind", sys.argv[1] + name, "/etc/" + name], check=True)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("127.0.0.1", 53))
    sock.settimeout(60)
    print("deaf", flush=True)
    with subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL) as proc:
        sock.recv(1000)
        proc.send_signal(signal.SIGINT)
        print(proc.wait(), flush=True)
"""


def test_interrupt_lookup():
    done = subprocess.run(["unshare", "--map-root-user", "--net", "--mount", sys.executable, "-c",
                           DEAF, path(""), FTPS, "put", make_file("up", 10),
                           "--password-file", path("password"), f"ftps://{USER}@host.example/x"],
                          capture_output=True, text=True, timeout=LIMIT)
    if "deaf" not in done.stdout:
        skip("SIGINT while a name is looked up", "no namespaces, or no ip(8)")
        return
    ok(done.stdout.split()[1:] == [str(-signal.SIGINT)], "SIGINT while a name is looked up",
       done.stdout + done.stderr)


def opens(pid, name):
    """Whether a thread of it is inside open(2): the kernel is waiting for a FIFO's other end."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/wchan") as f:
                if f.read() in ("wait_for_partner", "fifo_open"):
                    return True
        except OSError:
            pass
    return False


@ktls_matters
def test_server_stops():
    with Server() as server:
        up = make_file("up", 2_000_000)
        with subprocess.Popen([FTPS, "put", "--cacert", CERT, "--rate", "20000", up,
                               server.url()], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as proc:
            until(lambda: arriving(server.dir), "the first bytes")
            server.proc.send_signal(signal.SIGTERM)
            ok(server.proc.wait(LIMIT) == -signal.SIGTERM,
               "SIGTERM ends the server and its sessions")
            ok(proc.wait(LIMIT) != 0, "and the client notices")
        no_leftovers(server.dir)


def test_order():
    with Server() as server:
        raw = Raw(server, tls=False, login=False)
        for line, want in (("USER joe", "530"), ("PASS x", "530"), ("STOR x", "530"),
                           ("PBSZ 0", "503"), ("PROT P", "503"), ("CCC", "530"), ("PBSZ", "501"),
                           ("AUTH GSSAPI", "504"), ("FOO", "500"), ("", "500"), (" NOOP", "500"),
                           ("DELE x", "530"), ("help", "502"), ("FEAT", "211"), ("NOOP", "200")):
            got = raw.ask(line)
            ok(got.startswith(want), f"without TLS, \"{line}\": {got}")
        raw.sock.sendall(b"AUTH TLS\r\nUSER joe\r\n")
        got = raw.reply()
        ok(got.startswith("421"), f"a command injected behind AUTH: {got}")
        raw = Raw(server, login=False)
        for line, want in (("STOR x", "530"), ("EPSV", "530"), ("PASS x", "503"),
                           ("PROT P", "503")):
            got = raw.ask(line)
            ok(got.startswith(want), f"before login, \"{line}\": {got}")
        raw = Raw(server)
        for line, want in (("STOR x", "521"), ("AUTH TLS", "503"), ("PBSZ abc", "501"),
                           ("PBSZ -1", "501"), ("PBSZ 4294967296", "501"), ("PROT P", "503"),
                           ("PBSZ 4294967295", "200 PBSZ=0"), ("PBSZ 0", "200 PBSZ=0"),
                           ("PROT C", "534"), ("PROT S", "536"), ("PROT e", "536"),
                           ("PROT X", "504"), ("PROT PP", "504"), ("PROT P", "200"),
                           ("STOR x", "425"), ("PORT 127,0,0,1,200,200xyz", "501"),
                           ("PORT 127,0,0,1,200,200", "200"),
                           ("PORT 127,0,0,2,200,200", "504"), ("PORT 127,0,0,1,0,25", "504"),
                           ("PORT 1,2", "501"), ("EPRT |1|127.0.0.9|5000|", "504"),
                           ("EPRT |1|127.0.0.1|5000|", "200"), ("REST x", "501"),
                           ("REST 5", "350"), ("REST 0", "350"),
                           ("EPSV 2", "522"), ("EPSV 1", "229"), ("RETR", "501"),
                           ("RETR none", "550"), ("CCC", "534"), ("MODE B", "504"),
                           ("STRU R", "504"), ("TYPE E", "504"), ("ABOR", "226"),
                           ("\xff\xf4\xff\xf2ABOR", "226"), ("QUIT", "221")):
            got = raw.ask(line)
            ok(got.startswith(want), f"\"{line}\": {got}".encode("ascii", "replace").decode())


def test_confinement():
    with Server() as server:
        outside = make_file("outside", 10)
        os.symlink(outside, server.file("link"))
        os.symlink(WORK, server.file("dirlink"))
        os.mkfifo(server.file("fifo"))
        raw = Raw(server)
        raw.protect()
        for line, want in ((f"RETR ../{os.path.basename(outside)}", "550"),
                           (f"RETR {outside}", "550"), ("RETR link", "550"),
                           ("RETR dirlink/outside", "550"), ("STOR dirlink/new", "553"), ("LIST dirlink", "450"),
                           ("CWD dirlink", "550"), ("CWD ../../..", "250"), ("PWD", '257 "/"'),
                           ("RETR fifo", "550"), ("STOR fifo", "553"), ("RETR .", "550"),
                           ("STOR .ftps.x", "553"), ("STOR a\tb", "553")):
            raw.ask("EPSV")
            got = raw.ask(line)
            ok(got.startswith(want), f"{line.split()[0]} escape: {got}")
        raw.ask("EPSV")
        raw.sock.sendall(b"STOR link\r\n")
        ok(raw.reply().startswith("55"), "STOR over a link that leads outside")
        ok(os.path.getsize(outside) == 10, "the file outside is as it was")


def free_descriptor(pid):
    """The number that the next descriptor of a process is going to have."""
    taken = set(map(int, os.listdir(f"/proc/{pid}/fd")))
    return next(n for n in range(len(taken) + 1) if n not in taken)


def test_file_replies():
    """What is not there, what is busy, and what the system has no more of."""
    with Server() as server:
        raw = Raw(server)
        raw.protect()
        make_file(os.path.join(server.dir, "file"), 10)

        def asks(*dialogue):
            for line, want in dialogue:
                raw.ask("EPSV")
                got = raw.ask(line)
                ok(got.startswith(want), f"{line}: {got}")
        asks(("LIST none", "450"), ("NLST none", "450"), ("LIST none/none", "450"),
             ("LIST file/x", "450"), ("MLSD none", "550"), ("MLSD file", "501"), ("RETR none", "550"),
             ("STOR no/dir/x", "553"), ("APPE no/dir/x", "553"), ("STOR file/x", "553"),
             ("STOR .", "553"), ("CWD none", "550"), ("MLST none", "550"), ("SIZE none", "550"))

        session = until(server.sessions, "the session")[0]
        raw.ask("EPSV")
        before = resource.prlimit(int(session), resource.RLIMIT_NOFILE)
        resource.prlimit(int(session), resource.RLIMIT_NOFILE,
                         (free_descriptor(session), before[1]))
        for line in ("RETR file", "STOR new", "LIST", "MLSD", "CWD /", "SIZE file"):
            got = raw.ask("TYPE I") and raw.ask(line)
            ok(got.startswith("451"), f"{line}, no more descriptors: {got}")
        resource.prlimit(int(session), resource.RLIMIT_NOFILE, before)

        signal.signal(signal.SIGIO, signal.SIG_IGN)
        with open(server.file("file"), "rb+") as leased:
            try:
                fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as e:
                skip("450 for a file that is leased", f"no leases here: {e}")
            else:
                asks(("RETR file", "450"), ("APPE file", "450"), ("LIST file", "450"))
        asks(("RETR file", "150"))


@ktls_matters
def test_full_disk():
    """No room for another file's name: 452, before any data."""
    full = tempfile.mkdtemp(prefix="full.", dir=WORK)
    with open(path("full-ftps"), "w") as f:
        f.write('#!/bin/sh\nfor dir; do :; done\nmount -t tmpfs -o nr_inodes=2 none "$dir" || exit\n'
                f'exec {FTPS} "$@"\n')
    os.chmod(path("full-ftps"), 0o700)
    done = subprocess.run(["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none",
                           full], capture_output=True, text=True)
    if done.returncode:
        skip("452 on a full disk", done.stderr.strip())
        return
    with Server(program=("unshare", "--map-root-user", "--mount", path("full-ftps"))) as server:
        raw = Raw(server)
        raw.protect()
        raw.ask("TYPE I")
        for name, want in (("one", "150"), ("two", "452")):
            port = raw.epsv()
            raw.sock.sendall(f"STOR {name}\r\n".encode())
            got = raw.reply()
            ok(got.startswith(want), f"file {name} of one that there is room for: {got}")
            if want == "150":
                with raw.data(port) as data:
                    data.unwrap()
                ok(raw.reply().startswith("226"), "it is stored")
        ok(raw.ask("SIZE one") == "213 0", "and is there")


def test_bounce():
    with Server(host="127.0.0.1") as server:
        raw = Raw(server)
        raw.protect()
        port = raw.epsv()
        raw.sock.sendall(b"STOR up\r\n")
        ok(raw.reply().startswith("150"), "STOR begins")
        with socket.create_connection(("127.0.0.1", port),
                                      source_address=("127.0.0.9", 0)) as stranger:
            stranger.settimeout(LIMIT)
            try:
                gone = stranger.recv(1) == b""
            except ConnectionResetError:
                gone = True
            ok(gone, "a data connection from elsewhere is sent away")
        data = raw.data(port)
        data.sendall(b"hello")
        data.unwrap()
        ok(raw.reply().startswith("226"), "and the right one is still awaited")
        ok(open(server.file("up")).read() == "hello", "the file is right")


def test_hostile_lines():
    with Server() as server:
        raw = Raw(server, tls=False, login=False)
        got = raw.ask("A" * 9000)
        ok(got.startswith("500"), f"a line of 9000 bytes: {got}")
        raw = Raw(server, tls=False, login=False)
        got = raw.ask("USER a\0b")
        ok(got.startswith("500"), f"NUL in a line: {got}")
        up = make_file("up", 10)
        is_status(put(server, up), COMPLETE, "others are served as ever")


@ktls_matters
def test_abor():
    with Server("--rate", "100000") as server:
        make_file(os.path.join(server.dir, "f"), 2_000_000)
        raw = Raw(server)
        raw.protect()
        data = raw.begin("RETR f")
        data.recv(1000)
        first, second = raw.ask("ABOR"), raw.reply()
        ok(first.startswith("426") and second.startswith("226"), f"ABOR: {first}; {second}")
        ok(raw.ask("NOOP").startswith("200"), "the session goes on")
        try:
            while data.recv(65536):
                pass
            cut = False
        except ssl.SSLError:
            cut = True
        ok(cut, "the data connection is cut, without close_notify")


@ktls_matters
def test_abor_at_once():
    """ABOR in one record with its transfer, which no event tells of."""
    with Server() as server:
        make_file(server.file("f"), 2_000_000)
        for command in ("STOR x", "RETR f"):
            raw = binary(server)
            raw.epsv()
            raw.sock.sendall(f"{command}\r\nABOR\r\n".encode())
            raw.reply()
            got = raw.reply(), raw.reply()
            ok(got[0].startswith("426") and got[1].startswith("226"), f"{command}, ABOR: {got}")
        raw = binary(server)
        raw.epsv()
        ok(raw.ask("STOR x").startswith("150") and raw.ask("ABOR").startswith("426") and
           raw.reply().startswith("226"), "ABOR while a data connection is awaited")
        raw.epsv()
        raw.ask("STOR x")
        raw.sock.shutdown(socket.SHUT_RDWR)
        lines = [server.line() for _ in range(4)]
        ok([x["reply"] for x in lines] == [426, 426, 426, 425] and
           lines[3]["error"] == os.strerror(errno.ECONNABORTED), "a client that leaves then is not waited for", lines)


def stored(raw, command, content):
    """Send a file. Return: the reply."""
    with raw.begin(command) as data:
        data.sendall(content)
        data.unwrap()
    return raw.reply()


def binary(server):
    """A client that is ready to transfer."""
    raw = Raw(server)
    raw.protect()
    raw.ask("TYPE I")
    return raw


@ktls_matters
def test_rest_is_for_one_transfer():
    """What REST said is for the next transfer, and no later one, whatever becomes of that."""
    with Server() as server:
        f = make_file(server.file("f"), 100_000)
        raw = binary(server)
        for between in ("NOOP", "EPSV", "SIZE f", "CWD /"):
            raw.ask("REST 60000")
            raw.ask(between)
            ok(len(raw.fetch("RETR f")[0]) == 40_000, f"REST, {between}, RETR: the end of it")
        for failing in ("RETR none", "RETR", "STOR no/x", "STOR", "APPE no/x", "LIST none", "NLST none",
                        "MLSD none", "RETR ../.ftps.x"):
            raw.ask("REST 60000")
            raw.epsv()
            got = raw.ask(failing)
            ok(got[:1] in "45" and raw.fetch("RETR f")[0] == open(f, "rb").read(),
               f"REST, {failing} ({got[:3]}), RETR: all of it")
        for other in ("LIST", "NLST", "MLSD", "RETR f"):
            raw.ask("REST 60000")
            raw.fetch(other)
            ok(len(raw.fetch("RETR f")[0]) == 100_000, f"REST, {other}, RETR: all of it")
        raw.ask("REST 60000")
        ok(stored(raw, "APPE g", b"1").startswith("226"), "REST, APPE")
        raw.ask("REST 60000")
        raw.ask("RETR f")
        ok(stored(raw, "STOR f", b"new").startswith("226") and open(f, "rb").read() == b"new",
           "REST, RETR without a port, STOR: all of it is new")
        raw.ask("REST 2")
        raw.ask("TYPE A")
        raw.epsv()
        got = raw.ask("RETR f")
        raw.ask("TYPE I")
        ok(got.startswith("504") and raw.fetch("RETR f")[0] == b"new", "REST, RETR in TYPE A, RETR: all of it")
    with anonymous("--anonymous") as server:
        os.chmod(make_file(server.file("f"), 1000), 0o644)
        raw = binary(server)
        raw.ask("REST 600")
        raw.ask("STOR f")
        ok(len(raw.fetch("RETR f")[0]) == 1000, "REST, STOR that is not allowed, RETR: all of it")


def cut_upload(server, name, content):
    """An upload that ends too early. Return: the names that are there."""
    raw = binary(server)
    with raw.begin("STOR " + name) as data:
        data.sendall(content)
    ok(raw.reply().startswith("426"), f"STOR {name}, cut")
    return sorted(os.listdir(server.dir))


def size_of(name, size):
    until(lambda: os.path.exists(name) and os.path.getsize(name) == size, f"{size} bytes in {name}")


def test_part_at_work():
    """While somebody goes on in a part, others neither replace it nor go on in it, too."""
    with Server() as server:
        part = server.file("f.partial")
        ok(cut_upload(server, "f", b"A" * 1000) == ["f.partial"], "there is a part")
        raw = binary(server)
        raw.ask("REST 1000")
        with raw.begin("STOR f") as data:
            data.sendall(b"A" * 1000)
            size_of(part, 2000)
            ok(cut_upload(server, "f", b"B" * 10) == ["f.partial", "f.partial.1"], "another part is not in its place")
            other = binary(server)
            other.ask("REST 1000")
            other.epsv()
            ok(other.ask("STOR f").startswith("450"), "nor goes somebody else on in it")
            data.sendall(b"A" * 1000)
            data.unwrap()
        ok(raw.reply().startswith("226") and open(server.file("f"), "rb").read() == b"A" * 3000,
           "what gets the name is what was sent")


def test_strangers_have_the_name():
    """A name that leads to another file meanwhile is not taken for what was written."""
    with Server() as server:
        part = server.file("f.partial")
        cut_upload(server, "f", b"A" * 1000)
        for verb in ("unlink", "rename"):
            raw = binary(server)
            if verb == "rename":
                cut_upload(server, "f", b"A" * 1000)
            raw.ask("REST 1000")
            with raw.begin("STOR f") as data:
                data.sendall(b"A")
                size_of(part, 1001)
                if verb == "unlink":
                    os.unlink(part)
                else:
                    os.rename(make_file("stranger", 10), part)
                data.unwrap()
            got = raw.reply()
            ok(got.startswith("451") and not os.path.exists(server.file("f")),
               f"{verb} of the part: it is not complete: {got}")
        ok(os.listdir(server.dir) == ["f.partial"] and os.path.getsize(part) == 10, "the stranger's file stays")
        os.unlink(part)
        make_file(server.file("log"), 100)
        raw = binary(server)
        with raw.begin("APPE log") as data:
            data.sendall(b"A")
            size_of(server.file("log"), 101)
            ok(stored(binary(server), "STOR log", b"new").startswith("226"), "STOR of what somebody appends to")
            data.unwrap()
        got = raw.reply()
        ok(got.startswith("451") and open(server.file("log"), "rb").read() == b"new",
           f"what was appended to the old file is not called complete: {got}")


def test_links_are_written_in_turn():
    """Two do not write to the same file at the same time, under whichever of its names."""
    with Server() as server:
        for name in ("h", "h2"):
            with open(server.file("h"), "wb") as f:
                f.write(b"old")
            if not os.path.exists(server.file("h2")):
                os.link(server.file("h"), server.file("h2"))
            raw = binary(server)
            with raw.begin("APPE h") as data:
                data.sendall(b"A")
                size_of(server.file("h"), 4)
                got = stored(binary(server), "STOR " + name, b"B" * 100_000)
                ok(got.startswith("45"), f"STOR {name}, while somebody appends: {got}")
                data.sendall(b"A")
                data.unwrap()
            ok(raw.reply().startswith("226") and open(server.file("h2"), "rb").read() == b"oldAA", "they do not mix")
            part = server.file(name + ".partial")
            ok(open(part, "rb").read() == b"B" * 100_000, "and what came is kept")
            ok([line for line in (server.line() for _ in range(2)) if line["partial"] == f"/{name}.partial"],
               "which the log says")


def test_append_with_others():
    """Others append, too: nothing of theirs is lost, whatever becomes of ours."""
    with Server("--timeout", SHORT) as server:
        f = server.file("log")
        for sent in (b"ours\n", b""):
            with open(f, "wb") as log:
                log.write(b"old\n")
            raw = binary(server)
            with raw.begin("APPE log") as data:
                if sent:
                    data.sendall(sent)
                    size_of(f, 9)
                with open(f, "ab") as log:
                    log.write(b"theirs\n")
                got = raw.reply()
            content = open(f, "rb").read()
            ok(got.startswith("426") and content.startswith(b"old\n") and content.endswith(b"theirs\n"),
               f"APPE fails: {got}", content)
    with Server() as server:
        f = server.file("log")
        with open(f, "wb") as log:
            log.write(b"old\n")
        raw = binary(server)
        with raw.begin("APPE log") as data:
            data.sendall(b"1")
            size_of(f, 5)
            with open(f, "ab") as log:
                log.write(b"theirs")
            data.sendall(b"2")
            data.unwrap()
        ok(raw.reply().startswith("226") and open(f, "rb").read() == b"old\n1theirs2", "APPE succeeds: all is there",
           open(f, "rb").read())


def test_closed_descriptors():
    """Started without standard input, output or error, no message ends in a file."""
    with Server() as server:
        f = make_file(server.file("f"), 50_000)
        for closed in ("<&-", ">&-", "2>&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
            r = subprocess.run(["sh", "-c", f'exec "$0" "$@" {closed}', FTPS, "get", "-v", "--cacert", CERT,
                                server.url("f"), path("down")], check=False, capture_output=True, timeout=LIMIT)
            ok(r.returncode == COMPLETE and same(f, path("down")), f"get, {closed}", r)
        for verb, *args in (("get", server.url("f"), "-"), ("put", "-", server.url("g"))):
            r = subprocess.run(["sh", "-c", 'exec "$0" "$@" <&- >&-', FTPS, verb, "--cacert", CERT, *args],
                               check=False, capture_output=True, timeout=LIMIT)
            is_status(r, LOCAL, f"{verb} where the file would be a closed descriptor")
        ok(not os.path.exists(server.file("g")), "which is no empty file")


def test_file_size_limit():
    """RLIMIT_FSIZE is an error like others, on both sides."""
    limit = (102_400, 102_400)
    with Server() as server:
        up = make_file(server.file("f"), 500_000)
        folder = tempfile.mkdtemp(dir=WORK)
        r = get(server, "f", os.path.join(folder, "f"),
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        ok(r.returncode == LOCAL and "File too large" in r.stderr, "get: too large", r)
        ok(os.listdir(folder) == ["f.partial"], "what came is kept", os.listdir(folder))
        resource.prlimit(server.proc.pid, resource.RLIMIT_FSIZE, limit)
        os.unlink(server.file("f"))
        r = put(server, shutil.copy(os.path.join(folder, "f.partial"), path("f")))
        is_status(r, COMPLETE, "put: as large as may be")
        r = put(server, make_file("g", 500_000))
        ok(facts(r)["reply"] == 552, "put: too large", r)
        no_leftovers(server.dir)


def full_pipe(reader):
    """Write to a pipe until it takes no more."""
    fd = os.open(f"/proc/self/fd/{reader}", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while True:
            os.write(fd, b"\n" * 4096)
    except BlockingIOError:
        os.close(fd)


def test_unread_log():
    """Where nobody reads what the server says, it can still be ended."""
    fifo = path("unread")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDWR)
    for verbose in (False, True):
        program = ("sh", "-c", f'exec "$0" "$@" 2>{fifo}', FTPS) if verbose else (FTPS,)
        with Server(*(["-v"] if verbose else []), program=program) as server:
            raw = binary(server)
            full_pipe(reader if verbose else server.proc.stdout.fileno())
            raw.sock.sendall(b"DELE none\r\n")
            ok(verbose or raw.reply().startswith("550"), "a change that the log has no room for")
            server.proc.send_signal(signal.SIGTERM)
            ok(server.proc.wait(LIMIT) == -signal.SIGTERM,
               f"unread {'messages' if verbose else 'log'}: SIGTERM ends the server and its sessions")
    os.close(reader)


@ktls_matters
def test_unread_pipe():
    """Where nobody reads the file, a signal ends the get."""
    with Server() as server:
        make_file(server.file("f"), 500_000)
        with subprocess.Popen([FTPS, "get", "--cacert", CERT, server.url("f"), "-"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as proc:
            def waiting():
                return struct.unpack("i", fcntl.ioctl(proc.stdout, termios.FIONREAD, bytes(4)))[0]
            until(lambda: waiting() >= 61_440, "a pipe that is almost full")
            # There is room, but for less than comes at once.
            os.read(proc.stdout.fileno(), 5000)
            until(lambda: waiting() >= 61_440, "a pipe that is almost full again")
            proc.send_signal(signal.SIGTERM)
            ok(proc.wait(LIMIT) == -signal.SIGTERM, "SIGTERM ends a get to a pipe that nobody reads")


def test_no_data_connection():
    """What keeps a data connection from being accepted ends the command, not the time-out."""
    with Server() as server:
        make_file(server.file("f"), 10)
        raw = binary(server)
        session = int(until(server.sessions, "the session")[0])
        port = raw.epsv()
        raw.sock.sendall(b"RETR f\r\n")
        raw.reply()
        before = resource.prlimit(session, resource.RLIMIT_NOFILE)
        resource.prlimit(session, resource.RLIMIT_NOFILE, (free_descriptor(session), before[1]))
        with socket.create_connection((server.host, port)):
            got = raw.reply()
        resource.prlimit(session, resource.RLIMIT_NOFILE, before)
        ok(got.startswith("425") and "open files" in got, f"no more descriptors: {got}")
        ok(len(raw.fetch("RETR f")[0]) == 10, "and the session goes on")
    with Server("--timeout", SHORT) as server:
        raw = binary(server)
        port = raw.epsv()
        raw.sock.sendall(b"LIST\r\n")
        raw.reply()
        over = threading.Event()

        def disturb():
            while not over.is_set():
                with socket.socket() as stranger:
                    stranger.bind(("127.0.0.9", 0))
                    stranger.connect_ex((server.host, port))
        strangers = [threading.Thread(target=disturb) for _ in range(2)]
        for thread in strangers:
            thread.start()
        got = raw.reply()
        over.set()
        for thread in strangers:
            thread.join(LIMIT)
        ok(got.startswith("425"), f"strangers do not prolong the wait: {got}")


def test_bare_reply():
    """A reply may be a code and nothing else."""
    def play(fake):
        fake.to_login()
        fake.hear("EPSV")
        fake.say("501 something long that must not be seen again")
        fake.hear("PASV")
        fake.say("550")
        fake.hear("QUIT")
    with Fake(play) as server:
        r = put(server, make_file("up", 10))
    is_status(r, REFUSED, "PASV: 550")
    ok(facts(r)["reply"] == 550 and facts(r)["reply_text"] == "" and "seen again" not in r.stderr,
       "it has no text", r)


def test_resume_elsewhere():
    """Only our own server goes on in NAME.partial: another has the name begin with a hole."""
    def play(fake):
        fake.to_login()
        fake.hear("SIZE up")
        fake.say("550 not there")
        fake.to_command("STOR up")
        fake.say("150 ok")
        fake.receive()
        fake.say("226 ok")
        fake.hear("QUIT")
    with Fake(play) as server:
        r = put(server, make_file("up", 1000), "--resume")
    is_status(r, COMPLETE, "put --resume, where there is nothing yet")
    ok(facts(r)["bytes"] == 1000, "all of it is sent", r)


def test_resume_nothing():
    """Where there is no part, get --resume needs to know nothing of the file."""
    def play(fake):
        fake.to_transfer("RETR")
        fake.say("150 ok")
        with fake.data() as data:
            data.sendall(b"x" * 1000)
            data.unwrap()
        fake.say("226 ok")
        fake.hear("QUIT")
    down = path("nothing")
    with Fake(play) as server:
        is_status(get(server, "f", down, "--resume"), COMPLETE, "get --resume, no part, no SIZE, no MDTM")
    os.rename(down, make_file("nothing.partial", 0))
    with Fake(play) as server:
        r = get(server, "f", down, "--resume")
    ok(r.returncode == LOCAL and "nothing.partial is not known" in r.stderr, "with a part it does", r)


@ktls_matters
def test_summary_is_lost():
    """A summary that cannot be written is told."""
    with Server() as server, open("/dev/full", "w") as full:
        make_file(server.file("f"), 10)
        r = subprocess.run([FTPS, "get", "--json", "--cacert", CERT, server.url("f"), path("down")], stdout=full,
                           stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT)
    ok(r.returncode == COMPLETE and "could not be written" in r.stderr, "get >/dev/full", r)


def test_resume_without_size():
    """Where the server does not tell how much it has, put --resume must not begin anew."""
    def play(fake):
        fake.to_login()
        fake.hear("SIZE up")
        fake.say("502 no SIZE")
        fake.hear("QUIT")
        fake.quit = True
    with Fake(play) as server:
        r = put(server, make_file("up", 1000), "--resume")
    is_status(r, LOCAL, "put --resume, SIZE: 502")
    ok(hasattr(server, "quit") and "without --resume" in r.stderr, "nothing is sent, and it is said what to do", r)


@ktls_matters
def test_reset_after_append():
    """A reset behind the data is none of APPE either, if SIZE says so."""
    def play(fake, sizes):
        fake.to_login()
        fake.hear("SIZE up")
        fake.say(sizes[0])
        fake.to_command("APPE up")
        fake.say("150 ok")
        data = fake.data()
        # So that the last acknowledgement is none of its own, which a RST can then overtake
        data.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        while data.recv(65536):
            pass
        reset(data)
        fake.say("226 ok")
        if fake.hear("").startswith("SIZE"):
            fake.say(sizes[1])
            fake.hear("QUIT")
    up = make_file("up", 1000)
    for sizes in (("213 2000", "213 3000"), ("550 none", "213 1000"), ("502 no", "502 no"),
                  ("213 2000", "213 2999")):
        with Fake(lambda fake, sizes=sizes: play(fake, sizes)) as server:
            r = put(server, up, "--append")
        well = sizes[1].endswith("000")
        ok(r.returncode == COMPLETE or (not well and r.returncode == RESET and "server said 226 ok" in r.stderr),
           f"a reset after all, SIZE before and after: {sizes}", r)


def test_link_local():
    """EPRT has no room for the scope of an address: it is that of the control connection."""
    setup = 'ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec "$0" "$@"'
    alone = ("unshare", "--map-root-user", "--net", "sh", "-c", setup)
    done = subprocess.run([*alone, "true"], check=False, capture_output=True, text=True)
    if done.returncode:
        skip("active mode with link-local addresses", done.stderr.strip())
        return
    with Server(program=(*alone, FTPS), host="fe80::1%lo") as server:
        f = make_file(server.file("f"), 1000)
        client = ["nsenter", "--preserve-credentials", "--user", "--net", "-t", str(server.proc.pid), FTPS,
                  "get", "--active", "--insecure", f"ftps://{USER}@[fe80::1%25lo]:{server.port}/f",
                  "--password-file", path("password"), path("down")]

        def reach():
            r = subprocess.run(client, check=False, capture_output=True, text=True, timeout=LIMIT)
            # The kernel adds the route later, by itself.
            return None if "Network is unreachable" in r.stderr else r
        r = until(reach, "the network")
        is_status(r, COMPLETE, "get --active from a link-local address")
        ok(same(f, path("down")), "same")


def test_trifles():
    with Server() as server:
        f = make_file(server.file("f"), 1000)
        raw = binary(server)
        ok(raw.ask("PROT C").startswith("534") and raw.fetch("RETR f")[0] == open(f, "rb").read(),
           "PROT C that is refused leaves PROT P")
        name = "n" * 245
        for what in ("", ".1", ".2") if xattrs(server.dir) else ():
            # Somebody else's, in the way of ours
            make_file(server.file(name + ".partial" + what), 1)
        names = cut_upload(server, name, b"x")
        ok(not xattrs(server.dir) or name + ".partial.3" in names, "a part of a name as long as may be is kept", names)
        ok(stored(binary(server), "STOR " + name, b"x").startswith("226"), "a name as long as may be")
        raw.epsv()
        got = raw.ask(f"STOR {name}n")
        ok(got.startswith("553") and "too long" in got, f"a longer one: {got}")
        up = make_file("up", 300)
        with subprocess.Popen([FTPS, "put", "--cacert", CERT, "--rate", "5", up, server.url("slow")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proc:
            temp = until(lambda: arriving(server.dir), "the first bytes")
            ok(os.path.getsize(server.file(temp)) < 300, "--rate 5 is no burst")
            proc.terminate()


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
