# SPDX-License-Identifier: GPL-2.0-or-later
"""names.py FOLDER GO: reads the first names of FOLDER, says so, and the others once GO is
there; then tells how many it was told of, and how many of them are different."""
import os
import sys
import time

entries = os.scandir(sys.argv[1])
names = [next(entries).name for _ in range(100)]
print('began', flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.05)
names += [entry.name for entry in entries]
print(len(names), len(set(names)))
