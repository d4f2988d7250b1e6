// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of a process, as it would find them. Some cannot be had by touching them in its
 * place: guarded ones, and those for which the handler of a userfaultfd is asked. That is
 * frozen like everybody else. They are had from the file that is mapped there.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/userfaultfd_k.h>

#include "capture.h"
#include "compat/mm.h"

static bool is_guarded(struct vm_area_struct *vma, unsigned long addr)
{
	struct extents guards = {};
	bool ret;

	if (!compat_may_have_guards(vma))
		return false;
	ret = !extents_guards(&guards, vma->vm_mm, addr, addr + PAGE_SIZE) && guards.nr;
	extents_free(&guards);
	return ret;
}

/* Anonymous memory that nobody has touched is not asked for. */
static bool may_be_handled(struct vm_area_struct *vma)
{
	return vma && vma->vm_file && userfaultfd_armed(vma);
}

/* Is there a handler for @addr, and no page? 1 or 0, or -errno. */
static int is_handled(struct vm_area_struct *vma, unsigned long addr)
{
	struct extents pages = {};
	int ret;

	if (!may_be_handled(vma))
		return 0;
	ret = extents_pages(&pages, vma->vm_mm, addr, addr + PAGE_SIZE);
	if (!ret)
		ret = !pages.nr;
	extents_free(&pages);
	return ret;
}

/* The file behind a page that is hidden so, with a reference, and which page of it; or NULL. */
static struct file *hidden_file(struct mm_struct *mm, unsigned long addr, pgoff_t *index)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;

	if (mmap_read_lock_killable(mm))
		return NULL;
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file && (is_guarded(vma, addr) || is_handled(vma, addr) > 0)) {
		file = get_file(vma->vm_file);
		*index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	}
	mmap_read_unlock(mm);
	return file;
}

/* What is a hole of shared memory stays one: to read it there would fill it. */
static struct page *shmem_page(struct address_space *mapping, pgoff_t index)
{
	struct page *zero = ZERO_PAGE(0);

	if (xa_load(&mapping->i_pages, index))
		return shmem_read_mapping_page(mapping, index);
	get_page(zero);
	return zero;
}

static struct page *hidden_page(struct mm_struct *mm, unsigned long addr)
{
	struct page *page = ERR_PTR(-EFAULT);
	struct address_space *mapping;
	struct file *file;
	pgoff_t index;

	file = hidden_file(mm, addr, &index);
	if (!file)
		return page;
	mapping = file->f_mapping;
	if (index >= DIV_ROUND_UP(i_size_read(mapping->host), PAGE_SIZE))
		; /* the file has become shorter */
	else if (mapping->host->i_sb->s_magic == TMPFS_MAGIC)
		page = shmem_page(mapping, index);
	else if (mapping->a_ops->read_folio)
		page = read_mapping_page(mapping, index, file);
	fput(file);
	return page;
}

/* Those that can be had by touching them. */
static long touched_pages(struct mm_struct *mm, unsigned long start, unsigned long nr,
			  struct page **pages)
{
	struct vm_area_struct *vma;
	int locked = 1;
	long got;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, start);
	if (may_be_handled(vma))
		nr = 1;
	got = is_handled(vma, start);
	if (!got)
		got = compat_get_pages(mm, start, nr, pages, &locked);
	else if (got > 0)
		got = -EFAULT;
	if (locked)
		mmap_read_unlock(mm);
	return got;
}

long memory_pages(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages)
{
	long got = touched_pages(mm, start, nr, pages);

	if (got > 0)
		return got;
	pages[0] = hidden_page(mm, start);
	return IS_ERR(pages[0]) ? got ?: -EFAULT : 1;
}
