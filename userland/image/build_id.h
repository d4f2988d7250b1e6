/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XCKPT_BUILD_ID_H
#define XCKPT_BUILD_ID_H

#define BUILD_ID_MAX 64 /* bytes; no linker makes longer ones */
#define BUILD_ID_ROOM (2 * BUILD_ID_MAX + 1)

/* The build-id of the ELF file @fd in hex; "" when it has none, or is no ELF file. */
void build_id_read(int fd, char hex[BUILD_ID_ROOM]);

#endif
