// SPDX-License-Identifier: GPL-2.0-only
/* The address space: MM, VMA and NT_FILE notes, and the core's segments. */
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/pkeys.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/secretmem.h>
#include <linux/userfaultfd_k.h>
#include <asm/vdso.h>

#include "capture.h"
#include "compat/mm.h"

static enum xckpt_vma_kind file_kind(struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(vma->vm_file);

	if (inode->i_sb->s_magic == SECRETMEM_MAGIC)
		return XCKPT_VMA_SPECIAL;
	if (inode->i_sb->s_magic != TMPFS_MAGIC || inode->i_nlink)
		return XCKPT_VMA_FILE;
	/* not VM_SHARED, which mappings by a descriptor for reading only do not have */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return XCKPT_VMA_FILE;
	/* the kernel's own, which no user can make with that name */
	if (IS_PRIVATE(inode) && !strncmp(vma->vm_file->f_path.dentry->d_name.name, "SYSV", 4))
		return XCKPT_VMA_SYSV;
	return XCKPT_VMA_SHMEM;
}

static bool has_name(struct vm_area_struct *vma, const char *start)
{
	const char *name = vma->vm_ops && vma->vm_ops->name ? vma->vm_ops->name(vma) : NULL;

	return name && strstarts(name, start);
}

bool vma_is_vdso(struct vm_area_struct *vma)
{
	return has_name(vma, "[vdso]");
}

static enum xckpt_vma_kind vma_kind(struct vm_area_struct *vma)
{
	if (vma_is_vdso(vma))
		return XCKPT_VMA_VDSO;
	if (has_name(vma, "[vvar"))
		return XCKPT_VMA_VVAR;
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return XCKPT_VMA_SPECIAL;
	if (is_vm_hugetlb_page(vma))
		return XCKPT_VMA_HUGETLB;
	if (vma_is_anonymous(vma))
		return XCKPT_VMA_ANON;
	return vma->vm_file ? file_kind(vma) : XCKPT_VMA_SPECIAL;
}

static u32 vma_flags(struct vm_area_struct *vma)
{
	static const struct {
		unsigned long vm;
		u32 flag;
	} map[] = {
		{ VM_READ, XCKPT_VMA_READ },
		{ VM_WRITE, XCKPT_VMA_WRITE },
		{ VM_EXEC, XCKPT_VMA_EXEC },
		{ VM_SHARED, XCKPT_VMA_SHARED },
		/* a read-only shared mapping has neither; the kernel calls it VM_MAYSHARE */
		{ VM_MAYSHARE, XCKPT_VMA_SHARED },
		{ VM_MAYWRITE, XCKPT_VMA_MAYWRITE },
		{ VM_GROWSDOWN, XCKPT_VMA_GROWSDOWN },
		{ VM_LOCKED, XCKPT_VMA_LOCKED },
		{ VM_LOCKONFAULT, XCKPT_VMA_LOCKONFAULT },
		{ VM_DONTCOPY, XCKPT_VMA_DONTFORK },
		{ VM_WIPEONFORK, XCKPT_VMA_WIPEONFORK },
		{ VM_DONTDUMP, XCKPT_VMA_DONTDUMP },
		{ VM_NORESERVE, XCKPT_VMA_NORESERVE },
		{ VM_HUGEPAGE, XCKPT_VMA_HUGEPAGE },
		{ VM_NOHUGEPAGE, XCKPT_VMA_NOHUGEPAGE },
		{ VM_MERGEABLE, XCKPT_VMA_MERGEABLE },
		{ VM_SEQ_READ, XCKPT_VMA_SEQUENTIAL },
		{ VM_RAND_READ, XCKPT_VMA_RANDOM },
		{ VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR, XCKPT_VMA_UFFD },
		{ COMPAT_VM_SEALED, XCKPT_VMA_SEALED },
	};
	u32 flags = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(map); i++) {
		if (vma->vm_flags & map[i].vm)
			flags |= map[i].flag;
	}
	if (vma->vm_start <= vma->vm_mm->brk && vma->vm_end > vma->vm_mm->start_brk &&
	    vma_is_anonymous(vma) && vma->vm_mm->brk > vma->vm_mm->start_brk)
		flags |= XCKPT_VMA_HEAP;
	if (vma->vm_start <= vma->vm_mm->start_stack && vma->vm_end >= vma->vm_mm->start_stack &&
	    vma_is_anonymous(vma))
		flags |= XCKPT_VMA_STACK;
	return flags;
}

/*
 * Whoever has mapped a file, and never wrote to a page of it by this mapping, sees what
 * the file has. Pages of one's own need an anon_vma, which stays.
 */
static bool is_unwritten(struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MAYSHARE ? !(vma->vm_flags & VM_MAYWRITE) : !vma->anon_vma;
}

static void fill_mapping(struct mapping *mapping, struct vm_area_struct *vma)
{
	struct xckpt_vma *to = &mapping->vma;
	struct inode *inode;

	to->start = vma->vm_start;
	to->end = vma->vm_end;
	to->flags = vma_flags(vma);
	to->kind = vma_kind(vma);
	to->pkey = vma_pkey(vma);
	if (to->kind == XCKPT_VMA_HUGETLB)
		to->page_shift = ilog2(vma_kernel_pagesize(vma));
	compat_anon_name(vma, mapping->label, sizeof(mapping->label));
	if (!vma->vm_file || to->kind == XCKPT_VMA_ANON)
		return;
	inode = file_inode(vma->vm_file);
	to->pgoff = (u64)vma->vm_pgoff << PAGE_SHIFT;
	to->dev = new_encode_dev(inode->i_sb->s_dev);
	to->ino = inode->i_ino;
	to->file_size = i_size_read(inode);
	to->file_mtime_ns = compat_mtime_ns(inode);
	if (!inode->i_nlink)
		to->flags |= XCKPT_VMA_DELETED;
	if (to->kind == XCKPT_VMA_FILE && is_unwritten(vma))
		to->flags |= XCKPT_VMA_UNWRITTEN;
	mapping->file = get_file(vma->vm_file);
}

/* Shared memory by a name: shm_open(3). */
static bool is_shm(struct vm_area_struct *vma, const struct xckpt_vma *info)
{
	return info->kind == XCKPT_VMA_FILE && (info->flags & XCKPT_VMA_SHARED) &&
	       file_inode(vma->vm_file)->i_sb->s_magic == TMPFS_MAGIC;
}

/* Bytes of a file mapping that lie before the file's end. */
static unsigned long file_bytes(const struct xckpt_vma *vma)
{
	if (vma->file_size <= vma->pgoff)
		return 0;
	return min(vma->end - vma->start, (u64)PAGE_ALIGN(vma->file_size - vma->pgoff));
}

/* What a process shares without a file is in the page cache, whoever has touched it. */
static int choose_cached(struct vm_area_struct *vma, struct segment *segment)
{
	struct extents extents = {};
	int ret;

	segment->contents = CONTENTS_CACHE;
	ret = extents_cache(&extents, vma->vm_file->f_mapping, vma->vm_pgoff, vma->vm_start,
			    vma->vm_end);
	if (extents.nr)
		segment->filesz = extents.list[extents.nr - 1].end - vma->vm_start;
	extents_free(&extents);
	return ret;
}

/*
 * What of a mapping goes into the core, and how far. A file's shared mapping that
 * can be written is the file's business; one that cannot is as good as private.
 */
static int choose_contents(struct capture *capture, struct vm_area_struct *vma,
			   const struct xckpt_vma *info, struct segment *segment)
{
	unsigned long end;
	int ret = 0;

	switch (info->kind) {
	case XCKPT_VMA_ANON:
	case XCKPT_VMA_HUGETLB:
		if (info->flags & XCKPT_VMA_SHARED)
			return choose_cached(vma, segment);
		segment->contents = CONTENTS_PAGES;
		ret = extents_last(vma->vm_mm, vma->vm_start, vma->vm_end, &end);
		segment->filesz = end - vma->vm_start;
		break;
	case XCKPT_VMA_SHMEM:
	case XCKPT_VMA_SYSV:
		return choose_cached(vma, segment);
	case XCKPT_VMA_VDSO:
		segment->contents = CONTENTS_RANGE;
		segment->filesz = vma->vm_end - vma->vm_start;
		break;
	case XCKPT_VMA_FILE:
		if ((info->flags & XCKPT_VMA_SHARED) && (info->flags & XCKPT_VMA_MAYWRITE))
			break;
		segment->contents = CONTENTS_RANGE;
		segment->filesz = file_bytes(info);
		/*
		 * Thin: whole where a page was ever written, or where no path leads to
		 * it any more; else the ELF header for gdb.
		 */
		if (capture->thin && (info->flags & XCKPT_VMA_UNWRITTEN) &&
		    !(info->flags & XCKPT_VMA_DELETED))
			segment->filesz = info->pgoff ? 0 : min(segment->filesz, PAGE_SIZE);
		break;
	default:
		break;
	}
	return ret;
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
		fill_mapping(&mappings[i], vma);
		fill_segment(&core->segments[i], vma);
		core->nr_segments++;
		core->nr_shm += is_shm(vma, &mappings[i].vma);
		core->segments[i].kind = mappings[i].vma.kind;
		ret = choose_contents(capture, vma, &mappings[i].vma, &core->segments[i]);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
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
	if (ret)
		goto out;
	estimate_bytes(core);
	add_file_note(capture, mappings, core->nr_segments);
	add_mm_note(capture);
	add_vma_note(capture, mappings, core->nr_segments);
out:
	for (i = 0; mappings && i < core->nr_segments; i++) {
		if (mappings[i].file)
			fput(mappings[i].file);
	}
	kvfree(mappings);
	return ret;
}
