#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report.py RAW FOLDER: freeze.json, freeze.md and freeze-*.svg from lines of JSON."""
import json
import subprocess
import sys
from statistics import median

MEMORY_LIMIT_KIB = 16 * 1024


def number(x):
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"


def spread(values):
    if not values:
        return "–"
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


class Figures:
    """The values of one kind, all runs of them, under a key."""

    def __init__(self):
        self.values = {}

    def add(self, key, *values):
        self.values.setdefault(key, []).extend(values)

    def ratio(self, a, b):
        """Of the medians, and of the best of each; None where one is missing."""
        a, b = self.values.get(a), self.values.get(b)
        return (median(a) / median(b), min(a) / min(b)) if a and b else None

    def ratios(self, a, b):
        """Of each measurement and the one that was made beside it."""
        return [x / y for x, y in zip(self.values.get(a, []), self.values.get(b, [])) if y]

    def cell(self, key, scale=1e6):
        return spread([x / scale for x in self.values.get(key, [])])


def read(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.startswith("{")]


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


def judge(figures, sizes, crowds, tool):
    """(what, figure, limit) for each ratio; figure None: not measured, limit None: to compare."""
    def pause(kind, other):
        return figures.ratio(("gap_ns", kind, 512, tool), other)

    yield ("pause / CRIU frozen_time, 512 MiB of 4K pages",
           pause("4k", ("frozen_ns", "4k", 512, "criu")), 1 / 60)
    yield ("pause / fork(), 512 MiB of 4K pages",
           pause("4k", ("total_ns", "4k", 512, "fork")), 1.5)
    yield ("pause / CRIU frozen_time, 512 MiB of THP",
           pause("thp", ("frozen_ns", "thp", 512, "criu")), 1 / 150)
    for kind in ("4k", "thp"):
        yield (f"(no limit: fork() / CRIU frozen_time, 512 MiB of {kind})",
               figures.ratio(("total_ns", kind, 512, "fork"), ("frozen_ns", kind, 512, "criu")),
               None)
    for kind, mib in sizes:
        if kind != "writers":
            yield (f"total / CRIU total, {mib} MiB of {kind}",
                   figures.ratio(("total_ns", kind, mib, tool), ("total_ns", kind, mib, "criu")),
                   0.5)
    for victim, n in crowds:
        key = ("latency", victim, n)
        yield (f"latency soft / cgroup.freeze, {n} ({victim})",
               figures.ratio((*key, "soft"), (*key, "cgroup")), 0.5)
    key = ("latency", "threads", 1000)
    yield ("latency strict / cgroup.freeze, 1000 threads",
           figures.ratio((*key, "strict"), (*key, "cgroup")), 1.0)
    own = figures.values.get(("own",))
    yield ("module's memory / 16 MiB, snapshot of 1 GiB, without copied pages and page tables",
           (median(own) / MEMORY_LIMIT_KIB, min(own) / MEMORY_LIMIT_KIB) if own else None, 1.0)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def verdicts(figures, sizes, crowds, tool):
    rows = []
    for what, figure, limit in judge(figures, sizes, crowds, tool):
        most = "–" if limit is None else f"{limit:.4g}"
        if figure is None:
            rows.append([what, most, "–", "–", "not measured"])
        else:
            word = "" if limit is None else "PASS" if figure[0] <= limit else "MISS"
            rows.append([what, most, f"{figure[0]:.4g}", f"{figure[1]:.4g}", word])
    return table(["must hold", "at most", "medians", "best of each", ""], rows)


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
    text += verdicts(figures, sizes, crowds, tool)
    text += "## Freeze latency\n\n" + table(["victim", *methods], [
        [f"{n} {'processes' if v == 'tree' else 'threads'}",
         *(figures.cell(("latency", v, n, m)) for m in methods)] for v, n in crowds])
    text += ("## Pause\n\nThe longest time that a thread of the target did not run, around the "
             "freeze. Beside it how long a gap the\nsame thread sees with nothing going on (idle): "
             "the noise of this machine, which is in all of them.\nOf CRIU also its own "
             "frozen_time, of fork() the time in the parent.\n\n")
    text += table(["memory", "idle", "fork()", *xckpt, "CRIU", "CRIU frozen_time"], [
        [f"{mib} MiB {kind}", figures.cell(("gap_ns", kind, mib, "idle")),
         figures.cell(("total_ns", kind, mib, "fork")),
         *(figures.cell(("gap_ns", kind, mib, t)) for t in xckpt),
         figures.cell(("gap_ns", kind, mib, "criu")),
         figures.cell(("frozen_ns", kind, mib, "criu"))] for kind, mib in sizes])
    text += "## Total\n\nOf the whole command, image on a tmpfs.\n\n"
    text += table(["memory", *xckpt, "CRIU"], [
        [f"{mib} MiB {kind}", *(figures.cell(("total_ns", kind, mib, t)) for t in [*xckpt, "criu"])]
        for kind, mib in sizes])
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


def plot(path, title, xlabel, lines, ylabel="ms", logarithmic="xy"):
    """lines: name -> [(x, median, least, most)]."""
    blocks, curves = [], []
    xs = sorted({p[0] for rows in lines.values() for p in rows})
    for nr, (name, points) in enumerate(lines.items()):
        data = "\n".join(" ".join(f"{v:g}" for v in p) for p in points)
        blocks.append(f"$d{nr} << END\n{data}\nEND\n")
        curves.append(f"$d{nr} with yerrorlines title '{name}'")
    script = (f"set terminal svg size 800,500; set output '{path}'\nset title '{title}'\n"
              f"set xlabel '{xlabel}'; set ylabel '{ylabel}'; set logscale {logarithmic}; set grid\n"
              f"set xtics ({', '.join(map(str, xs))}); set xrange [{xs[0] * .8}:{xs[-1] * 1.25}]; "
              "set key outside right noenhanced\n" + "".join(blocks) +
              "plot " + ", ".join(curves) + "\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def chart(path, title, names, bars):
    """bars: name of a colour -> name of a group -> values, shown as median, least and most."""
    blocks, columns = [], []
    for nr, (label, groups) in enumerate(bars.items()):
        data = "\n".join(" ".join([name, *(f"{f(groups[name]):g}" for f in (median, min, max))])
                         for name in names if name in groups)
        blocks.append(f"$d{nr} << END\n{data}\nEND\n")
        columns.append(f"$d{nr} using 2:3:4:xtic(1) title '{label}'")
    script = (f"set terminal svg size 1100,500; set output '{path}'\nset title '{title}'\n"
              "set style data histograms; set style histogram errorbars gap 2; set style fill solid "
              "0.7\nset yrange [0:*]; set grid y; set xtics rotate by -30 noenhanced; "
              "set key outside top horizontal noenhanced\n" + "".join(blocks) +
              "plot " + ", ".join(columns) + ", 1 notitle with lines lt -1\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def points(figures, keys, scale=1e6):
    rows = [(x, figures.values.get(key)) for x, key in keys]
    return [(x, *(f(v) / scale for f in (median, min, max))) for x, v in rows if v]


def plots(figures, sizes, crowds, tools, folder):
    lines = {}
    for kind in ("4k", "thp"):
        for tool in tools:
            name = "total_ns" if tool == "fork" else "gap_ns"
            if tool != "idle":
                lines[f"{tool}, {kind}"] = points(figures, [
                    (mib, (name, kind, mib, tool)) for k, mib in sizes if k == kind])
    lines = {name: p for name, p in lines.items() if p}
    if lines:
        plot(f"{folder}/freeze-pause.svg", "pause of the target", "MiB", lines)
    lines = {m: points(figures, [(n, ("latency", v, n, m)) for v, n in crowds if v == "threads"])
             for m in ("soft", "auto", "strict", "cgroup", "sigstop")}
    lines = {name: p for name, p in lines.items() if p}
    if lines:
        plot(f"{folder}/freeze-latency.svg", "time until all threads stand still", "threads", lines)


def unique(items):
    return list(dict.fromkeys(items))


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
    with open(f"{folder}/freeze.json", "w", encoding="utf-8") as f:
        json.dump({"raw": rows, "medians": medians}, f, indent=1)
    plots(figures, sizes, crowds, tools, folder)


if __name__ == "__main__":
    main()
