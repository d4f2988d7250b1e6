// SPDX-License-Identifier: GPL-2.0-or-later
#include "number.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>

long parse_number(const char *what, const char *text, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		return fail("%s must be a number from %ld to %ld, not '%s'", what, min, max, text);
	return n;
}
