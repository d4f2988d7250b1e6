// SPDX-License-Identifier: GPL-2.0-or-later
/* One message, one write: lines of several processes do not mix. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *report_tool = "xckpt";

#define LINE_MAX_BYTES 8192

static void report(const char *kind, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t used;
	int n;

	used = snprintf(line, sizeof(line), "%s: %s", report_tool, kind);
	if (used >= sizeof(line) - 1)
		used = sizeof(line) - 2;
	n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	if (n > 0)
		used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
	/* paths are anybody's bytes: none of them may start a line or steer a terminal */
	for (size_t i = 0; i < used; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nobody is left to be told */
}

int fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report("", fmt, ap);
	va_end(ap);
	return -1;
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report("warning: ", fmt, ap);
	va_end(ap);
}
