/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a file with holes has data. Found once for each file: to find where a piece
 * of data ends, a tmpfs looks at every page of it.
 */
#ifndef XCKPT_DATA_MAP_H
#define XCKPT_DATA_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Bytes [from, end) of the file: pages, of which the last one may be cut by the file's end. */
struct data_range {
	uint64_t from, end;
};

/* Ascending; between two ranges is a hole. */
struct data_map {
	struct data_range *ranges;
	size_t nr;
};

/* Of @fd's first @size bytes. 0, or -1 with errno; either needs data_map_free(). */
int data_map_make(struct data_map *map, int fd, uint64_t size);
void data_map_free(struct data_map *map);
/* The first range that ends behind @offset; map->nr when there is none. */
size_t data_map_find(const struct data_map *map, uint64_t offset);

#endif
