/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DIRTY_H
#define DIRTY_H

#include <stdbool.h>

/* Does the kernel tell which memory was written to since it was asked (clear_refs, pagemap)? */
bool dirty_is_told(void);

#endif
