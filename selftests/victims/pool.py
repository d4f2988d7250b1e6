# SPDX-License-Identifier: GPL-2.0-or-later
"""pool.py LINES: a pool of 8 workers, a queue, a lock and memory that they share."""

import multiprocessing as mp
import sys

total = None
table = None
lines = None


def step(n):
    """One line's worth of work, and a trace of it in what is shared."""
    value = n
    for i in range(20000):
        value = (value * 31 + i) % 1000003
    with total.get_lock():
        total.value += 1
    table[n] = value
    lines.put((n, value))
    return n, value


def main():
    global total, table, lines
    count = int(sys.argv[1])
    mp.set_start_method("fork")
    total = mp.Value("i", 0)
    table = mp.Array("i", count)
    lines = mp.Queue()
    with mp.Pool(8) as pool:
        for n, value in pool.imap(step, range(count)):
            print(n, value, flush=True)
            assert table[n] == value
        # leaving the pool ends its workers, and what they have not sent yet is lost
        got = sorted(lines.get() for _ in range(count))
    print("all in the queue:", [v for _, v in got] == list(table))
    print("all counted:", total.value == count)


main()
