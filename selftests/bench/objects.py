#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""objects.py RAW FOLDER: objects.json, objects.md and objects.svg from lines of JSON."""
import sys

from figures import Figures, plot, points, read, table, unique, write_json

COLUMNS = [("dump, ms", "total_ns", 1e6), ("frozen, ms", "frozen_ns", 1e6),
           ("image, KiB", "disk", 1024), ("native resume, ms", "answer_ns", 1e6)]


def markdown(figures, sizes):
    return ("# What shared objects cost\n\nProcesses that have files, pipes, memfds, eventfds and "
            "pieces of memory together: a dump to a tmpfs, for how\nlong they stood still, and a "
            "native resume up to the first thing that the program does. Median (least–most),\nin "
            "an emulated machine: only ratios mean anything.\n\n" +
            table(["processes", "objects", *(c[0] for c in COLUMNS)], [
                [str(n), str(objects), *(figures.cell((n, objects, name), scale)
                                         for _, name, scale in COLUMNS)] for n, objects in sizes]))


def main():
    raw, folder = sys.argv[1:]
    figures, rows = Figures(), read(raw)
    for row in rows:
        for _, name, _ in COLUMNS:
            if name in row:
                figures.add((row["n"], row["objects"], name), row[name])
    sizes = unique((r["n"], r["objects"]) for r in rows)
    with open(f"{folder}/objects.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, sizes))
    write_json(f"{folder}/objects.json", rows)
    plot(f"{folder}/objects.svg", "cost of shared objects", "objects", {
        f"{label.split(',')[0]}, {n} processes": points(figures, [
            (o, (m, o, name)) for m, o in sizes if m == n and o])
        for n in unique(n for n, _ in sizes) for label, name, _ in COLUMNS if name != "disk"})


main()
