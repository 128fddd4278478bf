# SPDX-License-Identifier: GPL-2.0
"""The picture: bytes acknowledged over time, of one transfer without and with the module.

Everything in it is measured: acknowledgements and RST from the sender's capture, close_notify and
close() from the sender's system calls. The clock begins at close().
"""

import os
import subprocess
import tempfile

from results import MODE_NAME, NAME
from table import number

HERE = os.path.dirname(os.path.abspath(__file__))
# What is shown before close() and is left free behind the last event, as parts of the time between
# the two.
BEFORE, AFTER = 0.8, 0.6
MB = 1e6


def write_acks(run, path):
    """Time since close() and megabytes acknowledged, a step for each acknowledgement."""
    with open(path, "w", encoding="ascii") as file:
        before = 0
        for time, acked in run.near.acks:
            for height in (before, acked):
                file.write(f"{time - run.trace.end:.6f} {height / MB:.6f}\n")
            before = acked


def last_event(run):
    return max(run.near.acks[-1][0], run.near.reset.time if run.near.reset else 0) - run.trace.end


def acked_by(run, time):
    return max((acked for when, acked in run.near.acks if when <= time), default=0)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def variables(name, run, path):
    """gnuplot variables of one panel, their names beginning with the panel's."""
    reset = run.near.reset
    verdict = "SHA-256 equal" if run.whole else f"{number(run.missing)} lost"
    title = (f"{MODE_NAME[run.mode]}: {number(run.row['delivered'])} of "
             f"{number(run.row['sent'])} bytes delivered, {verdict}, reply {run.row['reply']}")
    values = {
        "data": quoted(path), "title": quoted(title), "whole": int(run.whole),
        "notify": f"{run.trace.notify - run.trace.end:.6f}",
        "end": quoted(run.trace.end_name),
        "at_close": f"{acked_by(run, run.trace.end) / MB:.6f}",
        "reset": f"{reset.time - run.trace.end:.6f}" if reset else "NaN",
        "reset_at": f"{reset.acked / MB:.6f}" if reset else "NaN",
        "reset_from": quoted(f"RST from the {NAME[reset.source]}" if reset else "no RST"),
        "last": f"{run.near.acked / MB:.6f}",
        "last_time": f"{run.near.acks[-1][0] - run.trace.end:.6f}",
    }
    return "".join(f"{name}_{key} = {value}\n" for key, value in values.items())


def common(without, with_module):
    """gnuplot variables of the picture as a whole."""
    last = max(last_event(without), last_event(with_module), 1)
    low = min(acked_by(run, run.trace.end - BEFORE * last) for run in (without, with_module))
    subheading = f"{without.path}, TLS 1.3, kernel {without.row['kernel']}"
    values = {
        "heading": quoted(without.title), "subheading": quoted(subheading),
        "total": f"{with_module.near.sent / MB:.6f}", "low": f"{low / MB:.6f}",
        "from": f"{-BEFORE * last:.6f}", "to": f"{last + AFTER * last:.6f}",
    }
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def draw(without, with_module, directory):
    """timeline.png and timeline.svg."""
    with tempfile.TemporaryDirectory() as work:
        text = common(without, with_module)
        for name, run in (("a", without), ("b", with_module)):
            path = os.path.join(work, name)
            write_acks(run, path)
            text += variables(name, run, path)
        settings = os.path.join(work, "settings")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(text)
        for kind in ("png", "svg"):
            out = os.path.join(directory, "timeline." + kind)
            given = f"settings={quoted(settings)}; kind={quoted(kind)}; out={quoted(out)}"
            subprocess.run(["gnuplot", "-e", given, os.path.join(HERE, "timeline.gp")], check=True)
