#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""system.py RAW FOLDER: system.json, system.md and system.svg from lines of JSON."""
import sys
from statistics import median

from figures import Figures, chart, read, spread, table, unique, write_json

NAMES = {"getppid": "the least system call", "clock_gettime": "CLOCK_MONOTONIC",
         "sigaction": "installing a handler", "signal": "to itself, handled",
         "pipe": "a byte to another process and back", "futex": "waking another process and back",
         "fork": "and exit and wait", "mmap": "64 KiB, touched, munmap", "fault": "a page of new memory",
         "open": "and close", "read": "a page of a file"}
RESUMED_LIMIT = 1.03
TIMED = "x86-64"  # all other machines count instructions


def ratios(figures, machine, engine, name):
    """(resumed / started natively, resumed / started under the engine)"""
    return (figures.ratios((machine, "native-resumed", "none", name),
                           (machine, "native", "none", name)),
            figures.ratios((machine, "resumed", engine, name), (machine, "start", engine, name)))


def judged(values, machine):
    word = ""
    if values and machine != TIMED:
        word = " PASS" if median(values) <= RESUMED_LIMIT else " MISS"
    return spread(values) + word


def rows(figures, machine, engine):
    for name, what in NAMES.items():
        native, again = ((machine, way, "none", name) for way in ("native", "native-resumed"))
        start, resumed = ((machine, way, engine, name) for way in ("start", "resumed"))
        of_native, of_start = ratios(figures, machine, engine, name)
        yield [f"{name}: {what}", figures.cell(native, 1), figures.cell(again, 1),
               judged(of_native, machine), figures.cell(start, 1), figures.cell(resumed, 1),
               judged(of_start, machine), spread(figures.ratios(start, native))]


def markdown(figures, machines):
    text = ("# Operations of the system, before and after a move\n\nNanoseconds of one operation, a set "
            "in the spirit of lmbench (McVoy and Staelin, 1996), on one\nprocessor: median "
            "(least–most). Ratios are of each measurement and the one beside it. Where\ninstructions "
            "are counted, in the emulated machines, one as a nanosecond, those of resumed and\n"
            f"started programs are held against {RESUMED_LIMIT}. The image is of an emulated "
            "x86-64 machine:\non others the kernel, and so its vDSO, is another one.\n\n")
    head = ["operation", "native", "resumed natively", "resumed / native", "under QEMU from the start",
            "resumed under QEMU", "resumed / start", "start / native"]
    for machine, engine in machines:
        text += f"## On {machine}, QEMU {engine}\n\n" + table(head, rows(figures, machine, engine))
    return text


def bars(figures, machines):
    """Where instructions are counted: elsewhere one outlier hides all the rest."""
    for machine, engine in machines:
        if machine == TIMED:
            continue
        for nr, way in enumerate(("natively", f"QEMU {engine}")):
            groups = {name: ratios(figures, machine, engine, name)[nr] for name in NAMES}
            if any(groups.values()):
                yield f"{machine}, {way}", {n: v for n, v in groups.items() if v}


def main():
    raw, folder = sys.argv[1:]
    figures = Figures()
    lines = read(raw)
    for row in lines:
        figures.add((row["machine"], row["way"], row["engine"], row["name"]), row["ns"])
    machines = unique((r["machine"], r["engine"]) for r in lines if r["way"] == "start")
    with open(f"{folder}/system.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, machines))
    write_json(f"{folder}/system.json", lines)
    chart(f"{folder}/system.svg", "instructions of operations of the system, resumed / started",
          NAMES, dict(bars(figures, machines)))


main()
