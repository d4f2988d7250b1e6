#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""resume.py RAW FOLDER: resume.json, resume.md and resume.svg from lines of JSON."""
import sys

from figures import Figures, plot, points, read, spread, table, unique, verdicts, write_json

TOOLS = ["read", "criu", "native", "qemu"]
NAMES = {"4k": "written memory", "thp": "written memory in huge pages",
         "file": "memory of a file, only read"}
RATIOS = {"native / criu": ("native", "criu"), "qemu / criu": ("qemu", "criu")}
# for 1 GiB of written memory, in either kind of pages: (what, against what, at most)
LIMITS = [("native", "read", 1.2), ("qemu", "read", 1.5), ("native", "criu", 0.5)]


def judge(figures):
    for kind in ("4k", "thp"):
        for tool, other, limit in LIMITS:
            yield figures.judged(f"{tool} / {other}, 1 GiB of {NAMES[kind]}",
                                 (kind, 1024, tool), (kind, 1024, other), limit)


def main():
    raw, folder = sys.argv[1:]
    figures, lines = Figures(), read(raw)
    for row in lines:
        if "tool" in row:
            figures.add((row["kind"], row["mib"], row["tool"]), row["answer_ns"])
    sizes = unique((r["kind"], r["mib"]) for r in lines)
    text = ("# What a resume costs\n\nFrom the start of the command until the program answers, in ms: "
            "median (least–most). read: a\nparallel read of the image's core into new memory of such pages; "
            "criu: `criu restore` of the same\nprogram. Images are on a tmpfs, in an emulated machine: only "
            "ratios mean anything.\n\n" + verdicts(judge(figures)))
    text += "".join(f"Left out: {row['mib']} MiB of {NAMES[row['kind']]}: {row['left_out']}.\n\n"
                    for row in lines if "left_out" in row)
    for kind, name in NAMES.items():
        of_kind = [mib for k, mib in sizes if k == kind and (k, mib, "read") in figures.values]
        if not of_kind:
            continue
        text += f"## {name.capitalize()}\n\n" + table(["MiB", *TOOLS, *RATIOS], [
            [str(mib), *(figures.cell((kind, mib, t)) for t in TOOLS),
             *(spread(figures.ratios((kind, mib, a), (kind, mib, b))) for a, b in RATIOS.values())]
            for mib in of_kind])
    with open(f"{folder}/resume.md", "w", encoding="utf-8") as f:
        f.write(text)
    write_json(f"{folder}/resume.json", lines)
    for kind, name in NAMES.items():
        plot(f"{folder}/resume-{kind}.svg", "until a resumed program answers", f"MiB of {name}", {
            tool: points(figures, [(mib, (kind, mib, tool)) for k, mib in sizes if k == kind])
            for tool in TOOLS})


main()
