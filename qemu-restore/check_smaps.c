// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare the sizes of pages: natively only, as no other engine gives huge ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static unsigned int shift_of(const struct check *c, const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_HUGETLB ? plan_huge_shift(c->plan, s->vma.page_shift) : 0;
}

bool check_has_huge(const struct check *c)
{
	size_t i;

	for (i = 0; i < c->image->nr_segments; i++)
		if (shift_of(c, &c->image->segments[i]))
			return true;
	return false;
}

/* kB of the pages of the mapping at @start, 0: it is not there. @smaps moves on behind it. */
static unsigned long long page_size(const char **smaps, uint64_t start)
{
	static const char name[] = "KernelPageSize:";
	bool found = false;
	const char *line;
	char *end;

	for (line = *smaps; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		uint64_t at = strtoull(line, &end, 16);

		if (end > line && *end == '-') {
			found = at == start;
		} else if (found && !strncmp(line, name, sizeof(name) - 1)) {
			*smaps = line;
			return strtoull(line + sizeof(name) - 1, NULL, 10);
		}
	}
	return 0;
}

int check_huge(struct check *c, const char *smaps)
{
	char object[96];
	size_t i;

	for (i = 0; i < c->image->nr_segments; i++) {
		const struct segment *s = &c->image->segments[i];
		unsigned int shift = shift_of(c, s);

		if (!shift)
			continue;
		snprintf(object, sizeof(object), "the page size (kB) of the mapping at %#llx",
			 (unsigned long long)s->start);
		if (check_number(c, object, "%llu", page_size(&smaps, s->start),
				 1ull << (shift - 10)))
			return -1;
	}
	return 0;
}
