// SPDX-License-Identifier: GPL-2.0-only
/* Which contents have to be copied, because a clone of the memory would lose them. */
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mmap_lock.h>

#include "capture.h"
#include "store.h"

/* Who has a memfd may write to it, and is not counted among the writers of its inode. */
static bool is_memfd(struct file *file)
{
	struct inode *inode = file_inode(file);

	return !inode->i_nlink && inode->i_sb->s_magic == TMPFS_MAGIC;
}

/* Would what a clone of the memory shows of a mapping be something else later on? */
static bool needs_copy(const struct mapping *mapping, const struct segment *segment)
{
	const u32 lost = XCKPT_VMA_DONTFORK | XCKPT_VMA_WIPEONFORK;

	if (!segment->filesz)
		return false;
	if (mapping->vma.kind == XCKPT_VMA_HUGETLB || (mapping->vma.flags & lost))
		return true;
	if (segment->contents == CONTENTS_CACHE)
		return true;
	return mapping->file &&
	       (inode_is_open_for_write(file_inode(mapping->file)) || is_memfd(mapping->file));
}

struct store *find_shared(struct capture *capture, struct address_space *mapping)
{
	return capture->stores ? xa_load(capture->stores, (unsigned long)mapping) : NULL;
}

/* The copies of shared memory are found by its address_space, which @mapping's file holds. */
static struct store *shared_store(struct capture *capture, const struct mapping *mapping)
{
	unsigned long key = (unsigned long)mapping->file->f_mapping;
	struct store *store = find_shared(capture, mapping->file->f_mapping);

	if (store)
		return store;
	store = store_alloc();
	if (store && xa_is_err(xa_store(capture->stores, key, store, GFP_KERNEL_ACCOUNT))) {
		store_put(store);
		return NULL;
	}
	return store;
}

static int find_extents(struct capture *capture, const struct mapping *mapping,
			const struct segment *segment, struct extents *extents)
{
	unsigned long end = segment->start + segment->filesz;
	int ret;

	if (segment->contents == CONTENTS_RANGE)
		return extents_add(extents, segment->start, end);
	if (segment->contents == CONTENTS_CACHE)
		return extents_cache(extents, mapping->file->f_mapping, segment->store_first,
				     segment->start, end);
	ret = mmap_read_lock_killable(capture->mm);
	if (ret)
		return ret;
	ret = extents_pages(extents, capture->mm, segment->start, end);
	mmap_read_unlock(capture->mm);
	return ret;
}

static int copy_memory(struct capture *capture, const struct mapping *mapping,
		       struct segment *segment)
{
	struct extents extents = {};
	int ret = find_extents(capture, mapping, segment, &extents);

	if (!ret)
		ret = store_memory(segment->store, capture->mm, segment->store_first,
				   segment->start, &extents);
	extents_free(&extents);
	return ret;
}

static int copy_object(struct capture *capture, const struct mapping *mapping,
		       struct segment *segment)
{
	/* huge pages cannot be had but through a mapping */
	if (mapping->vma.kind == XCKPT_VMA_HUGETLB)
		return copy_memory(capture, mapping, segment);
	return store_shmem(segment->store, mapping->file->f_mapping, segment->store_first,
			   segment->filesz >> PAGE_SHIFT);
}

/* For the first process that sees it; the others have only to find that out. */
static int copy_shared(struct capture *capture, const struct mapping *mapping,
		       struct segment *segment)
{
	pgoff_t first = mapping->vma.pgoff >> PAGE_SHIFT;
	int ret = 0;

	segment->store = shared_store(capture, mapping);
	if (!segment->store)
		return -ENOMEM;
	kref_get(&segment->store->ref);
	segment->store_first = first;
	if (!store_has(segment->store, first, segment->filesz >> PAGE_SHIFT))
		ret = copy_object(capture, mapping, segment);
	/* all of the mapping: nothing was found behind what its segment has */
	if (!ret)
		store_completed(segment->store, first,
				(segment->end - segment->start) >> PAGE_SHIFT);
	return ret;
}

static int copy_segment(struct capture *capture, const struct mapping *mapping,
			struct segment *segment)
{
	if (segment->contents == CONTENTS_CACHE)
		return copy_shared(capture, mapping, segment);
	segment->store = store_alloc();
	return segment->store ? copy_memory(capture, mapping, segment) : -ENOMEM;
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
