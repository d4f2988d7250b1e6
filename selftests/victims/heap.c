// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * heap [LINES]: memory that grows by every way there is (malloc, realloc, brk,
 * mremap), vector and x87 registers that stay live across the dump, stdio,
 * clocks and the string functions that the C library chooses at start.
 */
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

#define BLOCKS_A_LINE 200
#define PAGE 4096ul

static char **blocks;
static size_t nr_blocks;

/* Values live in ymm6, ymm15 and on the x87 stack while the loop runs. */
static void hold(unsigned long loops, double *out)
{
	static const double in[8] = { 1.5, 2.25, 3.125, 4.0625, 5.5, 6.25, 7.125, 8.0625 };

	asm volatile("vmovupd (%1), %%ymm6\n"
		     "vmovupd 32(%1), %%ymm15\n"
		     "fld1\n"
		     "fldpi\n"
		     "1: dec %0\n"
		     "jnz 1b\n"
		     "fstpl 64(%2)\n"
		     "fstpl 72(%2)\n"
		     "vmovupd %%ymm6, (%2)\n"
		     "vmovupd %%ymm15, 32(%2)\n"
		     "vzeroupper\n"
		     : "+r"(loops)
		     : "r"(in), "r"(out)
		     : "memory", "cc", "xmm6", "xmm15", "st", "st(1)");
}

static void grow_blocks(unsigned int line)
{
	for (int k = 0; k < BLOCKS_A_LINE; k++) {
		size_t size = 500 + (size_t)k * 3;
		char *p = malloc(size);

		memset(p, (int)(line ^ (unsigned int)k), size);
		blocks[nr_blocks++] = p;
	}
	/* free and reuse some, so that the allocator's lists matter */
	for (size_t k = nr_blocks - BLOCKS_A_LINE; k < nr_blocks; k += 7)
		blocks[k] = realloc(blocks[k], 3000 + k);
}

/* A mapping grown by mremap(2): the new part must be zero, the old kept. */
static void grow_mapping(char **map, size_t *size)
{
	size_t more = 64 * PAGE;
	char *p = mremap(*map, *size, *size + more, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		die("mremap");
	for (size_t i = *size; i < *size + more; i += 512)
		expect(p[i] == 0, "grown memory is zero");
	memset(p + *size, 'm', more);
	*map = p;
	*size += more;
}

/* Memory given back must read as zero, not as what an image had there. */
static void give_back(char *map)
{
	madvise(map + PAGE, 4 * PAGE, MADV_DONTNEED);
	for (size_t i = PAGE; i < 5 * PAGE; i += 64)
		expect(map[i] == 0, "memory given back is zero");
	memset(map + PAGE, 'm', 4 * PAGE);
}

static void grow_brk(void)
{
	char *end = sbrk(0), *got = sbrk(3 * (intptr_t)PAGE);

	expect(got == end, "brk grows where it ended");
	expect(got[2 * PAGE] == 0, "brk memory is zero");
	got[2 * PAGE] = 'b';
}

static void clocks(void)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
	static int64_t last[4];
	struct timespec ts;
	struct timeval tv;

	for (int i = 0; i < 3; i++) {
		clock_gettime(ids[i], &ts);
		expect(ts.tv_sec * 1000000000ll + ts.tv_nsec >= last[i], "clocks go forward");
		last[i] = ts.tv_sec * 1000000000ll + ts.tv_nsec;
	}
	gettimeofday(&tv, NULL);
	expect(tv.tv_sec * 1000000ll + tv.tv_usec >= last[3], "gettimeofday goes forward");
	last[3] = tv.tv_sec * 1000000ll + tv.tv_usec;
}

static void strings(unsigned int line)
{
	static char a[5000], b[5000];

	memset(a, 'x' + (int)(line % 3), sizeof(a) - 1);
	memcpy(b, a, sizeof(b));
	expect(strlen(a) == sizeof(a) - 1, "strlen");
	expect(!strcmp(a, b), "strcmp");
	expect(strchr(a, 0) == a + sizeof(a) - 1, "strchr");
	expect(!memchr(a, '!', sizeof(a)), "memchr");
	b[4001] = '!';
	expect(memcmp(a, b, sizeof(a)) != 0, "memcmp");
	expect(strstr(b, "!") == b + 4001, "strstr");
}

static uint64_t sum_of_all(const char *big, size_t big_size, const char *map, size_t map_size)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < nr_blocks; k++)
		for (size_t j = 0; j < 500; j++)
			sum += (unsigned char)blocks[k][j] * (j + k);
	for (size_t k = 0; k < big_size; k += 5)
		sum = sum * 31 + (unsigned char)big[k];
	for (size_t k = 0; k < map_size; k += 5)
		sum = sum * 31 + (unsigned char)map[k];
	return sum;
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 30);
	size_t big_size = 200000, map_size = 16 * PAGE;
	FILE *table = fopen("heap.table", "w");
	char *big = malloc(big_size), *map;
	double sum = 0, held[10];

	blocks = calloc((size_t)lines * BLOCKS_A_LINE, sizeof(*blocks));
	map = mmap(NULL, map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!table || !big || !blocks || map == MAP_FAILED)
		die("start");
	memset(big, 'b', big_size);
	memset(map, 'm', map_size);

	for (unsigned int i = 0; i < lines; i++) {
		double sines = 0;

		hold(50000000, held);
		for (int k = 0; k < 10; k++)
			sum += held[k] * (i + 1);
		grow_blocks(i);
		big = realloc(big, big_size + 30000);
		memset(big + big_size, 'c' + (int)(i % 10), 30000);
		big_size += 30000;
		grow_mapping(&map, &map_size);
		give_back(map);
		grow_brk();
		clocks();
		strings(i);
		for (int k = 1; k < 800; k++)
			sines += sin(k * 0.001 * i) * sqrt(k);
		/* stays in the stream's buffer for many lines */
		fprintf(table, "%u %.10f %.10f\n", i, sum, sines);
		say("%u %.10f", i, sum);
	}
	say("sum %016jx", (uintmax_t)sum_of_all(big, big_size, map, map_size));
	if (fclose(table))
		die("heap.table");
	return failures != 0;
}
