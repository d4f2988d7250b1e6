/* SPDX-License-Identifier: GPL-2.0-only */
/* What the capture of one process works with; lives only during CORE or SNAPSHOT. */
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
	struct core *core; /* takes segments and head */
	bool thin;
	struct extents guards; /* of all mappings */
	u32 nr_rings;
	struct xarray rings; /* the copies of their memory: capture_rings.c */
	bool rings_missed; /* some of it could not be copied */
	struct xarray *stores; /* by address_space; NULL: contents are read while frozen */
	struct notes notes;
	char path[PATH_MAX]; /* scratch of capture_path() */
};

/* A mapping with what must outlive the mmap lock to be named and copied. */
struct mapping {
	struct xckpt_vma vma;
	struct file *file; /* with a reference, or NULL */
	char label[80]; /* of an anonymous mapping */
};

/* Capture the process of @leader, a held task; an ERR_PTR, ESRCH if it was killed. */
struct capture *capture_begin(struct group *group, struct task_struct *leader, bool thin,
			      struct xarray *stores);
/* First what a clone of the memory could not give later, then the rest. */
int capture_memory(struct capture *capture);
int capture_rest(struct capture *capture);
/* The caller gets the core, or NULL for an error. */
struct core *capture_end(struct capture *capture, int ret);

/* The name of @path for the caller, or NULL; valid until the next call. */
const char *capture_path(struct capture *capture, const struct path *path);

/* Reserve a table of @nr entries of @size in a note; returns its offset. */
u32 capture_table(struct notes *notes, u32 nr, u32 size);

/* One file per kind of notes. */
void capture_identity(struct capture *capture); /* capture_process.c */
void capture_signals(struct capture *capture); /* capture_process.c */
/* capture_creds.c; the first sets only what credentials are */
void capture_process_creds(struct xckpt_note_process *note, struct task_struct *leader);
/* A table of the running note: its offset, and how many there are in @nr. */
u32 capture_groups(struct capture *capture, struct task_struct *task, u32 *nr);
void capture_thread_creds(struct capture *capture, struct task_struct *task);
u32 capture_cpu_flags(struct capture *capture); /* capture_cpu.c: XCKPT_PROCESS_* */
u32 capture_world_flags(struct capture *capture); /* capture_world.c: the same */
/* capture_timers.c: what timer_create(2) made; before what is pending */
u32 count_timers(struct task_struct *leader);
void capture_timers(struct capture *capture);
/* capture_undo.c: SEM_UNDO */
bool has_odd_undo(struct task_struct *leader);
void capture_undo(struct capture *capture);
void capture_pending(struct notes *notes, struct task_struct *task, bool shared);
void capture_thread(struct capture *capture, struct task_struct *task, u32 state, bool cut);
int capture_layout(struct capture *capture); /* capture_mm.c; mmap_lock is taken there */
/* capture_guards.c; the first under mmap_lock, for each mapping */
int capture_guards(struct capture *capture, struct vm_area_struct *vma);
void capture_guard_note(struct capture *capture);
/*
 * capture_pages.c: pin up to @nr pages from @start on; returns how many, or -errno. Of a file,
 * what is guarded is what the file has there: a guard leaves a mapping no page of its own.
 */
long memory_pages(struct mm_struct *mm, unsigned long start, unsigned long nr, struct page **pages);
/* capture_vma.c, under mmap_lock: what @vma is; and what of it goes into the core, or -errno */
void capture_vma(struct mapping *mapping, struct vm_area_struct *vma);
int capture_contents(struct capture *capture, struct vm_area_struct *vma,
		     const struct xckpt_vma *info, struct segment *segment);
bool vma_is_vdso(struct vm_area_struct *vma); /* the kernel's own */
/* A page that cannot be had: because its file ends before it, or is none with an end? */
bool vma_is_behind_file(struct mm_struct *mm, unsigned long addr);
/* capture_copies.c: the copies of shared memory that another process of the group has made, or NULL
 */
struct store *find_shared(struct capture *capture, struct address_space *mapping);
/* Copy what a clone would lose; may find that it has to be done without. */
int capture_copies(struct capture *capture, const struct mapping *mappings);
void capture_files(struct capture *capture);
/* capture_rings.c: io_uring */
bool is_ring(const struct file *file);
/* What a mapping of one has becomes the segment's, as it is now; or -ENOMEM, -EINTR. */
int capture_ring_memory(struct capture *capture, const struct mapping *mapping,
			struct segment *segment);
void capture_rings_forget(struct capture *capture);
/* Adds to the RING note, which the first one begins: the caller ends it. */
void capture_ring(struct capture *capture, const struct file *file, u32 id);
u32 capture_ring_flags(struct group *group, struct task_struct *task); /* XCKPT_PROCESS_* */

#endif
