/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test Anything Protocol, as much as is needed. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_run, tap_failed;

static inline bool ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	tap_run++;
	tap_failed += !good;
	printf("%sok %d - ", good ? "" : "not ", tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	return good;
}

static inline int tap_end(void)
{
	printf("1..%d\n# %d passed, %d failed\n", tap_run, tap_run - tap_failed, tap_failed);
	return tap_failed != 0;
}

#endif
