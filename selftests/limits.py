# SPDX-License-Identifier: GPL-2.0-or-later
"""limits.py MIB FILE: writes to all pages of MIB mebibytes of memory again and again, and
counts in FILE how often."""
import sys

PAGE = 4096
pages = int(sys.argv[1]) << 8
memory = bytearray(pages * PAGE)
turn = 0
while True:
    turn += 1
    memory[::PAGE] = bytes([turn & 255]) * pages
    with open(sys.argv[2], 'w', encoding='ascii') as file:
        file.write(str(turn))
