// SPDX-License-Identifier: GPL-2.0-only
/* Copies of pages that a clone of the memory would not keep. */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "capture.h"
#include "compat/mm.h"
#include "extents.h"
#include "store.h"

#define BATCH 64 /* pages pinned at once */

/* Who asks pays; and gives way to everybody else: there is another way without copies. */
#define STORE_GFP (GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN)

struct store *store_alloc(void)
{
	struct store *store = kzalloc(sizeof(*store), GFP_KERNEL_ACCOUNT);

	if (!store)
		return NULL;
	kref_init(&store->ref);
	xa_init(&store->pages);
	return store;
}

static void store_free(struct kref *ref)
{
	struct store *store = container_of(ref, struct store, ref);
	unsigned long index;
	struct page *page;

	xa_for_each(&store->pages, index, page) {
		put_page(page);
		cond_resched();
	}
	xa_destroy(&store->pages);
	kfree(store);
}

void store_put(struct store *store)
{
	if (store)
		kref_put(&store->ref, store_free);
}

int store_bytes(struct store *store, pgoff_t index, const void *from)
{
	struct page *page = alloc_page(STORE_GFP);
	int ret;

	if (!page)
		return -ENOMEM;
	copy_page(page_address(page), (void *)from);
	ret = xa_insert(&store->pages, index, page, STORE_GFP);
	if (ret) {
		put_page(page);
		return ret == -EBUSY ? 0 : ret;
	}
	store->bytes += PAGE_SIZE;
	store->end = max(store->end, index + 1);
	return 0;
}

bool store_has(const struct store *store, pgoff_t first, pgoff_t nr)
{
	return first >= store->whole_first && first + nr <= store->whole_end;
}

void store_completed(struct store *store, pgoff_t first, pgoff_t nr)
{
	pgoff_t end = first + nr;

	if (first <= store->whole_end && end >= store->whole_first) {
		store->whole_first = min(store->whole_first, first);
		store->whole_end = max(store->whole_end, end);
	} else if (nr > store->whole_end - store->whole_first) {
		/* of two that do not touch one is enough: the other is only looked at again */
		store->whole_first = first;
		store->whole_end = end;
	}
}

int store_shmem(struct store *store, struct address_space *mapping, pgoff_t first, pgoff_t nr)
{
	struct extents extents = {};
	struct page *page;
	pgoff_t index;
	size_t i;
	int ret;

	/* extents as if it were mapped from address 0 on */
	ret = extents_cache(&extents, mapping, first, 0, nr << PAGE_SHIFT);
	for (i = 0; i < extents.nr && !ret; i++) {
		index = first + (extents.list[i].start >> PAGE_SHIFT);
		for (; index < first + (extents.list[i].end >> PAGE_SHIFT) && !ret; index++) {
			if (xa_load(&store->pages, index))
				continue;
			page = shmem_read_mapping_page(mapping, index);
			if (page == ERR_PTR(-EINVAL))
				continue; /* truncated from outside: a hole */
			ret = IS_ERR(page) ? PTR_ERR(page)
					   : store_bytes(store, index, page_address(page));
			if (!IS_ERR(page))
				put_page(page);
			if (fatal_signal_pending(current))
				ret = -EINTR;
			cond_resched();
		}
	}
	extents_free(&extents);
	return ret;
}

static int store_batch(struct store *store, struct mm_struct *mm, pgoff_t index,
		       unsigned long start, unsigned long nr, struct page **pages)
{
	long i, got;
	int ret = 0;

	got = memory_pages(mm, start, nr, pages);
	if (got < 0)
		return vma_is_behind_file(mm, start) ? 1 : got; /* 1: a hole */
	for (i = 0; i < got; i++) {
		if (!ret)
			ret = store_bytes(store, index + i, page_address(pages[i]));
		put_page(pages[i]);
	}
	return ret ?: got;
}

static int store_extent(struct store *store, struct mm_struct *mm, pgoff_t first,
			unsigned long base, const struct extent *extent, struct page **pages)
{
	unsigned long at;
	pgoff_t index;
	int ret;

	for (at = extent->start; at < extent->end; at += (unsigned long)ret << PAGE_SHIFT) {
		index = first + ((at - base) >> PAGE_SHIFT);
		ret = 1;
		if (!xa_load(&store->pages, index))
			ret = store_batch(
				store, mm, index, at,
				min_t(unsigned long, BATCH, (extent->end - at) >> PAGE_SHIFT),
				pages);
		if (ret < 0)
			return ret;
		cond_resched();
	}
	return 0;
}

int store_memory(struct store *store, struct mm_struct *mm, pgoff_t first, unsigned long start,
		 const struct extents *extents)
{
	struct page **pages = kmalloc_array(BATCH, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	size_t i;
	int ret = pages ? 0 : -ENOMEM;

	for (i = 0; i < extents->nr && !ret; i++)
		ret = store_extent(store, mm, first, start, &extents->list[i], pages);
	kfree(pages);
	return ret;
}
