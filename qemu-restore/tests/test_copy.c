// SPDX-License-Identifier: GPL-2.0-or-later
/* What a copier hashes, copies and answers. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "checksum.h"
#include "restorer/hash.h"
#include "tap.h"

#define PAGES 70
#define PAGE_BYTES 4096ull

static uint64_t core[PAGES][HASH_PAGE_WORDS];

static bool is_zero_page(int i)
{
	return i % 5 == 3;
}

static void fill(void)
{
	uint64_t x = 88172645463325252ull;
	int i, j;

	for (i = 0; i < PAGES; i++)
		for (j = 0; j < HASH_PAGE_WORDS && !is_zero_page(i); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			core[i][j] = x;
		}
}

/* Of pages [from, end) at @offset: as the image's code has it. */
static uint64_t expected(int from, int end, uint64_t offset)
{
	struct checksum_state *s = checksum_begin();
	uint64_t hash = 0;
	int i;

	for (i = from; i < end; i++)
		checksum_page(s, offset + (uint64_t)i * PAGE_BYTES, core[i]);
	checksum_end(s, &hash);
	checksum_free(s);
	return hash;
}

static void test_hash(void)
{
	int n, i, wrong = 0;

	for (n = 1; n < PAGES; n++) {
		struct hash h;

		hash_begin(&h);
		for (i = 0; i < n; i++)
			if (!is_zero_page(i))
				hash_page(&h, (uint64_t)i * PAGE_BYTES, core[i]);
		wrong += hash_end(&h) != expected(0, n, 0);
	}
	ok(!wrong, "a hash is that of the image, whatever the number of pages");
}

#ifdef __x86_64__
#include "../restorer/copy.c"

int64_t clone_copier(int64_t fd, uint64_t stack)
{
	(void)fd;
	(void)stack;
	return -1;
}

static struct copy_reply told(const struct copy_request *request, const struct copy_extent *extents)
{
	struct copy_reply reply = { .result = -1000 };
	struct copy_request got;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    write(pair[0], request, sizeof(*request)) < 0 ||
	    write(pair[0], extents, request->nr * sizeof(*extents)) < 0)
		return reply;
	if (!get(pair[1], &got, sizeof(got)) || !copy_block(pair[1], &got, &reply))
		reply.result = -1001;
	close(pair[0]);
	close(pair[1]);
	return reply;
}

static void test_copy(void)
{
	const uint64_t at = BLOCK, page = PAGE_BYTES;
	int fd = memfd_create("core", MFD_CLOEXEC);
	char *to = mmap(NULL, sizeof(core), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	struct copy_extent extents[PAGES];
	struct copy_request request = { at, (uint32_t)fd, PAGES };
	struct copy_reply reply;
	int i;

	ok(pwrite(fd, core, sizeof(core), (off_t)at) == sizeof(core), "a core");
	for (i = 0; i < PAGES; i++)
		extents[i] = (struct copy_extent){ at + i * page, page,
						   i % 7 ? (uint64_t)to + i * page : 0 };
	reply = told(&request, extents);
	ok(reply.result == 1 && reply.hash == expected(0, PAGES, at), "all of a block is hashed");
	for (i = 0; i < PAGES; i++)
		if (memcmp(to + i * page, i % 7 ? (char *)core[i] : (char *)core[3], page))
			break;
	ok(i == PAGES, "and copied what has an address");
	extents[0] = (struct copy_extent){ at + 3 * page, page, (uint64_t)to };
	request.nr = 1;
	reply = told(&request, extents);
	ok(!reply.result && !reply.hash, "zeros have no hash");
	extents[0] = (struct copy_extent){ at, sizeof(core) + BLOCK / 2, 0 };
	reply = told(&request, extents);
	ok(reply.result < 0 && reply.result != -1001,
	   "behind the file's end is an error, no signal");
	request.core_fd = 1000000;
	ok(told(&request, extents).result == -9, "so is a core that is not there");
	munmap(to, sizeof(core));
	close(fd);
}
#else
static void test_copy(void)
{
}
#endif

int main(void)
{
	fill();
	test_hash();
	test_copy();
	return tap_end();
}
