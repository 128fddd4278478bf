#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make mutants`: does a test notice when the module is wrong?

Draws mutants of module/*.c, builds each, and gives it to the tests that reach its line, one after
the other, until one fails, or the kernel complains, or all have passed. Verdicts are kept in
build/mutants/verdicts.tsv as they come: what is there is not done again. Where there is no such file, it begins
with what docs/trust.md says of these mutants.
"""

import argparse
import collections
import concurrent.futures
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import mutate

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
OUT = TOP / "build/mutants"
VERDICTS = OUT / "verdicts.tsv"
PAGE = TOP / "docs/trust.md"
BEGIN, END = "<!-- the mutants: make mutants -->\n", "<!-- end of the mutants -->\n"
ROW = re.compile(r"\| (\S+) \| (\S+) \| `(.*)` \| (\w+) \| (.*) \|")
COLUMNS = "id file line operator verdict by seconds change".split()
NOTICED, PASSED, NOT_BUILT = "noticed", "passed", "not built"

# What KASAN and lockdep are likelier to notice than a test is.
FOR_DEBUG = re.compile(r"lock|rcu_|smp_|_put\(|_get\(|hold\(|cancel|flush|free|complete|_ONCE|barrier")

# Functions that make what stays: first the tests that reach them, then all others.
ONCE = re.compile(r"_(init|edit|edit_ops|copy|copy_ops)\(\)$")


def vm(tree, *arguments, **options):
    return subprocess.run([tree / "selftests/vm", *map(str, arguments)], text=True,
                          capture_output=True, **options)


def checked(done, what):
    if done.returncode:
        sys.exit(f"{what}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def sources():
    return {path.name: path.read_text() for path in sorted((TOP / "module").glob("*.c"))}


def tolerate_warnings(tree):
    """A statement that is gone leaves an empty body, or a function that nobody calls."""
    path = tree / "selftests/vm.d/module.sh"
    strict, text = "KCFLAGS=-Werror", path.read_text()
    if strict not in text:
        sys.exit(f"{path} has no {strict} to take out")
    path.write_text(text.replace(strict, "KCFLAGS=-w"))


def copy_tree(where):
    """What git knows, and what it would be told of."""
    where.mkdir(parents=True, exist_ok=True)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=TOP,
                           check=True, capture_output=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, names)):
        if (TOP / name).exists():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, where / name, follow_symlinks=False)


# ---- which test reaches which line ----

def fingerprint():
    digest = hashlib.sha256()
    for path in sorted([*(TOP / "module").iterdir(), *(TOP / "selftests/net").rglob("*.[ch]"),
                        HERE / "guest.py"]):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def lines_reached(directory, objects, gcov):
    """(file, line) for each line that the counts in DIRECTORY say has run."""
    counts = []
    for notes in sorted(objects.glob("*.gcno")):
        if (directory / notes.name).with_suffix(".gcda").exists():
            shutil.copy(notes, directory)
            counts.append(notes.stem + ".gcda")
    said = subprocess.run([gcov, "--json-format", "--stdout", *counts], cwd=directory, text=True,
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in said.splitlines():
        for file in json.loads(line)["files"]:
            if file["file"].endswith(".c") and "/module/" in file["file"]:
                name = os.path.basename(file["file"])
                for one in file["lines"]:
                    if one["count"]:
                        yield name, one["line_number"]


def count_lines(programs, selftests, out):
    """Runs each test by itself; leaves OUT/reach.tar."""
    new = out / "new"
    new.mkdir(parents=True, exist_ok=True)
    done = vm(TOP, "run", "--kernel", "gcov", "--timeout", 6000, "--copy", selftests, "--copy",
              HERE / "guest.py", "--copy-out", "reach.tar", "--copy-out-to", new, "--log",
              out / "log", "--", "./guest.py", "reach", *programs)
    (out / "said").write_text(done.stdout + done.stderr)
    checked(done, "the tests of " + " ".join(programs))
    (new / "reach.tar").rename(out / "reach.tar")


def reach_of(programs, objects, gcov, selftests, out):
    if not (out / "reach.tar").exists():
        count_lines(programs, selftests, out)
    tests = []
    with tempfile.TemporaryDirectory(dir=OUT) as temporary:
        with tarfile.open(out / "reach.tar") as tar:
            tar.extractall(temporary)
        for directory in sorted(pathlib.Path(temporary).iterdir()):
            program, name, seconds = directory.name.split(" ")
            tests.append([f"{program} {name}", float(seconds),
                          sorted(set(lines_reached(directory, objects, gcov)))])
    return tests


def reach(selftests, jobs):
    """[name, seconds, lines that it reaches] of each test"""
    kept = OUT / "reach.json"
    now = fingerprint()
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["of"] == now:
            return known["tests"]
    print("finding out which test reaches which line (once, about half an hour)", flush=True)
    objects = pathlib.Path(checked(vm(TOP, "module", "--kernel", "gcov"),
                                   "the module does not build")).parent / "module"
    gcov = "gcov-" + subprocess.run(["gcc", "-dumpversion"], check=True, text=True,
                                    stdout=subprocess.PIPE).stdout.strip()
    programs = [line.split(":")[1] for line in
                (selftests / "kselftest-list.txt").read_text().split()] + ["faults"]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        parts = [pool.submit(reach_of, programs[i::jobs], objects, gcov, selftests,
                             OUT / f"reach-{now[:12]}-{i}") for i in range(jobs)]
        tests = [test for part in parts for test in part.result()]
    kept.write_text(json.dumps({"of": now, "tests": tests}))
    return tests


def is_of_this_kernel(mutant):
    """The kernel that the tests run on calls no sendpage(): that was until 6.5."""
    return "sendpage" not in function_of((TOP / "module" / mutant.file).read_text(), mutant.line)


def tests_of(mutant, reached):
    """Those that reach it, or, as not every line is code that is counted, the nearest line before it that
    any reaches. If none is near, as in a table, all."""
    lines = {line for _, _, some in reached for file, line in some if file == mutant.file}
    at = [line for line in range(mutant.line, mutant.line + mutant.lines) if line in lines] or \
        [line for line in range(mutant.line - 15, mutant.line) if line in lines][-1:]
    return [(test, seconds, len(some)) for test, seconds, some in reached
            if not at or any(file == mutant.file and line in at for file, line in some)]


def order(tests):
    """One variant of each test first, that which reaches most of the module; of these the cheapest first."""
    variants = collections.defaultdict(list)
    for name, seconds, reaches in sorted(tests, key=lambda t: (-t[2], t[1])):
        parts = name.split(".")
        variants[parts[0], parts[-1]].append((seconds, name))
    rows = itertools.zip_longest(*variants.values())
    return [f"{seconds} {name}" for row in rows for seconds, name in sorted(filter(None, row))]


# ---- one mutant ----

def judged_on(kernel, tree, selftests, tests, seconds, again=True):
    """(noticed?, by what). What says nothing of the kernel may be this machine's, and is tried again."""
    (tree / "tests").write_text("\n".join(tests) + "\n")
    # the last test of all may begin at the end, and have to fail twice
    longest = max(float(test.split(" ", 1)[0]) for test in tests)
    timeout = int(1.3 * seconds + 2 * (40 + 10 * longest)) + 120
    done = vm(tree, "run", "--kernel", kernel, "--timeout", timeout, "--copy", selftests,
              "--copy", HERE / "guest.py", "--copy", tree / "tests", "--",
              "./guest.py", "judge", seconds, "tests")
    said = done.stdout.splitlines()
    noticed = [line[len("noticed "):] for line in said if line.startswith("noticed ")]
    if done.returncode == 0 and said and said[-1].startswith("passed "):
        return False, said[-1]
    if noticed and done.returncode != 125:
        return True, noticed[0]
    bad = [line for line in done.stderr.splitlines()
           if re.search(r"BUG|WARNING|Oops|KASAN|insmod|blocked for|unreferenced|rmmod", line)]
    if done.returncode == 125 and bad:
        return True, re.sub(r"\[ *[\d.]+\] ?|vm: the guest failed: ", "", bad[0])[:90]
    if done.returncode in (124, 125):
        if again:
            return judged_on(kernel, tree, selftests, tests, seconds, again=False)
        return True, "took too long" if done.returncode == 124 else "the guest failed"
    raise RuntimeError(f"status {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")


def verdict_of(mutant, tree, selftests, reached, patience):
    text = (TOP / "module" / mutant.file).read_text()
    target = tree / "module" / mutant.file
    target.write_text(mutate.applied(mutant, text))
    try:
        if vm(tree, "module", "--kernel", "gcov").returncode:
            return NOT_BUILT, ""
        tests = order(tests_of(mutant, reached))
        if ONCE.search(function_of(text, mutant.line)):
            first = set(tests)
            tests += [test for test in order([(test, seconds, len(some)) for test, seconds, some in reached])
                      if test not in first]
        stages = [("gcov", tests, 200 * patience), ("debug", tests[:40], 100 * patience)]
        if FOR_DEBUG.search("\n".join(mutant.old)):
            stages.insert(0, ("debug", tests[:12], 100))
        passed = []
        for kernel, some, seconds in stages:
            noticed, by = judged_on(kernel, tree, selftests, some, seconds)
            if noticed:
                return NOTICED, f"{kernel}: {by}"
            passed.append(f"{kernel}: {by}")
        return PASSED, ", ".join(passed)
    finally:
        target.write_text(text)


def read_verdicts():
    rows = (dict(zip(COLUMNS, line.split("\t"))) for line in VERDICTS.read_text().splitlines())
    return {row["id"]: row for row in rows}


def untabbed(text):
    return str(text).replace("\t", " ")


def change_of(mutant):
    old, new = (" / ".join(line.strip() for line in lines) for lines in (mutant.old, mutant.new))
    return untabbed(f"{old} -> {new}")


def write_verdict(file, mutant, verdict, by, seconds):
    by = re.sub(r"/\S*/(?=module/)", "", by)  # where the tree was says nothing
    row = [mutant.id, mutant.file, mutant.line, mutant.operator, verdict, by, seconds, change_of(mutant)]
    file.write("\t".join(map(untabbed, row)) + "\n")


def begin_verdicts(mutants):
    """With those of docs/trust.md, where it is clear which mutant a row is about."""
    if VERDICTS.exists():
        return
    said, alike, texts = collections.defaultdict(list), collections.defaultdict(list), sources()
    for row in filter(None, map(ROW.fullmatch, PAGE.read_text().partition(BEGIN)[2].partition(END)[0].splitlines())):
        said[row[1], row[2], row[3].replace(r"\|", "|")].append((row[4], row[5]))
    OUT.mkdir(parents=True, exist_ok=True)
    for mutant in sorted(mutants, key=lambda m: (m.file, m.line)):
        alike[mutant.file, function_of(texts[mutant.file], mutant.line), change_of(mutant)].append(mutant)
    with tempfile.NamedTemporaryFile("w", dir=OUT, delete=False) as file:
        for key, those in alike.items():
            if len(those) == len(said[key]):
                for mutant, verdict in zip(those, said[key]):
                    write_verdict(file, mutant, *verdict, 0)
    pathlib.Path(file.name).rename(VERDICTS)


class Workers:
    """Trees to build mutants in; verdicts as they come."""

    def __init__(self, jobs, selftests, reached, patience):
        self.selftests, self.reached, self.lock = selftests, reached, threading.Lock()
        self.patience = patience
        self.free = [OUT / f"tree-{i}" for i in range(jobs)]
        for tree in self.free:
            copy_tree(tree)
            tolerate_warnings(tree)

    def work(self, mutant):
        with self.lock:
            tree = self.free.pop()
        start = time.monotonic()
        try:
            verdict, by = verdict_of(mutant, tree, self.selftests, self.reached, self.patience)
        finally:
            with self.lock:
                self.free.append(tree)
        with self.lock, VERDICTS.open("a") as file:
            write_verdict(file, mutant, verdict, by, round(time.monotonic() - start))
            print(f"{mutant.file}:{mutant.line} {mutant.operator}: {verdict} {by}", flush=True)
        return verdict


def summary(drawn, known):
    verdicts = collections.Counter(known[m.id]["verdict"] for m in drawn if m.id in known)
    judged = sum(verdicts.values()) - verdicts[NOT_BUILT]
    share = 100 * verdicts[NOTICED] / judged if judged else 0
    return f"{judged} mutants, {verdicts[NOTICED]} noticed ({share:.1f} %), {verdicts[PASSED]} passed " \
        f"all tests; {verdicts[NOT_BUILT]} more do not build"


def function_of(text, number):
    """The last that begins at or before a line."""
    found = "-"
    for line in text.split("\n")[:number]:
        begins = re.match(r"\w[\w *]*?\b(\w+)\(", line)
        if begins:
            found = begins[1] + "()"
    return found


def write_list(drawn, known):
    """The table of docs/trust.md."""
    texts = sources()
    rows = []
    for mutant in sorted(drawn, key=lambda m: (m.file, m.line)):
        row = known.get(mutant.id)
        if row and row["verdict"] != NOT_BUILT:
            change = row["change"].replace("|", r"\|")
            rows.append(f"| {mutant.file} | {function_of(texts[mutant.file], mutant.line)} | "
                        f"`{change}` | {row['verdict']} | {row['by']} |")
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    table = [summary(drawn, known) + ":", "", "| file | function | change | verdict | by |", "|---|---|---|---|---|", *rows, ""]
    PAGE.write_text(head + BEGIN + "\n".join(table) + END + tail)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="mutants that build")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=3, help="guests side by side")
    parser.add_argument("--minutes", type=float, default=1e6, help="start no mutant after that time")
    parser.add_argument("--again", action="store_true", help="try once more what passed, with six times the time")
    parser.add_argument("--list", action="store_true", help="write what is known, judge nothing")
    args = parser.parse_args()

    mutants = list(filter(is_of_this_kernel, mutate.draw(sources(), args.seed, 0)))
    begin_verdicts(mutants)
    queue = iter(mutants)
    if args.list:
        known = read_verdicts()
        drawn = [mutant for mutant in queue if mutant.id in known]
        write_list(drawn, known)
        print(summary(drawn, known))
        return
    lock = (OUT / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    until = time.monotonic() + 60 * args.minutes
    checked(vm(TOP, "prepare", "--kernel", "gcov"), "no kernel gcov")
    selftests = OUT / "selftests"
    checked(subprocess.run([TOP / "selftests/vm.d/mutants-selftests", OUT], text=True,
                           capture_output=True), "the selftests do not build")
    reached = reach(selftests, min(args.jobs, 2))
    checked(vm(TOP, "prepare", "--kernel", "debug"), "no kernel debug")
    known = read_verdicts()
    if args.again:
        known = {key: row for key, row in known.items() if row["verdict"] in (NOTICED, NOT_BUILT)}
    workers = Workers(args.jobs, selftests, reached, 6 if args.again else 1)
    drawn, wanted = [], args.count
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = {}
        while wanted > 0 or running:
            while wanted > len(running) and len(running) < args.jobs:
                mutant = next(queue, None)
                if not mutant:
                    wanted = 0
                elif mutant.id in known:
                    wanted -= known[mutant.id]["verdict"] != NOT_BUILT
                    drawn.append(mutant)
                elif time.monotonic() < until:
                    running[pool.submit(workers.work, mutant)] = mutant
                    drawn.append(mutant)
            if not running:
                break
            done, _ = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
            for future in done:
                del running[future]
                wanted -= future.result() != NOT_BUILT
    known = read_verdicts()
    write_list(drawn, known)
    print(summary(drawn, known))


if __name__ == "__main__":
    main()
