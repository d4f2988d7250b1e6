#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""stat.py RAW FOLDER: stat.json, stat.md and stat.svg from lines of JSON."""
import sys
from statistics import median

from figures import Figures, chart, number, read, spread, table, verdicts, write_json

LIMITS = {"a dump": 1.02, "compute": 1.01, "touch": 1.01, "cow": 1.01, "wake": 1.01}


def times(row):
    """What each takes in a measurement: ns of the dump, ns of one of the others."""
    yield "a dump", row["dump_us"] * 1e3
    for name in LIMITS:
        if f"{name}_per_s" in row:
            yield name, 1e9 / row[f"{name}_per_s"]


def markdown(figures, rows):
    looked_at = [r for r in rows if r["with"]]
    text = ("# What it costs to be looked at by xckpt-stat\n\nOne processor whose clock counts "
            f"instructions; a program of {rows[0]['mib']} MiB is dumped, and another one does\nwhat "
            "`bench_busy` does while the probes wait. cow is a program that does nothing but write to "
            "pages that it\nshares with a child. Ratios of times, with / without, each of the two "
            "beside each other.\n\n")
    text += verdicts(figures.judged(name, (name, 1), (name, 0), limit)
                     for name, limit in LIMITS.items())
    text += "## Nanoseconds of one\n\n" + table(["what", "without", "with"], [
        [name, figures.cell((name, 0), 1), figures.cell((name, 1), 1)] for name in LIMITS])
    if looked_at:
        shares = [r["probe_ns"] / 10 / r["dump_us"] for r in looked_at]
        runs = median(r["probe_runs"] for r in looked_at)
        text += (f"The probes' own time is {spread(shares)} % of the dump; they ran {number(runs)} "
                 "times.\n\n")
    return text


def main():
    raw, folder = sys.argv[1:]
    figures, rows = Figures(), read(raw)
    for row in rows:
        for name, ns in times(row):
            figures.add((name, row["with"]), ns)
    with open(f"{folder}/stat.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, rows))
    write_json(f"{folder}/stat.json", rows)
    ratios = {name.replace(" ", "_"): figures.ratios((name, 1), (name, 0)) for name in LIMITS}
    chart(f"{folder}/stat.svg", "time with the probes of xckpt-stat / without", list(ratios),
          {"with / without": {n: v for n, v in ratios.items() if v}})


main()
