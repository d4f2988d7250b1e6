// SPDX-License-Identifier: GPL-2.0-or-later
#include "data_map.h"
#include "checksum.h"
#include "image.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE_MASK (~(uint64_t)(IMAGE_PAGE_SIZE - 1))

/* File systems may have smaller blocks than pages: then two pieces can meet in one. */
static int add(struct data_map *map, size_t *room, uint64_t from, uint64_t end)
{
	if (map->nr && map->ranges[map->nr - 1].end >= from) {
		map->ranges[map->nr - 1].end = end;
		return 0;
	}
	if (map->nr == *room) {
		size_t more = *room ? *room * 2 : 16;
		void *ranges = reallocarray(map->ranges, more, sizeof(*map->ranges));

		if (!ranges)
			return -1;
		map->ranges = ranges;
		*room = more;
	}
	map->ranges[map->nr++] = (struct data_range){ from, end };
	return 0;
}

int data_map_make(struct data_map *map, int fd, uint64_t size)
{
	uint64_t pos = 0;
	size_t room = 0;

	*map = (struct data_map){ 0 };
	while (pos < size) {
		int64_t data = next_data(fd, pos, size);

		if (data < 0)
			return -1;
		if ((uint64_t)data >= size)
			break;
		pos = (next_hole(fd, (uint64_t)data, size) + IMAGE_PAGE_SIZE - 1) & PAGE_MASK;
		if (pos > size)
			pos = size;
		if (add(map, &room, (uint64_t)data & PAGE_MASK, pos))
			return -1;
	}
	return 0;
}

void data_map_free(struct data_map *map)
{
	free(map->ranges);
	*map = (struct data_map){ 0 };
}

size_t data_map_find(const struct data_map *map, uint64_t offset)
{
	size_t low = 0, high = map->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (map->ranges[middle].end > offset)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}
