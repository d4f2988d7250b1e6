#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Spoils images, so that tests see whether that is noticed.

spoil.py flip FILE OFFSET          invert one byte
spoil.py machine FILE N            set e_machine of an ELF file
spoil.py offsets FILE PART N       N offsets spread over head, phdrs, notes or contents
spoil.py hostile KIND NAME         a tar stream on stdout that must be refused
spoil.py elf32 FILE                a 32-bit program that sleeps for ever
"""

import io
import os
import struct
import sys
import tarfile


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(int(offset))
        byte = f.read(1)
        f.seek(int(offset))
        f.write(bytes([byte[0] ^ 0xFF]))


def machine(path, number):
    with open(path, "r+b") as f:
        f.seek(18)
        f.write(struct.pack("<H", int(number)))


def offsets(path, part, count):
    with open(path, "rb") as f:
        head = f.read(64)
        phoff, phnum = struct.unpack_from("<Q", head, 32)[0], struct.unpack_from("<H", head, 56)[0]
        f.seek(phoff)
        phdrs = [struct.unpack("<IIQQQQQQ", f.read(56)) for _ in range(phnum)]
    notes = [(p[2], p[2] + p[5]) for p in phdrs if p[0] == 4]
    loads = [(p[2], p[2] + p[5]) for p in phdrs if p[0] == 1 and p[5]]
    parts = {
        "head": [(0, 64)],
        "phdrs": [(phoff, phoff + 56 * phnum)],
        "notes": notes,
        "contents": loads,
    }[part]
    total, count = sum(b - a for a, b in parts), int(count)
    for i in range(min(count, total)):
        at = i * total // count
        for a, b in parts:
            if at < b - a:
                print(a + at)
                break
            at -= b - a


def hostile(kind, name):
    out = tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT)
    info = tarfile.TarInfo({"absolute": name, "dotdot": "../" * 9 + name}.get(kind, "image/x"))
    data = b"should never be written\n"
    if kind == "symlink":
        info.type, info.linkname, data = tarfile.SYMTYPE, name, b""
    elif kind == "hardlink":
        info.type, info.linkname, data = tarfile.LNKTYPE, name, b""
    elif kind == "device":
        info.type, data = tarfile.CHRTYPE, b""
    info.size = len(data)
    out.addfile(info, io.BytesIO(data))
    out.close()


def elf32(path):
    code = bytes.fromhex("b81d000000cd80ebf7")  # pause(); again
    base = 0x08048000
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    size = 84 + len(code)
    phdr = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
    with open(path, "wb") as f:
        f.write(head + phdr + code)
    os.chmod(path, 0o755)


COMMANDS = {f.__name__: f for f in (flip, machine, offsets, hostile, elf32)}

if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
    sys.exit(__doc__)
COMMANDS[sys.argv[1]](*sys.argv[2:])
