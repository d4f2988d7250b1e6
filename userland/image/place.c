// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How far a directory was read. Its position means something to its file system only: in
 * a copy another position has the same names before it, or none has.
 */
#include "place.h"
#include "checksum.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOM 65536

/* What getdents64(2) gives. */
struct entry {
	uint64_t ino;
	int64_t next; /* the position behind it */
	uint16_t size;
	uint8_t type;
	char name[];
};

/* @found tells whether @now, behind the entry that ends at @next, is the place. */
static int walk(int fd, struct directory_place *now, int64_t *at,
		bool (*found)(const void *ctx, const struct directory_place *now, int64_t next),
		const void *ctx)
{
	char *buf = malloc(ROOM);
	bool done = false;
	long n = -1;

	*now = (struct directory_place){ 0 };
	if (buf && !lseek(fd, 0, SEEK_SET))
		while (!done && (n = syscall(SYS_getdents64, fd, buf, ROOM)) > 0)
			for (long i = 0; i < n && !done;) {
				const struct entry *e = (const struct entry *)(buf + i);

				now->names++;
				/* in whatever order they come */
				now->sum += checksum_buffer(e->name, strlen(e->name));
				*at = e->next;
				done = found(ctx, now, e->next);
				i += e->size;
			}
	free(buf);
	if (done)
		return 1;
	return n < 0 ? -1 : 0;
}

static bool is_at(const void *ctx, const struct directory_place *now, int64_t next)
{
	(void)now;
	return *(const int64_t *)ctx == next;
}

static bool is_same(const void *ctx, const struct directory_place *now, int64_t next)
{
	const struct directory_place *want = ctx;

	(void)next;
	return now->names == want->names && now->sum == want->sum;
}

int directory_place_of(int fd, int64_t pos, struct directory_place *place)
{
	int64_t at = 0;
	int ret = walk(fd, place, &at, is_at, &pos);

	/*
	 * A file system may have a position of its own for the end, behind the last entry's. One
	 * before that is where an entry was that is gone.
	 */
	if (!ret && (uint64_t)pos < (uint64_t)at)
		*place = (struct directory_place){ 0 };
	return ret;
}

int64_t directory_place_find(int fd, const struct directory_place *place)
{
	struct directory_place now;
	int64_t at = 0;

	return walk(fd, &now, &at, is_same, place) == 1 ? at : -1;
}
