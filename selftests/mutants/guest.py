#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""In the guest, one test of the selftests at a time.

    guest.py reach PROGRAM...     which of them counts which lines: TEST/FILE.gcda in reach.tar
    guest.py judge SECONDS FILE   the tests of FILE, until one fails twice, or the kernel
                                  complains; status 1 then

A test is "PROGRAM FIXTURE[.VARIANT].NAME". FILE has a line for each: its seconds by itself, a space, the test.
"""

import collections
import concurrent.futures
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import threading
import time

PROGRAMS = pathlib.Path("selftests/tls_drst")
# Tests mostly wait, and each has network namespaces of its own. Only these change what all of them share:
# the module, or the ciphers.
ALONE = {"lifecycle", "faults", "records"}
AT_A_TIME = 4
# Bits of the kernel's taint: bad page, died, warned, locked up.
TAINT_BAD = 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14
GCOV = pathlib.Path("/sys/kernel/debug/gcov")
Test = collections.namedtuple("Test", "seconds name")


def tests_of(program):
    """From the harness's table, whose columns are lists of their own: the fixture's name stands
    in its first line only, and one of the other two can end before the other."""
    table = subprocess.run([f"./{program}", "-l"], cwd=PROGRAMS, capture_output=True, text=True)
    fixture, variants, tests = None, [], []

    def all_of_fixture():
        for variant in variants or [""]:
            for test in tests:
                yield ".".join(part for part in (fixture, variant, test) if part)

    for line in table.stderr.splitlines() + ["---"]:
        if line.startswith(("# FIXTURE", "TAP", "1..")):
            continue
        if line.startswith("---"):
            if fixture:
                yield from all_of_fixture()
            fixture, variants, tests = None, [], []
            continue
        words = line.split()
        if not line.startswith(" ") and words:
            fixture = words.pop(0)
        if len(words) == 2:
            variants.append(words[0])
            tests.append(words[1])
        elif words and line.rstrip().startswith(" " * 46) or words and not variants:
            tests.append(words[0])
        elif words:
            variants.append(words[0])


def run(test, seconds):
    program, name = test.split(" ", 1)
    command = [f"./{program}"] + (["-r", name] if name else [])
    running = subprocess.Popen(command, cwd=PROGRAMS, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said, _ = running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as late:
        # what hangs in the kernel does not die of it: it is left behind
        running.kill()
        return False, late.stdout or b""
    # where no test has that name, the harness is content
    return running.returncode == 0 and b"\nok 1 " in said, said


def reach(programs):
    if not GCOV.exists():
        subprocess.run(["mount", "-t", "debugfs", "none", "/sys/kernel/debug"], check=True)
    with tarfile.open("reach.tar", "w") as tar:
        for program in programs:
            for name in tests_of(program):
                (GCOV / "reset").write_text("0")
                start = time.monotonic()
                good, said = run(f"{program} {name}", 120)
                took = time.monotonic() - start
                print(f"{program} {name} {took:.2f} {'ok' if good else 'not ok'}", flush=True)
                if not good:
                    sys.stdout.buffer.write(said)
                    continue
                for counts in GCOV.rglob("*.gcda"):
                    data = counts.read_bytes()
                    info = tarfile.TarInfo(f"{program} {name} {took:.2f}/{counts.name}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))


def complains():
    """The kernel, of itself. What it says is judged when the guest ends."""
    if int(pathlib.Path("/proc/sys/kernel/tainted").read_text()) & TAINT_BAD:
        return True
    lockdep = pathlib.Path("/proc/lockdep_stats")
    return lockdep.exists() and not re.search(r"debug_locks: +1", lockdep.read_text())


def fails(test):
    """Or breaks the kernel. Beside others it may take its time."""
    print(f"trying {test.name}", flush=True)
    good, _ = run(test.name, 40 + 10 * test.seconds)
    return not good or complains()


def beside(tests, until):
    """Tests side by side, until one fails: which, if any. Takes those that were run from TESTS."""
    lock, suspects = threading.Lock(), []

    def work():
        while True:
            with lock:
                if suspects or not tests or time.monotonic() > until:
                    return
                test = tests.popleft()
            if fails(test):
                suspects.append(test)

    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in range(AT_A_TIME):
            pool.submit(work)
    return suspects


def noticed(test):
    """Of a test that failed once: what fails now and then has noticed nothing."""
    if complains():
        print("the kernel complains")
    elif fails(test):
        print(f"noticed {test.name}")
    else:
        return False
    return True


def judge(seconds, file):
    start = time.monotonic()
    lines = (line.split(" ", 1) for line in file.read_text().splitlines())
    tests = [Test(float(by_itself), name) for by_itself, name in lines]
    left = collections.deque(test for test in tests if test.name.split()[0] not in ALONE)
    alone = collections.deque(test for test in tests if test.name.split()[0] in ALONE)
    # The first come first, then those that run alone, and the rest has what time remains.
    for share in (0.5, 1):
        until = start + share * seconds
        while left and time.monotonic() < until:
            if any(map(noticed, beside(left, until))):
                return 1
        until += 0.3 * seconds
        while alone and time.monotonic() < until:
            test = alone.popleft()
            if fails(test) and noticed(test):
                return 1
            if not os.path.exists("/sys/module/tls_drst"):
                subprocess.run(["insmod", os.environ["TLS_DRST_KO"]], check=True)
    print(f"passed {len(tests) - len(left) - len(alone)} of {len(tests)}")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "reach":
        reach(sys.argv[2:])
    else:
        sys.exit(judge(float(sys.argv[2]), pathlib.Path(sys.argv[3])))
