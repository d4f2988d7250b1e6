/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the victims share. A victim prints a line for each step, so that it can
 * be dumped at a known one, and its output says the same however often it was
 * dumped and resumed: no pids, addresses or times in it, only whether they are
 * what they should be. It exits 1 when something is not.
 */
#ifndef VICTIM_H
#define VICTIM_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int failures;

/* Keeps the processor busy and returns what depends on every step. */
static inline uint64_t work(uint64_t seed, unsigned long steps)
{
	for (unsigned long i = 0; i < steps; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		asm volatile("" : "+r"(seed));
	}
	return seed;
}

/* About 12 ms of a processor of today, far more of an emulated one. */
#define STEP 12000000ul

/* One whole line in one write(2): the file is always at a line's end. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static inline void check(int good, const char *what)
{
	if (!good)
		failures++;
	say("%s: %s", what, good ? "yes" : "NO");
}

/* The same without a line as long as all is well. */
static inline void expect(int good, const char *what)
{
	if (!good)
		check(0, what);
}

static inline unsigned int number(char **argv, int argc, int n, unsigned int otherwise)
{
	return argc > n ? (unsigned int)strtoul(argv[n], NULL, 0) : otherwise;
}

static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

#endif
