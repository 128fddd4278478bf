# SPDX-License-Identifier: GPL-2.0
"""The table, and whether the demonstration has shown what it is there to show."""

from itertools import groupby

from results import MODE_NAME, NAME

HEAD = (f"  {'module':<10} {'delivered':>10}  {'missing':>10}  {'reply':>5}  {'SHA-256':<8} "
        f"{'kTLS of the sender':<20} RST from; acked, of sent, as it left; acked as it arrived\n")
HEAD_KERNEL = (f"  {'module':<10} {'unacked at close()':>18}  {'to the RST':>10}  "
               f"{'TCP counted':<18} tls_drst counted\n")


def number(value):
    return f"{value:,}"


def first_reset(run):
    """The first RST of the data connection, as the two captures have it."""
    near, far = run.near.reset, run.far.reset
    if not near and not far:
        return "none"
    if not near or not far:
        seen = near or far
        return f"{NAME[seen.source]}, seen at the {run.sender if near else run.receiver}'s only"
    if run.whole and near.acked == near.sent:
        return f"{NAME[near.source]}; all {number(near.acked)}"
    return (f"{NAME[near.source]}; {number(near.acked)} of {number(near.sent)}; "
            f"{number(far.acked)}")


def main_line(run):
    return (f"  {MODE_NAME[run.mode]:<10} {number(run.row['delivered']):>10}  "
            f"{number(run.missing):>10}  {run.row['reply'] or 'none':>5}  "
            f"{'equal' if run.whole else 'DIFFERS':<8} {run.ktls or 'NOT ACTIVE':<20} "
            f"{first_reset(run)}\n")


def stream_length(runs):
    """Bytes of the whole stream on the wire, as the runs that arrived whole have it; or None."""
    return max((run.near.sent for run in runs if run.whole), default=None)


def unacked_at_close(run, length):
    """What the send queue held at close(): TLS records, so a little more than the file's bytes."""
    if run.trace.end is None or length is None:
        return None
    acked = [acked for time, acked in run.near.acks if time <= run.trace.end]
    return length - (acked[-1] if acked else 0)


def seconds_to_reset(run):
    if not run.near.reset or run.trace.end is None:
        return "none"
    return f"{run.near.reset.time - run.trace.end:.3f} s"


def kernel_line(run, length):
    before = run.row["before"]["tls_drst_stat"]
    after = run.row["after"]["tls_drst_stat"]
    ours = " ".join(f"{name} {before['TlsDrst' + name]}>{after['TlsDrst' + name]}"
                    for name in run.counted())
    tcp = " ".join(f"{name.removeprefix('TCP')} +{value}"
                   for name, value in run.row["change"]["tcp_ext"].items())
    unacked = unacked_at_close(run, run.near.sent if run.whole else length)
    shown = "unknown" if unacked is None else number(unacked)
    return (f"  {MODE_NAME[run.mode]:<10} {shown:>18}  {seconds_to_reset(run):>10}  "
            f"{tcp or '-':<18} {ours or '-'}\n")


def grouped(runs):
    for _, group in groupby(runs, key=lambda run: run.key):
        yield list(group)


def summary(runs):
    """What the rows say together; nothing here that is not counted from them."""
    text = ""
    for mode in MODE_NAME:
        of_mode = [run for run in runs if run.mode == mode]
        cut = [run for run in of_mode if not run.whole]
        text += (f"{MODE_NAME[mode]:<10} {len(cut)} of {len(of_mode)} transfers arrived cut, "
                 f"{number(sum(run.missing for run in cut))} bytes missing.\n")
    alone = [run.title for run in runs if run.mode == "1" and run.in_established]
    text += "RST in ESTABLISHED, which mode 1 leaves alone: " + ("; ".join(alone) or "none") + ".\n"
    ended = [f"{run.title}, {MODE_NAME[run.mode]}: {run.last_words}" for run in runs
             if run.whole and run.row["status"] > 0]
    text += "".join(f"Arrived whole, and the client called it an error: {line}\n" for line in ended)
    kept = [run.title for run in runs if run.mode == "vanilla" and run.whole]
    return text + "Lost nothing without the module either: " + ("; ".join(kept) or "none") + ".\n"


def table(runs):
    """The whole text."""
    row = runs[0].row
    text = (f"FTPS transfers of a file of {number(row['sent'])} bytes, TLS 1.3, path of "
            f"{runs[0].path}, kernel {row['kernel']}\n\n" + HEAD)
    for group in grouped(runs):
        text += f"{group[0].title}\n" + "".join(map(main_line, group))
    text += "\nIn the sender's kernel, in its control connection and its data connection\n\n"
    text += HEAD_KERNEL
    for group in grouped(runs):
        length = stream_length(group)
        text += f"{group[0].title}\n" + "".join(kernel_line(run, length) for run in group)
    return text + "\n" + summary(runs)


def failures(runs):
    """What was promised and is not so, in words."""
    wrong = []
    for run in runs:
        name = f"{run.title}, {MODE_NAME[run.mode]}"
        if not run.ktls:
            wrong.append(f"{name}: kernel TLS was not active, the row shows nothing")
        elif run.row["dropped"]:
            wrong.append(f"{name}: {run.row['dropped']} packets are missing in the captures")
        elif run.promised and not run.whole:
            wrong.append(f"{name}: {number(run.missing)} bytes are missing")
        elif run.promised and run.row["reply"] != 226:
            wrong.append(f"{name}: the server's reply is {run.row['reply']}")
    lost = [run for run in runs if run.mode == "vanilla" and not run.whole]
    for own, who in ((False, "unmodified program"), (True, "transfer of ftps")):
        there = any(run.row["own"] == own for run in runs)
        if there and not any(run.row["own"] == own for run in lost):
            wrong.append(f"no {who} lost anything without the module: nothing to show")
    return wrong
