// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_ops [ROUNDS]   what three operations cost: to read a word of memory and write
 * another, to divide 64-bit numbers, to write() a byte to /dev/null. Those are what the moving of
 * programs to another architecture has been measured by before. Prints "ready", waits for the end
 * of its input, then prints lines "OPERATION NANOSECONDS", of one operation.
 */
#include "bench.h"

#define WORDS (1u << 20) /* 8 MiB: past the caches nearest to the processor */
#define MEMORY_OPS 20000000ul
#define DIVISIONS 8000000ul
#define WRITES 300000ul

static volatile uint64_t *words;
static int null;

/* One word is read and another one written. */
static void memory(void)
{
	for (uint64_t i = 0; i < MEMORY_OPS; i++)
		words[i % WORDS] = words[i * 7 % WORDS] + i;
}

/* Each waits for the one before it, and no divisor is known in advance. */
static void division(void)
{
	uint64_t x = UINT64_MAX;

	for (uint64_t i = 0; i < DIVISIONS; i++) {
		uint64_t divisor = 12345;

		asm volatile("" : "+r"(divisor));
		x = UINT64_MAX - i - x / divisor;
	}
	asm volatile("" : : "r"(x));
}

static void io(void)
{
	for (uint64_t i = 0; i < WRITES; i++)
		if (write(null, "x", 1) != 1)
			err(1, "cannot write to /dev/null");
}

static void measure(const char *name, void (*run)(void), uint64_t operations)
{
	uint64_t start = now_ns();

	run();
	printf("%s %.4f\n", name, (double)(now_ns() - start) / (double)operations);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;

	words = malloc(WORDS * sizeof(*words));
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!words || null < 0)
		err(1, "cannot begin");
	for (size_t i = 0; i < WORDS; i++)
		words[i] = i;
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (unsigned long i = 0; i < rounds; i++) {
		measure("memory", memory, MEMORY_OPS);
		measure("division", division, DIVISIONS);
		measure("io", io, WRITES);
	}
	return 0;
}
