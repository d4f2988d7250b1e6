/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The self-check: when all stands and nothing runs yet, what /proc tells of each
 * process is compared with the image. Whoever compares returns 0, or -1 after the
 * first difference, which is then in check.difference.
 */
#ifndef CHECK_H
#define CHECK_H

#include "launch.h"

/* Returns 0, or -1 after one line on stderr. */
int check(const struct launched *l, const struct plan *plan, const struct slots *slots);

/* for the check's own files */
struct check {
	const struct plan *plan;
	const struct process_plan *process;
	const struct image_process *image; /* of that process */
	const struct slots *slots; /* what the launcher has opened, and has still */
	const bool *told; /* by operation: what could not be done is no difference */
	int tid; /* 0: it is about the process */
	int mem; /* the program's memory; -1: it is not seen at its own addresses */
	bool blind; /* something may not be looked at, which was told */
	char root[PATH_MAX]; /* as world_enter() gives it: files that were opened outside show it */
	char **cores; /* the names of all processes' cores, as maps tell them */
	void *memory, *memory_found; /* of all processes: check_objects.c */
	struct buffer text; /* what was read last, NUL-terminated */
	char difference[1024];
};

/* What can be seen of a process natively is the engine's under another one. */
static inline bool check_natively(const struct check *c)
{
	return c->plan->engine->kind == ENGINE_NATIVE;
}

/*
 * Read a file of the process's folder in /proc into @c->text. 1: done; 0: it may not
 * be read, which is told; -1: it is not there, which is a difference.
 */
int check_read(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What is not there (by errno) is a difference; what may not be seen is not, but is told. */
int check_unreadable(struct check *c, const char *name);
/* As check_read(), for a link. */
int check_link(struct check *c, char *to, size_t room, const char *name);

int check_differs(struct check *c, const char *object, const char *found, const char *expected);
int check_text(struct check *c, const char *object, const char *found, const char *expected);
/* @form is that of an unsigned long long */
int check_number(struct check *c, const char *object, const char *form, uint64_t found,
		 uint64_t expected);
/* Is @path, which /proc shows for what is at @link, another way to write @expected? */
bool check_same_path(const struct check *c, const char *path, const char *link,
		     const char *expected);

/* Could an operation not be done? @arg < 0: whatever its arguments were. It takes time. */
bool check_told(const struct check *c, enum op_kind kind, uint32_t nr, int arg, uint64_t value);
/*
 * What @ret is, unless there is a difference because a system call of the process (or
 * thread) could not be done, which was told.
 */
int check_unless_told(const struct check *c, int ret, uint32_t nr, int arg, uint64_t value);

struct check_files;

int check_process(struct check *c, const struct birth *birth,
		  struct check_files *files); /* check_process.c */

/* check_status.c, with the texts of these files in /proc/PID */
int check_ids(struct check *c, const struct birth *birth, const char *stat);
int check_zombie(struct check *c, const struct birth *birth, const char *stat);
int check_status(struct check *c, const struct image_thread *t, const char *status);
int check_stat(struct check *c, const struct image_thread *t, const char *stat);

/* check_frames.c: find out check.mem, by the head of the restorer that must be in it */
int check_open_memory(const struct check *c);
int check_frames(struct check *c);

int check_maps(struct check *c, const char *maps); /* check_maps.c */

/* check_objects.c: what has @vma at @start is this inode; the end is for what all processes have */
int check_object(struct check *c, const struct xckpt_vma *vma, uint64_t start, uint64_t dev,
		 uint64_t ino);
void check_objects_end(struct check *c);

/* check_smaps.c: is there anything that only @smaps tells, and is it so? */
bool check_needs_smaps(const struct check *c);
int check_smaps(struct check *c, const char *smaps);

/* check_files.c: all descriptors of all processes */
struct check_files *check_files_begin(const struct plan *plan);
int check_files(struct check *c, struct check_files *files);
int check_files_end(struct check *c, struct check_files *files);
/* what fdinfo tells of descriptor @fd, which @maker has made (or NULL) */
int check_fdinfo(struct check *c, const struct process_fd *fd, const struct plan_op *maker,
		 const char *fdinfo);
/* the number behind @name there, 0 when it is not told */
uint64_t check_value(const char *fdinfo, const char *name, int base);
/* check_events.c: the same of an anonymous inode's state */
int check_event(struct check *c, const struct process_fd *fd, const char *fdinfo);

/* check_terminals.c: of pseudo-terminals of the image, by themselves */
int check_terminals(struct check *c);
/* the controlling terminal and its foreground process group, in /proc/PID/stat */
int check_control(struct check *c, const char *stat);
/* a descriptor that leads to what @maker made */
int check_side(struct check *c, const struct process_fd *fd, const struct plan_op *maker);
/* what the slave @f of one has as its device number now */
uint64_t check_slave_rdev(const struct check *c, const struct open_file *f);

/* check_sysv.c */
int check_sysv(struct check *c);

#endif
