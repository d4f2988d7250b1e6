/* SPDX-License-Identifier: GPL-2.0-only */
/* Which ranges of process memory have contents. */
#ifndef XCKPT_EXTENTS_H
#define XCKPT_EXTENTS_H

#include <linux/fs.h>
#include <linux/mm_types.h>

struct extent {
	unsigned long start, end;
};

struct extents {
	struct extent *list; /* ascending, not touching but at @min */
	size_t nr, room;
	u64 bytes;
	unsigned long min; /* extents do not merge across it: the start of a mapping */
	size_t most; /* one more is E2BIG; 0: there may be any number */
};

int extents_add(struct extents *extents, unsigned long start, unsigned long end);
void extents_free(struct extents *extents);

/*
 * walk.c: add what @mm has between @start and @end, found without touching any page. The
 * mmap lock is held.
 */
int extents_pages(struct extents *extents, struct mm_struct *mm, unsigned long start,
		  unsigned long end);

/* As well: what of it is guarded. A signal that ends the caller ends that, too: EINTR. */
int extents_guards(struct extents *extents, struct mm_struct *mm, unsigned long start,
		   unsigned long end);

/* Add what shared memory has from (small) page @first on, as mapped from @start to @end. */
int extents_cache(struct extents *extents, struct address_space *mapping, pgoff_t first,
		  unsigned long start, unsigned long end);

/* walk.c: where at the latest contents between @start and @end end: a short look. 0 is an address.
 */
int extents_last(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned long *last);

#endif
