#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""drstat on files as the module shows them; TAP on standard output.

    drstat_test.py DRSTAT [NAME...]     all tests, or those whose name contains a NAME

The module is not needed; that drstat sees a real hold is shown in selftests/ftps.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios

from harness import *  # pylint: disable=wildcard-import,unused-wildcard-import

DRSTAT = FTPS       # the harness calls so what it tests
OUTPUT, USAGE, NO_MODULE, NETNS, FILE, FINDINGS = range(1, 7)
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
HEAD = "local remote state cause bytes held_ms idle_ms cookie"
COUNTERS = {"TlsDrstCurrHeld": 2, "TlsDrstCurrInHeld": 0, "TlsDrstCloseNotify": 318,
            "TlsDrstHeld": 12, "TlsDrstRstSent": 10, "TlsDrstFlushedBytes": 1234567}
KNOBS = {"mode": 1, "final": 0, "max_held": 4096, "max_hold_ms": 300000, "timeout_ms": 60000}
VERSION = "0.1.0"
SETUP = ("tls_drst 0.1.0: mode 1, final 0, max_held 4096, max_hold_ms 300000, timeout_ms 60000")
NOTHING = "nothing counted so far: no connection of kernel TLS has said close_notify"
HOLDS = ["192.0.2.1:39216 192.0.2.2:4433 08 unread 118272 1250 310 0",
         "[2001:db8::1]:443 [2001:db8::2]:50000 01 peer 512 125000 4000 1f"]


# ---------------------------------------------------------------- what the module shows

class Proc:
    """Folders in place of /proc and /sys."""

    def __init__(self, counters=None, holds=()):
        self.root = tempfile.mkdtemp(prefix="proc.", dir=WORK)
        self.sys = tempfile.mkdtemp(prefix="sys.", dir=WORK)
        os.mkdir(self.root + "/net")
        if counters is not None:
            self.counters(counters)
            self.holds(holds)
            self.knobs(KNOBS)
            self.version(VERSION)

    def write(self, name, text, under="net"):
        """At once, as the kernel's are."""
        with open(f"{self.root}/.new", "w", encoding="latin-1") as f:
            f.write(text)
        os.rename(f"{self.root}/.new", f"{self.root}/{under}/{name}")

    def knobs(self, knobs):
        shutil.rmtree(self.root + "/sys/net/tls_drst", ignore_errors=True)
        os.makedirs(self.root + "/sys/net/tls_drst")
        for name, value in knobs.items():
            self.write(name, f"{value}\n", "sys/net/tls_drst")

    def module(self, name, text):
        os.makedirs(self.sys + "/module/tls_drst", exist_ok=True)
        with open(f"{self.sys}/module/tls_drst/{name}", "w", encoding="latin-1") as f:
            f.write(text)

    def version(self, version):
        self.module("version", version + "\n")

    def counters(self, counters):
        self.write("tls_drst_stat", "".join(f"{n:<32}\t{v}\n" for n, v in counters.items()))

    def holds(self, holds):
        self.write("tls_drst", "".join(line + "\n" for line in (HEAD, *holds)))

    def unload(self):
        for name in ("tls_drst_stat", "tls_drst"):
            os.unlink(f"{self.root}/net/{name}")
        shutil.rmtree(self.root + "/sys")
        shutil.rmtree(self.sys + "/module")

    def env(self, **more):
        return {**os.environ, "PROC_ROOT": self.root, "SYS_ROOT": self.sys, **more}

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
    setup, *lines = r.stdout.splitlines()
    ok(setup == SETUP, "the version and the knobs, the mode first", setup)
    ok([line.split() for line in lines] == [[n, str(v)] for n, v in want.items()],
       "those that are not 0, in order", r.stdout)
    ok(len({len(line) for line in lines}) == 1, "in columns", r.stdout)
    r = proc.run("-z")
    ok(len(r.stdout.splitlines()) == 1 + len(COUNTERS) and "TlsDrstCurrInHeld  " in r.stdout,
       "-z: all", r.stdout)
    zeros = Proc({n: 0 for n in COUNTERS})
    r = zeros.run()
    ok(r.returncode == 0 and r.stdout == f"{SETUP}\n{NOTHING}\n", "a sentence where all are 0",
       r.stdout)
    r = zeros.run("0.1", "1")
    ok(NOTHING in r.stdout, "also with an INTERVAL", r.stdout)
    r = zeros.run("-z")
    ok(NOTHING not in r.stdout and len(r.stdout.splitlines()) == 1 + len(COUNTERS),
       "-z: zeros instead", r.stdout)
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


def test_sort():
    few = ["1.2.3.4:5 6.7.8.9:10 01 none {} 0 {} 0".format(*pair)
           for pair in ((20, 1), (0, 3), (2**64 - 1, 0), (1, 2))]
    proc = Proc(COUNTERS, few)
    for by, key in (("bytes", "bytes"), ("idle", "idle_ms")):
        got = [hold[key] for hold in facts(proc.run("--held", "--json", "--sort", by))["held"]]
        ok(got == sorted(got, reverse=True) and len(got) == 4, f"--sort {by}", got)
    got = [hold["bytes"] for hold in facts(proc.run("--held", "--json"))["held"]]
    ok(got == [20, 0, 2**64 - 1, 1], "the kernel's order otherwise", got)


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
    ok(set(got) == {"time", "version", "knobs", "counters"} and got["counters"] == COUNTERS and
       got["version"] == VERSION and got["knobs"] == KNOBS,
       "an object with all counters, the knobs and the version", r.stdout)
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
        # The seconds are full milliseconds, and a report that was late makes the next one's few.
        held = last["rate"]["TlsDrstHeld"]
        ok(abs(held * last["seconds"] - 100) <= 1 + held * 0.0005 and
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
        setup, head = drstat.stdout.readline(), drstat.stdout.readline()
        proc.counters({**COUNTERS, "TlsDrstCurrHeld": 0, "TlsDrstHeld": 13})
        line, seen = head, {}
        while not ("TlsDrstCurrHeld" in seen and "TlsDrstHeld" in seen):
            line = drstat.stdout.readline()
            if re.search(r"[-+]\d", line):
                seen[line.split()[0]] = line.split()[1:]
        drstat.send_signal(signal.SIGTERM)
        ok(drstat.wait(LIMIT) == -signal.SIGTERM, "SIGTERM ends it as it does")
    ok(setup == SETUP + "\n", "the knobs", setup)
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
        match = re.fullmatch(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\d+)", line)
        assert match, "not understood: " + line
        assert match[1] == current, "not under its TYPE: " + line
        labels = re.findall(LABEL, match[2])[0] if match[2] else ()
        assert labels not in metrics[current][1], "twice: " + line
        metrics[current][1][labels] = int(match.groups()[-1])
    assert all(series for _, series in metrics.values()), "a TYPE without a value"
    return metrics


def prometheus_name(counter):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", counter).lower() + \
        ("" if "Curr" in counter else "_total")


def setup_metrics():
    return {"tls_drst_up": ("gauge", {(): 1}),
            "tls_drst_info": ("gauge", {("version", VERSION): 1}),
            **{"tls_drst_" + n: ("gauge", {(): v}) for n, v in KNOBS.items()}}


def test_setup():
    proc = Proc(COUNTERS)
    proc.knobs({**KNOBS, "a_new_one": 7, "odd": "x y"})
    r = proc.run()
    ok(r.stdout.startswith("tls_drst 0.1.0: mode 1, a_new_one 7, final 0"),
       "a newer module's knobs show up; what is no number is let be", r.stdout)
    for version in ('1"2', "", "1 2"):
        proc.version(version)
        r = proc.run("--json")
        ok(facts(r)["version"] == "" and "tls_drst_info" not in
           proc.run("--prometheus").stdout, f"a version that is none: {version!r}", r.stdout)
    shutil.rmtree(proc.root + "/sys")
    ok(facts(proc.run("--json"))["knobs"] == {}, "no knobs to be read")
    ok(proc.run().stdout.startswith("tls_drst\n"), "then the name alone")


def test_prometheus():
    r = Proc(COUNTERS).run("--prometheus")
    is_status(r, 0, "--prometheus")
    got = parse_prometheus(r.stdout)
    ok({n: series for n, series in got.items() if n not in setup_metrics()} ==
       {prometheus_name(n): ("gauge" if "Curr" in n else "counter", {(): v})
        for n, v in COUNTERS.items()}, "all counters, also those that are 0", r.stdout)
    ok({n: got[n] for n in setup_metrics()} == setup_metrics(),
       "the knobs, the version, and that the module is there", r.stdout)
    ok("\ntls_drst_rst_sent_total 10\n" in r.stdout and
       "\ntls_drst_curr_in_held 0\n" in r.stdout, "their names", r.stdout)
    r = Proc({"TlsDrstHTTPSent2Go": 7, "TlsDrstABC": 8, "Tls_Drst": 9,
              "TlsDrst" + "Ab" * 28: 1}).run("--prometheus")
    got = [n for n in parse_prometheus(r.stdout) if n not in setup_metrics()]
    ok(got[:3] == ["tls_drst_http_sent2_go_total", "tls_drst_abc_total", "tls_drst_total"]
       and len(got) == 4, "counters that drstat does not know", r.stdout)
    ok("TlsDrstHTTPSent2Go" in r.stdout, "have a HELP, too", r.stdout)


def enter_own_netns(name):
    return Proc(COUNTERS).run("--netns", name, "--prometheus")


def labels_are_told_apart(netns):
    """Names of any bytes: UTF-8 as it is, else each byte as \\xNN"""
    folder = path("odd").encode() + b"/"
    os.mkdir(folder)
    for name, want in ((b"\xc3\xa4", "\xe4"), (b"\xc3\xb6", "\xf6"), (b"\xe4", "\\xe4"),
                       (b"\xf6", "\\xf6"), (b"\xe2\x82\xac", "\u20ac"), (b"\xc0\xaf", "\\xc0\\xaf"),
                       (b"\xf0\x9f\x98\x80", "\U0001f600"), (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
                       (b"\xe2\x82", "\\xe2\\x82"), (b"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"),
                       (b"\xe0\x80\xaf", "\\xe0\\x80\\xaf"), (b"\xff", "\\xff"), (b"\x7f", "\x7f")):
        os.symlink(netns, folder + name)
        text = Proc(COUNTERS).run("--netns", folder + name, "--prometheus").stdout
        label, = parse_prometheus(text)["tls_drst_held_total"][1]
        back = label[1].replace("\\\\", "\\")
        ok(back == path("odd/") + want, f"a label: {name}", label)
        got = facts(Proc(COUNTERS).run("--netns", folder + name, "--json")).get("netns")
        ok(got == path("odd/") + want, f"JSON: {name}", got)


def test_netns():
    odd, stay = path('odd "n\\me"\n\xe4'), None
    r = enter_own_netns("/proc/self/ns/net")
    if r.returncode == NETNS and "only root" in r.stderr:
        skip("--netns", "not root")
    else:
        is_status(r, 0, "--netns: our own")
        ok(list(parse_prometheus(r.stdout)["tls_drst_held_total"][1]) == [()], "has no label",
           r.stdout)
        r = Proc(COUNTERS).run("--netns", "/proc/self/ns/net", "--json")
        ok(facts(r).get("netns") == "", "nor a name", r.stdout)
        stay = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"],
                                stdout=subprocess.PIPE)
        stay.stdout.readline()
        os.symlink(f"/proc/{stay.pid}/ns/net", odd)
        r = enter_own_netns(odd)
        is_status(r, 0, "--netns PATH")
        label, = parse_prometheus(r.stdout)["tls_drst_held_total"][1]
        back = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[1])
        ok(label[0] == "netns" and back == odd, "a label, escaped", label)
        labels_are_told_apart(f"/proc/{stay.pid}/ns/net")
        stay.kill()
        stay.wait()
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
    r = proc.run("--all-netns", user=65534, group=65534, extra_groups=[])
    is_error(r, NETNS, "--all-netns", "root")
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
    is_error(proc.run("--prometheus", "--output", out), NO_MODULE, "no module", "not loaded")
    got = parse_prometheus(open(out).read())
    ok(got == {"tls_drst_up": ("gauge", {(): 0})}, "no module: the file says so", got)
    is_error(proc.run("--json", "--output", out), NO_MODULE, "no module", "not loaded")
    ok(parse_prometheus(open(out).read()) == got, "no module, --json: left as it was")
    proc.counters(COUNTERS)
    is_error(proc.run("--json", "--output", path("no/such")), OUTPUT, "no such folder", "no/such")
    is_error(proc.run("--output", WORK), OUTPUT, "a folder in place of the file", WORK)
    left = [n for n in os.listdir(WORK) + os.listdir(os.path.dirname(WORK)) if
            n.startswith((".tls.prom", "." + os.path.basename(WORK)))]
    ok(not left, "nothing is left beside it", left)
    for args in ("--json", "--help", "--version"):
        with open("/dev/full", "w") as full:
            r = subprocess.run([DRSTAT, args], stdout=full, stderr=subprocess.PIPE, text=True,
                               env=proc.env())
        ok(r.returncode == OUTPUT and "No space" in r.stderr, f"{args}: standard output is full", r)


def test_output_to_something_else():
    proc, folder = Proc(COUNTERS), path("elsewhere")
    os.mkdir(folder)
    os.mkfifo(path("out.fifo"))
    null = path("null")
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.close(os.open(null, os.O_WRONLY))
    except OSError:
        null = path("out.fifo")
    os.symlink(null, path("to-null"))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path("out.sock"))
    for name in {null, path("out.fifo"), path("to-null"), path("out.sock"), folder}:
        before = os.lstat(name)
        is_error(proc.run("--output", name), OUTPUT, f"--output {os.path.basename(name)}", name,
                 "regular")
        after = os.lstat(name)
        ok((before.st_ino, before.st_mode) == (after.st_ino, after.st_mode), "stays what it is")
    with open(folder + "/file", "w") as f:
        f.write("old")
    for name, to in (("link", "elsewhere/file"), ("link2", "link")):
        os.symlink(to, path(name))
        proc.counters({"TlsDrstHeld": len(name)})
        r = proc.run("--json", "--output", name, cwd=WORK)
        ok(r.returncode == 0 and os.readlink(path(name)) == to and
           json.load(open(folder + "/file"))["counters"] == {"TlsDrstHeld": len(name)},
           f"{name}: the file behind it is replaced", r)
    os.symlink("no/such", path("dangling"))
    is_error(proc.run("--output", path("dangling")), OUTPUT, "a link to nothing", "dangling")
    ok(os.readlink(path("dangling")) == "no/such" and os.listdir(folder) == ["file"],
       "nothing is left behind", os.listdir(folder))


def test_output_each_interval():
    proc, out = Proc(COUNTERS), path("each.prom")
    proc.unload()
    with proc.start("--prometheus", "--output", out, "0.1") as drstat:
        until(lambda: os.path.exists(out), "the file")
        ok(parse_prometheus(open(out).read()) == {"tls_drst_up": ("gauge", {(): 0})},
           "a service that starts before the module says so")
        proc.counters(COUNTERS)
        until(lambda: parse_prometheus(open(out).read())["tls_drst_up"][1] == {(): 1},
              "the module to be there")
        drstat.send_signal(signal.SIGINT)
        ok(drstat.wait(LIMIT) == 0, "... and goes on when it is there")
    os.unlink(out)
    with proc.start("--prometheus", "--output", out, "0.1") as drstat:
        until(lambda: os.path.exists(out), "the file")
        for held in range(20, 25):
            proc.counters({"TlsDrstHeld": held})
            until(lambda held=held: parse_prometheus(open(out).read())["tls_drst_held_total"][1]
                  == {(): held}, "the new value")
        os.unlink(proc.root + "/net/tls_drst_stat")
        until(lambda: list(parse_prometheus(open(out).read()).items()) ==
              [("tls_drst_up", ("gauge", {(): 0}))], "the module to be gone")
        proc.counters({"TlsDrstHeld": 1})
        until(lambda: parse_prometheus(open(out).read())["tls_drst_up"][1] == {(): 1},
              "the module to be back")
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
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        term = Terminal(proc, "--watch")
        term.until("\x1b[J")
        ok(term.end(sig) == -sig and term.seen.endswith("\x1b[?25h"),
           f"{sig.name}: the cursor is back", repr(term.seen[-80:]))


def test_watch_fits():
    proc = Proc({f"TlsDrst{i:02}": i + 1 for i in range(20)}, HOLDS * 30)
    for lines, cols in ((24, 80), (40, 200), (5, 20), (12, 80), (60, 60)):
        term = Terminal(proc, "--watch", "0.1", rows=lines, cols=cols)
        term.until("\x1b[J")
        term.end(signal.SIGINT)
        frame = term.frames()[0]
        ok(len(frame) <= lines and max(map(len, frame)) < cols,
           f"{lines} lines of {cols}: not more than that", frame)
        shown = [i for i, line in enumerate(frame) if line.startswith(("CLOSE-WAIT", "ESTAB"))]
        if lines < 12:
            continue
        ok(len(frame) == lines and shown and shown == list(range(2, 2 + len(shown))) and
           len(shown) >= lines // 2 - 1 and
           frame[2 + len(shown)] == f"... and {60 - len(shown)} more",
           f"{len(shown)} connections first, the rest is counted", frame)
        ok(sum(line.startswith("TlsDrst") for line in frame) >= lines // 6, "and some counters",
           frame)


def test_watch_small():
    """What one watches for, in 12 rows of 80."""
    proc = Proc({f"TlsDrst{i:02}": i + 1 for i in range(20)}, HOLDS[:1] * 30)
    term = Terminal(proc, "--watch", "0.1", rows=12, cols=80)
    term.until("\x1b[J")
    frame = term.frames()[0]
    ok("mode 1" in frame[0] and "30 of 4096 held" in frame[0], "the mode and the limit", frame[0])
    ok("192.0.2.2:4433" in frame[2] and "192.0.2.1:39216" in frame[2] and "310ms" in frame[2],
       "both ends fit", frame[2])
    proc.counters({f"TlsDrst{i:02}": i + 1 + 5 * (i == 19) for i in range(20)})
    term.until("+5")
    ok(True, "the last counter is shown, as it has changed")
    term.end(signal.SIGINT)
    proc = Proc(COUNTERS)
    term = Terminal(proc, "--watch", "0.1", rows=12, cols=80)
    term.until("\x1b[J")
    term.end(signal.SIGINT)
    frame = term.frames()[0]
    ok(sum(line.startswith("TlsDrst") for line in frame) == 5, "none is held: all counters fit",
       frame)


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


# ---------------------------------------------------------------- namespaces

def complaints(stderr):
    """All but that the machine has processes that even root does not see."""
    return [line for line in stderr.splitlines() if not re.search(r" process(es)? are not seen", line)]


def test_all_netns():
    proc = Proc(COUNTERS, HOLDS)
    name = f"drstat-{os.getpid()}"
    r = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if r.returncode:
        return skip("--all-netns", "no ip netns add")
    # The made-up /proc is the same everywhere.
    nameless = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"],
                                stdout=subprocess.PIPE)
    try:
        nameless.stdout.readline()
        number = os.readlink(f"/proc/{nameless.pid}/ns/net")
        r = proc.run("--all-netns", "--json")
        got = [json.loads(line) for line in r.stdout.splitlines()]
        names = [report["netns"] for report in got]
        ok(r.returncode == 0 and names[0] == "" and {name, number} <= set(names) and
           len(set(names)) == len(names), "each once, our own first, by name or number", r)
        ok(all(report["counters"] == COUNTERS for report in got), "with counters", r.stdout)
        metrics = parse_prometheus(proc.run("--all-netns", "--prometheus").stdout)
        ok(metrics["tls_drst_up"][1] == {(): 1} and
           {("netns", name), ("netns", number), ()} <= set(metrics["tls_drst_held_total"][1]) and
           metrics["tls_drst_max_held"][1][("netns", name)] == 4096,
           "labels, but not for our own", metrics)
        r = proc.run("--all-netns", "--held")
        ok(r.stdout.startswith("this network namespace\nstate ") and
           f"\n\nnetns {name}\nstate " in r.stdout, "headings", r.stdout)
        with proc.start("--all-netns", "--json", "0.2") as drstat:
            until_report(drstat, lambda r: r["netns"] == name)
            subprocess.run(["ip", "netns", "del", name], check=True)
            later = {**COUNTERS, "TlsDrstHeld": 13}
            proc.counters(later)
            until_report(drstat, lambda r: r["netns"] == "" and r["change"]["TlsDrstHeld"] == 1)
            first = until_report(drstat, lambda r: r["netns"] == "")
            second = until_report(drstat, lambda r: r["netns"] == "")
            ok(not any(r["netns"] == name for r in first[1:] + second),
               "one that has gone is forgotten", second)
            drstat.send_signal(signal.SIGINT)
            ok(drstat.wait(LIMIT) == 0 and not complaints(drstat.stderr.read()),
               "and nothing is said")
        r = proc.run("--all-netns")
        ok(name not in r.stdout, "it is not there any more", r.stdout)
    finally:
        nameless.kill()
        nameless.wait()
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None


@contextlib.contextmanager
def nameless_netns():
    """A network namespace of two processes, the first found first: (its number, first, second)"""
    script = "sleep 1000 & echo $!; exec sleep 1000"
    first = subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE,
                             text=True)
    second = int(first.stdout.readline() or 0)
    try:
        yield os.readlink(f"/proc/{second}/ns/net") if second else None, first, second
    finally:
        first.kill()
        first.wait()
        with contextlib.suppress(ProcessLookupError):
            if second:
                os.kill(second, signal.SIGKILL)


def until_asleep(drstat):
    """It calls ppoll(NULL, 0, ...) only when it has looked; it may sleep before, too."""
    until(lambda: open(f"/proc/{drstat.pid}/comm").read() == "drstat\n" and
          open(f"/proc/{drstat.pid}/syscall").read().split()[1:3] == ["0x0", "0x0"],
          "it to have looked")


def test_all_netns_moves():
    """A namespace is the same one while its processes and names come and go."""
    proc, name = Proc(COUNTERS), f"drstat-{os.getpid()}"
    with nameless_netns() as (number, first, second):
        if not number:
            return skip("namespaces whose processes change", "no unshare --net")
        with proc.start("--all-netns", "--json", "0.2") as drstat:
            until_report(drstat, lambda r: r["netns"] == number)
            first.kill()
            first.wait()
            for _ in range(4):
                reports = until_report(drstat, lambda r: r["netns"] == "")
                reports += until_report(drstat, lambda r: r["netns"] == number)
                ok(sum(r["netns"] == "" for r in reports) == 1 and "change" in reports[-1],
                   "its first process has ended: it is still reported, with its changes", reports)
            subprocess.run(["ip", "netns", "attach", name, str(second)], check=True)
            try:
                reports = until_report(drstat, lambda r: r["netns"] == name)
                ok("change" in reports[-1], "it gets a name: that is its name", reports[-1])
            finally:
                subprocess.run(["ip", "netns", "del", name], check=True)
            reports = until_report(drstat, lambda r: r["netns"] == number)
            ok("change" in reports[-1], "and loses it", reports[-1])
    return None


def test_doctor_all_netns_moves():
    name = f"drstat-{os.getpid()}"
    with nameless_netns() as (number, first, second):
        if not number:
            return skip("the doctor, and namespaces whose processes change", "no unshare --net")
        subprocess.run(["ip", "netns", "add", name], check=True)
        script = "echo; exec sleep 1000"
        holder = subprocess.Popen(["ip", "netns", "exec", name, "sh", "-c", script],
                                  stdout=subprocess.PIPE)
        try:
            holder.stdout.readline()
            other = os.readlink(f"/proc/{holder.pid}/ns/net")
            patient = Patient({"TlsDrstTimedOut": 1}, {})
            with patient.start("doctor", "--all-netns", "--json", "3600") as drstat:
                until_asleep(drstat)
                first.kill()
                first.wait()
                # The name is another's now, the namespace goes on without one.
                subprocess.run(["ip", "netns", "del", name], check=True)
                subprocess.run(["ip", "netns", "add", name], check=True)
                drstat.send_signal(signal.SIGINT)
                out, err = drstat.communicate(timeout=LIMIT)
        finally:
            holder.kill()
            holder.wait()
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        names = [json.loads(line)["netns"] for line in out.splitlines()]
        ok(number in names, "its first process has ended: it is still looked at", (names, err))
        ok(other in names and name not in names, "its name is another's: it is not taken for that",
           (names, err))
        ok(drstat.returncode == 0 and not complaints(err), "and nothing is said", err)
    return None


def without_ptrace():
    """Root that may not look into other processes: PR_CAPBSET_DROP, CAP_SYS_PTRACE"""
    if ctypes.CDLL(None).prctl(24, 19, 0, 0, 0):
        raise OSError("prctl")


def test_without_ptrace():
    if os.getuid():
        return skip("without CAP_SYS_PTRACE", "not root")
    server = socket.create_server(("127.0.0.1", 0))
    # The processes of the real /proc
    def real(*args, prefix=()):
        return subprocess.run([*prefix, DRSTAT, *args], capture_output=True, text=True,
                              timeout=LIMIT, preexec_fn=without_ptrace)
    r = real("doctor", "--json")
    if r.returncode not in (0, FINDINGS):
        return skip("without CAP_SYS_PTRACE", "the kernel has something that drstat does not know")
    ok(any("sockets of" in line for line in facts(r)["unseen"]), "sockets not seen: said", r)
    with server, nameless_netns() as (number, _, _):
        proc = Proc(COUNTERS)
        r = proc.run("--all-netns", "0.1", "2", preexec_fn=without_ptrace)
        ok(r.returncode == 0 and r.stderr.count("not seen") == 1 and "CAP_SYS_PTRACE" in r.stderr,
           "namespaces not seen: said once", r)
        if not number:
            return skip("a namespace without sockets", "no unshare --net")
        r = real("doctor", "--json", prefix=["unshare", "--net"])
        ok(facts(r)["unseen"] == [], "no socket, no search for its process", r)
    return None


def test_command_in_netns():
    """A command has no namespace's name in it that a shell would take for more."""
    patient = Patient({"TlsDrstCutByMode": 1}, {})
    with nameless_netns() as (number, first, _):
        if not number:
            return skip("doctor --netns", "no unshare --net")
        for name, plain in (("n", True), ("n$(id)", False), ("n x", False), ("n\x1b", False)):
            os.symlink(f"/proc/{first.pid}/ns/net", path(name))
            diagnosis, r = patient.doctor("--netns", path(name))
            want = f"nsenter --net={path(name)} sysctl net.tls_drst.mode=2" if plain else ""
            ok(found(diagnosis) == {"mode": want}, f"doctor --netns {name!r}: {want!r}", r)
    return None


# ---------------------------------------------------------------- the doctor

TLS = {"TlsCurrTxSw": 0, "TlsCurrRxSw": 0, "TlsCurrTxDevice": 0, "TlsCurrRxDevice": 0,
       "TlsTxSw": 5, "TlsRxSw": 0, "TlsTxDevice": 0, "TlsRxDevice": 0}
WELL = {**{n: 0 for n in COUNTERS}, "TlsDrstCloseNotify": 5, "TlsDrstTimedOut": 0,
        "TlsDrstOverLimit": 0, "TlsDrstMemory": 0, "TlsDrstInTimedOut": 0,
        "TlsDrstInOverLimit": 0, "TlsDrstInMemory": 0, "TlsDrstCutByMode": 0,
        "TlsDrstCutNotNotified": 0, "TlsDrstCutBytes": 0}


class Patient(Proc):
    """What the doctor looks at: the module's files, and kernel TLS's, and processes."""

    def __init__(self, counters=None, tls=None, refcnt=0, **knobs):
        counted = None if counters is None else {**WELL, **counters}
        super().__init__(counted)
        if counters is not None:
            self.knobs({**KNOBS, "hold_linger": 1, **knobs})
            self.module("refcnt", f"{refcnt}\n")
        if tls is not None:
            self.write("tls_stat", "".join(f"{n:<32}\t{v}\n" for n, v in {**TLS, **tls}.items()))
        self.resets(0, 0)

    def resets(self, on_close, on_data):
        self.write("netstat", "TcpExt: SyncookiesSent TCPAbortOnData TCPAbortOnClose\n"
                   f"TcpExt: 0 {on_data} {on_close}\nIpExt: InNoRoutes\nIpExt: 0\n")

    def process(self, pid, comm, sockets=(), openssl=True, conf=None, root="/", age=0, unit=None,
                cgroup=None, uid=None, exe="/usr/bin/app"):
        """@conf: the value of OPENSSL_CONF"""
        uid = os.getuid() if uid is None else uid
        cgroup = cgroup or (f"/system.slice/{unit}" if unit else "/init.scope")
        folder = f"{self.root}/{pid}"
        os.makedirs(folder + "/fd")
        for fd, sock in enumerate(sockets):
            os.symlink(f"socket:[{os.fstat(sock.fileno()).st_ino}]", f"{folder}/fd/{fd}")
        os.symlink(root, folder + "/root")
        os.symlink(exe, folder + "/exe")
        ticks = int((time.clock_gettime(time.CLOCK_BOOTTIME) - age) * os.sysconf("SC_CLK_TCK"))
        texts = {"comm": comm + "\n", "environ": f"OPENSSL_CONF={conf}\0" if conf else "A=b\0",
                 "maps": "1-2 r-xp 0 0:0 1   /usr/lib/libssl.so.3\n" if openssl else "",
                 "stat": f"{pid} ({comm}) S " + "0 " * 18 + f"{ticks} 0\n",
                 "status": f"Name:\t{comm}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n",
                 "cgroup": f"0::{cgroup}\n"}
        for name, text in texts.items():
            self.write(name, text, str(pid))

    def doctor(self, *args, **more):
        r = self.run("doctor", "--json", *args, **more)
        return json.loads(r.stdout or "{}"), r


def found(diagnosis):
    return {f["finding"]: f["run"] for f in diagnosis["findings"]}


def text_of(diagnosis, name):
    return next((f["text"] for f in diagnosis["findings"] if f["finding"] == name), "")


def test_doctor_findings():
    knob = "sysctl net.tls_drst."
    for what, want, patient in (
            ("no kernel TLS", {"no-kernel-tls": "modprobe tls_drst"}, Patient()),
            ("not loaded", {"not-loaded": "modprobe tls_drst"}, Patient(tls={})),
            ("all well", {}, Patient({}, {})),
            ("all well, mode 0", {}, Patient({}, {}, mode=0)),
            ("connections, all of them ours", {},
             Patient({}, {"TlsCurrTxSw": 1, "TlsCurrTxDevice": 2}, refcnt=3)),
            ("loaded late", {"loaded-late": "ss -tienp"},
             Patient({}, {"TlsCurrTxSw": 1, "TlsCurrTxDevice": 2}, refcnt=2)),
            ("mode 1", {"mode": knob + "mode=2"}, Patient({"TlsDrstCutByMode": 1}, {})),
            ("mode 0", {"mode": knob + "mode=2"}, Patient({"TlsDrstCutByMode": 1}, {}, mode=0)),
            ("mode 1, hold_linger 0",
             {"mode": knob + "mode=2 net.tls_drst.hold_linger=1"},
             Patient({"TlsDrstCutByMode": 1}, {}, hold_linger=0)),
            ("mode 2, cut before", {}, Patient({"TlsDrstCutByMode": 1}, {}, mode=2)),
            ("hold_linger 0, so far", {"hold-linger": "drstat doctor 60"},
             Patient({"TlsDrstCutByMode": 1}, {}, mode=2, hold_linger=0)),
            ("no close_notify", {"close-notify": "cd /sys/kernel/tracing && echo 1 >events/"
             "tls_drst/tls_drst_cut/enable && cat trace_pipe"},
             Patient({"TlsDrstCutNotNotified": 1}, {})),
            ("timed out, so far", {"timed-out": "drstat doctor 60"},
             Patient({"TlsDrstTimedOut": 1}, {})),
            ("over the limit, so far", {"over-limit": "drstat doctor 60"},
             Patient({"TlsDrstOverLimit": 1}, {})),
            ("over the limit, and max_held 0", {"over-limit": knob + "max_held=4096"},
             Patient({"TlsDrstOverLimit": 1}, {}, max_held=0)),
            ("max_held 0", {"over-limit": knob + "max_held=4096"}, Patient({}, {}, max_held=0)),
            ("near the limit", {"near-limit": knob + "max_held=20"},
             Patient({"TlsDrstCurrHeld": 5, "TlsDrstCurrInHeld": 3}, {}, max_held=10)),
            ("near the limit, which struck before",
             {"over-limit": "drstat doctor 60", "near-limit": knob + "max_held=20"},
             Patient({"TlsDrstCurrHeld": 9, "TlsDrstOverLimit": 1}, {}, max_held=10)),
            ("not near the limit", {}, Patient({"TlsDrstCurrHeld": 7}, {}, max_held=10)),
            ("no memory, so far", {"memory": "drstat doctor 60"},
             Patient({"TlsDrstMemory": 1}, {}))):
        diagnosis, r = patient.doctor()
        ok(found(diagnosis) == want and r.returncode == (FINDINGS if want else 0) and
           r.stderr == "", what, r)
        text = patient.run("doctor")
        lines = [line for line in text.stdout.splitlines() if line.startswith("[")]
        ok(text.returncode == r.returncode and len(lines) == len(want) and
           all(any(line.startswith(f"[{name}] ") and line.endswith(" Run: " + run)
                   for line in lines) for name, run in want.items()) and
           (not want) == text.stdout.endswith("Nothing to do.\n"), f"{what}: a line each", text)
    old = Patient({}, {})
    old.counters({n: v for n, v in WELL.items() if "Cut" not in n})
    old.knobs(KNOBS)
    diagnosis, r = old.doctor()
    ok(not found(diagnosis) and r.returncode == 0, "a module that counts no cuts", r)
    for on_data, mode, want in ((0, 0, {}), (2, 1, {}), (2, 0, {"mode": knob + "mode=1"})):
        patient = Patient({}, {}, mode=mode)
        patient.resets(0, on_data)
        diagnosis, r = patient.doctor()
        ok(found(diagnosis) == want, f"mode {mode}, {on_data} reset by data: {want}", r)
    patient = Patient({"TlsDrstCloseNotify": 0}, {}, mode=0)
    patient.resets(0, 2)
    diagnosis, r = patient.doctor()
    ok(not found(diagnosis), "nor without close_notify", r)
    patient = Patient({"TlsDrstCutByMode": 1}, {})
    shutil.rmtree(patient.root + "/sys")
    diagnosis, r = patient.doctor()
    ok(found(diagnosis) == {"mode": ""} and "not known" in text_of(diagnosis, "mode"), "no knobs", r)
    patient.write("tls_stat", "noise")
    is_error(patient.run("doctor"), FILE, "kernel TLS's counters: not understood", "tls_stat")


def over_time(patient, **counters):
    """The doctor with SECONDS, while the counters come to that."""
    with patient.start("doctor", "--json", "2147") as drstat:
        until_asleep(drstat)
        patient.counters({**WELL, **counters})
        drstat.send_signal(signal.SIGINT)
        out, err = drstat.communicate(timeout=LIMIT)
    return json.loads(out), (drstat.returncode, out, err)


def test_doctor_limits():
    """A limit is raised for what goes on, not for what was once."""
    def knobs(**values):
        return "sysctl " + " ".join(f"net.tls_drst.{n}={v}" for n, v in values.items())

    day = 86400000
    for counter, now, finding, want in (
            ("TimedOut", {}, "timed-out", knobs(timeout_ms=120000)),
            ("InTimedOut", {"timeout_ms": day}, "timed-out", knobs(timeout_ms=day, max_hold_ms=day)),
            ("TimedOut", {"timeout_ms": 200000}, "timed-out",
             knobs(timeout_ms=400000, max_hold_ms=600000)),
            ("TimedOut", {"timeout_ms": 600000}, "timed-out",
             knobs(timeout_ms=1200000, max_hold_ms=1200000)),
            ("TimedOut", {"timeout_ms": 150000}, "timed-out", knobs(timeout_ms=300000)),
            ("TimedOut", {"timeout_ms": day, "max_hold_ms": day}, "timed-out",
             "drstat --held --sort idle"),
            ("OverLimit", {}, "over-limit", knobs(max_held=8192)),
            ("InOverLimit", {"max_held": 1000000}, "over-limit", knobs(max_held=1048576)),
            ("OverLimit", {"max_held": 1048576}, "over-limit", "drstat --held --sort idle"),
            ("Memory", {}, "memory", "cat /proc/sys/net/ipv4/tcp_mem")):
        diagnosis, r = over_time(Patient({}, {}, **now), **{"TlsDrst" + counter: 1})
        ok(found(diagnosis) == {finding: want} and r[0] == FINDINGS, f"{counter}, {now}: {want}", r)
        diagnosis, r = over_time(Patient({"TlsDrst" + counter: 1}, {}, **now),
                                 **{"TlsDrst" + counter: 1})
        ok(not found(diagnosis) and r[0] == 0, "and nothing, if it was before", r)
    patient = Patient({}, {})
    os.makedirs(patient.root + "/sys/net/ipv4")
    patient.write("tcp_mem", "10\t20\t30\n", "sys/net/ipv4")
    diagnosis, r = over_time(patient, TlsDrstInMemory=1)
    ok(found(diagnosis) == {"memory": "sysctl net.ipv4.tcp_mem='20 40 60'"}, "tcp_mem", r)


def test_doctor_interval():
    patient = Patient({"TlsDrstTimedOut": 7, "TlsDrstCutNotNotified": 3, "TlsDrstHeld": 1}, {})
    patient.resets(5, 6)
    diagnosis, r = patient.doctor("0.1")
    ok(not found(diagnosis) and r.returncode == 0 and
       diagnosis["change"] == {"AbortOnClose": 0, "AbortOnData": 0},
       "what was before is not judged", r)
    ok(set(found(patient.doctor()[0])) == {"timed-out", "close-notify"}, "without SECONDS it is")
    with patient.start("doctor", "--json", "2147") as drstat:
        until_asleep(drstat)
        patient.counters({**WELL, "TlsDrstTimedOut": 9, "TlsDrstCutNotNotified": 3,
                          "TlsDrstHeld": 4})
        patient.resets(6, 8)
        drstat.send_signal(signal.SIGINT)
        out, err = drstat.communicate(timeout=LIMIT)
    diagnosis = json.loads(out)
    ok(drstat.returncode == FINDINGS and set(found(diagnosis)) == {"timed-out"} and not err and
       diagnosis["change"] == {"AbortOnClose": 1, "AbortOnData": 2} and
       "2 holds ended" in diagnosis["findings"][0]["text"], "what was in between is", out)
    patient = Patient({"TlsDrstCutByMode": 1}, {}, mode=2, hold_linger=0)
    diagnosis, r = over_time(patient, TlsDrstCutByMode=2)
    ok(found(diagnosis) == {"hold-linger": "sysctl net.tls_drst.hold_linger=1"},
       "hold_linger 0, in between", r)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        with Patient({}, {}, max_held=0).start("doctor", "--json", "2147") as drstat:
            until_asleep(drstat)
            drstat.send_signal(sig)
            out, err = drstat.communicate(timeout=LIMIT)
        ok(drstat.returncode == -sig and found(json.loads(out)) and not err,
           f"{sig.name} ends it as it does, after its findings", (drstat.returncode, out, err))


def test_doctor_churn():
    """Connections that come and go between our looks are not late; late ones are there in all."""
    for senders, late in (([3, 2], 0), ([9, 7, 2], 0), ([5, 4, 3, 4, 5], 1), ([4, 3, 3, 3, 6], 1)):
        patient = Patient({}, {}, refcnt=2)
        place = patient.root + "/net/tls_stat"
        os.unlink(place)
        os.mkfifo(place)
        with patient.start("doctor", "--json") as drstat:
            for n in senders:
                with open(place, "w") as f:     # it has it open now, and will find the next one
                    os.mkfifo(place + ".new")
                    os.rename(place + ".new", place)
                    f.write("".join(f"{c:<32}\t{v}\n"
                                    for c, v in {**TLS, "TlsCurrTxSw": n}.items()))
            out, err = drstat.communicate(timeout=LIMIT)
        text = text_of(json.loads(out), "loaded-late")
        ok(text.startswith(f"{late} connection ") if late else not text,
           f"2 pins, {senders} senders: {late} late", out + err)


def pair():
    """A TCP connection of our own, in the namespace that we are in."""
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    return server, client, server.accept()[0]


WAY = "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\n"
CONFS = {       # text of an openssl.cnf: whether OpenSSL takes the option; None: it is declined
    "": False,
    "openssl_conf = a\n": False,
    "openssl_conf = a\n[a]\nproviders = p\n[p]\n": False,
    "openssl_conf = a # Options\n[ a ]\nssl_conf=b\n[b]\n": False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n": False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nMinProtocol=TLSv1.2\n": False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\n#Options = KTLS\n": False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions = NoRenegotiation\n":
        False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions=-KTLS\n": None,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions=KTLS, -ktls\n": None,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions=-KTLS, +KTLS\n":
        True,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\n"
    "Options = KTLS\nOptions = NoRenegotiation\n": False,
    "openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\n"
    " Options = NoRenegotiation, ktls # yes\n": True,
    WAY + "1.Options = KTLS\n": True,
    WAY + "Options = KTLS\n1.Options = -KTLS\n": None,
    WAY + "1.Options = -KTLS\nOptions = KTLS\n": True,
    WAY + "options = KTLS\nOptions = NoRenegotiation\n": True,
    WAY + "Options = KTLS\n1.Options = NoRenegotiation\nOptions = Bugs\n": False,
    WAY + "Options = NoSuchThing\n": False,
    WAY + "Options = KTLS,NoSuchThing\n": True,
    WAY + "Options = NoSuchThing\n1.Options = KTLS\n": True,
    WAY.replace("openssl_conf", "OpenSSL_Conf") + "Options = KTLS\n": False,
    WAY.replace("system_default", "System_Default") + "Options = KTLS\n": False,
    "openssl_conf = a\n[c]\nOptions = KTLS\n[a]\nssl_conf=b\n[b]\nsystem_default = d\n"
    "system_default = c\n": True,
    "[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions = KTLS\n[default]\nopenssl_conf=a\n":
        True,
}


def openssl_says(conf):
    """Whether OpenSSL itself takes the option from that file."""
    r = subprocess.run([sys.executable, "-c", "import ssl; "
                        "print(bool(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).options & 1 << 3))"],
                       capture_output=True, text=True, env={**os.environ, "OPENSSL_CONF": conf})
    return r.stdout.strip() == "True"


def is_by_hand(diagnosis, r, what):
    said = text_of(diagnosis, "openssl-conf")
    ok(found(diagnosis).get("openssl-conf") == "" and "add it by hand" in said, f"{what}: by hand",
       r)


def test_doctor_openssl():
    server, client, _ = pair()
    for number, (text, want) in enumerate(CONFS.items()):
        conf = path(f"{number}.cnf")
        with open(conf, "w") as f:
            f.write(text)
        patient = Patient({}, {})
        patient.process(77, "app", [client], conf=conf, age=-60)
        ok(openssl_says(conf) == bool(want), f"OpenSSL takes it so: {text!r}")
        diagnosis, r = patient.doctor()
        ok(set(found(diagnosis)) == ({"openssl-conf"} if want is False else set()) and
           diagnosis["programs"][0]["openssl"] == {None: "declined", True: "ktls", False: "off"}[want],
           "and so do we", r)
        if want is not False:
            continue
        mend, said = found(diagnosis)["openssl-conf"], text_of(diagnosis, "openssl-conf")
        ok(said.endswith(", and start the program again"), "it is to be started again", said)
        subprocess.run(["sh", "-c", mend], check=True)
        ok(openssl_says(conf) and not found(patient.doctor()[0]), "the command mends it", mend)
        if text.endswith("Options = NoRenegotiation\n"):
            ok("NoRenegotiation" in open(conf).read().splitlines()[-1], "no other option is lost")
    conf = path("missing.cnf")
    patient = Patient({}, {})
    patient.process(77, "app", [client], conf=conf)
    is_by_hand(*patient.doctor(), "a file that is not there")
    for text in (list(CONFS)[-1].replace("KTLS", "NoRenegotiation KTLS"), ".include other.cnf\n",
                 WAY + "Options = NoSuchThing,KTLS\n", WAY + "Options = ,KTLS\n", WAY + "c::Options = KTLS\n",
                 "openssl_conf = a;b\n", "openssl_conf = $ENV::x\n",
                 "a = b\nroot:x:0:0:root:/root:/bin/sh\n"):
        with open(conf, "w") as f:
            f.write(text)
        diagnosis, r = patient.doctor()
        ok(not found(diagnosis) and diagnosis["programs"][0]["openssl"] == "unknown",
           f"not judged: {text!r}", r)
    server.close()


def test_doctor_programs():
    server, client, accepted = pair()
    off, on, container = path("off.cnf"), path("on.cnf"), path("container")
    for name, text in ((off, "openssl_conf = a\n"), (on, list(CONFS)[-1])):
        with open(name, "w") as f:
            f.write(text)

    def programs(*processes, tls=None):
        patient = Patient({}, TLS if tls is None else tls)
        for pid, more in enumerate(processes, 100):
            patient.process(pid, **{"comm": "app", "sockets": [client], "conf": off, **more})
        return patient.doctor()

    diagnosis, r = programs({"unit": "vsftpd.service"})
    ok(found(diagnosis)["openssl-conf"].endswith(" && systemctl restart vsftpd.service"),
       "a service", r)
    diagnosis, r = programs({}, {}, {"comm": "other"})
    ok([(p["name"], p["processes"]) for p in sorted(diagnosis["programs"], key=str)] ==
       [("app", 2), ("other", 1)] and len(diagnosis["findings"]) == 2, "alike ones together", r)
    for what, process, tls in (
            ("without OpenSSL", {"openssl": False}, {}),
            ("without TCP sockets", {"sockets": []}, {}),
            ("that only listens, and kernel TLS is used", {"sockets": [server]}, {}),
            ("whose file has the option", {"conf": on, "age": -60}, {}),
            ("that docs/howto.md says cannot use it", {"comm": "haproxy"}, {}),
            ("that kernel TLS makes worse", {"comm": "rsyslogd"}, {}),
            ("that such a one interprets", {"comm": "app.rb", "exe": "/usr/bin/ruby3.1"}, {}),
            ("whose interpreter has been replaced", {"exe": "/usr/bin/node (deleted)"}, {}),
            ("that declines it", {"conf": "/dev/null"}, {})):
        diagnosis, r = programs(process, tls=tls)
        ok(not found(diagnosis), f"nothing to say of a program {what}", r)
    diagnosis, r = programs({"sockets": [server]}, tls={"TlsTxSw": 0})
    ok(set(found(diagnosis)) == {"openssl-conf"}, "one that listens, and kernel TLS is not used", r)
    # A guest has not been up for long: the file is younger, rather than the program older.
    os.utime(on, (time.time() + 60,) * 2)
    diagnosis, r = programs({"conf": on})
    ok(found(diagnosis) == {"openssl-stale": ""} and
       text_of(diagnosis, "openssl-stale").endswith(": start it again"),
       "one that is older than its file", r)
    for since, want in ((0, set()), (0.5, set()), (-0.5, set()), (-5, set()),
                        (2, {"openssl-stale"}), (600, {"openssl-stale"})):
        for part in range(10):
            start = time.time() - part / 10
            patient = Patient({}, TLS)
            patient.process(100, "app", [client], conf=on, age=part / 10)
            os.utime(on, (start + since,) * 2)
            diagnosis, r = patient.doctor()
            if set(found(diagnosis)) != want:
                break
        ok(set(found(diagnosis)) == want, f"its file is {since} s younger: {want or 'well'}", r)
    diagnosis, r = programs({"conf": on, "unit": "a.service"})
    ok(found(diagnosis) == {"openssl-stale": "systemctl restart a.service"}, "a service", r)
    os.makedirs(container + "/etc/ssl")
    shutil.copy(off, container + "/etc/ssl/openssl.cnf")
    diagnosis, r = programs({"root": container, "conf": None})
    is_by_hand(diagnosis, r, "one in a container")
    said = text_of(diagnosis, "openssl-conf")
    ok("/100/root/etc/ssl/openssl.cnf has no" in said, "its file is named", said)
    diagnosis, r = programs(*[{"root": container, "conf": None}] * 3)
    ok([p["processes"] for p in diagnosis["programs"]] == [3] and len(found(diagnosis)) == 1,
       "the processes of a container together", r)
    other = shutil.copytree(container, path("container2"))
    diagnosis, r = programs({"root": container, "conf": None}, {"root": other, "conf": None})
    ok(len(diagnosis["programs"]) == 2, "those of two are not", r)
    diagnosis, r = programs({"comm": 'e"v\\i\x1bl\xe4'})
    ok(diagnosis["programs"][0]["name"].startswith('e"v\\i?l'), "a name with all in it", r)
    patient = Patient({}, {})
    patient.process(100, "e\x1bvil", [client], conf=off)
    r = patient.run("doctor")
    ok("\x1b" not in r.stdout and "e?vil[100]" in r.stdout, "not to a terminal", r.stdout)
    diagnosis, r = programs(tls={"TlsTxSw": 0})
    ok(set(found(diagnosis)) == {"unused"}, "no program, and kernel TLS is not used", r)
    for sock in (server, client, accepted):
        sock.close()


def test_doctor_hostile_files():
    """What OPENSSL_CONF of somebody's process names is opened only if it is a plain file."""
    server, client, accepted = pair()
    made = {"a FIFO": path("c.fifo"), "a device": "/dev/zero", "a terminal": "/dev/tty",
            "a folder": WORK, "a file that waits": "/proc/kmsg", "a magic link": "/proc/self/fd/0",
            "a huge file": path("huge.cnf"), "a socket": path("c.sock"), "a loop": path("loop.cnf")}
    os.mkfifo(made["a FIFO"])
    with open(made["a huge file"], "w") as f:
        f.write("a = b\n")
        f.truncate(1 << 40)
    os.symlink("loop.cnf", made["a loop"])
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(made["a socket"])
    leased = path("leased.cnf")
    with open(leased, "w") as f:
        f.write("a = b\n")
    for what, conf in made.items():
        patient = Patient({}, {})
        patient.process(77, "app", [client], conf=conf)
        diagnosis, r = patient.doctor()
        empty = "off" if what == "a file that waits" else "unknown"
        ok([p["openssl"] for p in diagnosis["programs"]] == [empty] and
           (empty == "off" or not any(found(diagnosis).values())),
           f"{what} does not hold the doctor up", r)
    with open(leased, "r+") as f:
        # Who opens the file would wait until we give the lease back.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        patient = Patient({}, {})
        patient.process(77, "app", [client], conf=leased)
        diagnosis, r = patient.doctor()
    ok([p["openssl"] for p in diagnosis["programs"]] == ["unknown"], "nor does a leased file", r)
    patient = Patient({}, {})
    patient.process(77, "app", [client], conf=leased)
    with open(f"{patient.root}/77/environ", "wb") as f:
        f.truncate(1 << 40)
    diagnosis, r = patient.doctor()
    ok(len(diagnosis["programs"]) == 1, "nor does an environment without end", r)
    for sock in (server, client, accepted):
        sock.close()


def test_doctor_cure_is_ours():
    """Others choose a process's name, unit, root and environment, but not what root is to run."""
    server, client, accepted = pair()
    mine, link, foreign, writable = (path(n) for n in ("mine.cnf", "l.cnf", "foreign.cnf", "w.cnf"))
    for name in (mine, foreign, writable):
        with open(name, "w") as f:
            f.write("a = b\n")
    os.chmod(writable, 0o666)
    os.symlink(mine, link)
    container, planted = path("rooted"), path("planted.cnf")
    os.makedirs(container + "/etc/ssl")
    os.symlink(planted, container + "/etc/ssl/openssl.cnf")
    with open(planted, "w") as f:
        f.write("openssl_conf = a\n[a]\nssl_conf=b\n[b]\nsystem_default = c\n[c]\nOptions = KTLS\n")

    def doctor(**more):
        patient = Patient({}, TLS)
        patient.process(77, **{"comm": "app", "sockets": [client], "conf": mine, **more})
        return patient.doctor()

    diagnosis, r = doctor()
    ok(found(diagnosis)["openssl-conf"].endswith(" >>" + mine), "root's process, root's file", r)
    we, somebody = os.getuid(), os.getuid() + 1234
    is_by_hand(*doctor(uid=somebody), "another user's OPENSSL_CONF")
    patient = Patient({}, TLS)
    patient.process(77, "app", [client], conf=mine, uid=somebody)
    patient.process(78, "app", [client], conf=mine)
    diagnosis, r = patient.doctor()
    ok(sorted(f["run"][:6] for f in diagnosis["findings"]) == ["", "printf"],
       "another user's does not hide root's", r)
    is_by_hand(*doctor(conf=link), "a link")
    is_by_hand(*doctor(conf=writable), "a file that others may write to")
    if not os.getuid():
        os.chown(foreign, somebody, somebody)
        is_by_hand(*doctor(conf=foreign), "another user's file")
    patient = Patient({}, TLS)
    patient.process(77, "app", [client], conf=mine)
    patient.write("status", f"Uid:\t{somebody}\t{we}\t{we}\t{we}\n", "77")
    is_by_hand(*patient.doctor(), "a set-user-ID program's OPENSSL_CONF")
    # It leads to a file of the container, which is not there.
    is_by_hand(*doctor(root=container, conf=None), "a container whose file is an absolute link")
    os.makedirs(container + WORK)
    with open(container + planted, "w") as f:
        f.write("a = b\n")
    is_by_hand(*doctor(root=container, conf=None), "the same, and there it is")
    os.symlink("../../../../../../../../.." + planted, container + "/up.cnf")
    os.unlink(container + planted)
    is_by_hand(*doctor(root=container, conf="/up.cnf"), "a link that goes up")
    is_by_hand(*doctor(conf=path("a b.cnf")), "a name with a blank")
    for what, more in (("comm", {"comm": "$(id);`id`"}), ("unit", {"unit": "$(id).service"}),
                       ("unit", {"unit": "-H x.service"}), ("unit", {"unit": "a;b.service"}),
                       ("unit", {"unit": "a\\x2db.service"})):
        diagnosis, r = doctor(**more)
        run = found(diagnosis)["openssl-conf"]
        ok(run.endswith(" >>" + mine) and "program again" in text_of(diagnosis, "openssl-conf"),
           f"{what} {list(more.values())[0]!r} is not in the command", r)
    for sock in (server, client, accepted):
        sock.close()


def test_doctor_unit():
    server, client, accepted = pair()
    conf = path("unit.cnf")
    with open(conf, "w") as f:
        f.write(list(CONFS)[-1])
    os.utime(conf, (time.time() + 60,) * 2)
    for cgroup, unit in (("/system.slice/a.service", "a.service"),
                         ("/system.slice/system-a.slice/a@b:c.service", "a@b:c.service"),
                         ("/system.slice/a.service/b.service", "a.service"),
                         ("/system.slice/a.service/x/y", "a.service"),
                         ("/user.slice/user-1.slice/user@1.service/app.slice/b.service", None),
                         ("/user.slice/user-1.slice/user@1.service", None),
                         ("/docker/a.service", None), ("/a.service", None),
                         ("/system.slice/docker-1.scope/a.service", None),
                         ("/system.slice/.service", None), ("/system.slice", None),
                         ("/../system.slice/a.service", None), ("/x/system.slice/a.service", None)):
        for at in ("/", WORK):
            patient = Patient({}, TLS)
            patient.process(77, "app", [client], conf=conf, cgroup=cgroup, root=at)
            diagnosis, r = patient.doctor()
            run = next(iter(found(diagnosis).values()), None)
            want = f"systemctl restart {unit}" if unit and at == "/" else ""
            ok(run == want, f"{cgroup}{'' if at == '/' else ' in a container'}: {want}", r)
    for sock in (server, client, accepted):
        sock.close()


def test_doctor_printable():
    """What others choose, neither to a terminal as control characters nor as lines of ours."""
    server, client, accepted = pair()
    odd = "/o\x1b[2Jd\n[mode] x. Run: id\n\x9b1m\x7f\xe4"
    for more in ({"conf": odd}, {"conf": odd, "root": WORK}, {"comm": "a\x1b\x9b\x7f\xe4"},
                 {"unit": "a\x1b\x9b.service"}, {"root": WORK, "conf": None}):
        patient = Patient({}, {})
        patient.process(77, **{"comm": "app", "sockets": [client], "conf": path("none"), **more})
        r = subprocess.run([DRSTAT, "doctor"], capture_output=True, env=patient.env(),
                           timeout=LIMIT)
        ok(r.returncode == FINDINGS and all(32 <= c < 127 or c == 10 for c in r.stdout) and
           r.stdout.count(b"\n[") == 1, f"{list(more)}: plain text", r)
        json.loads(patient.run("doctor", "--json").stdout)
    for sock in (server, client, accepted):
        sock.close()


def test_doctor_unprivileged():
    if os.getuid():
        return skip("the doctor as nobody", "not root")
    server, client, _ = pair()
    os.chmod(WORK, 0o711)
    patient = Patient({}, {"TlsCurrTxSw": 1})
    for folder in (patient.root, patient.sys):
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)
    patient.process(100, "app", [client])
    patient.process(101, "app", [client], conf=path("none"))
    os.chmod(patient.root + "/100/fd", 0)
    try:
        diagnosis, r = patient.doctor(user=65534, group=65534, extra_groups=[])
    except PermissionError:
        return skip("the doctor as nobody", "the program is in a closed folder")
    ok(r.returncode == FINDINGS and "loaded-late" in found(diagnosis) and
       any("kernel TLS" in line for line in diagnosis["unseen"]) and
       any("1 process:" in line for line in diagnosis["unseen"]) and
       diagnosis["programs"][0]["openssl"] == "off" and "openssl-conf" not in found(diagnosis) and
       diagnosis["programs"][0]["ktls"] is diagnosis["programs"][0]["other"] is None,
       "what it could see, and what not; and it blames no program", r)
    diagnosis, r = patient.doctor()
    ok(diagnosis["unseen"] == [], "root sees all", r)
    server.close()
    return None


# ---------------------------------------------------------------- what goes wrong

def test_usage():
    proc = Proc(COUNTERS)
    for bad in ("0", "-1", "", "abc", "1s", "0x10", "nan", "inf", "1e3", "0.05", "86401", "1..2",
                " 1", "."):
        r = proc.run("--", bad)
        is_error(r, USAGE, f"INTERVAL '{bad}'", "INTERVAL", f"'{bad}'")
    for bad in ("0", "-1", "", "abc", "1.5", "2147483648", "99999999999999999999"):
        is_error(proc.run("--", "1", bad), USAGE, f"COUNT '{bad}'", "COUNT", f"'{bad}'")
    is_error(proc.run("doctor", "0"), USAGE, "doctor 0", "SECONDS", "'0'")
    for args in (["1", "2", "3"], ["--json", "--prometheus"], ["--watch", "--json"],
                 ["--watch", "--output", "x"], ["--held", "--prometheus"], ["--prometheus", "1"],
                 ["--output", ""], ["--netns", ""], ["--netns", "x", "--all-netns"],
                 ["--watch", "--all-netns"], ["--sort", "idle"], ["--held", "--sort", "held"],
                 ["doctor", "1", "2"], ["doctor", "--held"], ["doctor", "--watch"],
                 ["doctor", "--output", "x"], ["doctor", "--prometheus"], ["doctor", "-z"]):
        is_error(proc.run(*args), USAGE, " ".join(args))
    for args in (["--no-such"], ["--output"], ["-x"]):
        r = proc.run(*args)
        ok(r.returncode == USAGE and "--help" in r.stderr, " ".join(args), r.stderr)
    r = proc.run("--help")
    ok(r.returncode == 0 and max(map(len, r.stdout.splitlines())) <= 80, "--help", r.stdout)
    ok(re.fullmatch(r"drstat \d+(\.\d+)+\n", proc.run("--version").stdout), "--version")


def test_no_module():
    r = Proc().run("--prometheus")
    ok(r.returncode == NO_MODULE and "not loaded" in r.stderr and
       parse_prometheus(r.stdout) == {"tls_drst_up": ("gauge", {(): 0})},
       "no module: --prometheus says so in its own way, too", r)
    for args in ((), ("--held",), ("--json",), ("--watch", "1", "1"), ("1", "1")):
        is_error(Proc().run(*args), NO_MODULE, " ".join(("no module", *args)),
                 "not loaded", "modprobe tls_drst")
    proc = Proc()
    os.rmdir(proc.root + "/net")
    is_error(proc.run(), FILE, "no /proc", "mounted")
    # What was open when the module went says EIO, as this does.
    for name in ("tls_drst_stat", "tls_drst"):
        proc = Proc(COUNTERS, HOLDS)
        os.remove(f"{proc.root}/net/{name}")
        os.symlink("/proc/self/mem", f"{proc.root}/net/{name}")
        is_error(proc.run(*([] if name == "tls_drst_stat" else ["--held"])), NO_MODULE,
                 f"{name}: unloaded while it is read", "not loaded")


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
    options = re.findall(r"--([a-z-]+)", Proc().run("--help").stdout)
    page = source("userspace/man/drstat.8")
    cannot = re.findall(r"^\| (\w+) \| (?:no \| [-no]+|yes \| yes \| [^|]* \| (?:varies|no|yes / no)) \|",
                        source("docs/howto.md"), re.M)
    missing = [name for name in cannot if name not in page]
    ok(len(cannot) > 8 and not missing, "drstat(8) has those that docs/howto.md says gain nothing", missing)
    missing = [o for o in options if f"Fl Fl {o}" not in page]
    ok(options and not missing, "drstat(8) has every option", missing)
    findings = set(re.findall(r'find\(p, "([a-z-]+)"', source("userspace/drstat/judge.c")))
    missing = [f for f in findings if f"\n.It {f}\n" not in page]
    ok(findings and not missing, "and every finding of the doctor", missing)
    rules = source("packaging/prometheus/tls_drst.rules.yml")
    shown = set(parse_prometheus(help_of)) | {"tls_drst_" + k for k in knobs}
    used = set(re.findall(r"\btls_drst_\w+", "".join(re.findall(r"expr: (.*)", rules))))
    ok(used and used <= shown, "alerts are about metrics that there are", used - shown)
    page = source("docs/monitoring.md")
    missing = [a for a in re.findall(r"alert: (\w+)", rules) if f"| `{a}` |" not in page]
    ok(not missing, "docs/monitoring.md has every alert", missing)
    return None


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
