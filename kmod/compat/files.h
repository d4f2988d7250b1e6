/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of open files between kernels. */
#ifndef XCKPT_COMPAT_FILES_H
#define XCKPT_COMPAT_FILES_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/magic.h>
#include <linux/splice.h>
#include <linux/version.h>
#include <linux/wait.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <linux/filelock.h>
#endif

#ifndef PID_FS_MAGIC /* before 6.9 pidfds are anonymous inodes as well */
#define PID_FS_MAGIC 0x50494446
#endif

/* Who gets SIGIO: NULL where nobody was ever chosen. Since 6.12 it is allocated when needed. */
static inline struct fown_struct *compat_owner(struct file *file)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return READ_ONCE(file->f_owner);
#else
	return &file->f_owner;
#endif
}

/*
 * EFD_SEMAPHORE: since 6.5 fdinfo shows it, and before no interface does. The
 * structure is fs/eventfd.c's own, the same from 2.6.31 to 6.4 in what comes first.
 */
static inline bool compat_eventfd_is_semaphore(struct file *file)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	struct eventfd_head {
		struct kref kref;
		wait_queue_head_t wqh;
		__u64 count;
		unsigned int flags;
	} * head;
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);
	bool is;

	if (IS_ERR(ctx))
		return false;
	head = (struct eventfd_head *)ctx;
	is = READ_ONCE(head->flags) & EFD_SEMAPHORE;
	eventfd_ctx_put(ctx);
	return is;
#else
	return false;
#endif
}

/* As sendfile(2) does it. Since 6.8 it keeps its file system from being frozen by itself. */
static inline ssize_t compat_splice_direct(struct file *in, loff_t *in_pos, struct file *out,
					   loff_t *out_pos, size_t len)
{
	ssize_t ret;

	ret = rw_verify_area(READ, in, in_pos, len);
	if (!ret)
		ret = rw_verify_area(WRITE, out, out_pos, len);
	if (ret)
		return ret;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	file_start_write(out);
	ret = do_splice_direct(in, in_pos, out, out_pos, len, 0);
	file_end_write(out);
#else
	ret = do_splice_direct(in, in_pos, out, out_pos, len, 0);
#endif
	return ret;
}

#endif
