// SPDX-License-Identifier: GPL-2.0-or-later
#include "common.h"

#include "checksum.h"
#include "report.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int nr_checks, nr_failed;

bool check(bool good, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	nr_checks++;
	nr_failed += !good;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* messages come with their newline */
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	printf("%sok %d - %s\n", good ? "" : "not ", nr_checks, text);
	fflush(stdout);
	return good;
}

int check_end(void)
{
	printf("1..%d\n# %d passed, %d failed\n", nr_checks, nr_checks - nr_failed, nr_failed);
	return nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int caught = -1, real_stderr = -1;

/* what a sanitizer finds is to be seen all the same */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak));

void quiet_begin(void)
{
	if (caught < 0) {
		caught = memfd_create("stderr", MFD_CLOEXEC);
		real_stderr = dup(STDERR_FILENO);
		if (__sanitizer_set_report_fd)
			__sanitizer_set_report_fd((void *)(intptr_t)real_stderr);
	}
	if (ftruncate(caught, 0) || lseek(caught, 0, SEEK_SET))
		err(1, "memfd");
	dup2(caught, STDERR_FILENO);
}

const char *quiet_end(void)
{
	static char text[65536];
	ssize_t n;

	dup2(real_stderr, STDERR_FILENO);
	n = pread(caught, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return text;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static char scratch_dir[64];

static void remove_scratch(void)
{
	nftw(scratch_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch(void)
{
	if (!scratch_dir[0]) {
		strcpy(scratch_dir, "/tmp/xckpt-test-XXXXXX");
		if (!mkdtemp(scratch_dir))
			err(1, "%s", scratch_dir);
		atexit(remove_scratch);
	}
	return scratch_dir;
}

char *in_scratch(const char *name)
{
	static char paths[8][256];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch(), name);
	return path;
}
