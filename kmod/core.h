/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef XCKPT_CORE_H
#define XCKPT_CORE_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mutex.h>

#include "extents.h"
#include "group.h"
#include "store.h"
#include "xckpt.h"
#include "xckpt_image.h"

/* How the pages of a mapping that have contents are found. */
enum contents {
	CONTENTS_NONE,
	CONTENTS_RANGE, /* all of them have, up to the end of what the file holds */
	CONTENTS_PAGES, /* in the page tables */
	CONTENTS_CACHE, /* in the page cache of shared memory */
};

/* A mapping: the PT_LOAD of the same index. */
struct segment {
	unsigned long start, end;
	unsigned long filesz; /* bytes from @start that the file holds */
	loff_t offset; /* there */
	u32 flags; /* PF_* */
	enum contents contents;
	enum xckpt_vma_kind kind;
	struct store *store; /* with a copy of the contents, or NULL */
	pgoff_t store_first; /* index there of the page at @start */
};

/*
 * The file that CORE opens: its header in memory; its contents in copies, in a
 * clone of the process's memory, or in the process itself while that is frozen.
 */
struct core {
	struct kref ref; /* of the snapshot, and of each file */
	struct group *group;
	unsigned int epoch; /* the group's, at the capture */
	struct mm_struct *mm;
	bool cloned; /* mm is the core's own; else only the structure is held (mmgrab) */
	enum xckpt_uncloned uncloned; /* why it is not */
	struct pid *process;
	pid_t pid;
	unsigned int nr_threads;
	void *head; /* ELF header, program headers and notes, padded to a page */
	size_t head_size;
	loff_t size;
	struct segment *segments; /* ascending, by address and by offset */
	unsigned int nr_segments;
	unsigned int nr_shm; /* of them, of shared memory: with a name, or parts of one without */
	u64 data_bytes; /* about so many, before they are found */

	struct mutex find; /* held while extents are being found, by the first read */
	bool found;
	struct extents extents;
};

struct core *core_alloc(struct group *group, struct task_struct *leader);
void core_put(struct core *core);
void core_drop_stores(struct core *core);

/* Open @core; fills in the outputs, but for the fd. The file has a reference of its own. */
struct file *core_open(struct core *core, struct xckpt_core *arg);

/* Capture the held process @pid of a frozen group; readable while it stays so. */
struct core *core_capture(struct group *group, pid_t pid, bool thin);

/* Are the contents still those of the capture? */
bool core_valid(struct core *core);

/* extents.c: find what has contents, once. */
int core_find(struct core *core);

/* core_read.c */
extern const struct file_operations core_fops;

#define CORE_BATCH 256 /* pages pinned at once */

/* A stretch of the file behind the head that is all of one sort. */
struct stretch {
	loff_t end; /* offset in the file, behind the one asked for */
	const struct segment *segment;
	unsigned long addr; /* where the process has it */
	bool data;
};
struct stretch stretch_at(const struct core *core, loff_t pos);

/* Bytes of the file from @pos on, which is moved; or ESTALE, EINTR, ENOMEM, EFAULT. */
ssize_t core_read(struct core *core, loff_t *pos, struct iov_iter *to);

/* Find the contents when @end, where the caller looks, is behind the head. */
int core_contents(struct core *core, loff_t end);

/* core_splice.c */
ssize_t core_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe, size_t len,
			 unsigned int flags);

/* corefs.c: core files live on a file system of their own, so that they can be
 * reopened through /proc/PID/fd and look like the regular files they are. */
int corefs_get(void);
void corefs_put(void);
struct file *corefs_open(struct core *core); /* takes a reference unless it fails */

#endif
