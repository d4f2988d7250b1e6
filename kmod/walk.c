// SPDX-License-Identifier: GPL-2.0-only
/* What page tables tell of a mapping: walked without touching any page. */
#include <linux/hugetlb.h>
#include <linux/pagewalk.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/mm.h"
#include "extents.h"
#include "symbols.h"

/* Page-table callbacks run under spinlocks: extents collect here, and move on between. */
#define BUFFERED (PTRS_PER_PTE + 1)

struct walk {
	struct extents *extents;
	unsigned int nr;
	struct extent buffer[BUFFERED];
};

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

static int guard_pmd(pmd_t *pmd, unsigned long start, unsigned long end, struct mm_walk *walk)
{
	cond_resched();
	pmd_has_contents(pmd, walk); /* what is no page table has no guards, and stays as it is */
	return fatal_signal_pending(current) ? -EINTR : walk_flush(walk->private);
}

static int guard_pte(pte_t *pte, unsigned long start, unsigned long end, struct mm_walk *walk)
{
	if (compat_pte_is_guard(*pte))
		walk_add(walk->private, start, end);
	return 0;
}

static const struct mm_walk_ops guard_ops = {
	.pmd_entry = guard_pmd,
	.pte_entry = guard_pte,
	.test_walk = walk_test,
#ifdef COMPAT_WALK_LOCK
	COMPAT_WALK_LOCK,
#endif
};

static int extents_walk(struct extents *extents, struct mm_struct *mm, unsigned long start,
			unsigned long end, const struct mm_walk_ops *ops)
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
	ret = kernel_call(walk_page_range)(mm, start, end, ops, walk);
	if (!ret)
		ret = walk_flush(walk);
	kfree(walk);
	return ret;
}

int extents_pages(struct extents *extents, struct mm_struct *mm, unsigned long start,
		  unsigned long end)
{
	return extents_walk(extents, mm, start, end, &walk_ops);
}

int extents_guards(struct extents *extents, struct mm_struct *mm, unsigned long start,
		   unsigned long end)
{
	return extents_walk(extents, mm, start, end, &guard_ops);
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
