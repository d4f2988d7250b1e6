// SPDX-License-Identifier: GPL-2.0-or-later
/* What copies between files in the kernel is not cut short by a freeze. Root, module loaded. */
#include <sys/sendfile.h>

#include "session.h"

#define SIZE (1ul << 20)
#define FREEZES 240
#define OMITTED 1000 /* bytes that are not copied, where a position is told */

static unsigned char contents[SIZE];

/* A thread's own files and what it finds there, as each moves positions. */
struct pair {
	int from, to;
	unsigned char found[SIZE + 1];
};

static loff_t position(int fd)
{
	return lseek(fd, 0, SEEK_CUR);
}

static int sends_file(struct pair *p)
{
	return sendfile(p->to, p->from, NULL, SIZE) == (ssize_t)SIZE && position(p->from) == SIZE &&
	       position(p->to) == SIZE;
}

static int sends_from_position(struct pair *p)
{
	off_t at = OMITTED;

	return lseek(p->to, OMITTED, SEEK_SET) == OMITTED &&
	       sendfile(p->to, p->from, &at, SIZE - OMITTED) == (ssize_t)SIZE - OMITTED &&
	       at == SIZE && !position(p->from) && position(p->to) == SIZE;
}

/* Only its end ends it. */
static int sends_to_end(struct pair *p)
{
	return sendfile(p->to, p->from, NULL, 2 * SIZE) == (ssize_t)SIZE &&
	       position(p->from) == SIZE && position(p->to) == SIZE;
}

static int copies_range(struct pair *p)
{
	return copy_file_range(p->from, NULL, p->to, NULL, SIZE, 0) == (ssize_t)SIZE &&
	       position(p->from) == SIZE && position(p->to) == SIZE;
}

static int copies_at_positions(struct pair *p)
{
	off64_t from = OMITTED, to = OMITTED;

	return copy_file_range(p->from, &from, p->to, &to, SIZE - OMITTED, 0) ==
		       (ssize_t)SIZE - OMITTED &&
	       from == SIZE && to == SIZE && !position(p->from) && !position(p->to);
}

static const struct way {
	const char *name;
	int (*copies_all)(struct pair *p);
	size_t skipped;
} ways[] = {
	{ "sendfile", sends_file, 0 },
	{ "sendfile from a position", sends_from_position, OMITTED },
	{ "sendfile of more than there is", sends_to_end, 0 },
	{ "copy_file_range", copies_range, 0 },
	{ "copy_file_range at positions", copies_at_positions, OMITTED },
};
#define NR_WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static struct pair pairs[NR_WAYS];

/* Everything there, and nothing beside it. */
static int is_copied(const struct way *way, struct pair *p)
{
	return pread(p->to, p->found, SIZE + 1, 0) == (ssize_t)SIZE &&
	       !memcmp(p->found + way->skipped, contents + way->skipped, SIZE - way->skipped);
}

static void begin_again(struct pair *p)
{
	if (ftruncate(p->to, 0) || lseek(p->from, 0, SEEK_SET) || lseek(p->to, 0, SEEK_SET))
		_exit(96);
}

/* shared[8 + n]: how often it copied, [24 + n]: not all, [40 + n]: something else */
static _Noreturn void *copying_thread(void *arg)
{
	int n = (int)(long)arg;

	for (;;) {
		shared[24 + n] += !ways[n].copies_all(&pairs[n]);
		shared[40 + n] += !is_copied(&ways[n], &pairs[n]);
		begin_again(&pairs[n]);
		shared[8 + n]++;
	}
}

static void start_copies(void)
{
	for (size_t at = 0; at < SIZE; at++)
		contents[at] = (unsigned char)(at * 7 + (at >> 8) * 13);
	for (long n = 0; n < NR_WAYS; n++) {
		pairs[n].from = memfd_create("from", 0);
		pairs[n].to = memfd_create("to", 0);
		if (pairs[n].to < 0 || pwrite(pairs[n].from, contents, SIZE, 0) != (ssize_t)SIZE)
			_exit(97);
		in_thread(copying_thread, n);
	}
	shared[0] = 1;
	pausing_thread(NULL);
}

TEST(no_copy_is_cut_short)
{
	int fd = session();
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(start_copies);
	for (int n = 0; n < NR_WAYS; n++)
		EXPECT(moves(8 + n, 1));
	for (int i = 0; i < FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		if (i % 16 == 3)
			ASSERT(!snapshot(fd, 0, &s));
		ASSERT(!thaw(fd));
	}
	for (int n = 0; n < NR_WAYS; n++)
		if (!(EXPECT(moves(8 + n, 1)) & EXPECT(!shared[24 + n]) & EXPECT(!shared[40 + n])))
			printf("# %s: of %llu not all %llu times, something else %llu times\n",
			       ways[n].name, (unsigned long long)shared[8 + n],
			       (unsigned long long)shared[24 + n],
			       (unsigned long long)shared[40 + n]);
}
