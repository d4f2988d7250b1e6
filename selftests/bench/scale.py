#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""scale.py RAW FOLDER: scale.json, scale.md and scale-*.svg from lines of JSON."""
import sys
from statistics import median

from figures import (Figures, middle, number, plot, points, read, spread, table, unique,
                     verdicts, write_json)

KINDS = {"threads": "threads", "processes": "processes", "vmas": "mappings", "fds": "open files",
         "memory": "MiB of written memory", "reserved": "GiB that nobody touches"}
COLUMNS = [("dump, ms", "total_ns", "xckpt", 1e6), ("frozen, ms", "frozen_ns", "xckpt", 1e6),
           ("image, KiB", "disk", "xckpt", 1024), ("native resume, ms", "answer_ns", "native", 1e6),
           ("QEMU resume, ms", "answer_ns", "qemu", 1e6),
           ("CRIU dump, ms", "total_ns", "criu", 1e6), ("CRIU frozen, ms", "frozen_ns", "criu", 1e6)]
RATIOS = {"dump / CRIU": "total_ns", "frozen / CRIU": "frozen_ns"}
TOUCHED_LIMIT = 1.25
RESERVED_LIMIT = 1.1
MANY_VMAS = 100000


def total(kind, n):
    return kind, n, "xckpt", "total_ns"


def judge_touched(figures, sizes):
    """The largest against the one that is a quarter of it."""
    what = "dump time / written memory"
    if not sizes or sizes[-1] / 4 not in sizes:
        return what, None, None, TOUCHED_LIMIT, None
    large, small = total("memory", sizes[-1]), total("memory", sizes[-1] // 4)
    return (f"{what}, {sizes[-1]} MiB against {sizes[-1] // 4} MiB",
            figures.ratio(large, small) / 4, [r / 4 for r in figures.ratios(large, small)],
            TOUCHED_LIMIT, None)


def judge_reserved(figures, sizes):
    """It may differ by as much as one and the same does from run to run, too."""
    what = "dump time"
    if len(sizes) < 2:
        return f"{what}, reserved address space", None, None, RESERVED_LIMIT, None
    large, none = total("reserved", sizes[-1]), total("reserved", sizes[0])
    ratio, noise = figures.ratio(large, none), figures.values[none]
    same = middle(figures, large) - median(noise) <= max(noise) - min(noise)
    return (f"{what}, {sizes[-1]} GiB of reserved address space against {sizes[0]} GiB", ratio,
            figures.ratios(large, none), RESERVED_LIMIT,
            "PASS (noise)" if ratio > RESERVED_LIMIT and same else None)


def judge_vmas(figures, sizes, engine):
    word = "not measured"
    if MANY_VMAS in sizes:
        word = "PASS" if ("vmas", MANY_VMAS, engine, "answer_ns") in figures.values else "MISS"
    return (f"{MANY_VMAS} mappings are dumped and resumed ({engine}), with their contents", None,
            None, None, word)


def judge(figures, sizes):
    yield judge_touched(figures, sizes.get("memory", []))
    yield judge_reserved(figures, sizes.get("reserved", []))
    for engine in "native", "qemu":
        yield judge_vmas(figures, sizes.get("vmas", []), engine)


def slope(a, b):
    return (b[1] - a[1]) / (b[0] - a[0])


def per_thing(values):
    """Of (n, what it takes): what each takes at the last n to that at the middle one, and what
    each more takes in the last step to that in the step before."""
    high, mid = values[-1], values[len(values) // 2]
    before, last = slope(*values[-3:-1]), slope(*values[-2:])
    return [number(high[1] / high[0] / (mid[1] / mid[0])),
            number(last / before) if before > 0 and last > 0 else "–"]


def fits(figures, sizes):
    rows = []
    for kind, ns in sizes.items():
        for label, name, tool, _ in COLUMNS:
            values = [(n, middle(figures, (kind, n, tool, name))) for n in ns if n]
            values = [(n, v) for n, v in values if v is not None]
            if kind != "reserved" and len(values) >= 3:
                rows.append([KINDS[kind], label.split(",")[0], *per_thing(values)])
    return table(["number of", "what", "per thing, largest / middle", "last step / one before"],
                 rows)


def markdown(figures, rows, sizes):
    text = ("# How it scales\n\nxckpt-dump (the program goes on), qemu-resume and `criu dump "
            "--leave-running`, images on a tmpfs, in an\nemulated machine: only ratios mean "
            "anything. Median (least–most) of the whole command; a resume until the\nprogram "
            "answers, after which it checks all that it has.\n\n")
    text += verdicts(judge(figures, sizes))
    for kind, ns in sizes.items():
        text += f"## By {KINDS[kind]}\n\n"
        columns = [c for c in COLUMNS if any((kind, n, c[2], c[1]) in figures.values for n in ns)]
        ratios = RATIOS if any((kind, n, "criu", "total_ns") in figures.values for n in ns) else {}
        text += table([KINDS[kind], *(c[0] for c in columns), *ratios], [
            [str(n), *(figures.cell((kind, n, c[2], c[1]), c[3]) for c in columns),
             *(spread(figures.ratios((kind, n, "xckpt", name), (kind, n, "criu", name)))
               for name in ratios.values())] for n in ns])
        for row in rows:
            if row["kind"] == kind and "refused" in row:
                text += f"{row['tool']} at {row['n']}: {row['refused']}\n\n"
    text += ("## What one more costs\n\n1: linear. largest / middle: the time per thing (with what "
             "is needed for none of them) at the largest number\nagainst the one in the middle. "
             "last step: what each one more takes from the last but one number to the last,\n"
             "against the step before.\n\n")
    return text + fits(figures, sizes)


def main():
    raw, folder = sys.argv[1:]
    figures, rows = Figures(), read(raw)
    for row in rows:
        for name in ("total_ns", "frozen_ns", "disk", "answer_ns"):
            if name in row:
                figures.add((row["kind"], row["n"], row["tool"], name), row[name])
    sizes = {kind: unique(r["n"] for r in rows if r["kind"] == kind)
             for kind in unique(r["kind"] for r in rows)}
    with open(f"{folder}/scale.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, rows, sizes))
    write_json(f"{folder}/scale.json", rows)
    for kind, ns in sizes.items():
        lines = {label.split(",")[0]: points(figures, [(n, (kind, n, tool, name)) for n in ns if n])
                 for label, name, tool, _ in COLUMNS if name != "disk"}
        plot(f"{folder}/scale-{kind}.svg", f"cost of {KINDS[kind]}", KINDS[kind], lines)


main()
