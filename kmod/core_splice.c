// SPDX-License-Identifier: GPL-2.0-only
/* Splicing from a core: pages of a snapshot go into the pipe as they are. */
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>

#include "compat/fs.h"
#include "compat/mm.h"
#include "core.h"
#include "trace.h"

struct batch {
	struct page *pages[CORE_BATCH];
	struct partial_page partial[CORE_BATCH];
};

static void release_page(struct splice_pipe_desc *spd, unsigned int i)
{
	put_page(spd->pages[i]);
}

static long pages_of_store(const struct segment *segment, unsigned long addr, unsigned long nr,
			   struct page **pages)
{
	pgoff_t index = segment->store_first + ((addr - segment->start) >> PAGE_SHIFT);
	unsigned long i;

	for (i = 0; i < nr; i++) {
		pages[i] = xa_load(&segment->store->pages, index + i);
		if (!pages[i])
			break;
		get_page(pages[i]);
	}
	return i;
}

static long pages_of_memory(struct mm_struct *mm, unsigned long addr, unsigned long nr,
			    struct page **pages)
{
	int locked = 1;
	long got;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	got = compat_get_pages(mm, addr, nr, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	return got;
}

static ssize_t splice_pages(struct core *core, const struct stretch *stretch, size_t len,
			    struct pipe_inode_info *pipe, struct batch *batch)
{
	struct splice_pipe_desc spd = {
		.pages = batch->pages,
		.partial = batch->partial,
		.nr_pages_max = CORE_BATCH,
		.ops = &nosteal_pipe_buf_ops,
		.spd_release = release_page,
	};
	unsigned int offset = offset_in_page(stretch->addr);
	unsigned long addr = stretch->addr & PAGE_MASK;
	long i, nr;

	nr = min_t(size_t, DIV_ROUND_UP(offset + len, PAGE_SIZE), CORE_BATCH);
	nr = min_t(long, nr, pipe->max_usage);
	if (stretch->segment->store)
		nr = pages_of_store(stretch->segment, addr, nr, batch->pages);
	else
		nr = pages_of_memory(core->mm, addr, nr, batch->pages);
	if (nr <= 0)
		return nr ?: -EFAULT;
	for (i = 0; i < nr; i++) {
		batch->partial[i].offset = offset;
		batch->partial[i].len = min_t(size_t, PAGE_SIZE - offset, len);
		len -= batch->partial[i].len;
		offset = 0;
	}
	spd.nr_pages = nr;
	return splice_to_pipe(pipe, &spd);
}

/*
 * Pages of a clone or a store never change: who shares one with the clone gets a
 * page of its own before it writes. What comes from files, or from a process that
 * is only frozen, is copied.
 */
ssize_t core_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags)
{
	struct core *core = file->private_data;
	struct stretch stretch = {};
	struct batch *batch;
	ssize_t ret;

	if (!core->cloned || *pos >= core->size)
		return COMPAT_SPLICE_READ(file, pos, pipe, len, flags);
	if (*pos < core->head_size) {
		len = min_t(loff_t, len, core->head_size - *pos);
		return COMPAT_SPLICE_READ(file, pos, pipe, len, flags);
	}
	ret = core_contents(core, *pos + 1);
	if (ret)
		return ret;
	stretch = stretch_at(core, *pos);
	len = min_t(loff_t, len, stretch.end - *pos);
	if (!stretch.data ||
	    (!stretch.segment->store && stretch.segment->contents != CONTENTS_PAGES))
		return COMPAT_SPLICE_READ(file, pos, pipe, len, flags);

	batch = kmalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	trace_core_begin(core->pid, *pos, len);
	ret = splice_pages(core, &stretch, len, pipe, batch);
	trace_core_end(core->pid, ret);
	kfree(batch);
	if (ret > 0)
		*pos += ret;
	return ret;
}
