#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""periodic.py RAW FOLDER: periodic.json, periodic.md and periodic.svg from lines of JSON."""
import json
import sys
from statistics import mean, median

from figures import Figures, plot, points, read, spread, table, unique

JOBS = {"compute": "computing, a thread on each processor",
        "write": "writing to its pages at random, one thread",
        "calls": "sending a byte to another thread and back by pipes, on one processor"}
NAMES = {"none": "none", "xckpt": "xckpt-dump", "criu": "CRIU",
         "xckpt-watched": "xckpt-dump, looked at by xckpt-stat"}
CLOCKS = {"timed": "Two processors",
          "counted": "One processor whose clock counts instructions, one as a nanosecond"}


def rate(row):
    return row["done"] / row["span_ns"]


def beside(lines, nr):
    """The nearest ones without any, before and after."""
    def first(others):
        return next((r for r in others if r["tool"] == "none"), None)

    row = lines[nr]
    return [r for r in (first(reversed(lines[:nr])), first(lines[nr + 1:]))
            if r and (r["clock"], r["job"]) == (row["clock"], row["job"])]


def collect(lines):
    figures = Figures()
    for nr, row in enumerate(lines):
        key = row["clock"], row["job"], row["tool"], row["period_ms"]
        lost = round(1 - rate(row) / mean(map(rate, beside(lines, nr))), 6)
        figures.add(("lost", *key), lost)
        figures.add(("checkpoints", *key), row["checkpoints"])
        figures.add(("span", *key), row["span_ns"])
        if row["checkpoints"]:
            figures.add(("took", *key), row["took_ns"] / row["checkpoints"])
            figures.add(("cost", *key), lost * row["span_ns"] / row["checkpoints"])
    return figures


def rows(figures, clock, job, keys):
    for tool, period in keys:
        key = clock, job, tool, period
        if ("lost", *key) in figures.values:
            yield [NAMES[tool], f"{period / 1000:g}" if period else "–",
                   figures.cell(("checkpoints", *key), 1) if period else "–",
                   figures.cell(("span", *key), 1e9), figures.cell(("took", *key)),
                   figures.cell(("lost", *key), 0.01), figures.cell(("cost", *key))]


def middle(figures, *key):
    """Of how far something is from nothing."""
    return median(map(abs, figures.values[key]))


def comparison(figures, clock, jobs, keys):
    for job in jobs:
        noise = middle(figures, "lost", clock, job, "none", 0)
        for period in unique(p for _, p in keys if p):
            ours, other = ((clock, job, tool, period) for tool in ("xckpt", "criu"))
            if ("lost", *ours) not in figures.values:
                continue
            cells = [spread(figures.ratios((what, *ours), (what, *other)))
                     for what in ("lost", "cost", "took")]
            if min(middle(figures, "lost", *k) for k in (ours, other)) < noise:
                cells[:2] = ["in the noise"] * 2
            yield [job, f"{period / 1000:g}", *cells]


def markdown(figures, lines):
    keys = unique((r["tool"], r["period_ms"]) for r in lines)
    text = ("# What periodic checkpoints cost a busy program\n\n"
            f"A program with {lines[0]['mib']} MiB of written memory does the same thing all the "
            "time, and counts it. Images go\nto a tmpfs, each in the place of the one before; a "
            "checkpoint that took longer than until the next\none is followed by that at once. work "
            "lost: against what was done without any just before and after\n(none: as if it were "
            "one of them, which is how far to trust the others: what is less is noise). A\n"
            "checkpoint's cost is that loss as time. Medians (least–most); in an emulated machine "
            "(QEMU TCG), where\nonly ratios mean anything.\n\n")
    for clock in unique(r["clock"] for r in lines):
        jobs = unique(r["job"] for r in lines if r["clock"] == clock)
        text += f"## {CLOCKS[clock]}\n\n### xckpt-dump / CRIU\n\n" + table(
            ["program", "every, s", "work lost", "cost of one", "time of one"],
            comparison(figures, clock, jobs, keys))
        for job in jobs:
            text += f"### {job}: {JOBS[job]}\n\n" + table(
                ["checkpoints", "every, s", "how many", "in s", "one takes, ms", "work lost, %",
                 "cost of one, ms"], rows(figures, clock, job, keys))
    return text


def curves(figures, lines):
    timed = [r for r in lines if r["clock"] == "timed"]
    for job in unique(r["job"] for r in timed):
        for tool in ("xckpt", "criu"):
            periods = unique(r["period_ms"] for r in timed if r["tool"] == tool)
            yield f"{NAMES[tool]}, {job}", points(
                figures, [(p / 1000, ("lost", "timed", job, tool, p)) for p in periods], 0.01)


def main():
    raw, folder = sys.argv[1:]
    lines = read(raw)
    figures = collect(lines)
    with open(f"{folder}/periodic.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, lines))
    with open(f"{folder}/periodic.json", "w", encoding="utf-8") as f:
        json.dump({"raw": lines, "figures": {" ".join(map(str, k)): v
                                             for k, v in figures.values.items()}}, f, indent=1)
    plot(f"{folder}/periodic.svg", "work that a busy program loses",
         "s from one checkpoint to the next", dict(curves(figures, lines)), "%", "x")


main()
