// SPDX-License-Identifier: GPL-2.0-only
/* Splicing from a core: pages of a snapshot go into the pipe as they are. */
#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "capture.h"
#include "core.h"
#include "trace.h"

#define COPIED 16 /* pages at once, of what is not passed on as it is */

struct batch {
	struct page *pages[CORE_BATCH];
	struct partial_page partial[CORE_BATCH];
	struct bio_vec copies[COPIED];
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

/* Hand @len bytes in @nr pages, from @offset in the first on, to @pipe. */
static ssize_t splice_batch(struct batch *batch, unsigned int nr, unsigned int offset, size_t len,
			    struct pipe_inode_info *pipe)
{
	struct splice_pipe_desc spd = {
		.pages = batch->pages,
		.partial = batch->partial,
		.nr_pages = nr,
		.nr_pages_max = CORE_BATCH,
		.ops = &nosteal_pipe_buf_ops,
		.spd_release = release_page,
	};
	unsigned int i;

	for (i = 0; i < nr; i++) {
		batch->partial[i].offset = offset;
		batch->partial[i].len = min_t(size_t, PAGE_SIZE - offset, len);
		len -= batch->partial[i].len;
		offset = 0;
	}
	return splice_to_pipe(pipe, &spd);
}

static ssize_t splice_pages(struct core *core, const struct stretch *stretch, size_t len,
			    struct pipe_inode_info *pipe, struct batch *batch)
{
	unsigned int offset = offset_in_page(stretch->addr);
	unsigned long addr = stretch->addr & PAGE_MASK;
	long nr;

	nr = min_t(size_t, DIV_ROUND_UP(offset + len, PAGE_SIZE), CORE_BATCH);
	nr = min_t(long, nr, pipe->max_usage);
	if (stretch->segment->store)
		nr = pages_of_store(stretch->segment, addr, nr, batch->pages);
	else
		nr = memory_pages(core->mm, addr, nr, batch->pages);
	return nr > 0 ? splice_batch(batch, nr, offset, len, pipe) : nr ?: -EFAULT;
}

static ssize_t splice_copies(struct core *core, loff_t pos, size_t len,
			     struct pipe_inode_info *pipe, struct batch *batch)
{
	unsigned int i, nr, used = 0;
	struct iov_iter to;
	ssize_t ret;

	nr = min_t(size_t, min_t(unsigned int, COPIED, pipe->max_usage),
		   DIV_ROUND_UP(len, PAGE_SIZE));
	for (i = 0; i < nr; i++) {
		batch->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT);
		if (!batch->pages[i])
			break;
		batch->copies[i].bv_page = batch->pages[i];
		batch->copies[i].bv_offset = 0;
		batch->copies[i].bv_len = PAGE_SIZE;
	}
	nr = i;
	iov_iter_bvec(&to, ITER_DEST, batch->copies, nr, min_t(size_t, len, nr * PAGE_SIZE));
	ret = nr ? core_read(core, &pos, &to) : -ENOMEM;
	if (ret > 0)
		used = DIV_ROUND_UP(ret, PAGE_SIZE);
	for (i = used; i < nr; i++)
		put_page(batch->pages[i]);
	return used ? splice_batch(batch, used, 0, ret, pipe) : ret;
}

/*
 * Pages of a clone or a store never change: who shares one with the clone gets a
 * page of its own before it writes.
 */
static bool passes_pages(const struct stretch *stretch)
{
	return stretch->data &&
	       (stretch->segment->store || stretch->segment->contents == CONTENTS_PAGES);
}

/* What comes from files, or from a process that is only frozen, is copied. */
ssize_t core_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags)
{
	struct core *core = file->private_data;
	struct stretch stretch = {};
	struct batch *batch;
	ssize_t ret;

	if (*pos >= core->size || !len)
		return 0;
	if (*pos < core->head_size) {
		len = min_t(loff_t, len, core->head_size - *pos);
	} else if (core->cloned) {
		ret = core_contents(core, *pos + 1);
		if (ret)
			return ret;
		stretch = stretch_at(core, *pos);
		len = min_t(loff_t, len, stretch.end - *pos);
	}
	batch = kmalloc(sizeof(*batch), GFP_KERNEL);
	if (!batch)
		return -ENOMEM;
	if (passes_pages(&stretch)) {
		trace_core_begin(core->pid, *pos, len);
		ret = splice_pages(core, &stretch, len, pipe, batch);
		trace_core_end(core->pid, ret);
	} else {
		ret = splice_copies(core, *pos, len, pipe, batch);
	}
	kfree(batch);
	if (ret > 0)
		*pos += ret;
	return ret;
}
