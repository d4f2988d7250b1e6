#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""work.py: waits for the end of its input, then prints what some work took: "python3 NS"."""
import sys
import time


def work():
    words = {}
    for i in range(60000):
        word = f"{i * i % 9973:x}"
        words[word] = words.get(word, 0) + i
    return sorted(words.items(), key=lambda item: (-item[1], item[0]))[:10]


print("ready", flush=True)
sys.stdin.read()
for _ in range(3):
    start = time.monotonic_ns()
    work()
    print("python3", time.monotonic_ns() - start, flush=True)
