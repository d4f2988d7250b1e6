// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "space.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* Is there anything, free or taken, below 2^@bits? */
static int reaches(int bits)
{
	long page = sysconf(_SC_PAGESIZE);
	void *want = (void *)((1ull << bits) - 16 * (uintptr_t)page), *got;

	got = mmap(want, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (got == MAP_FAILED)
		return errno == EEXIST;
	munmap(got, page);
	return got == want;
}

uint64_t space_top(void)
{
	int bits =
		56; /* x86-64 with five levels of page tables, of which one half is the kernel's */

	while (bits > 36 && !reaches(bits))
		bits--;
	return 1ull << bits;
}
