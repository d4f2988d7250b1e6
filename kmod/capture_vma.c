// SPDX-License-Identifier: GPL-2.0-only
/* One mapping: of what kind it is, and what of it goes into the core. */
#include <linux/elf.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/magic.h>
#include <linux/pkeys.h>
#include <linux/secretmem.h>

#include "capture.h"
#include "compat/mm.h"
#include "store.h"

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
	/* a private one has pages of its own where it was written to */
	if (vma->vm_file && is_ring(vma->vm_file))
		return vma->vm_flags & VM_MAYSHARE ? XCKPT_VMA_RING : XCKPT_VMA_SPECIAL;
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

void capture_vma(struct mapping *mapping, struct vm_area_struct *vma)
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
/* Bytes of a file mapping that lie before the file's end. */
static unsigned long file_bytes(const struct xckpt_vma *vma)
{
	if (vma->file_size <= vma->pgoff)
		return 0;
	return min(vma->end - vma->start, (u64)PAGE_ALIGN(vma->file_size - vma->pgoff));
}

/*
 * Where the contents of a mapping end that another process of the group has copied. They may
 * end earlier, which is not worth a search: what is a hole at the end of the file is one
 * behind it, too.
 */
static unsigned long copied_bytes(struct vm_area_struct *vma, const struct store *store)
{
	pgoff_t end = min(store->end, vma->vm_pgoff + vma_pages(vma));

	return end > vma->vm_pgoff ? (end - vma->vm_pgoff) << PAGE_SHIFT : 0;
}

/* What a process shares without a file is in the page cache, whoever has touched it. */
static int choose_cached(struct capture *capture, struct vm_area_struct *vma,
			 struct segment *segment)
{
	struct store *store = find_shared(capture, vma->vm_file->f_mapping);
	struct extents extents = {};
	int ret;

	segment->contents = CONTENTS_CACHE;
	/* with many processes that share much, looking anew for each takes longer than copying */
	if (store && store_has(store, vma->vm_pgoff, vma_pages(vma))) {
		segment->filesz = copied_bytes(vma, store);
		return 0;
	}
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
int capture_contents(struct capture *capture, struct vm_area_struct *vma,
		     const struct xckpt_vma *info, struct segment *segment)
{
	unsigned long end;
	int ret = 0;

	switch (info->kind) {
	case XCKPT_VMA_ANON:
	case XCKPT_VMA_HUGETLB:
		if (info->flags & XCKPT_VMA_SHARED)
			return choose_cached(capture, vma, segment);
		segment->contents = CONTENTS_PAGES;
		ret = extents_last(vma->vm_mm, vma->vm_start, vma->vm_end, &end);
		segment->filesz = end - vma->vm_start;
		break;
	case XCKPT_VMA_SHMEM:
	case XCKPT_VMA_SYSV:
		return choose_cached(capture, vma, segment);
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

bool vma_is_behind_file(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	bool ret = false;

	if (mmap_read_lock_killable(mm))
		return false;
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file)
		ret = !S_ISREG(file_inode(vma->vm_file)->i_mode) ||
		      ((loff_t)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start) >=
			      i_size_read(file_inode(vma->vm_file));
	mmap_read_unlock(mm);
	return ret;
}
