// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare what only smaps tells of mappings: the size of their pages, and what the
 * kernel was told about them. Natively only: an engine has its own ideas of both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* Hints are not compared: kernels may be without. */
static const struct {
	uint32_t flag;
	const char name[3]; /* in smaps */
	const char *what;
} told[] = {
	{ XCKPT_VMA_LOCKED, "lo", "mlock()" },
	{ XCKPT_VMA_DONTFORK, "dc", "MADV_DONTFORK" },
	{ XCKPT_VMA_WIPEONFORK, "wf", "MADV_WIPEONFORK" },
	{ XCKPT_VMA_GROWSDOWN, "gd", "MAP_GROWSDOWN" },
	{ XCKPT_VMA_SEALED, "sl", "mseal()" },
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A mapping in smaps. */
struct smap {
	uint64_t start, end;
	uint64_t page_kb;
	const char *flags; /* "rd wr ...", ends with the line */
};

static unsigned int shift_of(const struct check *c, const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_HUGETLB ? plan_huge_shift(c->plan, s->vma.page_shift) : 0;
}

/* Of the first stack it is not: each program has one, and smaps is slow to read. */
static uint32_t flags_of(const struct segment *s)
{
	uint32_t flags = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(told); i++)
		flags |= s->vma.flags & told[i].flag;
	if (s->vma.flags & XCKPT_VMA_STACK)
		flags &= ~XCKPT_VMA_GROWSDOWN;
	if (s->vma.kind == XCKPT_VMA_VDSO || s->vma.kind == XCKPT_VMA_VVAR)
		flags &= ~XCKPT_VMA_SEALED;
	return flags;
}

static bool is_compared(const struct check *c, const struct segment *s)
{
	return (shift_of(c, s) || flags_of(s)) && !plan_is_skipped(c->process, s);
}

bool check_needs_smaps(const struct check *c)
{
	size_t i;

	for (i = 0; check_natively(c) && i < c->image->nr_segments; i++)
		if (is_compared(c, &c->image->segments[i]))
			return true;
	return false;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return line + !!*line;
}

/* "start-end ...", then "Name: value" lines; returns where the next one is. */
static const char *parse(const char *line, struct smap *m)
{
	static const char size[] = "KernelPageSize:", flags[] = "VmFlags:";
	char *at;

	*m = (struct smap){ .start = strtoull(line, &at, 16), .flags = "" };
	m->end = strtoull(at + (*at == '-'), NULL, 16);
	for (line = next_line(line); *line; line = next_line(line)) {
		if (!strncmp(line, size, sizeof(size) - 1))
			m->page_kb = strtoull(line + sizeof(size) - 1, NULL, 10);
		if (!strncmp(line, flags, sizeof(flags) - 1)) {
			m->flags = line + sizeof(flags) - 1;
			return next_line(line);
		}
	}
	return line;
}

static bool has_flag(const struct smap *m, const char *name)
{
	size_t len = strcspn(m->flags, "\n"), i;

	/* " rd wr ..." */
	for (i = 0; i + 2 < len; i += 3)
		if (!memcmp(m->flags + i + 1, name, 2))
			return true;
	return false;
}

static int compare(struct check *c, const struct segment *s, const struct smap *m)
{
	unsigned int shift = shift_of(c, s);
	uint32_t flags = flags_of(s);
	char object[96];
	size_t i;
	int ret;

	snprintf(object, sizeof(object), "the page size (kB) of the mapping at %#llx",
		 (unsigned long long)s->start);
	if (shift && check_number(c, object, "%llu", m->page_kb, 1ull << (shift - 10)))
		return -1;
	for (i = 0; i < ARRAY_SIZE(told); i++) {
		if (!(flags & told[i].flag) || has_flag(m, told[i].name))
			continue;
		snprintf(object, sizeof(object), "%s for the mapping at %#llx", told[i].what,
			 (unsigned long long)s->start);
		ret = check_differs(c, object, "not there", "there");
		if (told[i].flag == XCKPT_VMA_LOCKED)
			ret = check_unless_told(c, ret, plan_lock_call(c->process, s), 0, s->start);
		if (told[i].flag == XCKPT_VMA_SEALED)
			ret = check_unless_told(c, ret, NR_MSEAL, 0, s->start);
		if (ret)
			return ret;
	}
	return 0;
}

/* Where mappings have become one, that has what each of them had. */
int check_smaps(struct check *c, const char *smaps)
{
	struct smap m = { .flags = "" };
	size_t i;

	for (i = 0; i < c->image->nr_segments; i++) {
		const struct segment *s = &c->image->segments[i];

		if (!is_compared(c, s))
			continue;
		while (*smaps && m.end <= s->start)
			smaps = parse(smaps, &m);
		if (compare(c, s, &m))
			return -1;
	}
	return 0;
}
