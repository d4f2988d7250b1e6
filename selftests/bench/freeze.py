#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""freeze.py RAW FOLDER: freeze.json, freeze.md and freeze-*.svg from lines of JSON."""
import sys
from statistics import median

from figures import Figures, plot, points, read, table, unique, verdicts, write_json

MEMORY_LIMIT_KIB = 16 * 1024


def collect(rows):
    figures = Figures()
    for row in rows:
        if row["part"] == "latency":
            figures.add(("latency", row["victim"], row["n"], row["method"]), *row["ns"])
        elif row["part"] == "pause":
            for name, value in row.items():
                if name.endswith("_ns"):
                    figures.add((name, row["kind"], row["mib"], row["tool"]), value)
        elif row["part"] == "memory":
            for name in ("MemFree", "Slab", "VmallocUsed", "PageTables", "copied"):
                figures.add((name,), row[name])
            own = -row["MemFree"] - row["PageTables"] - row["copied"]
            figures.add(("own",), own)
    return figures


CROWDS = {"threads": "threads", "asleep": "threads, all asleep", "tree": "processes"}


def judge(figures, sizes, crowds, tool):
    """What is held against a limit, or none: only to compare."""
    def pause(kind, other):
        return ("gap_ns", kind, 512, tool), other

    yield figures.judged("pause / CRIU frozen_time, 512 MiB of 4K pages",
                         *pause("4k", ("frozen_ns", "4k", 512, "criu")), 1 / 60)
    yield figures.judged("pause / fork(), 512 MiB of 4K pages",
                         *pause("4k", ("total_ns", "4k", 512, "fork")), 1.5)
    yield figures.judged("pause / CRIU frozen_time, 512 MiB of THP",
                         *pause("thp", ("frozen_ns", "thp", 512, "criu")), 1 / 150)
    for kind in ("4k", "thp"):
        yield figures.judged(f"(no limit: pause / gcore's, 512 MiB of {kind})",
                             *pause(kind, ("gap_ns", kind, 512, "gcore")), None)
        yield figures.judged(f"(no limit: fork() / CRIU frozen_time, 512 MiB of {kind})",
                             ("total_ns", kind, 512, "fork"), ("frozen_ns", kind, 512, "criu"), None)
    for kind, mib in sizes:
        if kind != "writers":
            yield figures.judged(f"total / CRIU total, {mib} MiB of {kind}",
                                 ("total_ns", kind, mib, tool), ("total_ns", kind, mib, "criu"), 0.5)
    for victim, n in crowds:
        key = ("latency", victim, n)
        yield figures.judged(f"latency soft / cgroup.freeze, {n} ({victim})",
                             (*key, "soft"), (*key, "cgroup"), 0.5)
        yield figures.judged(f"(no limit: latency soft / SIGSTOP, {n} ({victim}))",
                             (*key, "soft"), (*key, "sigstop"), None)
    key = ("latency", "threads", 1000)
    yield figures.judged("latency strict / cgroup.freeze, 1000 threads",
                         (*key, "strict"), (*key, "cgroup"), 1.0)
    parts = [kib / MEMORY_LIMIT_KIB for kib in figures.values.get(("own",), [])]
    yield ("module's memory / 16 MiB, snapshot of 1 GiB, without copied pages and page tables",
           median(parts) if parts else None, parts, 1.0, None)


def markdown(figures, machine, sizes, crowds, tools, runs):
    methods = ["soft", "auto", "strict", "cgroup", "sigstop"]
    xckpt = [t for t in tools if t.startswith("xckpt-")]
    tool = next((t for t in xckpt if t == "xckpt-auto"), xckpt[0] if xckpt else "xckpt-auto")
    text = "# What a freeze and a dump cost\n\n"
    text += ("Linux {kernel}, CRIU {criu}, xckpt {xckpt}; an emulated machine (QEMU TCG) with "
             "{cpus} processors and {mib} MiB.\n").format(**machine)
    text += (f"Times in ms: median (least–most), {runs['pause']} runs, of latency "
             f"{runs['latency']}. Only ratios within one run of\nthe target mean anything. "
             f"Verdicts are on medians, pauses as measured, of {tool}.\n\n")
    text += verdicts(judge(figures, sizes, crowds, tool))
    text += "## Freeze latency\n\n" + table(["victim", *methods], [
        [f"{n} {CROWDS[v]}",
         *(figures.cell(("latency", v, n, m)) for m in methods)] for v, n in crowds])
    text += ("## Pause\n\nThe longest time that a thread of the target did not run, around the "
             "freeze. Beside it how long a gap the\nsame thread sees with nothing going on (idle): "
             "the noise of this machine, which is in all of them.\nOf CRIU also its own "
             "frozen_time, of fork() the time in the parent.\n\n")
    text += table(["memory", "idle", "fork()", *xckpt, "CRIU", "CRIU frozen_time", "gcore"], [
        [f"{mib} MiB {kind}", figures.cell(("gap_ns", kind, mib, "idle")),
         figures.cell(("total_ns", kind, mib, "fork")),
         *(figures.cell(("gap_ns", kind, mib, t)) for t in xckpt),
         figures.cell(("gap_ns", kind, mib, "criu")),
         figures.cell(("frozen_ns", kind, mib, "criu")),
         figures.cell(("gap_ns", kind, mib, "gcore"))] for kind, mib in sizes])
    text += "## Total\n\nOf the whole command, image on a tmpfs.\n\n"
    text += table(["memory", *xckpt, "CRIU", "gcore"], [
        [f"{mib} MiB {kind}", *(figures.cell(("total_ns", kind, mib, t))
                                for t in [*xckpt, "criu", "gcore"])] for kind, mib in sizes])
    text += f"## Where the pause goes ({tool}, by the module's trace events)\n\n"
    stages = ["freeze", "snapshot", "clone", "capture", "thaw", "held"]
    text += ("snapshot contains clone and capture; held is all of it: what is not freeze, "
             "snapshot or thaw is\nthe work of xckpt-dump between them.\n\n")
    text += table(["memory", *stages], [
        [f"{mib} MiB {kind}", *(figures.cell((f"{s}_ns", kind, mib, tool)) for s in stages)]
        for kind, mib in sizes])
    text += "## Memory of a snapshot of 1 GiB (KiB)\n\n"
    names = ["MemFree", "Slab", "VmallocUsed", "PageTables", "copied", "own"]
    text += table(names, [[figures.cell((n,), 1) for n in names]])
    return text


def plots(figures, sizes, crowds, tools, folder):
    lines = {}
    for kind in ("4k", "thp"):
        for tool in tools:
            name = "total_ns" if tool == "fork" else "gap_ns"
            if tool != "idle":
                lines[f"{tool}, {kind}"] = points(figures, [
                    (mib, (name, kind, mib, tool)) for k, mib in sizes if k == kind])
    plot(f"{folder}/freeze-pause.svg", "pause of the target", "MiB", lines)
    lines = {m: points(figures, [(n, ("latency", v, n, m)) for v, n in crowds if v == "threads"])
             for m in ("soft", "auto", "strict", "cgroup", "sigstop")}
    plot(f"{folder}/freeze-latency.svg", "time until all threads stand still", "threads", lines)


def main():
    raw, folder = sys.argv[1:]
    rows = read(raw)
    figures = collect(rows)
    by_part = {p: [r for r in rows if r["part"] == p] for p in ("machine", "latency", "pause")}
    sizes = unique((r["kind"], r["mib"]) for r in by_part["pause"])
    crowds = unique((r["victim"], r["n"]) for r in by_part["latency"])
    tools = unique(r["tool"] for r in by_part["pause"])
    runs = {"latency": max((len(r["ns"]) for r in by_part["latency"]), default=0),
            "pause": max((len(v) for k, v in figures.values.items() if k[0] == "gap_ns"),
                         default=0)}
    with open(f"{folder}/freeze.md", "w", encoding="utf-8") as f:
        f.write(markdown(figures, by_part["machine"][0], sizes, crowds, tools, runs))
    medians = {" ".join(map(str, k)): median(v) for k, v in figures.values.items()}
    write_json(f"{folder}/freeze.json", {"raw": rows, "medians": medians})
    plots(figures, sizes, crowds, tools, folder)


if __name__ == "__main__":
    main()
