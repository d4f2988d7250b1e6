/* SPDX-License-Identifier: GPL-2.0-only */
/* What the capture of one process works with; lives only during CORE. */
#ifndef XCKPT_CAPTURE_H
#define XCKPT_CAPTURE_H

#include <linux/limits.h>
#include <linux/mm_types.h>

#include "core.h"
#include "group.h"
#include "note.h"
#include "xckpt_image.h"

struct capture {
	struct group *group;
	struct task_struct *leader; /* a held thread to ask for what is per process */
	struct mm_struct *mm; /* with a user reference while this lives */
	struct core *core; /* takes segments and extents */
	bool thin;
	struct notes notes;
	char path[PATH_MAX]; /* scratch of capture_path() */
};

/* Notes and layout of the process into @core's head, segments and extents. */
int capture_process(struct core *core, struct task_struct *leader, struct mm_struct *mm, bool thin);

/* The name of @path for the caller, or NULL; valid until the next call. */
const char *capture_path(struct capture *capture, const struct path *path);

/* Reserve a table of @nr entries of @size in a note; returns its offset. */
u32 capture_table(struct notes *notes, u32 nr, u32 size);

/* One file per kind of notes. */
void capture_identity(struct capture *capture); /* capture_process.c */
void capture_signals(struct capture *capture); /* capture_process.c */
void capture_pending(struct notes *notes, struct task_struct *task, bool shared);
void capture_thread(struct capture *capture, struct task_struct *task, u32 state);
int capture_layout(struct capture *capture); /* capture_mm.c; mmap_lock is taken there */
void capture_files(struct capture *capture);

/* capture_pages.c: add the extents of what @vma holds; the mmap lock is held. */
int capture_pages(struct core *core, struct vm_area_struct *vma);
int capture_shmem(struct core *core, struct vm_area_struct *vma);
int capture_range(struct core *core, unsigned long start, unsigned long end);

#endif
