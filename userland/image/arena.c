// SPDX-License-Identifier: GPL-2.0-or-later
#include "arena.h"
#include "report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_piece {
	struct arena_piece *next;
	_Alignas(64) unsigned char data[];
};

void *arena_alloc(struct arena *a, size_t nr, size_t size)
{
	struct arena_piece *piece = NULL;
	size_t bytes;

	if (!__builtin_mul_overflow(nr, size, &bytes) && bytes < PTRDIFF_MAX / 2)
		piece = aligned_alloc(64, sizeof(*piece) + ((bytes + 63) & ~(size_t)63));
	if (!piece) {
		fail("cannot allocate %zu times %zu bytes: out of memory", nr, size);
		return NULL;
	}
	memset(piece->data, 0, bytes);
	piece->next = a->pieces;
	a->pieces = piece;
	return piece->data;
}

void *arena_grow(struct arena *a, void *list, size_t nr, size_t size)
{
	void *more;

	if (nr & (nr - 1)) /* there is room up to the next power of two */
		return list;
	more = arena_alloc(a, nr ? nr * 2 : 1, size);
	if (more && nr)
		memcpy(more, list, nr * size);
	return more;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = arena_alloc(a, len, 1);

	return copy ? memcpy(copy, s, len) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char *copy = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len >= 0)
		copy = arena_alloc(a, (size_t)len + 1, 1);
	if (copy) {
		va_start(ap, fmt);
		vsnprintf(copy, (size_t)len + 1, fmt, ap);
		va_end(ap);
	}
	return copy;
}

void arena_free(struct arena *a)
{
	while (a->pieces) {
		struct arena_piece *next = a->pieces->next;

		free(a->pieces);
		a->pieces = next;
	}
}
