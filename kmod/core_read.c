// SPDX-License-Identifier: GPL-2.0-only
/* Reading a core: header from memory, extents from the process, the rest is holes. */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "capture.h"
#include "compat/mm.h"
#include "core.h"
#include "trace.h"

/* The segment that holds file offset @pos, or the next one behind it, or NULL. */
static const struct segment *segment_at(const struct core *core, loff_t pos)
{
	unsigned int low = 0, high = core->nr_segments;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct segment *segment = &core->segments[mid];

		if (segment->offset + (loff_t)segment->filesz <= pos)
			low = mid + 1;
		else
			high = mid;
	}
	return low < core->nr_segments ? &core->segments[low] : NULL;
}

/* The first extent that ends behind @addr, or NULL. */
static const struct extent *extent_at(const struct core *core, unsigned long addr)
{
	size_t low = 0, high = core->extents.nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (core->extents.list[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < core->extents.nr ? &core->extents.list[low] : NULL;
}

struct stretch stretch_at(const struct core *core, loff_t pos)
{
	const struct segment *segment = segment_at(core, pos);
	const struct extent *extent;
	struct stretch stretch = { .end = core->size };
	loff_t delta;

	if (!segment)
		return stretch;
	stretch.segment = segment;
	delta = pos - segment->offset;
	stretch.addr = segment->start + delta;
	stretch.end = segment->offset + segment->filesz;
	extent = extent_at(core, stretch.addr);
	if (!extent || extent->start >= segment->start + segment->filesz)
		return stretch;
	if (extent->start > stretch.addr) {
		stretch.end = segment->offset + (extent->start - segment->start);
		return stretch;
	}
	stretch.data = true;
	stretch.end = min(stretch.end, (loff_t)(segment->offset + (extent->end - segment->start)));
	return stretch;
}

/* Copy up to @count bytes at @addr; 0 when they cannot be had. */
static size_t read_pages(struct mm_struct *mm, unsigned long addr, size_t count,
			 struct page **pages, struct iov_iter *to)
{
	size_t offset = offset_in_page(addr), done = 0, size, copied;
	long i, nr, got;

	nr = min_t(size_t, CORE_BATCH, DIV_ROUND_UP(offset + count, PAGE_SIZE));
	got = memory_pages(mm, addr & PAGE_MASK, nr, pages);
	if (got <= 0)
		return vma_is_behind_file(mm, addr)
			       ? iov_iter_zero(min(count, PAGE_SIZE - offset), to)
			       : 0;

	for (i = 0; i < got; i++) {
		size = min(count - done, PAGE_SIZE - offset);
		copied = size ? copy_page_to_iter(pages[i], offset, size, to) : 0;
		done += copied;
		offset = 0;
		put_page(pages[i]);
		if (copied < size)
			count = done; /* only drop the remaining pages */
	}
	return done;
}

static size_t read_store(const struct segment *segment, unsigned long addr, size_t count,
			 struct iov_iter *to)
{
	pgoff_t index = segment->store_first + ((addr - segment->start) >> PAGE_SHIFT);
	size_t offset = offset_in_page(addr);
	struct page *page = xa_load(&segment->store->pages, index);

	count = min(count, PAGE_SIZE - offset);
	return page ? copy_page_to_iter(page, offset, count, to) : iov_iter_zero(count, to);
}

static size_t read_some(struct core *core, struct mm_struct *mm, loff_t pos, struct page **pages,
			struct iov_iter *to)
{
	size_t count = iov_iter_count(to);
	struct stretch stretch;

	if (pos < core->head_size) {
		count = min_t(size_t, count, core->head_size - pos);
		return copy_to_iter(core->head + pos, count, to);
	}
	stretch = stretch_at(core, pos);
	count = min_t(loff_t, count, stretch.end - pos);
	if (!stretch.data)
		return iov_iter_zero(count, to);
	if (stretch.segment->store)
		return read_store(stretch.segment, stretch.addr, count, to);
	return read_pages(mm, stretch.addr, count, pages, to);
}

static ssize_t read_all(struct core *core, struct mm_struct *mm, loff_t *pos, struct page **pages,
			struct iov_iter *to)
{
	ssize_t done = 0;
	size_t got;

	while (iov_iter_count(to) && *pos < core->size) {
		if (fatal_signal_pending(current))
			return done ?: -EINTR;
		got = read_some(core, mm, *pos, pages, to);
		if (!got)
			return done ?: -EFAULT;
		*pos += got;
		done += got;
		cond_resched();
	}
	return done;
}

int core_contents(struct core *core, loff_t end)
{
	int ret;

	if (end <= core->head_size)
		return 0;
	if (!mmget_not_zero(core->mm))
		return -ESTALE;
	ret = core_find(core);
	mmput(core->mm);
	return ret;
}

/*
 * What is read while the group is frozen is of one instant. When it was thawed
 * meanwhile, the bytes may be of several, and the reader hears of that. What was
 * cloned stays as it is.
 */
ssize_t core_read(struct core *core, loff_t *pos, struct iov_iter *to)
{
	struct page **pages;
	ssize_t ret = -ESTALE;

	trace_core_begin(core->pid, *pos, iov_iter_count(to));
	if (!core_valid(core))
		goto out;
	ret = core_contents(core, *pos + iov_iter_count(to));
	if (ret)
		goto out;
	ret = -ESTALE;
	if (!mmget_not_zero(core->mm))
		goto out;
	pages = kmalloc_array(CORE_BATCH, sizeof(*pages), GFP_KERNEL);
	ret = pages ? read_all(core, core->mm, pos, pages, to) : -ENOMEM;
	kfree(pages);
	mmput(core->mm);
	if (!core_valid(core))
		ret = -ESTALE;
out:
	trace_core_end(core->pid, ret);
	return ret;
}

static ssize_t core_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return core_read(iocb->ki_filp->private_data, &iocb->ki_pos, to);
}

static loff_t seek_data(const struct core *core, loff_t pos, bool data)
{
	struct stretch stretch;

	if (pos < 0 || pos >= core->size)
		return -ENXIO;
	if (pos < core->head_size) {
		if (data)
			return pos;
		pos = core->head_size;
	}
	while (pos < core->size) {
		stretch = stretch_at(core, pos);
		if (stretch.data == data)
			return pos;
		pos = stretch.end;
	}
	return data ? -ENXIO : core->size;
}

static loff_t core_llseek(struct file *file, loff_t offset, int whence)
{
	struct core *core = file->private_data;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		int ret = core_contents(core, core->size);

		if (ret)
			return ret;
		offset = seek_data(core, offset, whence == SEEK_DATA);
		if (offset < 0)
			return offset;
		whence = SEEK_SET;
	}
	return generic_file_llseek_size(file, offset, whence, MAX_LFS_FILESIZE, core->size);
}

static int core_file_open(struct inode *inode, struct file *file)
{
	file->private_data = inode->i_private;
	return 0;
}

const struct file_operations core_fops = {
	.owner = THIS_MODULE,
	.open = core_file_open,
	.llseek = core_llseek,
	.read_iter = core_read_iter,
	.splice_read = core_splice_read,
};
