#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""translate.py RAW FOLDER: translate.{json,md,svg}, translate-resumed.svg from lines of JSON."""
import sys

from figures import Figures, chart, read, spread, table, write_json

NAMES = ["memory", "division", "io", "python3", "xz"]
RESUMED_LIMIT = 1.03
LIMITS = {"memory": 2.0, "division": 1.3, "io": 3.0}
# What others reported of this way to move a program, microseconds translated / native
REFERENCE = {"memory": 0.009 / 0.007, "division": 0.129 / 0.008, "io": 1.33 / 0.424}


def best(figures, key):
    """What disturbs a run makes it slower: the least is the nearest to the truth."""
    values = figures.values.get(key)
    return min(values) if values else None


def ratio(figures, a, b):
    a, b = best(figures, a), best(figures, b)
    return a / b if a and b else None


def cell(value, limit=None):
    if value is None:
        return "–"
    return f"{value:.3g}" + ("" if limit is None else " PASS" if value <= limit else " MISS")


def rows(figures, machine, engines):
    for engine in engines:
        for name in NAMES:
            start, resumed, native = ((machine, way, engine if way != "native" else "none", name)
                                      for way in ("start", "resumed", "native"))
            if best(figures, resumed) is None:
                continue
            # of counted instructions there is no limit for the native side: another kind of them
            limit = LIMITS.get(name) if machine == "x86-64" else None
            yield [engine, name, figures.cell(native, 1), figures.cell(start, 1),
                   figures.cell(resumed, 1), cell(ratio(figures, resumed, start), RESUMED_LIMIT),
                   spread(figures.ratios(resumed, start)),
                   cell(ratio(figures, start, native), limit),
                   spread(figures.ratios(start, native)), cell(REFERENCE.get(name))]


def markdown(figures, machines):
    text = ("# What translation costs\n\nNanoseconds of one operation, of python3 and xz of all of "
            "their work: median (least–most). Ratios are\nof the least ones, and beside them of "
            "each run. On arm64 the clock counts the processor's\ninstructions, one as a "
            "nanosecond; natively there is an ARM build of the same operations. reference:\nwhat "
            "has been reported of this way to move programs, translated / native.\n\n")
    head = ["QEMU", "what", "native", "from the start", "resumed", "resumed / start", "of each run",
            "start / native", "of each run", "reference"]
    for machine, engines in machines.items():
        text += f"## On {machine}\n\n" + table(head, rows(figures, machine, engines))
    return text


def bars(figures, machines, above, below):
    for machine, engines in machines.items():
        for engine in engines:
            def key(way, name):
                return machine, way, engine if way != "native" else "none", name

            groups = {name: figures.ratios(key(above, name), key(below, name)) for name in NAMES}
            if any(groups.values()):
                yield f"{machine}, QEMU {engine}", {n: v for n, v in groups.items() if v}


def main():
    raw, folder = sys.argv[1:]
    figures, machines = Figures(), {}
    lines = read(raw)
    for row in lines:
        figures.add((row["machine"], row["way"], row["engine"], row["name"]), row["ns"])
        if row["way"] != "native":
            machines.setdefault(row["machine"], {})[row["engine"]] = True
    with open(f"{folder}/translate.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, machines))
    write_json(f"{folder}/translate.json", lines)
    chart(f"{folder}/translate.svg", "time under QEMU from the start / natively", NAMES,
          dict(bars(figures, machines, "start", "native")))
    chart(f"{folder}/translate-resumed.svg", "time resumed under QEMU / from the start", NAMES,
          dict(bars(figures, machines, "resumed", "start")))


main()
