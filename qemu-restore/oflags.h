/* SPDX-License-Identifier: GPL-2.0-or-later */
/* O_* of x86-64: their values differ from other machines'. */
#ifndef OFLAGS_H
#define OFLAGS_H

#include <stddef.h>
#include <stdint.h>

/* To what open(2) takes here, without what would create or truncate. */
int oflags_to_host(uint64_t x86);

/* As text: "O_RDWR|O_APPEND". */
void oflags_text(uint64_t x86, char *buf, size_t len);

#endif
