# SPDX-License-Identifier: GPL-2.0-or-later
"""python3.py LINES: hashes, JSON, dictionaries, generators, floats, cycles for the collector."""

import gc
import hashlib
import json
import os
import random
import re
import sys

PID = os.getpid()


class Node:
    """Half of a reference cycle that only the collector can free."""

    freed = 0

    def __init__(self):
        self.other = None

    def __del__(self):
        Node.freed += 1


def residues():
    """An endless generator: its frame lives across the dump."""
    x = 1
    while True:
        x = (x * 48271) % 2147483647
        yield x


def cycle():
    a, b = Node(), Node()
    a.other, b.other = b, a


def main():
    lines = int(sys.argv[1])
    numbers, rng = residues(), random.Random(7)
    table, digest, ratio = {}, hashlib.sha256(), 0.0
    with open("python3.table", "w", encoding="ascii") as out:
        for i in range(lines):
            total = sum(next(numbers) for _ in range(45000))
            ratio += total / 7.0 + rng.random()
            table[f"key{i}"] = [total / 3.0, str(total), {"n": i, "t": (i, total)}]
            text = json.dumps(table, sort_keys=True)
            table = json.loads(text)
            digest.update(text.encode())
            cycle()
            if i % 10 == 9:
                gc.collect()
            out.write(f"{i} {total} {digest.hexdigest()}\n")
            print(i, total, f"{ratio:.9f}", flush=True)
    gc.collect()
    print("digits", re.sub(r"\d+", lambda m: str(len(m.group())), text)[:60])
    print("freed", Node.freed, "of", 2 * lines)
    print("pid kept", os.getpid() == PID, "threads", len(os.listdir("/proc/self/task")) > 0)


main()
