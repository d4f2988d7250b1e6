# SPDX-License-Identifier: GPL-2.0-or-later
"""files.py GO: reads and writes "data", which it locks, appends to "log", writes
"deep/in/note", has "table" mapped to be read, watches its folder; then waits until GO
is there. What it reads and writes after that tells which files it has, and that nobody
has opened any of them meanwhile."""
import ctypes
import fcntl
import mmap
import os
import sys
import time

data = open('data', 'r+', encoding='ascii')
log = open('log', 'a', encoding='ascii')
note = open('deep/in/note', 'w', encoding='ascii')
table = os.open('table', os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
# the module "mmap" would keep the file open
rows = ctypes.cast(libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, mmap.MAP_SHARED, table,
                             ctypes.c_long(0)), ctypes.POINTER(ctypes.c_char))
os.close(table)
fcntl.flock(data, fcntl.LOCK_EX)
print('began', file=log, flush=True)
print(data.readline(), end='', file=note, flush=True)
events = libc.inotify_init1(os.O_NONBLOCK)
libc.inotify_add_watch(events, b'.', 0x20)  # IN_OPEN
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
try:
    print('opened:', os.read(events, 4096), file=log)
except BlockingIOError:
    pass
print(data.readline(), end='', file=log)
data.seek(0, 2)
data.write('third\n')
print(rows[:3].decode(), file=open('seen', 'w', encoding='ascii'))
