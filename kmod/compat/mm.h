/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of the memory management between kernels. */
#ifndef XCKPT_COMPAT_MM_H
#define XCKPT_COMPAT_MM_H

#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/pagewalk.h>
#include <linux/swapops.h>
#include <linux/sched/coredump.h>
#include <linux/version.h>
#include "xckpt_image.h"
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include <linux/leafops.h>
#endif

/* The name that PR_SET_VMA_ANON_NAME gave, or "". The mmap lock is held. */
static inline void compat_anon_name(struct vm_area_struct *vma, char *to, size_t size)
{
	struct anon_vma_name *name = anon_vma_name(vma);

	to[0] = '\0';
	if (name)
		strscpy(to, name->name, size);
}

/* mseal(2), since 6.10 */
#ifdef VM_SEALED
#define COMPAT_VM_SEALED VM_SEALED
#else
#define COMPAT_VM_SEALED VM_NONE
#endif

/* Since 6.18 they have a type of their own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define compat_mm_flag(mm, bit) mm_flags_test(bit, mm)
#define compat_mm_flags(mm) __mm_flags_get_word(mm)
#define MMF_DISABLE_THP MMF_DISABLE_THP_COMPLETELY
#else
#define compat_mm_flag(mm, bit) test_bit(bit, &(mm)->flags)
#define compat_mm_flags(mm) READ_ONCE((mm)->flags)
#endif

/* What prctl(2) asked for the whole memory: since 6.3 MDWE, 6.4 MEMORY_MERGE, 6.18 THP_ADVISED. */
static inline u32 compat_prctl_flags(struct mm_struct *mm)
{
	u32 flags = 0;
#ifdef MMF_HAS_MDWE
	if (compat_mm_flag(mm, MMF_HAS_MDWE))
		flags |= XCKPT_MM_MDWE;
#endif
#ifdef MMF_HAS_MDWE_NO_INHERIT
	if (compat_mm_flag(mm, MMF_HAS_MDWE_NO_INHERIT))
		flags |= XCKPT_MM_MDWE_NO_INHERIT;
#endif
#ifdef MMF_VM_MERGE_ANY
	if (compat_mm_flag(mm, MMF_VM_MERGE_ANY))
		flags |= XCKPT_MM_MERGE_ANY;
#endif
#ifdef MMF_DISABLE_THP_EXCEPT_ADVISED
	if (compat_mm_flag(mm, MMF_DISABLE_THP_EXCEPT_ADVISED))
		flags |= XCKPT_MM_THP_ADVISED;
#endif
	return flags;
}

static inline s64 compat_mtime_ns(const struct inode *inode)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	struct timespec64 mtime = inode_get_mtime(inode);

	return timespec64_to_ns(&mtime);
#else
	return timespec64_to_ns(&inode->i_mtime);
#endif
}

/*
 * Is a page behind this entry that is not present: swapped out, in migration or with a
 * device? Or was one, and is lost: who reads that must not find zeros. The others are marks.
 */
static inline bool compat_pte_has_page(pte_t pte)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	softleaf_t entry = softleaf_from_pte(pte);

	return softleaf_is_swap(entry) || softleaf_is_migration(entry) ||
	       softleaf_is_device_private(entry) || softleaf_is_device_exclusive(entry) ||
	       softleaf_is_hwpoison(entry);
#else
	swp_entry_t entry = pte_to_swp_entry(pte);

	return !non_swap_entry(entry) || is_migration_entry(entry) ||
	       is_device_private_entry(entry) || is_device_exclusive_entry(entry) ||
	       is_hwpoison_entry(entry);
#endif
}

/*
 * Guard regions, MADV_GUARD_INSTALL: since 6.13, of files since 6.15. Since 6.19 a mapping tells
 * that it may have some. Before, they came with what makes a fork copy its page tables.
 */
static inline bool compat_may_have_guards(const struct vm_area_struct *vma)
{
#if defined(VM_MAYBE_GUARD)
	return vma->vm_flags & VM_MAYBE_GUARD;
#elif defined(PTE_MARKER_GUARD)
	return vma->anon_vma && !(vma->vm_flags & (VM_SPECIAL | VM_HUGETLB));
#else
	return false;
#endif
}

static inline bool compat_pte_is_guard(pte_t pte)
{
#if !defined(PTE_MARKER_GUARD)
	return false;
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
	return softleaf_is_guard_marker(softleaf_from_pte(pte));
#else
	return !pte_none(pte) && !pte_present(pte) && is_guard_swp_entry(pte_to_swp_entry(pte));
#endif
}

/* get_user_pages_remote() for reading, whatever the mapping's protection. */
static inline long compat_get_pages(struct mm_struct *mm, unsigned long start, unsigned long nr,
				    struct page **pages, int *locked)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
	return get_user_pages_remote(mm, start, nr, FOLL_FORCE, pages, locked);
#else
	return get_user_pages_remote(mm, start, nr, FOLL_FORCE, pages, NULL, locked);
#endif
}

/* What one step of an index in @mapping's page cache is; huge pages had one each until 6.7. */
static inline unsigned int compat_cache_shift(struct address_space *mapping)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	if (mapping->host->i_sb->s_magic == HUGETLBFS_MAGIC)
		return mapping->host->i_blkbits;
#endif
	return PAGE_SHIFT;
}

/* Direct I/O pins the pages that it reads to (iov_iter_extract_pages()). */
#define COMPAT_PINS_FOR_DEVICES (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0))

/* Since 6.5 a walk says which lock it relies on. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define COMPAT_WALK_LOCK .walk_lock = PGWALK_RDLOCK
#endif

#endif
