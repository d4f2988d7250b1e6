/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XCKPT_PLACE_H
#define XCKPT_PLACE_H

#include <stdint.h>

/* How far a directory was read: the names before, in any order. */
struct directory_place {
	uint64_t names; /* 0: not known */
	uint64_t sum; /* of their XXH64 */
};

/*
 * The place of position @pos of the directory @fd, whose own position is lost: 1; 0 if no
 * entry ends there, and @place is its end then, all names, or not known. -1 with errno.
 */
int directory_place_of(int fd, int64_t pos, struct directory_place *place);

/* The position of @fd that has the names of @place before it; -1: there is none. */
int64_t directory_place_find(int fd, const struct directory_place *place);

#endif
