// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_copy MIB   how long a memcpy() of MIB of memory takes, to memory that is new as a
 * file's would be. Prints a member of a JSON object.
 */
#include "bench.h"

static char *take(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, size, MADV_NOHUGEPAGE))
		err(1, "cannot get %zu bytes", size);
	return p;
}

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	char *from, *to;
	uint64_t start;

	if (!size)
		errx(2, "usage: bench_copy MIB");
	from = take(size);
	to = take(size);
	memset(from, 1, size);
	start = now_ns();
	memcpy(to, from, size);
	asm volatile("" : : "r"(to) : "memory");
	printf("\"total_ns\":%llu", (unsigned long long)(now_ns() - start));
	return 0;
}
