/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is freed all at once: everything an image points to. */
#ifndef XCKPT_ARENA_H
#define XCKPT_ARENA_H

#include <stddef.h>

struct arena_piece;

struct arena {
	struct arena_piece *pieces;
};

/* All return zeroed memory, or NULL after one line on stderr. */
void *arena_alloc(struct arena *a, size_t nr, size_t size);
/* Room for one more behind the @nr entries of @list, which may move; doubles when it is full. */
void *arena_grow(struct arena *a, void *list, size_t nr, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

#endif
