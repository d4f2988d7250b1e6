/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_CORE_H
#define XCKPT_CORE_H

#include <linux/fs.h>

#include "group.h"
#include "xckpt.h"

/* A range of process memory that has contents. */
struct extent {
	unsigned long start, end;
};

/* A mapping: the PT_LOAD of the same index. */
struct segment {
	unsigned long start, end;
	unsigned long filesz; /* bytes from @start that the file holds */
	loff_t offset; /* there */
	u32 flags; /* PF_* */
};

/* The file that CORE opens: its header in memory, its contents in the process. */
struct core {
	struct group *group; /* readable while that stays frozen */
	struct mm_struct *mm; /* a reference to the structure, not to the memory (mmgrab) */
	pid_t pid;
	void *head; /* ELF header, program headers and notes, padded to a page */
	size_t head_size;
	loff_t size;
	struct segment *segments; /* ascending, by address and by offset */
	unsigned int nr_segments;
	struct extent *extents; /* ascending, not touching */
	size_t nr_extents, room_extents;
	u64 data_bytes;
};

/* Open the core of the held process @arg->pid; fills in the outputs, but for the fd. */
struct file *core_open(struct group *group, struct xckpt_core *arg);
void core_free(struct core *core);

/* core_read.c */
extern const struct file_operations core_fops;

/* corefs.c: core files live on a file system of their own, so that they can be
 * reopened through /proc/PID/fd and look like the regular files they are. */
int corefs_get(void);
void corefs_put(void);
struct file *corefs_open(struct core *core); /* takes @core unless it fails */

#endif
