# SPDX-License-Identifier: GPL-2.0-or-later
"""undisturbed.py GO FOLDER: has in FOLDER a file with a write lease, a watched folder, one
more with a file that lost its name, a mapped file that it has open for writing and one
that it has not; and a pipe that signals. Once GO is there it tells what it noticed."""
import ctypes
import fcntl
import mmap
import os
import signal
import sys
import time

# all events but that of a read, which it takes to pack a file
IN_NONBLOCK, IN_MOST_EVENTS = 0o4000, 0xffe
go, folder = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
signals = []
signal.signal(signal.SIGIO, lambda *args: signals.append(args[0]))
os.chdir(folder)
os.makedirs('deep/names')

leased = os.open('leased', os.O_RDWR | os.O_CREAT, 0o600)
os.write(leased, b'leased\n')
fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)

for name in ('written', 'still'):
    with open(name, 'wb') as file:
        file.write(name.encode() * 1000)
written = os.open('written', os.O_RDWR)
maps = [mmap.mmap(written, 0, mmap.MAP_PRIVATE, mmap.PROT_READ)]
with open('still', 'rb') as still:
    maps.append(mmap.mmap(still.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ))

lost = open('deep/names/lost', 'w', encoding='ascii')
os.link('deep/names/lost', 'deep/names/found')
os.unlink('deep/names/lost')

reading, writing = os.pipe()
os.close(writing)
fcntl.fcntl(reading, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)

watches = [libc.inotify_init1(IN_NONBLOCK) for _ in range(2)]
libc.inotify_add_watch(watches[0], b'.', IN_MOST_EVENTS)
libc.inotify_add_watch(watches[1], b'deep/names', IN_MOST_EVENTS)

print('ready', flush=True)
while not os.path.exists(go):
    time.sleep(0.05)
try:
    events = os.read(watches[0], 4096)
except BlockingIOError:
    events = b''
lease = fcntl.fcntl(leased, fcntl.F_GETLEASE)
print(f'signals {len(signals)} events {events!r} lease {lease == fcntl.F_WRLCK} '
      f'position {os.lseek(leased, 0, os.SEEK_CUR)}')
