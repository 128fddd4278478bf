# SPDX-License-Identifier: GPL-2.0
"""Mutants of C code in the kernel's style: each is one change of one or two lines.

A statement is taken for one if it stands on one line, so that what a mutant changes can be
told by its line. Assertions, logging and tracepoints are no targets: nothing depends on them.
"""

import collections
import hashlib
import re

Mutant = collections.namedtuple("Mutant", "id file line operator old new lines")

# What changes nothing by design, or cannot run here.
NO_TARGET = re.compile(
    r"\b(lockdep_\w+|drst_sock_locked|sock_owned_by_me|sock_not_owned_by_me|DEBUG_NET_WARN\w*|WARN\w*|BUILD_BUG\w*|"
    r"might_sleep|trace_\w+|pr_\w+|MODULE_\w+|EXPORT_\w+|module_(init|exit))\b")

CONDITION = re.compile(r"^(\t+(?:\} else )?if \()(.*)(\)(?: \{)?)$")
LOOP = re.compile(r"^(\t+while \()(.*)(\)(?: \{)?)$")
CALL = re.compile(r"^\t+(?:\(void\))?\w+\(.*\);$")
STORE = re.compile(r"^\t+WRITE_ONCE\(")
ASSIGNMENT = re.compile(r"^\t+[\w.>*()\[\]-]+ [|&+-]?= [^;]*;$")
RETURN = re.compile(r"^\t+return .+;$")
NUMBER = re.compile(r"(?<![\w.])(\d+)(?![\w.])")
TRUTH = re.compile(r"\b(true|false)\b")
COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}


def balanced(text):
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0


def is_statement(line):
    return (CALL.match(line) or ASSIGNMENT.match(line)) and balanced(line)


def ordered(first, second):
    """Two calls, or a call and a flag: of two plain assignments the order changes nothing."""
    return is_statement(first) and is_statement(second) and first != second and \
        any(CALL.match(line) and not STORE.match(line) for line in (first, second))


def of_condition(line):
    """What a condition of one line can become."""
    match = CONDITION.match(line) or LOOP.match(line)
    if not match or not balanced(match[2]):
        return
    head, condition, tail = match.groups()
    yield "negate", f"{head}!({condition}){tail}"
    yield "always", f"{head}({condition}) || 1{tail}"
    yield "never", f"{head}({condition}) && 0{tail}"
    for operator in ("&&", "||"):
        parts = condition.split(f" {operator} ")
        if len(parts) == 2 and all(balanced(part) for part in parts):
            yield "half", f"{head}{parts[0]}{tail}"
            yield "half", f"{head}{parts[1]}{tail}"
    for found in re.finditer(r" (<=|>=|==|!=|<|>) ", condition):
        changed = condition[:found.start(1)] + COMPARED[found[1]] + condition[found.end(1):]
        yield "compare", f"{head}{changed}{tail}"


def of_values(line):
    for found in NUMBER.finditer(line):
        yield "number", f"{line[:found.start()]}{int(found[1]) + 1}{line[found.end():]}"
    for found in TRUTH.finditer(line):
        other = "false" if found[1] == "true" else "true"
        yield "number", line[:found.start()] + other + line[found.end():]


def candidates(name, text):
    """(line number, operator, old lines, new lines), all that there are in a file."""
    lines = text.split("\n")
    in_comment = False
    for i, line in enumerate(lines):
        begins_comment = line.lstrip().startswith("/*")
        if in_comment or begins_comment or not line.startswith("\t"):
            in_comment = (in_comment or begins_comment) and "*/" not in line
            continue
        # not the middle of a statement
        before = lines[i - 1].rstrip()
        if before.endswith((",", "(", "&&", "||", "=", "?", ":", "\\")) and "case " not in before \
                or line.endswith("\\") or NO_TARGET.search(line):
            continue
        changes = list(of_condition(line)) or list(of_values(line))
        if is_statement(line):
            changes.append(("drop", line[:len(line) - len(line.lstrip())] + ";"))
            after = lines[i + 1] if i + 1 < len(lines) else ""
            if ordered(line, after) and not NO_TARGET.search(after) and not before.endswith(")"):
                yield i + 1, "swap", [line, after], [after, line]
        # an early return is one that a condition of one line guards
        if RETURN.match(line) and CONDITION.match(before) and not before.endswith("{") and \
                not NO_TARGET.search(before):
            yield i, "no return", [before, line], []
        for operator, new in changes:
            yield i + 1, operator, [line], [new]


def mutants_of(name, text):
    seen = collections.Counter()
    for line, operator, old, new in candidates(name, text):
        what = "\n".join([name, operator, *old, "", *new])
        seen[what] += 1
        named = hashlib.sha256(f"{what}\n{seen[what]}".encode()).hexdigest()[:10]
        yield Mutant(named, name, line, operator, old, new, len(old))


def draw(files, seed, count):
    """COUNT of them, in an order that depends on the seed and on nothing else: a change of
    one line of the module leaves the others' places as they are."""
    drawn = [mutant for name, text in sorted(files.items()) for mutant in mutants_of(name, text)]
    drawn.sort(key=lambda m: hashlib.sha256(f"{seed} {m.id}".encode()).hexdigest())
    chosen, per_place = [], collections.Counter()
    for mutant in drawn:
        # two of one line say little more than one
        if per_place[mutant.file, mutant.line] < 2:
            per_place[mutant.file, mutant.line] += 1
            chosen.append(mutant)
    return chosen[:count] if count else chosen


def applied(mutant, text):
    lines = text.split("\n")
    at = mutant.line - 1
    assert lines[at:at + mutant.lines] == mutant.old
    lines[at:at + mutant.lines] = mutant.new
    return "\n".join(lines)
