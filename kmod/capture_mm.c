// SPDX-License-Identifier: GPL-2.0-only
/* The address space: MM, VMA and NT_FILE notes, and the core's segments. */
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/pkeys.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/userfaultfd_k.h>
#include <asm/vdso.h>

#include "capture.h"
#include "compat/mm.h"

/* It may be shared memory of which nobody sees all: what is left is for who opens the mapping. */
static bool is_shm(struct vm_area_struct *vma, const struct xckpt_vma *info)
{
	if (info->kind == XCKPT_VMA_SHMEM)
		return info->pgoff || info->end - info->start < info->file_size;
	return info->kind == XCKPT_VMA_FILE && (info->flags & XCKPT_VMA_SHARED) &&
	       file_inode(vma->vm_file)->i_sb->s_magic == TMPFS_MAGIC;
}

static void fill_segment(struct segment *segment, struct vm_area_struct *vma)
{
	segment->start = vma->vm_start;
	segment->end = vma->vm_end;
	segment->flags = (vma->vm_flags & VM_READ ? PF_R : 0) |
			 (vma->vm_flags & VM_WRITE ? PF_W : 0) |
			 (vma->vm_flags & VM_EXEC ? PF_X : 0);
}

static int walk_mappings(struct capture *capture, struct mapping *mappings, unsigned int room)
{
	struct core *core = capture->core;
	struct vm_area_struct *vma;
	unsigned int i;
	int ret;
	VMA_ITERATOR(iter, capture->mm, 0);

	for_each_vma(iter, vma) {
		i = core->nr_segments;
		if (i >= room)
			return -EAGAIN;
		/* a clone would tell the handler, and wait for it */
		if (userfaultfd_armed(vma))
			core->uncloned = XCKPT_UNCLONED_UFFD;
		capture_vma(&mappings[i], vma);
		fill_segment(&core->segments[i], vma);
		core->nr_segments++;
		core->nr_shm += is_shm(vma, &mappings[i].vma);
		core->segments[i].kind = mappings[i].vma.kind;
		ret = capture_contents(capture, vma, &mappings[i].vma, &core->segments[i]);
		if (!ret)
			ret = capture_guards(capture, vma);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* They may be no pages that a clone has, or that can be read from outside. */
static int copy_rings(struct capture *capture, const struct mapping *mappings)
{
	struct core *core = capture->core;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < core->nr_segments && !ret; i++) {
		if (mappings[i].vma.kind == XCKPT_VMA_RING)
			ret = capture_ring_memory(capture, &mappings[i], &core->segments[i]);
	}
	return ret;
}

static void estimate_bytes(struct core *core)
{
	u64 pages = get_mm_counter(core->mm, MM_ANONPAGES) + get_mm_counter(core->mm, MM_SWAPENTS);
	u64 touched = 0, whole = 0;
	unsigned int i;

	for (i = 0; i < core->nr_segments; i++) {
		if (core->segments[i].contents == CONTENTS_RANGE)
			whole += core->segments[i].filesz;
		else
			touched += core->segments[i].filesz;
	}
	core->data_bytes = whole + min(touched, pages << PAGE_SHIFT);
}

static void add_vma_note(struct capture *capture, struct mapping *mappings, unsigned int nr)
{
	struct xckpt_note_table table = { .size = sizeof(table), .nr_entries = nr };
	struct notes *notes = &capture->notes;
	unsigned int i;
	u32 at;

	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_VMA);
	notes_add(notes, sizeof(table));
	table.entry_size = sizeof(struct xckpt_vma);
	table.entries_off = at = capture_table(notes, nr, sizeof(struct xckpt_vma));
	memcpy(notes_at(notes, 0), &table, sizeof(table));
	for (i = 0; i < nr && !notes->err; i++, at += sizeof(struct xckpt_vma)) {
		const char *name = mappings[i].label[0] ? mappings[i].label : NULL;

		if (mappings[i].file)
			name = capture_path(capture, &mappings[i].file->f_path);
		if (capture->core->segments[i].store)
			mappings[i].vma.flags |= XCKPT_VMA_COPIED;
		if (name)
			mappings[i].vma.path_off = notes_string(notes, name);
		if (!notes->err)
			memcpy(notes_at(notes, at), &mappings[i].vma, sizeof(mappings[i].vma));
	}
	notes_end(notes);
}

/* NT_FILE: count, page size; start, end, page offset of each; then the names. */
static void add_file_note(struct capture *capture, struct mapping *mappings, unsigned int nr)
{
	struct notes *notes = &capture->notes;
	unsigned int i, files = 0;
	u64 entry[3];

	for (i = 0; i < nr; i++)
		files += !!mappings[i].file;
	notes_begin(notes, "CORE", NT_FILE);
	entry[0] = files;
	entry[1] = PAGE_SIZE;
	memcpy(notes_add(notes, 16), entry, 16);
	for (i = 0; i < nr; i++) {
		if (!mappings[i].file)
			continue;
		entry[0] = mappings[i].vma.start;
		entry[1] = mappings[i].vma.end;
		entry[2] = mappings[i].vma.pgoff >> PAGE_SHIFT;
		memcpy(notes_add(notes, sizeof(entry)), entry, sizeof(entry));
	}
	for (i = 0; i < nr; i++) {
		const char *name = NULL;

		if (!mappings[i].file)
			continue;
		name = capture_path(capture, &mappings[i].file->f_path);
		notes_string(notes, name ?: "");
	}
	notes_end(notes);
}

/* Who may call membarrier(2), and how: those who said that they would. */
static u32 barrier_flags(struct mm_struct *mm)
{
	u32 flags = 0;
#ifdef CONFIG_MEMBARRIER
	static const struct {
		int state;
		u32 flag;
	} map[] = {
		{ MEMBARRIER_STATE_GLOBAL_EXPEDITED, XCKPT_MM_BARRIER_GLOBAL },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED, XCKPT_MM_BARRIER },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED_SYNC_CORE, XCKPT_MM_BARRIER_CORE },
		{ MEMBARRIER_STATE_PRIVATE_EXPEDITED_RSEQ, XCKPT_MM_BARRIER_RSEQ },
	};
	int state = atomic_read(&mm->membarrier_state);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		if (state & map[i].state)
			flags |= map[i].flag;
	}
#endif
	return flags;
}

/* Those of pkey_alloc(2); that of what may be executed only is the kernel's own. */
static u32 protection_keys(const struct mm_struct *mm)
{
#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
	int own = READ_ONCE(mm->context.execute_only_pkey);

	return READ_ONCE(mm->context.pkey_allocation_map) & ~(own > 0 ? 1u << own : 0);
#else
	return 0;
#endif
}

static void add_mm_note(struct capture *capture)
{
	struct xckpt_note_mm note = { .size = sizeof(note) };
	struct mm_struct *mm = capture->mm;

	spin_lock(&mm->arg_lock);
	note.start_code = mm->start_code;
	note.end_code = mm->end_code;
	note.start_data = mm->start_data;
	note.end_data = mm->end_data;
	note.start_brk = mm->start_brk;
	note.brk = mm->brk;
	note.start_stack = mm->start_stack;
	note.arg_start = mm->arg_start;
	note.arg_end = mm->arg_end;
	note.env_start = mm->env_start;
	note.env_end = mm->env_end;
	spin_unlock(&mm->arg_lock);
	note.vdso = (unsigned long)mm->context.vdso;
	if (compat_mm_flag(mm, MMF_DISABLE_THP))
		note.flags |= XCKPT_MM_THP_DISABLED;
	if (mm->def_flags & VM_LOCKED)
		note.flags |= XCKPT_MM_LOCK_FUTURE;
	if (mm->def_flags & VM_LOCKONFAULT)
		note.flags |= XCKPT_MM_LOCK_ONFAULT;
	note.dump_filter = (compat_mm_flags(mm) & MMF_DUMP_FILTER_MASK) >> MMF_DUMP_FILTER_SHIFT;
	note.flags |= XCKPT_MM_DUMP_FILTER | barrier_flags(mm) | compat_prctl_flags(mm);
	note.pkeys = protection_keys(mm);
	notes_put(&capture->notes, XCKPT_NOTE_NAME, XCKPT_NT_MM, &note, sizeof(note));
}

int capture_layout(struct capture *capture)
{
	struct core *core = capture->core;
	struct mapping *mappings;
	unsigned int i, room;
	int ret;

	room = capture->mm->map_count + 8;
	mappings = kvcalloc(room, sizeof(*mappings), GFP_KERNEL_ACCOUNT);
	core->segments = kvcalloc(room, sizeof(*core->segments), GFP_KERNEL_ACCOUNT);
	ret = -ENOMEM;
	if (!mappings || !core->segments)
		goto out;
	ret = mmap_read_lock_killable(capture->mm);
	if (ret)
		goto out;
	ret = walk_mappings(capture, mappings, room);
	mmap_read_unlock(capture->mm);
	if (!ret && capture->stores && !core->uncloned)
		ret = capture_copies(capture, mappings);
	if (!ret)
		ret = copy_rings(capture, mappings);
	if (ret)
		goto out;
	estimate_bytes(core);
	add_file_note(capture, mappings, core->nr_segments);
	add_mm_note(capture);
	add_vma_note(capture, mappings, core->nr_segments);
	capture_guard_note(capture);
out:
	for (i = 0; mappings && i < core->nr_segments; i++) {
		if (mappings[i].file)
			fput(mappings[i].file);
	}
	kvfree(mappings);
	return ret;
}
