// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guard regions, MADV_GUARD_INSTALL: who touches one gets SIGSEGV, and it is no mapping by
 * itself. The C library puts one below the stack of each thread. They are markers in page
 * tables, and so those of the process are looked at, while it stands still: a clone has none
 * where a mapping is not for children.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mmap_lock.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "capture.h"
#include "compat/mm.h"

/* A note of 16 MiB. Each needs as much memory here as its share of a page table has there. */
#define GUARDS_MAX (1u << 20)

int capture_guards(struct capture *capture, struct vm_area_struct *vma)
{
	if (!compat_may_have_guards(vma))
		return 0;
	capture->guards.min = vma->vm_start;
	capture->guards.most = GUARDS_MAX;
	return extents_guards(&capture->guards, vma->vm_mm, vma->vm_start, vma->vm_end);
}

void capture_guard_note(struct capture *capture)
{
	struct xckpt_note_table table = { .size = sizeof(table),
					  .entry_size = sizeof(struct xckpt_guard),
					  .nr_entries = capture->guards.nr };
	struct notes *notes = &capture->notes;

	static_assert(sizeof(struct xckpt_guard) == sizeof(struct extent));
	if (!table.nr_entries)
		return;
	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_GUARD);
	notes_add(notes, sizeof(table));
	table.entries_off = capture_table(notes, table.nr_entries, table.entry_size);
	if (notes->err)
		return;
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	memcpy(notes_at(notes, table.entries_off), capture->guards.list,
	       (size_t)table.nr_entries * table.entry_size);
	notes_end(notes);
}

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

/* The file behind a guard at @addr, with a reference, and which of its pages; or NULL. */
static struct file *guarded_file(struct mm_struct *mm, unsigned long addr, pgoff_t *index)
{
	struct vm_area_struct *vma;
	struct file *file = NULL;

	if (mmap_read_lock_killable(mm))
		return NULL;
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file && is_guarded(vma, addr)) {
		file = get_file(vma->vm_file);
		*index = vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
	}
	mmap_read_unlock(mm);
	return file;
}

static struct page *page_behind_guard(struct mm_struct *mm, unsigned long addr)
{
	struct page *page = ERR_PTR(-EFAULT);
	struct address_space *mapping;
	struct file *file;
	pgoff_t index;

	file = guarded_file(mm, addr, &index);
	if (!file)
		return page;
	mapping = file->f_mapping;
	if (index >= DIV_ROUND_UP(i_size_read(mapping->host), PAGE_SIZE))
		; /* the file has become shorter */
	else if (mapping->host->i_sb->s_magic == TMPFS_MAGIC)
		page = shmem_read_mapping_page(mapping, index);
	else if (mapping->a_ops->read_folio)
		page = read_mapping_page(mapping, index, file);
	fput(file);
	return page;
}

long memory_pages(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages)
{
	int locked = 1;
	long got;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	got = compat_get_pages(mm, start, nr, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	if (got > 0)
		return got;
	pages[0] = page_behind_guard(mm, start);
	return IS_ERR(pages[0]) ? got ?: -EFAULT : 1;
}
