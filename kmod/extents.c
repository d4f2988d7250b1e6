// SPDX-License-Identifier: GPL-2.0-only
/* Which pages of a mapping have contents: found without touching any. */
#include <linux/hugetlb.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/mm.h"
#include "core.h"
#include "extents.h"
#include "symbols.h"
#include "trace.h"

/* Page-table callbacks run under spinlocks: extents collect here, and move on between. */
#define BUFFERED (PTRS_PER_PTE + 1)

struct walk {
	struct extents *extents;
	unsigned int nr;
	struct extent buffer[BUFFERED];
};

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

static int walk_flush(struct walk *walk)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < walk->nr && !ret; i++)
		ret = extents_add(walk->extents, walk->buffer[i].start, walk->buffer[i].end);
	walk->nr = 0;
	return ret;
}

static void walk_add(struct walk *walk, unsigned long start, unsigned long end)
{
	struct extent *last = walk->nr ? &walk->buffer[walk->nr - 1] : NULL;

	if (last && last->end == start)
		last->end = end;
	else if (!WARN_ON_ONCE(walk->nr == BUFFERED))
		walk->buffer[walk->nr++] = (struct extent){ start, end };
}

/* Is it a huge page with contents? The walk goes on into a page table, and into nothing else. */
static bool pmd_has_contents(pmd_t *pmd, struct mm_walk *walk)
{
	bool found = false;
	spinlock_t *lock;

	if (pmd_none(READ_ONCE(*pmd))) {
		walk->action = ACTION_CONTINUE;
		return false;
	}
	lock = pmd_lock(walk->mm, pmd);
	if (pmd_trans_huge(*pmd) || !pmd_present(*pmd)) {
		/* the huge zero page is no contents; a page in migration is */
		found = !pmd_none(*pmd) && !(pmd_present(*pmd) && !PageAnon(pmd_page(*pmd)));
		walk->action = ACTION_CONTINUE;
	}
	spin_unlock(lock);
	return found;
}

static bool pte_has_contents(pte_t entry, unsigned long addr, struct mm_walk *walk)
{
	if (pte_none(entry))
		return false;
	if (!pte_present(entry))
		return compat_pte_has_page(entry);
	/* the zero page is special: nothing was ever written there */
	return !pte_special(entry) && kernel_call(vm_normal_page)(walk->vma, addr, entry);
}

static int walk_pmd(pmd_t *pmd, unsigned long start, unsigned long end, struct mm_walk *mm_walk)
{
	struct walk *walk = mm_walk->private;
	int ret;

	/* no page-table lock is held here */
	cond_resched();
	ret = walk_flush(walk);
	if (!ret && pmd_has_contents(pmd, mm_walk))
		walk_add(walk, start, end);
	return ret;
}

static int walk_pte(pte_t *pte, unsigned long start, unsigned long end, struct mm_walk *mm_walk)
{
	if (pte_has_contents(*pte, start, mm_walk))
		walk_add(mm_walk->private, start, end);
	return 0;
}

static int walk_hugetlb(pte_t *pte, unsigned long mask, unsigned long start, unsigned long end,
			struct mm_walk *mm_walk)
{
	struct walk *walk = mm_walk->private;
	int ret = walk_flush(walk);

	if (!ret && !huge_pte_none(*pte))
		walk_add(walk, start, end);
	return ret;
}

/* Mappings of devices are not asked for, but a walk would skip them by itself. */
static int walk_test(unsigned long start, unsigned long end, struct mm_walk *mm_walk)
{
	return 0;
}

static const struct mm_walk_ops walk_ops = {
	.pmd_entry = walk_pmd,
	.pte_entry = walk_pte,
	.hugetlb_entry = walk_hugetlb,
	.test_walk = walk_test,
#ifdef COMPAT_WALK_LOCK
	COMPAT_WALK_LOCK,
#endif
};

int extents_pages(struct extents *extents, struct mm_struct *mm, unsigned long start,
		  unsigned long end)
{
	struct walk *walk;
	int ret;

	if (start >= end)
		return 0;
	walk = kmalloc(sizeof(*walk), GFP_KERNEL_ACCOUNT);
	if (!walk)
		return -ENOMEM;
	walk->extents = extents;
	walk->nr = 0;
	ret = kernel_call(walk_page_range)(mm, start, end, &walk_ops, walk);
	if (!ret)
		ret = walk_flush(walk);
	kfree(walk);
	return ret;
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

/* The end of the last contents: all that is walked is looked at. */
static int last_pmd(pmd_t *pmd, unsigned long start, unsigned long end, struct mm_walk *walk)
{
	cond_resched();
	if (pmd_has_contents(pmd, walk))
		*(unsigned long *)walk->private = end;
	return 0;
}

static int last_pte(pte_t *pte, unsigned long start, unsigned long end, struct mm_walk *walk)
{
	if (pte_has_contents(*pte, start, walk))
		*(unsigned long *)walk->private = end;
	return 0;
}

static int last_hugetlb(pte_t *pte, unsigned long mask, unsigned long start, unsigned long end,
			struct mm_walk *walk)
{
	if (!huge_pte_none(*pte))
		*(unsigned long *)walk->private = end;
	return 0;
}

static const struct mm_walk_ops last_ops = {
	.pmd_entry = last_pmd,
	.pte_entry = last_pte,
	.hugetlb_entry = last_hugetlb,
	.test_walk = walk_test,
#ifdef COMPAT_WALK_LOCK
	COMPAT_WALK_LOCK,
#endif
};

/* Page tables are there only for what was touched: where the last one begins to tell. */
static int table_pmd(pmd_t *pmd, unsigned long start, unsigned long end, struct mm_walk *walk)
{
	if (!pmd_none(READ_ONCE(*pmd)))
		*(unsigned long *)walk->private = start;
	walk->action = ACTION_CONTINUE;
	cond_resched();
	return 0;
}

static int table_hugetlb(pte_t *pte, unsigned long mask, unsigned long start, unsigned long end,
			 struct mm_walk *walk)
{
	if (!huge_pte_none(*pte))
		*(unsigned long *)walk->private = start;
	return 0;
}

static const struct mm_walk_ops table_ops = {
	.pmd_entry = table_pmd,
	.hugetlb_entry = table_hugetlb,
	.test_walk = walk_test,
#ifdef COMPAT_WALK_LOCK
	COMPAT_WALK_LOCK,
#endif
};

/*
 * The last page table may be there for the next mapping's sake, or have been left
 * by pages that are gone. When the one before it is empty too, look at all pages. Small
 * mappings, of which there may be many, have no more than one or two.
 */
int extents_last(struct mm_struct *mm, unsigned long start, unsigned long end, unsigned long *last)
{
	int tries = end - start > PMD_SIZE ? 0 : 2, ret = 0;
	unsigned long from;

	for (*last = start; start < end && *last == start && !ret; tries++) {
		from = start;
		if (tries < 2)
			ret = kernel_call(walk_page_range)(mm, start, end, &table_ops, &from);
		if (!ret)
			ret = kernel_call(walk_page_range)(mm, from, end, &last_ops, last);
		end = from;
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
	u64 before, mapped = 0, bytes[XCKPT_VMA_SPECIAL + 1] = {};
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
