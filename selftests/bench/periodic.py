#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""periodic.py RAW FOLDER: periodic.json, periodic.md and periodic.svg from lines of JSON."""
import json
import sys
from statistics import mean

from report import Figures, plot, points, read, spread, table, unique

JOBS = {"compute": "Computing, a thread on each processor",
        "write": "Writing to its pages at random, one thread",
        "calls": "Sending a byte to another thread and back by pipes, on one processor"}
NAMES = {"none": "none", "xckpt": "xckpt-dump", "criu": "CRIU",
         "xckpt-watched": "xckpt-dump, looked at by xckpt-stat"}


def rate(row):
    return row["done"] / row["span_ns"]


def collect(lines):
    """Of each measurement, against what the same run got done undisturbed."""
    figures = Figures()
    quiet = {}
    for row in lines:
        if row["tool"] == "none":
            quiet.setdefault((row["job"], row["run"]), []).append(rate(row))
    for row in lines:
        key = row["job"], row["tool"], row["period_ms"]
        lost = round(1 - rate(row) / mean(quiet[row["job"], row["run"]]), 6)
        figures.add(("lost", *key), lost)
        figures.add(("checkpoints", *key), row["checkpoints"])
        figures.add(("span", *key), row["span_ns"])
        if row["checkpoints"]:
            figures.add(("took", *key), row["took_ns"] / row["checkpoints"])
            figures.add(("cost", *key), lost * row["span_ns"] / row["checkpoints"])
    return figures


def rows(figures, job, keys):
    for tool, period in keys:
        key = job, tool, period
        yield [NAMES[tool], f"{period / 1000:g}" if period else "–",
               figures.cell(("checkpoints", *key), 1) if period else "–",
               figures.cell(("span", *key), 1e9), figures.cell(("took", *key)),
               figures.cell(("lost", *key), 0.01), figures.cell(("cost", *key))]


def comparison(figures, jobs, keys):
    for job in jobs:
        for period in unique(p for _, p in keys if p):
            key = job, "xckpt", period
            other = job, "criu", period
            yield [job, f"{period / 1000:g}", *(spread(figures.ratios((what, *key), (what, *other)))
                                                for what in ("lost", "cost", "took"))]


def markdown(figures, lines):
    jobs = unique(r["job"] for r in lines)
    keys = unique((r["tool"], r["period_ms"]) for r in lines)
    text = ("# What periodic checkpoints cost a busy program\n\n"
            f"A program with {lines[0]['mib']} MiB of written memory does the same thing all the "
            "time, and counts it, on a machine\nwith two processors. Images go to a tmpfs, each in "
            "the place of the one before; a checkpoint that\ntook longer than until the next one is "
            "followed by that at once. work lost: against what the same\nrun got done without any, "
            "just before and after (none: how far these two are from their mean). A\ncheckpoint's "
            "cost is that loss as time. Medians (least–most); in an emulated machine (QEMU "
            "TCG),\nwhere only ratios mean anything.\n\n")
    text += "## xckpt-dump / CRIU\n\n" + table(
        ["program", "every, s", "work lost", "cost of one", "time of one"],
        comparison(figures, jobs, keys))
    for job in jobs:
        text += f"## {JOBS[job]} ({job})\n\n" + table(
            ["checkpoints", "every, s", "how many", "in s", "one takes, ms", "work lost, %",
             "cost of one, ms"], rows(figures, job, keys))
    return text


def curves(figures, lines):
    for job in unique(r["job"] for r in lines):
        for tool in ("xckpt", "criu"):
            periods = unique(r["period_ms"] for r in lines if r["tool"] == tool)
            yield f"{NAMES[tool]}, {job}", points(
                figures, [(p / 1000, ("lost", job, tool, p)) for p in periods], 0.01)


def main():
    raw, folder = sys.argv[1:]
    lines = read(raw)
    figures = collect(lines)
    with open(f"{folder}/periodic.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, lines))
    with open(f"{folder}/periodic.json", "w", encoding="utf-8") as f:
        json.dump({"raw": lines, "figures": {" ".join(map(str, k)): v
                                             for k, v in figures.values.items()}}, f, indent=1)
    plot(f"{folder}/periodic.svg", "work that a busy program loses", "s from one checkpoint to the next",
         dict(curves(figures, lines)), "%", "x")


main()
