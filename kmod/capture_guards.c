// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guard regions, MADV_GUARD_INSTALL: who touches one gets SIGSEGV, and it is no mapping by
 * itself. The C library puts one below the stack of each thread. They are markers in page
 * tables, and so those of the process are looked at, while it stands still: a clone has none
 * where a mapping is not for children.
 */
#include <linux/fs.h>

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
