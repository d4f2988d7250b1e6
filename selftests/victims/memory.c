// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory MIB [random|zero|text|sparse] [LINES]: dirty pages of a kind. The first
 * line tells how many; the mapping is named in the file "memory.range" as two
 * hexadecimal addresses. LINES of 0: waits to be killed.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "victim.h"

static void fill(unsigned char *page, uint64_t n, const char *pattern)
{
	uint64_t *word = (uint64_t *)page, value = n + 1;

	if (!strcmp(pattern, "zero")) {
		*(volatile uint64_t *)word = 0; /* dirty all the same */
	} else if (!strcmp(pattern, "text")) {
		for (int i = 0; i < 4096; i += 16)
			snprintf((char *)page + i, 16, "%07ju line%03d", (uintmax_t)n % 10000000,
				 i / 16);
	} else if (strcmp(pattern, "sparse") || n % 3 == 0) {
		for (int i = 0; i < 512; i++) {
			value ^= value << 13;
			value ^= value >> 7;
			value ^= value << 17;
			word[i] = value;
		}
	}
}

static uint64_t sum(const unsigned char *p, size_t size)
{
	const uint64_t *word = (const uint64_t *)p;
	uint64_t hash = 0;

	for (size_t i = 0; i < size / 8; i++)
		hash = hash * 31 + word[i];
	return hash;
}

int main(int argc, char **argv)
{
	size_t size = (size_t)number(argv, argc, 1, 32) << 20;
	const char *pattern = argc > 2 ? argv[2] : "random";
	unsigned int lines = number(argv, argc, 3, 40);
	FILE *range = fopen("memory.range", "w");
	unsigned char *p =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before;

	if (p == MAP_FAILED || !range)
		die("start");
	if (!lines)
		fprintf(range, "%lx %lx\n", (unsigned long)p, (unsigned long)p + size);
	fclose(range);
	for (size_t i = 0; i < size; i += 4096)
		fill(p + i, i / 4096, pattern);
	before = lines ? sum(p, size) : 0;
	say("filled %zu MiB", size >> 20);
	while (!lines)
		pause();
	for (unsigned int i = 0; i < lines; i++) {
		work(i, STEP);
		p[(size_t)i * 4096 % size] ^= 0x55;
		say("%u", i);
	}
	for (unsigned int i = 0; i < lines; i++)
		p[(size_t)i * 4096 % size] ^= 0x55;
	check(sum(p, size) == before, "memory unchanged");
	return failures != 0;
}
