#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""drstat on files as the module shows them; TAP on standard output.

    drstat_test.py DRSTAT [NAME...]     all tests, or those whose name contains a NAME

The module is not needed; that drstat sees a real hold is shown in selftests/ftps.
"""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import termios

from harness import *  # pylint: disable=wildcard-import,unused-wildcard-import

DRSTAT = FTPS       # the harness calls so what it tests
OUTPUT, USAGE, NO_MODULE, NETNS, FILE = range(1, 6)
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
HEAD = "local remote state cause bytes held_ms idle_ms cookie"
COUNTERS = {"TlsDrstCurrHeld": 2, "TlsDrstCurrInHeld": 0, "TlsDrstCloseNotify": 318,
            "TlsDrstHeld": 12, "TlsDrstRstSent": 10, "TlsDrstFlushedBytes": 1234567}
HOLDS = ["192.0.2.1:39216 192.0.2.2:4433 08 unread 118272 1250 310 0",
         "[2001:db8::1]:443 [2001:db8::2]:50000 01 peer 512 125000 4000 1f"]


# ---------------------------------------------------------------- what the module shows

class Proc:
    """A folder in place of /proc."""

    def __init__(self, counters=None, holds=()):
        self.root = tempfile.mkdtemp(prefix="proc.", dir=WORK)
        os.mkdir(self.root + "/net")
        if counters is not None:
            self.counters(counters)
            self.holds(holds)

    def write(self, name, text):
        """At once, as the kernel's are."""
        with open(f"{self.root}/net/.new", "w", encoding="latin-1") as f:
            f.write(text)
        os.rename(f"{self.root}/net/.new", f"{self.root}/net/{name}")

    def counters(self, counters):
        self.write("tls_drst_stat", "".join(f"{n:<32}\t{v}\n" for n, v in counters.items()))

    def holds(self, holds):
        self.write("tls_drst", "".join(line + "\n" for line in (HEAD, *holds)))

    def unload(self):
        for name in ("tls_drst_stat", "tls_drst"):
            os.unlink(f"{self.root}/net/{name}")

    def env(self, **more):
        return {**os.environ, "PROC_ROOT": self.root, **more}

    def run(self, *args, **more):
        return subprocess.run([DRSTAT, *args], capture_output=True, text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, env=self.env(), **more)

    @contextlib.contextmanager
    def start(self, *args, **more):
        proc = subprocess.Popen([DRSTAT, *args], env=self.env(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        try:
            yield proc
        finally:
            proc.kill()
            proc.communicate()


def is_error(run, want, what, *words):
    """Its status, one line that says why, nothing else."""
    is_status(run, want, what)
    said = run.stderr
    ok(said.startswith("drstat: ") and said.count("\n") == 1 and not run.stdout and
       all(word in said for word in words), f"{what}: said in a line", said + run.stdout)


# ---------------------------------------------------------------- text

def test_counters():
    proc = Proc(COUNTERS)
    want = {n: v for n, v in COUNTERS.items() if v}
    r = proc.run()
    is_status(r, 0, "counters")
    ok([line.split() for line in r.stdout.splitlines()] ==
       [[n, str(v)] for n, v in want.items()], "those that are not 0, in order", r.stdout)
    ok(len({len(line) for line in r.stdout.splitlines()}) == 1, "in columns", r.stdout)
    r = proc.run("-z")
    ok(len(r.stdout.splitlines()) == len(COUNTERS) and "TlsDrstCurrInHeld  " in r.stdout,
       "-z: all", r.stdout)
    r = Proc({"TlsDrstHeld": 0}).run()
    ok(r.returncode == 0 and r.stdout == "", "nothing where all are 0", r.stdout)
    r = Proc({"TlsDrstHeld": 2**64 - 1}).run()
    ok(str(2**64 - 1) in r.stdout, "a counter may have 64 bits", r.stdout)


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_held():
    r = Proc(COUNTERS, HOLDS).run("--held")
    is_status(r, 0, "--held")
    ok(rows(r.stdout) == [
        ["state", "cause", "bytes", "held", "idle", "local", "remote", "cookie"],
        ["CLOSE-WAIT", "unread", "115.5K", "1.2s", "310ms", "192.0.2.1:39216",
         "192.0.2.2:4433", "-"],
        ["ESTAB", "peer", "512B", "2m05s", "4.0s", "[2001:db8::1]:443",
         "[2001:db8::2]:50000", "1f"]], "both connections, readable", r.stdout)
    where = [(line + " ").index(word) for line, word in
             zip(r.stdout.splitlines(), ("cookie", "- ", "1f"))]
    ok(len(set(where)) == 1, "in columns", r.stdout)
    r = Proc(COUNTERS).run("--held")
    ok(r.returncode == 0 and len(rows(r.stdout)) == 1, "none is held: the head alone", r.stdout)


def test_held_words():
    def cell(column, **more):
        facts = {"state": "01", "bytes": 0, "held": 0, **more}
        r = Proc(COUNTERS, ["1.2.3.4:5 6.7.8.9:10 {state} none {bytes} {held} 0 0"
                            .format(**facts)]).run("--held")
        return rows(r.stdout)[1][column]
    states = {"01": "ESTAB", "04": "FIN-WAIT-1", "05": "FIN-WAIT-2", "06": "TIME-WAIT",
              "07": "UNCONN", "08": "CLOSE-WAIT", "09": "LAST-ACK", "0B": "CLOSING",
              "FF": "UNKNOWN"}
    got = {state: cell(0, state=state) for state in states}
    ok(got == states, "states in the words of ss", got)
    sizes = {0: "0B", 1023: "1023B", 1024: "1.0K", 1024 * 1024 - 1: "1.0M",
             5 * 1024**2 // 2: "2.5M", 2**32 - 1: "4.0G", 2**64 - 1: "16.0E"}
    got = {size: cell(2, bytes=size) for size in sizes}
    ok(got == sizes, "sizes", got)
    times = {0: "0ms", 999: "999ms", 1000: "1.0s", 59999: "59.9s", 60000: "1m00s",
             3599999: "59m59s", 3600000: "1h00m", 86400000: "24h00m"}
    got = {ms: cell(3, held=ms) for ms in times}
    ok(got == times, "times", got)


# ---------------------------------------------------------------- JSON, changes

def test_json():
    r = Proc(COUNTERS, HOLDS).run("--json")
    is_status(r, 0, "--json")
    got = facts(r)
    ok(set(got) == {"time", "counters"} and got["counters"] == COUNTERS,
       "an object with all counters", r.stdout)
    ok(r.stdout.count("\n") == 1 and abs(got["time"] - time.time()) < LIMIT, "on a line", r)
    r = Proc(COUNTERS, HOLDS).run("--json", "--held")
    got = facts(r)
    ok(set(got) == {"time", "held"} and got["held"] == [
        {"local": "192.0.2.1:39216", "remote": "192.0.2.2:4433", "state": "CLOSE-WAIT",
         "cause": "unread", "bytes": 118272, "held_ms": 1250, "idle_ms": 310, "cookie": "0"},
        {"local": "[2001:db8::1]:443", "remote": "[2001:db8::2]:50000", "state": "ESTAB",
         "cause": "peer", "bytes": 512, "held_ms": 125000, "idle_ms": 4000, "cookie": "1f"}],
       "--held --json", r.stdout)
    ok(facts(Proc(COUNTERS).run("--json", "--held"))["held"] == [], "none is held: []")
    many = Proc(COUNTERS, HOLDS * 5000).run("--json", "--held")
    ok(len(facts(many).get("held", [])) == 10000, "ten thousand are held")


def until_report(proc, wanted):
    """The first report that is as wanted; all up to it."""
    reports = []
    while not reports or not wanted(reports[-1]):
        line = proc.stdout.readline()
        if not line:
            raise RuntimeError(f"it ended: {proc.stderr.read()}; {reports}")
        reports.append(json.loads(line))
    return reports


def test_rates():
    proc = Proc(COUNTERS)
    later = {**COUNTERS, "TlsDrstCurrHeld": 1, "TlsDrstHeld": 112, "TlsDrstNew": 5}
    with proc.start("--json", "0.2") as drstat:
        first = until_report(drstat, lambda r: True)[0]
        ok(not any(first["change"].values()) and not any(first["rate"].values()) and
           first["counters"] == COUNTERS, "no change", first)
        proc.counters(later)
        reports = until_report(drstat, lambda r: r["counters"] == later)
        last, before = reports[-1], (reports[-2:-1] or [first])[0]
        ok({n: v for n, v in last["change"].items() if v} ==
           {"TlsDrstCurrHeld": -1, "TlsDrstHeld": 100, "TlsDrstNew": 5}, "the change", last)
        ok(abs(last["rate"]["TlsDrstHeld"] * last["seconds"] - 100) < 1 and
           "TlsDrstCurrHeld" not in last["rate"], "and per second; not of a gauge", last)
        ok(abs(last["time"] - before["time"] - last["seconds"]) < 0.1 and not last["restarted"],
           "the time between", last)
        after = until_report(drstat, lambda r: True)[0]
        ok(not any(after["change"].values()), "no change again", after)
        drstat.send_signal(signal.SIGINT)
        ok(drstat.wait(LIMIT) == 0 and drstat.stderr.read() == "", "SIGINT ends it, exit 0")
    r = proc.run("--json", "0.1", "3")
    ok(r.returncode == 0 and len(r.stdout.splitlines()) == 3, "COUNT reports", r.stdout)


def test_rates_in_words():
    proc = Proc(COUNTERS)
    with proc.start("0.2") as drstat:
        head = drstat.stdout.readline()
        proc.counters({**COUNTERS, "TlsDrstCurrHeld": 0, "TlsDrstHeld": 13})
        line, seen = head, {}
        while not ("TlsDrstCurrHeld" in seen and "TlsDrstHeld" in seen):
            line = drstat.stdout.readline()
            if re.search(r"[-+]\d", line):
                seen[line.split()[0]] = line.split()[1:]
        drstat.send_signal(signal.SIGTERM)
        ok(drstat.wait(LIMIT) == -signal.SIGTERM, "SIGTERM ends it as it does")
    ok(head.split() == ["counter", "value", "change", "per", "second"], "a head", head)
    ok(seen["TlsDrstCurrHeld"] == ["0", "-2"], "a gauge that goes down to 0 is shown", seen)
    ok(seen["TlsDrstHeld"][:2] == ["13", "+1"] and
       re.fullmatch(r"\d+\.\d", seen["TlsDrstHeld"][2]), "a counter's rate", seen)


def test_restart():
    proc = Proc(COUNTERS)
    anew = {**{n: 0 for n in COUNTERS}, "TlsDrstHeld": 400, "TlsDrstRstSent": 3}

    def not_negative(report):
        return all(v >= 0 for n, v in report["change"].items() if "Curr" not in n) and \
            all(v >= 0 for v in report["rate"].values())
    with proc.start("--json", "0.2") as drstat:
        until_report(drstat, lambda r: True)
        proc.counters(anew)
        reports = until_report(drstat, lambda r: r["counters"] == anew)
        last = reports[-1]
        ok(last["restarted"] and all(map(not_negative, reports)), "counters went back", last)
        ok(last["change"]["TlsDrstHeld"] == 400 and last["change"]["TlsDrstRstSent"] == 3,
           "all count from 0 then", last)
        ok(not until_report(drstat, lambda r: True)[0]["restarted"], "which is over at once")
        proc.unload()
        said = drstat.stderr.readline()
        ok("not loaded any more" in said, "the module is gone: said", said)
        proc.counters(COUNTERS)
        reports = until_report(drstat, lambda r: r["counters"] == COUNTERS)
        ok(reports[0]["restarted"] and reports[0]["change"] == COUNTERS and len(reports) == 1,
           "and is back: from 0", reports)
        drstat.send_signal(signal.SIGINT)
        drstat.wait(LIMIT)
        ok(drstat.stderr.read() == "", "it was said once")


# ---------------------------------------------------------------- Prometheus

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'


def parse_prometheus(text):
    """The text format, as strictly as its description. Return: {metric: (type, {labels: value})}"""
    metrics, helps, current = {}, set(), None
    assert text.endswith("\n"), "no newline at the end"
    for line in text.splitlines():
        match = re.fullmatch(rf"# HELP ({NAME}) ((?:[^\\\n]|\\[\\n])+)", line)
        if match:
            assert match[1] not in helps, "HELP twice: " + line
            helps.add(match[1])
            continue
        match = re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line)
        if match:
            current = match[1]
            assert current in helps and current not in metrics, "TYPE out of order: " + line
            metrics[current] = (match[2], {})
            continue
        match = re.fullmatch(rf"({NAME})(?:\{{{LABEL}\}})? (\d+)", line)
        assert match, "not understood: " + line
        assert match[1] == current, "not under its TYPE: " + line
        labels = (match[2], match[3]) if match[2] else ()
        assert labels not in metrics[current][1], "twice: " + line
        metrics[current][1][labels] = int(match[4])
    assert all(series for _, series in metrics.values()), "a TYPE without a value"
    return metrics


def prometheus_name(counter):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", counter).lower() + \
        ("" if "Curr" in counter else "_total")


def test_prometheus():
    r = Proc(COUNTERS).run("--prometheus")
    is_status(r, 0, "--prometheus")
    ok(parse_prometheus(r.stdout) ==
       {prometheus_name(n): ("gauge" if "Curr" in n else "counter", {(): v})
        for n, v in COUNTERS.items()}, "all counters, also those that are 0", r.stdout)
    ok("\ntls_drst_rst_sent_total 10\n" in r.stdout and
       "\ntls_drst_curr_in_held 0\n" in r.stdout, "their names", r.stdout)
    r = Proc({"TlsDrstHTTPSent2Go": 7, "TlsDrstABC": 8, "Tls_Drst": 9,
              "TlsDrst" + "Ab" * 28: 1}).run("--prometheus")
    got = parse_prometheus(r.stdout)
    ok(list(got)[:3] == ["tls_drst_http_sent2_go_total", "tls_drst_abc_total", "tls_drst_total"]
       and len(got) == 4, "counters that drstat does not know", r.stdout)
    ok("TlsDrstHTTPSent2Go" in r.stdout, "have a HELP, too", r.stdout)


def enter_own_netns(name):
    return Proc(COUNTERS).run("--netns", name, "--prometheus")


def test_netns():
    odd = path('odd "n\\me"\n\xe4')
    os.symlink("/proc/self/ns/net", odd)
    r = enter_own_netns(odd)
    if r.returncode == NETNS and "only root" in r.stderr:
        skip("--netns", "not root")
    else:
        is_status(r, 0, "--netns PATH")
        label, = parse_prometheus(r.stdout)["tls_drst_held_total"][1]
        back = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[1])
        ok(label[0] == "netns" and back == odd.replace("\xe4", "??"), "a label, escaped", label)
    os.mkfifo(path("pipe"))
    proc = Proc(COUNTERS)
    is_error(proc.run("--netns", "no-such"), NETNS, "a name that is none", "no-such", "ip netns")
    is_error(proc.run("--netns", path("none")), NETNS, "a path that is none", path("none"))
    for name, what in ((path("password"), "a file"), (path("pipe"), "a pipe"), (WORK, "a folder")):
        r = proc.run("--netns", name)
        is_error(r, NETNS, f"{what} in place of a namespace", name)


def test_unprivileged():
    if os.getuid():
        return skip("as nobody", "not root")
    os.chmod(WORK, 0o711)
    proc = Proc(COUNTERS)
    try:
        r = proc.run("--netns", "/proc/self/ns/net", user=65534, group=65534, extra_groups=[])
    except PermissionError:
        return skip("as nobody", "the program is in a closed folder")
    is_error(r, NETNS, "a namespace that is not ours", "root")
    os.chmod(proc.root, 0o755)
    os.chmod(proc.root + "/net/tls_drst_stat", 0o600)
    r = proc.run(user=65534, group=65534, extra_groups=[])
    is_error(r, FILE, "counters that cannot be read", "tls_drst_stat", "ermission")


# ---------------------------------------------------------------- --output

def test_output():
    proc, out = Proc(COUNTERS), path("tls.prom")
    is_status(proc.run("--prometheus", "--output", out, umask=0o027), 0, "--output")
    old = open(out)
    ok(stat.S_IMODE(os.stat(out).st_mode) == 0o640, "readable as umask says")
    proc.counters({**COUNTERS, "TlsDrstHeld": 13})
    r = proc.run("--prometheus", "--output", "tls.prom", cwd=WORK)
    ok(r.returncode == 0 and r.stdout == r.stderr == "" and
       parse_prometheus(open(out).read())["tls_drst_held_total"] == ("counter", {(): 13}),
       "replaced", r)
    ok(parse_prometheus(old.read())["tls_drst_held_total"][1] == {(): 12},
       "who had it open sees the old one, whole")
    proc.unload()
    before = open(out).read()
    is_error(proc.run("--prometheus", "--output", out), NO_MODULE, "no module", "not loaded")
    ok(open(out).read() == before, "no module: left as it was")
    proc.counters(COUNTERS)
    is_error(proc.run("--json", "--output", path("no/such")), OUTPUT, "no such folder", "no/such")
    is_error(proc.run("--output", WORK), OUTPUT, "a folder in place of the file", WORK)
    left = [n for n in os.listdir(WORK) + os.listdir(os.path.dirname(WORK)) if
            n.startswith((".tls.prom", "." + os.path.basename(WORK)))]
    ok(not left, "nothing is left beside it", left)
    with open("/dev/full", "w") as full:
        r = subprocess.run([DRSTAT, "--json"], stdout=full, stderr=subprocess.PIPE, text=True,
                           env=proc.env())
    ok(r.returncode == OUTPUT and "No space" in r.stderr, "standard output is full", r)


def test_output_each_interval():
    proc, out = Proc(COUNTERS), path("each.prom")
    with proc.start("--prometheus", "--output", out, "0.1") as drstat:
        until(lambda: os.path.exists(out), "the file")
        for held in range(20, 25):
            proc.counters({"TlsDrstHeld": held})
            until(lambda held=held: parse_prometheus(open(out).read())["tls_drst_held_total"][1]
                  == {(): held}, "the new value")
        drstat.send_signal(signal.SIGINT)
        ok(drstat.wait(LIMIT) == 0, "replaced at each interval, always whole")
    ok(not [n for n in os.listdir(WORK) if n.startswith(".each")], "nothing is left beside it")


# ---------------------------------------------------------------- --watch

class Terminal:
    """drstat on a terminal of so many lines and columns."""

    def __init__(self, proc, *args, rows=24, cols=80, term="vt100"):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        self.seen = ""
        self.drstat = subprocess.Popen([DRSTAT, *args], stdin=slave, stdout=slave, stderr=slave,
                                       env=proc.env(TERM=term), start_new_session=True)
        os.close(slave)

    def read(self):
        try:
            piece = os.read(self.master, 65536).decode()
        except OSError:     # the other side is closed
            piece = ""
        self.seen += piece
        return piece

    def until(self, what):
        """Read until something new has that in it."""
        self.seen = ""
        while what not in self.seen:
            if not select.select([self.master], [], [], LIMIT)[0] or not self.read():
                raise RuntimeError(f"in vain waited for {what!r}: {self.seen!r}")

    def end(self, sig):
        self.drstat.send_signal(sig)
        while self.read():
            pass
        os.close(self.master)
        return self.drstat.wait(LIMIT)

    def frames(self):
        return [f.split("\x1b[J")[0].replace("\x1b[K", "").split("\r\n")
                for f in self.seen.split("\x1b[H")[1:]]


def test_watch():
    proc = Proc(COUNTERS, HOLDS)
    term = Terminal(proc, "--watch", "0.2")
    term.until("\x1b[J")
    ok(term.seen.startswith("\x1b[?25l\x1b[H"), "the cursor is hidden", repr(term.seen))
    frame = term.frames()[0]
    ok(frame[0].startswith("tls_drst, ") and "every 0.2 s" in frame[0], "a title", frame)
    ok(any(line.split() == ["TlsDrstHeld", "12"] for line in frame) and
       any(line.startswith("CLOSE-WAIT ") for line in frame), "counters and holds", frame)
    proc.counters({**COUNTERS, "TlsDrstHeld": 15})
    term.until("+3")
    ok(True, "changes show")
    proc.unload()
    term.until("not loaded")
    proc.counters(COUNTERS)
    proc.holds(HOLDS)
    term.until("CLOSE-WAIT")
    ok(True, "so does that the module goes and comes")
    ok(term.end(signal.SIGINT) == 0 and term.seen.endswith("\x1b[?25h"),
       "SIGINT: exit 0, and the cursor is back", repr(term.seen[-80:]))
    term = Terminal(proc, "--watch")
    term.until("\x1b[J")
    ok(term.end(signal.SIGTERM) == -signal.SIGTERM and term.seen.endswith("\x1b[?25h"),
       "SIGTERM: the cursor is back", repr(term.seen[-80:]))


def test_watch_fits():
    proc = Proc({f"TlsDrst{i:02}": i + 1 for i in range(20)}, HOLDS * 30)
    for lines, cols in ((24, 80), (40, 200), (5, 20), (60, 60)):
        term = Terminal(proc, "--watch", "0.1", rows=lines, cols=cols)
        term.until("\x1b[J")
        term.end(signal.SIGINT)
        frame = term.frames()[0]
        ok(len(frame) <= lines and max(map(len, frame)) < cols,
           f"{lines} lines of {cols}: not more than that", frame)
        if lines >= 40:
            shown = sum(line.startswith(("CLOSE-WAIT", "ESTAB")) for line in frame)
            ok(len(frame) == lines and frame[-1] == f"... and {60 - shown} more",
               f"{shown} connections fit, the rest is counted", frame)


def test_watch_suspended():
    term = Terminal(Proc(COUNTERS), "--watch", "0.1")
    term.until("\x1b[J")
    term.drstat.send_signal(signal.SIGTSTP)
    status = os.waitpid(term.drstat.pid, os.WUNTRACED)[1]
    ok(os.WIFSTOPPED(status), "Ctrl-Z stops it", status)
    term.until("\x1b[?25h")
    term.drstat.send_signal(signal.SIGCONT)
    term.until("\x1b[?25l")
    term.until("\x1b[J")
    ok(term.end(signal.SIGINT) == 0, "the shell has its cursor meanwhile; it goes on")


def test_watch_without_terminal():
    proc = Proc(COUNTERS, HOLDS)
    r = proc.run("--watch", "0.1", "3")
    ok(r.returncode == 0 and r.stdout.count("tls_drst, ") == 3 and "\x1b" not in r.stdout and
       r.stdout.count("CLOSE-WAIT") == 3, "one after the other", r.stdout)
    term = Terminal(proc, "--watch", "0.1", term="dumb")
    term.until("CLOSE-WAIT")
    ok(term.end(signal.SIGINT) == 0 and "\x1b" not in term.seen, "so on a dumb one", term.seen)
    term = Terminal(Proc(), "--watch")
    term.until("not loaded")
    ok(term.end(0) == NO_MODULE and "\x1b" not in term.seen, "no module: said, and nothing drawn",
       repr(term.seen))


# ---------------------------------------------------------------- what goes wrong

def test_usage():
    proc = Proc(COUNTERS)
    for bad in ("0", "-1", "", "abc", "1s", "0x10", "nan", "inf", "1e3", "0.05", "86401", "1..2",
                " 1", "."):
        r = proc.run("--", bad)
        is_error(r, USAGE, f"INTERVAL '{bad}'", "INTERVAL", f"'{bad}'")
    for bad in ("0", "-1", "", "abc", "1.5", "2147483648", "99999999999999999999"):
        is_error(proc.run("--", "1", bad), USAGE, f"COUNT '{bad}'", "COUNT", f"'{bad}'")
    for args in (["1", "2", "3"], ["--json", "--prometheus"], ["--watch", "--json"],
                 ["--watch", "--output", "x"], ["--held", "--prometheus"], ["--prometheus", "1"],
                 ["--output", ""], ["--netns", ""]):
        is_error(proc.run(*args), USAGE, " ".join(args))
    for args in (["--no-such"], ["--output"], ["-x"]):
        r = proc.run(*args)
        ok(r.returncode == USAGE and "--help" in r.stderr, " ".join(args), r.stderr)
    r = proc.run("--help")
    ok(r.returncode == 0 and max(map(len, r.stdout.splitlines())) <= 80, "--help", r.stdout)
    ok(re.fullmatch(r"drstat \d+(\.\d+)+\n", proc.run("--version").stdout), "--version")


def test_no_module():
    for args in ((), ("--held",), ("--json",), ("--prometheus",), ("--watch", "1", "1"),
                 ("1", "1")):
        is_error(Proc().run(*args), NO_MODULE, " ".join(("no module", *args)),
                 "not loaded", "modprobe tls_drst")
    proc = Proc()
    os.rmdir(proc.root + "/net")
    is_error(proc.run(), FILE, "no /proc", "mounted")


def test_not_understood():
    for what, text in (("nothing", ""), ("noise", "\x7fELF\0\1\2"), ("no number", "TlsDrstHeld\n"),
                       ("less than 0", "TlsDrstHeld -1\n"), ("a word", "TlsDrstHeld x\n"),
                       ("2^64", f"TlsDrstHeld {2**64}\n"), ("more behind it", "TlsDrstHeld 1 2\n"),
                       ("no end of line", "TlsDrstHeld 1"), ("a name to be escaped", 'Tls"x 1\n'),
                       ("a long name", "T" * 64 + " 1\n"), ("a long line", "T " + "1" * 500 + "\n"),
                       ("a name that begins with a digit", "1T 1\n"),
                       ("too many", "".join(f"T{i} 1\n" for i in range(1000)))):
        proc = Proc(COUNTERS)
        proc.write("tls_drst_stat", text)
        is_error(proc.run("--json"), FILE, f"counters: {what}", "tls_drst_stat")
    line = HOLDS[0]
    for what, text in (("nothing", ""), ("another head", "a b c\n"), ("no head", line + "\n"),
                       ("less", f"{HEAD}\n{line[:-2]}\n"), ("an odd cause",
                        f"{HEAD}\n" + line.replace("unread", 'un"read') + "\n"),
                       ("an odd address", f"{HEAD}\n" + line.replace("192", "<a>") + "\n"),
                       ("cut", f"{HEAD}\n{line}"), ("a long word", f"{HEAD}\n{'1' * 600}\n")):
        proc = Proc(COUNTERS)
        proc.write("tls_drst", text)
        is_error(proc.run("--held", "--json"), FILE, f"holds: {what}", "net/tls_drst")
    proc = Proc(COUNTERS)
    proc.write("tls_drst", f"{HEAD} more\n{line} 7\n")
    ok(len(facts(proc.run("--held", "--json"))["held"]) == 1, "columns behind those are let be")
    proc.unload()
    os.mkdir(proc.root + "/net/tls_drst_stat")
    is_error(proc.run(), FILE, "a folder", "tls_drst_stat", "directory")


# ---------------------------------------------------------------- the words

def source(name):
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        return f.read()


def test_documents():
    try:
        stat_list, sysctl_c = source("module/stat_list.h"), source("module/sysctl.c")
    except FileNotFoundError:
        return skip("documents", "not in the project's tree")
    proc_c = source("module/proc.c")
    names = [f"TlsDrst{n}" for n in re.findall(r'drst_proc_line\(seq, "(\w+)"', proc_c) +
             re.findall(r'DRST_STAT\(DRST_STAT_\w+, "(\w+)"\)', stat_list)]
    knobs = re.findall(r'\[DRST_\w+\]\s+= \{ "(\w+)", ', sysctl_c)
    ok(len(names) >= 20 and len(knobs) >= 5, "counters and knobs", (names, knobs))
    ok(f'"{HEAD}\\n"' in proc_c, "the list's columns are the module's")
    help_of = Proc({n: 1 for n in names}).run("--prometheus").stdout
    missing = [n for n in names if n in help_of]
    ok(not missing, "every counter has a HELP in words", missing)
    page = source("docs/sysctl.md")
    events = re.findall(r"TRACE_EVENT\((\w+),", source("module/trace.h"))
    missing = [f"| `{w}` |" for w in names + events + ["state", *HEAD.split()[2:]]
               if f"| `{w}` |" not in page] + [k for k in knobs if f"\n{k} - " not in page]
    ok(not missing, "docs/sysctl.md has every counter, knob, column and tracepoint", missing)
    stale = subprocess.run([os.path.join(TOP, "userspace/man/fill"), "--check"], check=False)
    ok(not stale.returncode, "tls_drst.4 has the lists of docs/sysctl.md: make -C userspace man")
    options = re.findall(r"--([a-z]+)", Proc().run("--help").stdout)
    page = source("userspace/man/drstat.8")
    missing = [o for o in options if f"Fl Fl {o}" not in page]
    ok(options and not missing, "drstat(8) has every option", missing)
    return None


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
