// SPDX-License-Identifier: GPL-2.0-or-later
/* Many files copied by one queue: the same as one by one, and an end for each. */
#include "checksum.h"
#include "common.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR 21
#define BIG 4
#define PAGE 4096

/* What the n-th file has in the page at @offset; 0: a hole. */
static int filling(size_t n, uint64_t offset)
{
	uint64_t page = offset / PAGE;

	/* of five blocks the third is empty, the fourth stored but zero, the fifth half so */
	if (n == BIG && offset / CHECKSUM_BLOCK == 4)
		return page % 2 ? 1 + (int)page % 100 : 0;
	if (n == BIG)
		return offset / CHECKSUM_BLOCK == 2 ? 0 : page % 512 == 0 ? 1 + (int)page / 512 : 0;
	return n % 3 ? 1 + (int)n : 0; /* every third one is empty */
}

static uint64_t size_of(size_t n)
{
	return n == BIG ? 5 * CHECKSUM_BLOCK - 100 : 3 * PAGE + n;
}

static int make_file(size_t n)
{
	int fd = memfd_create("file", 0);
	char page[PAGE];

	if (ftruncate(fd, (off_t)size_of(n)))
		err(1, "ftruncate");
	for (uint64_t at = 0; at < size_of(n); at += PAGE) {
		size_t len = size_of(n) - at < PAGE ? size_of(n) - at : PAGE;

		if (!filling(n, at) && !(n == BIG && at / CHECKSUM_BLOCK >= 3))
			continue;
		memset(page, at / CHECKSUM_BLOCK == 3 ? 0 : filling(n, at), len);
		if (pwrite(fd, page, len, (off_t)at) != (ssize_t)len)
			err(1, "pwrite");
	}
	return fd;
}

static bool same_contents(int a, int b, uint64_t size)
{
	static char x[1 << 20], y[1 << 20];

	for (uint64_t at = 0; at < size; at += sizeof(x)) {
		ssize_t n = pread(a, x, sizeof(x), (off_t)at);

		if (n < 0 || pread(b, y, sizeof(y), (off_t)at) != n || memcmp(x, y, (size_t)n) != 0)
			return false;
	}
	return true;
}

/* Of 512 bytes, that are stored. */
static long blocks_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : (long)st.st_blocks;
}

/* Descriptors that can only be written to are opened anew. */
static int readable(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY);
}

static void count_end(struct checksum_copy *c)
{
	++*(atomic_int *)c->owner;
	close(c->in_fd);
}

enum how { BUFFER, SPLICE, SPLICE_REFUSED };

/* What cannot be read cannot be mapped: there is no splicing to it. */
static int make_copy(enum how how, uint64_t size)
{
	int fd = memfd_create("copy", 0), again;
	char path[64];

	if (ftruncate(fd, (off_t)size))
		err(1, "ftruncate");
	if (how != SPLICE_REFUSED)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY);
	close(fd);
	return again;
}

static void test_queue(enum how how, unsigned int jobs)
{
	static const char *const names[] = { "through a buffer", "spliced", "not to be spliced" };
	struct checksum_copy copies[NR], alone[NR];
	atomic_int ends[NR] = { 0 };
	size_t same = 0, ended = 0, summed = 0;

	for (size_t i = 0; i < NR; i++) {
		int fd = make_file(i);

		alone[i] = (struct checksum_copy){ .in_fd = fd, .out_fd = -1, .size = size_of(i) };
		if (checksum_copy_all(&alone[i], 1, 1))
			errx(1, "checksum_copy_all");
		copies[i] = (struct checksum_copy){ .in_fd = dup(fd),
						    .out_fd = make_copy(how, size_of(i)),
						    .splice = how != BUFFER,
						    .size = size_of(i),
						    .finished = count_end,
						    .owner = &ends[i] };
	}
	check(!checksum_copy_all(copies, NR, jobs), "%d files by %u threads, %s", NR, jobs,
	      names[how]);
	check(how == BUFFER || copies[BIG].splice == (how == SPLICE), "in the way they should");
	check(blocks_of(copies[BIG].out_fd) <= (2 * 8 + 2048) * 8, "pages of zeros are holes: %ld",
	      blocks_of(copies[BIG].out_fd));
	for (size_t i = 0; i < NR; i++) {
		int out = readable(copies[i].out_fd);

		ended += ends[i] == 1;
		same += same_contents(alone[i].in_fd, out, size_of(i));
		close(out);
		summed += copies[i].nr_blocks == alone[i].nr_blocks &&
			  (!alone[i].nr_blocks ||
			   memcmp(copies[i].blocks, alone[i].blocks,
				  alone[i].nr_blocks * sizeof(*alone[i].blocks)) == 0);
		close(alone[i].in_fd);
		close(copies[i].out_fd);
		free(alone[i].blocks);
		free(copies[i].blocks);
	}
	check(copies[BIG].nr_blocks == 3 && copies[3].nr_blocks == 0, "empty blocks have no sum");
	check(same == NR && summed == NR, "have the right contents and sums: %zu, %zu", same,
	      summed);
	check(ended == NR, "each was told to be finished once: %zu", ended);
}

#define PART_PAGES (2 * CHECKSUM_BLOCK / PAGE)
#define PART_HEAD 3

/* Ends and beginnings at, before and behind the ends of blocks; one is all that a block has. */
static struct data_range left_out[] = {
	{ 4 * PAGE, 5 * PAGE },
	{ 5 * PAGE, 70 * PAGE },
	{ 80 * PAGE, CHECKSUM_BLOCK - PAGE },
	{ CHECKSUM_BLOCK, 2 * CHECKSUM_BLOCK },
};

static bool is_left_out(uint64_t offset)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (offset >= left_out[i].from && offset < left_out[i].end)
			return true;
	return false;
}

/* All pages have something, but those that are left out; the first ones are others'. */
static int make_part(char *head)
{
	int fd = memfd_create("part", 0);
	char page[PAGE];

	for (uint64_t at = 0; at < PART_PAGES * PAGE; at += PAGE) {
		memset(page, (int)(1 + at / PAGE % 255), PAGE);
		if (pwrite(fd, page, PAGE, (off_t)at) != PAGE)
			err(1, "pwrite");
	}
	memset(head, 0xee, PART_HEAD * PAGE);
	return fd;
}

static bool is_part(int fd)
{
	char page[PAGE], want[PAGE];

	for (uint64_t at = 0; at < PART_PAGES * PAGE; at += PAGE) {
		int byte = at < PART_HEAD * PAGE ? 0xee : (int)(1 + at / PAGE % 255);

		memset(want, is_left_out(at) ? 0 : byte, PAGE);
		if (pread(fd, page, PAGE, (off_t)at) != PAGE || memcmp(page, want, PAGE) != 0)
			return false;
	}
	return true;
}

/* What is left out is not read, and not written; the sums are of what is written. */
static void test_part(enum how how)
{
	static char head[PART_HEAD * PAGE];
	_Atomic uint64_t done = 0;
	int fd = make_part(head);
	struct checksum_copy c = { .in_fd = fd,
				   .out_fd = make_copy(how, PART_PAGES * PAGE),
				   .size = PART_PAGES * PAGE,
				   .left_out = { left_out, 4 },
				   .head = head,
				   .head_size = sizeof(head),
				   .splice = how != BUFFER,
				   .done = &done };
	struct checksum_copy again = { .out_fd = -1, .size = PART_PAGES * PAGE };

	check(!checksum_copy_all(&c, 1, 2) && c.splice == (how == SPLICE), "a part of a file");
	again.in_fd = readable(c.out_fd);
	check(is_part(again.in_fd), "has what it should");
	check(done == c.written && blocks_of(c.out_fd) <= (long)(c.written + 8 * PAGE) / 512 &&
		      c.written == 15 * PAGE,
	      "and nothing more was read: %ju bytes", (uintmax_t)done);
	check(!checksum_copy_all(&again, 1, 1) && c.nr_blocks == 1 && again.nr_blocks == 1 &&
		      c.blocks[0].hash == again.blocks[0].hash,
	      "with the right sum");
	free(c.blocks);
	free(again.blocks);
	close(again.in_fd);
	close(c.out_fd);
	close(fd);
}

/* One of them cannot be read: that one is named, and nothing hangs. */
static void test_failure(void)
{
	struct checksum_copy copies[NR], *failed;
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < NR; i++)
		copies[i] = (struct checksum_copy){ .in_fd = i == 7 ? directory : make_file(i),
						    .out_fd = -1,
						    .size = size_of(i) };
	failed = checksum_copy_all(copies, NR, 4);
	check(failed == &copies[7] && failed->error == EISDIR && !failed->writing,
	      "a file that cannot be read is named");
	for (size_t i = 0; i < NR; i++)
		close(copies[i].in_fd);
}

int main(void)
{
	test_queue(BUFFER, 1);
	test_queue(BUFFER, 64);
	test_queue(SPLICE, 1);
	test_queue(SPLICE, 3);
	test_queue(SPLICE_REFUSED, 3);
	test_part(BUFFER);
	test_part(SPLICE);
	test_part(SPLICE_REFUSED);
	test_failure();
	return check_end();
}
