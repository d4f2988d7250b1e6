// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bigmap [LINES]: reserves 1 TiB that cannot be accessed and 64 GiB that can, as
 * language runtimes do, and touches very little of it. Then it takes all that is
 * free where the kernel lays memory out at random, in the way of any engine.
 */
#include <sys/mman.h>

#include "victim.h"

#define GIB (1ul << 30)
#define TOUCHED 64

static char *reserve(size_t size, int prot)
{
	char *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

/* Below 2^47 the stack begins in the first 16 GiB, all other mappings in the next TiB. */
static void fill_top(void)
{
	for (unsigned long at = (1ul << 47) - 1048 * GIB; at < (1ul << 47) - 20 * GIB; at += GIB)
		mmap((void *)at, GIB, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

/* The n-th touched byte: spread over the whole mapping. */
static char *spot(char *map, size_t size, unsigned int n)
{
	return map + size / TOUCHED * n + 4096ul * n + n;
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40), bad = 0;
	char *closed = reserve(1024 * GIB, PROT_NONE);
	char *open = reserve(64 * GIB, PROT_READ | PROT_WRITE);
	char *arena = closed + 512 * GIB;

	fill_top();
	if (mprotect(arena, 1 << 20, PROT_READ | PROT_WRITE))
		die("mprotect");
	for (unsigned int i = 0; i < TOUCHED; i++) {
		*spot(open, 64 * GIB, i) = (char)(i + 1);
		arena[i * 4096] = (char)(i + 3);
	}
	for (unsigned int i = 0; i < lines; i++)
		say("%u %016jx", i, (uintmax_t)work(i, STEP));
	for (unsigned int i = 0; i < TOUCHED; i++) {
		char *p = spot(open, 64 * GIB, i);

		bad += *p != (char)(i + 1) || p[8192] != 0 || arena[i * 4096] != (char)(i + 3);
	}
	check(!bad, "all as it was left");
	check(!mprotect(closed + 100 * GIB, 4096, PROT_READ | PROT_WRITE) && !closed[100 * GIB],
	      "the reserve can still be opened");
	return failures != 0;
}
