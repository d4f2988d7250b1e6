/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of the file layer between kernels. */
#ifndef XCKPT_COMPAT_FS_H
#define XCKPT_COMPAT_FS_H

#include <linux/fs.h>
#include <linux/splice.h>
#include <linux/version.h>

/* A splice that copies: page references would go on showing what is written later. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define COMPAT_SPLICE_READ copy_splice_read
#else
#define COMPAT_SPLICE_READ generic_file_splice_read
#endif

#endif
