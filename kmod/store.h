/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of pages that a clone of the memory would not keep. */
#ifndef XCKPT_STORE_H
#define XCKPT_STORE_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/xarray.h>

#include "extents.h"

/* Of a memory object, or of one private mapping; mappings of one object share it. */
struct store {
	struct kref ref;
	struct xarray pages; /* struct page by its index in the object */
	u64 bytes;
	pgoff_t end; /* behind the last of them */
	/* from and to where in the object nothing is left to be copied: the rest are holes */
	pgoff_t whole_first, whole_end;
};

struct store *store_alloc(void);
void store_put(struct store *store);

/* Copy the page of bytes at @from, unless there is one at @index. */
int store_bytes(struct store *store, pgoff_t index, const void *from);

/* Is all there that @nr pages of the object from @first on have? */
bool store_has(const struct store *store, pgoff_t first, pgoff_t nr);

/* It is now, by whatever moment of whoever writes to the object from elsewhere. */
void store_completed(struct store *store, pgoff_t first, pgoff_t nr);

/* Copy the pages of shmem from @first on, @nr of them, that it does not have yet. */
int store_shmem(struct store *store, struct address_space *mapping, pgoff_t first, pgoff_t nr);

/*
 * Copy what @mm has where @extents tells and what it does not have yet. The page at
 * @start gets the index @first.
 */
int store_memory(struct store *store, struct mm_struct *mm, pgoff_t first, unsigned long start,
		 const struct extents *extents);

#endif
