/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SPACE_H
#define SPACE_H

#include <stdint.h>

/* The end of what a process can map on this machine: a power of two, 2^47 at most. */
uint64_t space_top(void);

#endif
