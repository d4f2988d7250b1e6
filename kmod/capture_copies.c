// SPDX-License-Identifier: GPL-2.0-only
/* Which contents have to be copied, because a clone of the memory would lose them. */
#include <linux/fs.h>

#include "capture.h"
#include "store.h"

/* Would what a clone of the memory shows of a mapping be something else later on? */
static bool needs_copy(const struct mapping *mapping, const struct segment *segment)
{
	const u32 lost = XCKPT_VMA_DONTFORK | XCKPT_VMA_WIPEONFORK;

	if (!segment->filesz)
		return false;
	if (mapping->vma.kind == XCKPT_VMA_HUGETLB || (mapping->vma.flags & lost))
		return true;
	if (segment->contents == CONTENTS_SHMEM)
		return true;
	return mapping->file && inode_is_open_for_write(file_inode(mapping->file));
}

/* The copies of shared memory are found by its address_space, which @mapping's file holds. */
static struct store *shared_store(struct capture *capture, const struct mapping *mapping)
{
	unsigned long key = (unsigned long)mapping->file->f_mapping;
	struct store *store = xa_load(capture->stores, key);

	if (store)
		return store;
	store = store_alloc();
	if (store && xa_is_err(xa_store(capture->stores, key, store, GFP_KERNEL_ACCOUNT))) {
		store_put(store);
		return NULL;
	}
	return store;
}

static int copy_segment(struct capture *capture, const struct mapping *mapping,
			struct segment *segment)
{
	struct store *store;

	if (segment->contents == CONTENTS_SHMEM) {
		store = shared_store(capture, mapping);
		if (!store)
			return -ENOMEM;
		kref_get(&store->ref);
		segment->store = store;
		segment->store_first = mapping->vma.pgoff >> PAGE_SHIFT;
		return store_shmem(store, mapping->file->f_mapping, segment->store_first,
				   segment->filesz >> PAGE_SHIFT);
	}
	segment->store = store_alloc();
	if (!segment->store)
		return -ENOMEM;
	return store_memory(segment->store, capture->mm, segment->start,
			    segment->start + segment->filesz, segment->contents == CONTENTS_RANGE);
}

/*
 * Copy what a clone would lose. When there is no memory for that, the contents
 * have to be read while the process is frozen, like those that nobody may clone.
 */
int capture_copies(struct capture *capture, const struct mapping *mappings)
{
	struct core *core = capture->core;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < core->nr_segments && !ret; i++) {
		if (needs_copy(&mappings[i], &core->segments[i]))
			ret = copy_segment(capture, &mappings[i], &core->segments[i]);
	}
	if (ret != -ENOMEM)
		return ret;
	core->uncloned = XCKPT_UNCLONED_MEMORY;
	core_drop_stores(core);
	return 0;
}
