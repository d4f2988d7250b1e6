# SPDX-License-Identifier: GPL-2.0-or-later
"""demo.py LINES: digits of pi, 20 a line, each line harder than the one before."""

import sys


def digits():
    """Gibbons' unbounded spigot: all of its state are numbers in memory."""
    q, r, t, k, n, m = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < n * t:
            yield n
            q, r, n = 10 * q, 10 * (r - n * t), 10 * (3 * q + r) // t - 10 * n
        else:
            q, r, t, k, n, m = (
                q * k,
                (2 * q + r) * m,
                t * m,
                k + 1,
                (q * (7 * k + 2) + r * m) // (t * m),
                m + 2,
            )


def main():
    lines, pi, seen = int(sys.argv[1]), digits(), 0
    for line in range(1, lines + 1):
        text = "".join(str(next(pi)) for _ in range(20))
        seen += sum(map(int, text))
        print(f"{line:3}  {text}  digits so far add up to {seen}", flush=True)


main()
