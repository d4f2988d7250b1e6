// SPDX-License-Identifier: GPL-2.0-or-later
/* Where files have data, and an image's contents as they are handed out while it is checked. */
#include "common.h"
#include "data_map.h"
#include "image.h"

#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ull

static void put(int fd, uint64_t offset, size_t len)
{
	char bytes[2 * PAGE];

	memset(bytes, 1, sizeof(bytes));
	if (pwrite(fd, bytes, len, (off_t)offset) != (ssize_t)len)
		err(1, "pwrite");
}

static void test_map(void)
{
	const uint64_t size = 100 * PAGE + 10;
	int fd = memfd_create("sparse", 0);
	struct data_map map;

	check(!data_map_make(&map, fd, 0) && !map.nr && data_map_find(&map, 0) == 0,
	      "an empty file has no data");
	data_map_free(&map);
	if (ftruncate(fd, (off_t)size))
		err(1, "ftruncate");
	check(!data_map_make(&map, fd, size) && !map.nr, "nor has one that is a hole");
	data_map_free(&map);
	put(fd, 3 * PAGE, 2 * PAGE);
	put(fd, 50 * PAGE + 100, 1);
	put(fd, size - 1, 1);
	check(!data_map_make(&map, fd, size) && map.nr == 3, "pieces of data");
	check(map.ranges[0].from == 3 * PAGE && map.ranges[0].end == 5 * PAGE, "two pages");
	check(map.ranges[1].from == 50 * PAGE && map.ranges[1].end == 51 * PAGE,
	      "the whole page of a byte");
	check(map.ranges[2].from == 100 * PAGE && map.ranges[2].end == size,
	      "the last page ends with the file");
	check(data_map_find(&map, 0) == 0 && data_map_find(&map, 5 * PAGE - 1) == 0 &&
		      data_map_find(&map, 5 * PAGE) == 1 && data_map_find(&map, 60 * PAGE) == 2 &&
		      data_map_find(&map, size) == 3,
	      "they are found by offset");
	data_map_free(&map);
	close(fd);
}

/* What has been handed out of one core. */
struct taken {
	pthread_mutex_t lock;
	const struct image_process *process;
	char *bytes;
	unsigned char *times; /* by page */
	bool strange;
};

static void take(void *ctx, const struct image_process *p, uint64_t offset, const void *data,
		 size_t len)
{
	struct taken *t = ctx;

	pthread_mutex_lock(&t->lock);
	if (p != t->process || offset % PAGE || offset + len > p->core_size)
		t->strange = true;
	else
		memcpy(t->bytes + offset, data, len);
	for (uint64_t at = offset; at < offset + len && !t->strange; at += PAGE)
		t->times[at / PAGE]++;
	pthread_mutex_unlock(&t->lock);
}

/* Each page of data once, holes not at all, and what the file has. */
static bool is_all(const struct taken *t)
{
	uint64_t size = t->process->core_size;
	char *file = malloc(size);
	bool good = file && pread(t->process->core_fd, file, size, 0) == (ssize_t)size &&
		    memcmp(file, t->bytes, size) == 0;

	for (uint64_t at = 0; at < size; at += PAGE) {
		size_t i = data_map_find(&t->process->data, at);
		bool data = i < t->process->data.nr && t->process->data.ranges[i].from <= at;

		good = good && t->times[at / PAGE] == data;
	}
	free(file);
	return good;
}

static void damage(const char *dir, uint64_t offset)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/42.core", dir);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		err(1, "%s", path);
	put(fd, offset, 64);
	close(fd);
}

static void test_take(const char *dir)
{
	struct taken t = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct image *img = image_open(dir);
	uint64_t left = 1, size;

	if (!img)
		errx(1, "no image");
	t.process = &img->processes[0];
	size = t.process->core_size;
	t.bytes = calloc(1, size);
	t.times = calloc(1, size / PAGE + 1);
	check(image_take(img, 3, 0, &left, take, NULL, &t) == 0 && !left, "an image is taken");
	check(!t.strange && is_all(&t), "all of its data, each page once, and no hole");
	damage(dir, t.process->data.ranges[t.process->data.nr - 1].end - PAGE);
	quiet_begin();
	check(image_take(img, 3, 0, &left, take, NULL, &t) == -1 &&
		      strstr(quiet_end(), "is damaged"),
	      "one that is damaged is not");
	free(t.bytes);
	free(t.times);
	image_close(img);
}

int main(void)
{
	char *dir = in_scratch("img");

	image_make(dir, &plain_spec);
	test_map();
	test_take(dir);
	return check_end();
}
