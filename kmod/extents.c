// SPDX-License-Identifier: GPL-2.0-only
/* Which pages of a mapping have contents: found without touching any. */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/mm.h"
#include "core.h"
#include "extents.h"
#include "trace.h"

static int extents_reserve(struct extents *extents, unsigned int nr)
{
	struct extent *list;
	size_t room;

	if (extents->nr + nr <= extents->room)
		return 0;
	room = max_t(size_t, 2 * extents->room, extents->nr + nr + 64);
	list = kvmalloc_array(room, sizeof(*list), GFP_KERNEL_ACCOUNT);
	if (!list)
		return -ENOMEM;
	if (extents->nr)
		memcpy(list, extents->list, extents->nr * sizeof(*list));
	kvfree(extents->list);
	extents->list = list;
	extents->room = room;
	return 0;
}

int extents_add(struct extents *extents, unsigned long start, unsigned long end)
{
	struct extent *last = extents->nr ? &extents->list[extents->nr - 1] : NULL;
	int ret;

	if (start >= end)
		return 0;
	extents->bytes += end - start;
	if (last && last->end == start && start > extents->min) {
		last->end = end;
		return 0;
	}
	if (extents->most && extents->nr >= extents->most)
		return -E2BIG;
	ret = extents_reserve(extents, 1);
	if (!ret)
		extents->list[extents->nr++] = (struct extent){ start, end };
	return ret;
}

void extents_free(struct extents *extents)
{
	kvfree(extents->list);
	*extents = (struct extents){};
}

/*
 * Shared memory has contents where its page cache has a page or a swap entry,
 * whether or not this process ever touched it.
 */
int extents_cache(struct extents *extents, struct address_space *mapping, pgoff_t first,
		  unsigned long start, unsigned long end)
{
	unsigned int shift = compat_cache_shift(mapping);
	unsigned long index, at;
	void *entry;
	pgoff_t last;
	int ret = 0;

	first >>= shift - PAGE_SHIFT;
	last = first + ((end - start) >> shift) - 1;

	/* page by page: a large folio answers for each of its own */
	for (index = first; !ret; index++) {
		XA_STATE(xas, &mapping->i_pages, index);

		rcu_read_lock();
		do {
			entry = xas_find(&xas, last);
		} while (xas_retry(&xas, entry));
		index = max(index, xas.xa_index);
		rcu_read_unlock();
		if (!entry || index > last)
			break;
		at = start + ((index - first) << shift);
		ret = extents_add(extents, at, at + (1ul << shift));
		cond_resched();
	}
	return ret;
}

static int find_in_store(struct extents *extents, const struct segment *segment)
{
	pgoff_t last = segment->store_first + (segment->filesz >> PAGE_SHIFT) - 1;
	unsigned long index, at;
	struct page *page;
	int ret;

	xa_for_each_range(&segment->store->pages, index, page, segment->store_first, last) {
		at = segment->start + ((index - segment->store_first) << PAGE_SHIFT);
		ret = extents_add(extents, at, at + PAGE_SIZE);
		if (ret)
			return ret;
	}
	return 0;
}

static int find_in_cache(struct core *core, const struct segment *segment, unsigned long end)
{
	struct vm_area_struct *vma = vma_lookup(core->mm, segment->start);

	/* only somebody outside of the frozen group can have changed the mapping */
	if (!vma || !vma->vm_file || vma->vm_end < end)
		return -ESTALE;
	return extents_cache(&core->extents, vma->vm_file->f_mapping,
			     vma->vm_pgoff + ((segment->start - vma->vm_start) >> PAGE_SHIFT),
			     segment->start, end);
}

static int find_in_segment(struct core *core, const struct segment *segment)
{
	unsigned long end = segment->start + segment->filesz;

	core->extents.min = segment->start;
	if (!segment->filesz)
		return 0;
	if (segment->store)
		return find_in_store(&core->extents, segment);
	switch (segment->contents) {
	case CONTENTS_RANGE:
		return extents_add(&core->extents, segment->start, end);
	case CONTENTS_PAGES:
		return extents_pages(&core->extents, core->mm, segment->start, end);
	case CONTENTS_CACHE:
		return find_in_cache(core, segment, end);
	default:
		return 0;
	}
}

static int find_all(struct core *core)
{
	u64 before, mapped = 0, bytes[XCKPT_VMA_RING + 1] = {};
	unsigned int i;
	int ret;

	ret = mmap_read_lock_killable(core->mm);
	if (ret)
		return ret;
	for (i = 0; i < core->nr_segments && !ret; i++) {
		before = core->extents.bytes;
		ret = find_in_segment(core, &core->segments[i]);
		bytes[core->segments[i].kind] += core->extents.bytes - before;
		mapped += core->segments[i].end - core->segments[i].start;
		if (fatal_signal_pending(current))
			ret = -EINTR;
	}
	mmap_read_unlock(core->mm);
	if (!ret)
		trace_core_found(core->pid, bytes, mapped - core->extents.bytes);
	return ret;
}

/* The caller holds a user reference to the memory, or it is the core's own. */
int core_find(struct core *core)
{
	int ret = 0;

	if (smp_load_acquire(&core->found))
		return 0;
	if (mutex_lock_killable(&core->find))
		return -EINTR;
	if (!core->found) {
		ret = find_all(core);
		if (!ret && !core_valid(core))
			ret = -ESTALE;
		if (ret)
			extents_free(&core->extents);
		else
			core->data_bytes = core->extents.bytes;
		if (!ret)
			smp_store_release(&core->found, true);
	}
	mutex_unlock(&core->find);
	return ret;
}
