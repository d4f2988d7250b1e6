// SPDX-License-Identifier: GPL-2.0-only
/* Which pages of a mapping hold something: found without touching any. */
#include <linux/hugetlb.h>
#include <linux/pagemap.h>
#include <linux/pagewalk.h>
#include <linux/slab.h>

#include "capture.h"
#include "compat/mm.h"
#include "symbols.h"

/* Page-table callbacks run under spinlocks: extents collect here, and move on between. */
#define BUFFERED (PTRS_PER_PTE + 1)

struct walk {
	struct core *core;
	unsigned long min; /* extents do not merge across the start of the mapping */
	unsigned int nr;
	struct extent extents[BUFFERED];
};

static int extents_reserve(struct core *core, unsigned int nr)
{
	struct extent *extents;
	size_t room;

	if (core->nr_extents + nr <= core->room_extents)
		return 0;
	room = max_t(size_t, 2 * core->room_extents, core->nr_extents + nr + 64);
	extents = kvmalloc_array(room, sizeof(*extents), GFP_KERNEL_ACCOUNT);
	if (!extents)
		return -ENOMEM;
	if (core->nr_extents)
		memcpy(extents, core->extents, core->nr_extents * sizeof(*extents));
	kvfree(core->extents);
	core->extents = extents;
	core->room_extents = room;
	return 0;
}

static void extents_add(struct core *core, unsigned long min, struct extent extent)
{
	struct extent *last = core->nr_extents ? &core->extents[core->nr_extents - 1] : NULL;

	core->data_bytes += extent.end - extent.start;
	if (last && last->end == extent.start && extent.start > min)
		last->end = extent.end;
	else
		core->extents[core->nr_extents++] = extent;
}

static int walk_flush(struct walk *walk)
{
	unsigned int i;
	int ret;

	ret = extents_reserve(walk->core, walk->nr);
	if (ret)
		return ret;
	for (i = 0; i < walk->nr; i++)
		extents_add(walk->core, walk->min, walk->extents[i]);
	walk->nr = 0;
	return 0;
}

static void walk_add(struct walk *walk, unsigned long start, unsigned long end)
{
	struct extent *last = walk->nr ? &walk->extents[walk->nr - 1] : NULL;

	if (last && last->end == start)
		last->end = end;
	else if (!WARN_ON_ONCE(walk->nr == BUFFERED))
		walk->extents[walk->nr++] = (struct extent){ start, end };
}

static int walk_pmd(pmd_t *pmd, unsigned long start, unsigned long end, struct mm_walk *mm_walk)
{
	struct walk *walk = mm_walk->private;
	spinlock_t *lock;
	int ret;

	/* no page-table lock is held here */
	cond_resched();
	ret = walk_flush(walk);
	if (ret)
		return ret;
	if (pmd_none(READ_ONCE(*pmd))) {
		mm_walk->action = ACTION_CONTINUE;
		return 0;
	}
	lock = pmd_lock(mm_walk->mm, pmd);
	if (pmd_trans_huge(*pmd) || !pmd_present(*pmd)) {
		/* the huge zero page is no contents; a page in migration is */
		if (!pmd_none(*pmd) && !(pmd_present(*pmd) && !PageAnon(pmd_page(*pmd))))
			walk_add(walk, start, end);
		mm_walk->action = ACTION_CONTINUE;
	}
	spin_unlock(lock);
	return 0;
}

static int walk_pte(pte_t *pte, unsigned long start, unsigned long end, struct mm_walk *mm_walk)
{
	struct walk *walk = mm_walk->private;
	pte_t entry = *pte;

	if (pte_none(entry))
		return 0;
	if (pte_present(entry)) {
		/* the zero page is special: nothing was ever written there */
		if (pte_special(entry) || !kernel_call(vm_normal_page)(mm_walk->vma, start, entry))
			return 0;
	} else if (!compat_pte_has_page(entry)) {
		return 0;
	}
	walk_add(walk, start, end);
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

int capture_pages(struct core *core, struct vm_area_struct *vma)
{
	struct walk *walk;
	int ret;

	walk = kvmalloc(sizeof(*walk), GFP_KERNEL_ACCOUNT);
	if (!walk)
		return -ENOMEM;
	walk->core = core;
	walk->min = vma->vm_start;
	walk->nr = 0;
	ret = kernel_call(walk_page_range)(vma->vm_mm, vma->vm_start, vma->vm_end, &walk_ops, walk);
	if (!ret)
		ret = walk_flush(walk);
	kvfree(walk);
	return ret;
}

int capture_range(struct core *core, unsigned long start, unsigned long end)
{
	int ret;

	if (start == end)
		return 0;
	ret = extents_reserve(core, 1);
	if (!ret)
		extents_add(core, start, (struct extent){ start, end });
	return ret;
}

/*
 * Shared memory has contents where its page cache has a page or a swap entry,
 * whether or not this process ever touched it.
 */
int capture_shmem(struct core *core, struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file->f_mapping;
	pgoff_t first = vma->vm_pgoff, last = first + vma_pages(vma) - 1;
	unsigned long index, start;
	void *entry;
	int ret = 0;

	/* page by page: a large folio answers for each of its own */
	for (index = first;; index++) {
		XA_STATE(xas, &mapping->i_pages, index);

		rcu_read_lock();
		do {
			entry = xas_find(&xas, last);
		} while (xas_retry(&xas, entry));
		index = max(index, xas.xa_index);
		rcu_read_unlock();
		if (!entry || index > last)
			break;
		start = vma->vm_start + ((index - first) << PAGE_SHIFT);
		ret = extents_reserve(core, 1);
		if (ret)
			break;
		extents_add(core, vma->vm_start, (struct extent){ start, start + PAGE_SIZE });
		cond_resched();
	}
	return ret;
}
