# SPDX-License-Identifier: GPL-2.0-or-later
"""files.py GO: reads and writes "data", which it locks, appends to "log", writes
"deep/in/note"; then waits until GO is there. What it reads and writes after that
tells which files it has."""
import fcntl
import os
import sys
import time

data = open('data', 'r+', encoding='ascii')
log = open('log', 'a', encoding='ascii')
note = open('deep/in/note', 'w', encoding='ascii')
fcntl.flock(data, fcntl.LOCK_EX)
print('began', file=log, flush=True)
print(data.readline(), end='', file=note, flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
print(data.readline(), end='', file=log)
data.seek(0, 2)
data.write('third\n')
