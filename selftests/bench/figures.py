# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reports share: rows of JSON, medians, ratios, tables, graphs."""
import json
import subprocess
import sys
from statistics import median


def number(x):
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}"


def spread(values):
    """median (least–most)"""
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
        """Of the medians; None where one is missing."""
        a, b = self.values.get(a), self.values.get(b)
        return median(a) / median(b) if a and b else None

    def ratios(self, a, b):
        """Of each measurement and the one that was made beside it."""
        return [x / y for x, y in zip(self.values.get(a, []), self.values.get(b, [])) if y]

    def judged(self, what, a, b, limit):
        """What verdicts() wants of a ratio and what it may be at most."""
        return what, self.ratio(a, b), self.ratios(a, b), limit, None

    def cell(self, key, scale=1e6):
        return spread([x / scale for x in self.values.get(key, [])])


def middle(figures, key):
    values = figures.values.get(key)
    return median(values) if values else None


def read(path):
    """The lines that are whole: where a machine died, the last one may not be."""
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.startswith("{") and line.endswith("}\n")]
    return rows or sys.exit(f"no figures in {path}")


def write_json(path, what):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(what, f, indent=1)


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines) + "\n"


def verdict(value, limit):
    if value is None:
        return "not measured"
    return "" if limit is None else "PASS" if value <= limit else "MISS"


def verdicts(judged):
    """judged: (what, ratio of medians, ratios of each run, limit, word that settles it). All but
    the first may be None."""
    return table(["must hold", "at most", "medians", "runs: median (least–most)", ""], [
        [what, "–" if limit is None else f"{limit:.4g}",
         "–" if ratio is None else f"{ratio:.4g}", spread(ratios), word or verdict(ratio, limit)]
        for what, ratio, ratios, limit, word in judged])


def plot(path, title, xlabel, lines, ylabel="ms", logarithmic="xy"):
    """lines: name -> [(x, median, least, most)]. Of nothing there is no graph."""
    lines = {name: rows for name, rows in lines.items() if rows}
    if not lines:
        return
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
    """bars: name of a colour -> name of a group -> values, shown as median, least and most.
    Of nothing there is no chart."""
    if not bars:
        return
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


def unique(items):
    return list(dict.fromkeys(items))
