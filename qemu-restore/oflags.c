// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>

#include "oflags.h"

#define X86_O_DIRECTORY 0200000
#define X86_O_TMPFILE_BIT 020000000

static const struct {
	uint64_t x86;
	int host;
	const char *name;
} flags[] = {
	{ 02000, O_APPEND, "O_APPEND" },
	{ 04000, O_NONBLOCK, "O_NONBLOCK" },
	{ 010000, O_DSYNC, "O_DSYNC" },
	{ 020000, 0, "O_ASYNC" }, /* by the program itself: signals tell the number it is set by */
	{ 040000, O_DIRECT, "O_DIRECT" },
	{ X86_O_DIRECTORY, O_DIRECTORY, "O_DIRECTORY" },
	{ 0400000, O_NOFOLLOW, "O_NOFOLLOW" },
	{ 01000000, O_NOATIME, "O_NOATIME" },
	{ 04000000, O_SYNC & ~O_DSYNC, "O_SYNC" },
	{ 010000000, O_PATH, "O_PATH" },
	/* O_LARGEFILE (0100000) is everybody's; O_CREAT, O_EXCL, O_TRUNC, O_TMPFILE are done with
	 */
};

#define NR_FLAGS (sizeof(flags) / sizeof(flags[0]))

/* O_TMPFILE has O_DIRECTORY in it; what was made by it is no directory. */
static uint64_t kept(uint64_t x86)
{
	return x86 & X86_O_TMPFILE_BIT ? x86 & ~(uint64_t)X86_O_DIRECTORY : x86;
}

int oflags_to_host(uint64_t x86)
{
	int host = x86 & 3; /* the access mode is the same everywhere */
	size_t i;

	x86 = kept(x86);
	for (i = 0; i < NR_FLAGS; i++)
		if (x86 & flags[i].x86)
			host |= flags[i].host;
	return host;
}

void oflags_text(uint64_t x86, char *buf, size_t len)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };
	size_t i, n = snprintf(buf, len, "%s", access[x86 & 3]);

	x86 = kept(x86);
	for (i = 0; i < NR_FLAGS && n < len; i++)
		if (x86 & flags[i].x86)
			n += snprintf(buf + n, len - n, "|%s", flags[i].name);
}
