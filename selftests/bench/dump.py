#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dump.py RAW FOLDER: dump.json, dump.md and dump.svg from lines of JSON."""
import sys

from figures import Figures, plot, points, read, spread, table, unique, write_json

TOOLS = {"memcpy": "memcpy", "dd": "dd", "xckpt": "xckpt-dump", "thin": "--thin",
         "stream": "-o - >file", "null": "-o - >/dev/null", "criu": "CRIU", "gcore": "gcore"}
KINDS = {"4k": "written memory", "zeros": "memory, each second page of it all zeroes",
         "sparse": "memory, each second page of it never touched"}
AGAINST = ["criu", "gcore", "dd", "memcpy"]


def ratios(figures, sizes):
    """Of the default and of a stream to each other way; a quarter is four times as fast."""
    rows = []
    for kind, mib in sizes:
        for tool in "xckpt", "stream":
            rows.append([f"{mib} MiB {kind}", TOOLS[tool], *(
                spread(figures.ratios((kind, mib, tool, "total_ns"),
                                      (kind, mib, other, "total_ns"))) for other in AGAINST)])
    return table(["memory", "", *(f"time / {TOOLS[t]}" for t in AGAINST)], rows)


def rates(figures, sizes, tools):
    return table(["memory", *(TOOLS[t] for t in tools)], [
        [f"{mib} MiB {kind}", *(spread([mib * 1e9 / ns for ns in figures.values.get(
            (kind, mib, t, "total_ns"), [])]) for t in tools)] for kind, mib in sizes])


def cells(figures, sizes, tools, name, scale):
    return table(["memory", *(TOOLS[t] for t in tools)], [
        [f"{mib} MiB {kind}", *(figures.cell((kind, mib, t, name), scale) for t in tools)]
        for kind, mib in sizes])


def markdown(figures, sizes, tools):
    files = [t for t in tools if t not in ("memcpy", "null")]
    text = ("# What a dump takes\n\nAll memory of a program that goes on, into files on a tmpfs: "
            "xckpt-dump, as a directory (with what\nthe program's file and libraries hold, and "
            "--thin without) and as a stream; `criu dump --leave-running`;\ngcore (gdb); dd of "
            "/proc/PID/mem; beside them a memcpy of the same size to new memory. Median "
            "(least–most),\nof the whole command, in an emulated machine: only ratios mean "
            "anything. Each ratio is of one run.\n\n" +
            "".join(f"- {kind}: {KINDS[kind]}\n" for kind in unique(k for k, _ in sizes)) + "\n")
    text += ratios(figures, sizes)
    text += "## Time, ms\n\n" + cells(figures, sizes, tools, "total_ns", 1e6)
    text += "## MiB of memory per second\n\n" + rates(figures, sizes, tools)
    text += "## MiB on disk\n\n" + cells(figures, sizes, files, "disk", 1 << 20)
    return text


def main():
    raw, folder = sys.argv[1:]
    figures, rows = Figures(), read(raw)
    for row in rows:
        for name in "total_ns", "disk":
            figures.add((row["kind"], row["mib"], row["tool"], name), row[name])
    sizes = unique((r["kind"], r["mib"]) for r in rows)
    tools = [t for t in TOOLS if any(r["tool"] == t for r in rows)]
    with open(f"{folder}/dump.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, sizes, tools))
    write_json(f"{folder}/dump.json", rows)
    plot(f"{folder}/dump.svg", "all of the memory to a file", "MiB of written memory", {
        TOOLS[t]: points(figures, [(mib, ("4k", mib, t, "total_ns"))
                                   for k, mib in sizes if k == "4k"]) for t in tools})


main()
