/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: everything that has to happen, in order. Made from an image and what
 * the engine and this host can do, without touching the system; printed by
 * --print-plan, carried out by launch.c and, from the engine on, by restorer/.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "engine.h"
#include "plan_op.h"
#include "restorer/record.h"
#include "x86.h"

/* A growing array of bytes. Running out of memory ends the program. */
struct buffer {
	uint8_t *bytes;
	size_t len, room;
};

/* Append @len bytes (zeroes if @bytes is NULL) at a multiple of @align; returns their offset. */
size_t buffer_add(struct buffer *b, const void *bytes, size_t len, size_t align);

struct issue {
	bool forceable;
	bool warning; /* told, but never stops anything */
	char *text;
};

/* --map: what was in the folder @from is in @to. */
struct path_map {
	const char *from, *to;
};

/* What is at the path of a file that was mapped. */
enum mapped_state {
	MAPPED_SAME,
	MAPPED_CHANGED,
	MAPPED_MISSING,
};

/* Huge pages of one size, 1 << shift bytes each. */
struct huge_pages {
	unsigned int shift;
	uint64_t total, free; /* pages; free: that nobody has reserved */
	bool usual; /* those of sysctl vm.nr_hugepages */
};

/* What the planner must know of this machine and this call. */
struct plan_host {
	bool root;
	uint32_t uid, gid;
	const char *label; /* of a security module, "" without one */
	uint64_t address_top; /* end of what a process can map */
	uint64_t page_size; /* 0: as x86-64's */
	bool tty[3]; /* of qemu-resume's own descriptors */
	bool stdin_taken; /* the image came from there */
	bool allow_changed; /* files may have changed since the checkpoint */
	bool replace_files; /* those that come with the image, in the place of what is there */
	const bool *exe_exists; /* at the image's path, of each process */
	struct xckpt_rlimit rlimit[XCKPT_NR_RLIMITS];
	/* what qemu-resume's own children start with */
	uint64_t cap_permitted, cap_inheritable, cap_ambient, cap_bset;
	uint32_t securebits;
	const uint32_t *groups; /* supplementary, ascending */
	size_t nr_groups;
	const struct path_map *maps;
	size_t nr_maps;
	/* with *error, an errno, when it is missing */
	enum mapped_state (*look_at)(const char *path, const struct xckpt_vma *vma, int *error);
	/* of a directory that was read, *pos, which may be another one here; false: there is none
	 */
	bool (*find_place)(const char *path, const struct open_file *f, uint64_t *pos);
	bool no_new_privs, seccomp;
	bool tells_dirty; /* dirty.h */
	const struct huge_pages *huge;
	size_t nr_huge;
	uint32_t policy; /* SCHED_* */
	int nice, oom_score_adj, dump_filter;
	uint64_t timer_slack_ns;
	const struct vdso_own *vdso; /* NULL: there is none to be had */
	const char **override; /* by fd; NULL beyond and where there is none */
	size_t nr_override;
};

/* Descriptors of ours in the program until it starts; all above the image's. */
struct plan_fds {
	int status, restorer, core, exe, park2, restart;
	int next; /* further ones: files to be mapped */
};

enum fork_how {
	FORK_CHILD,
	FORK_BROTHER, /* a child of the maker's parent */
	FORK_ORPHAN, /* of who gets the orphans among the maker's descendants */
};

enum birth_kind {
	BIRTH_LIVES,
	BIRTH_ENDS, /* had ended, but was not waited for */
	BIRTH_STANDS_IN, /* for the leader of a session or process group, who is not there */
};

/* A process that is made. */
struct birth {
	int pid;
	int process; /* index in plan.processes, or -1 */
	enum birth_kind kind;
	bool ours; /* a child of qemu-resume's */
	int pgid, sid; /* 0: those of qemu-resume */
	int ppid; /* 0: qemu-resume, 1: the init */
	int exit_code; /* as wait(2) is to tell it; of who ends */
	unsigned int nr_below; /* so many births behind it are those that come of it */
};

/* A thread that waits in vfork(): until nobody has the other end of this pipe any more. */
struct vfork_wait {
	int tid, fd;
};

/* What the program itself does to a file when no descriptor is closed any more. */
struct late_fcntl {
	int fd;
	uint64_t command, arg;
	bool is_data; /* @arg is an offset in process_plan.data */
	const char *path;
};

/* Memory that processes may share. */
struct memory_file {
	uint64_t dev, ino; /* that it was */
	int slot;
	bool filled; /* a description of it has been planned */
	bool given; /* the one that @slot has is the program's */
};

struct shared_object {
	const struct xckpt_vma *vma; /* one of it: what dev and ino name */
	int slot;
};

/* What tells a file from others. */
struct file_key {
	uint64_t dev, ino;
};

/* Memory of an earlier resume's that nothing leads to any more. */
struct leftover {
	uint64_t start, end;
};

/* What is to be done for one process. */
struct process_plan {
	struct plan *group;
	const struct image *img;
	const struct image_process *process;
	const struct engine *engine;
	const struct plan_host *host;
	int index; /* in plan.processes */
	bool exe_exists; /* at the image's path */
	bool *from_core; /* by segment: a file's mapping has what the image has */
	size_t first_op, nr_ops; /* in plan.ops, once that is in order */
	struct buffer data; /* strings and structures that operations point to */
	struct buffer keep; /* frames and XSAVE areas */
	struct plan_fds fds;
	int *cores; /* while its memory is planned: descriptors of others' cores, or 0 */
	bool leader_ended; /* of its threads the first one has */
	struct vfork_wait *vforks;
	size_t nr_vforks;
	struct leftover *left; /* by an earlier resume: not mapped again */
	size_t nr_left;
	struct late_fcntl *late;
	size_t nr_late;
	int vfork_fd; /* close-on-exec: while it is open, who made this process waits; -1 */
	bool has_rings; /* mapped: see plan_rings.c */
	uint64_t hole; /* where the restorer will live */
	uint64_t hole_size; /* at most */
	uint64_t restart; /* address of the restart ELF's page */
	uint64_t restart_end; /* where its only segment ends */
	struct buffer vdso; /* patched pages */
	uint64_t own_vdso; /* where the kernel maps its own, with its data; 0: nowhere */
	uint64_t call; /* where the program has call.S; 0: nowhere */
};

/* A pseudo-terminal whose master somebody in the image has. */
struct plan_terminal {
	const struct terminal *terminal;
	int master, slave; /* slots; the slave is the launcher's own, -1: it was never open */
};

/* All of it, for the whole group. */
struct plan {
	const struct image *img;
	const struct engine *engine;
	const struct plan_host *host;
	struct process_plan *processes; /* in the order of the image's */
	size_t nr_processes;
	int main; /* index of the process that qemu-resume stands for */
	struct birth *births; /* makers first */
	unsigned int nr_births;
	struct plan_op *ops; /* what is for all, then process by process */
	size_t nr_ops, room_ops;
	struct issue *issues;
	size_t nr_issues;
	struct plan_terminal *terminals;
	size_t nr_terminals;
	struct shared_object *objects; /* ascending */
	size_t nr_objects;
	void *memory; /* a tree of struct memory_file: what the launcher makes without a name */
	unsigned int nr_slots;
	unsigned int *core_slots; /* by process: of its core, plus one, or 0 */
	uint64_t huge; /* bit n: huge pages of 1 << n bytes are given as such */
	char **paths; /* that were mapped */
	size_t nr_paths;
	struct file_key *packed; /* files whose contents are in the image: ascending */
	size_t nr_packed;
};

struct plan *plan_make(const struct image *img, const struct engine *engine,
		       const struct plan_host *host);
void plan_free(struct plan *plan);
void plan_print(const struct plan *plan);
/* One operation as --print-plan shows it, in a static buffer. */
const char *plan_op_text(const struct plan *plan, const struct plan_op *op);

/* for the planner's own files */
struct plan_op *plan_add_shared(struct plan *plan, enum op_kind kind, int pid);
struct plan_op *plan_add(struct process_plan *plan, enum op_kind kind, int tid);
/* a system call that must not fail */
struct plan_op *plan_syscall(struct process_plan *plan, int tid, uint32_t nr, uint64_t a,
			     uint64_t b, uint64_t c, uint64_t d);
void plan_issue(struct plan *plan, bool forceable, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void plan_warning(struct plan *plan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *plan_path(struct plan *plan, const char *path); /* where a path of the image is now */
/* Slot of a directory in the place of a removed one: one for all who have it. */
int plan_lost_cwd(struct plan *plan, const char *path);
/* plan_terminals.c: the controlling terminal of session @sid, NULL: none that is made. */
const struct plan_terminal *plan_terminal_of(const struct plan *plan, int sid);
void plan_front(struct plan *plan); /* qemu-resume's own, which the program gets */
void *plan_must(void *p); /* NULL: no memory, which ends the program */
void plan_sort(struct plan *plan); /* put the operations in the order in which they are done */

void plan_births(struct plan *plan); /* plan_births.c: the processes themselves */
void plan_files(struct plan *plan); /* plan_files.c: descriptors */
void plan_descriptor_flags(struct process_plan *plan); /* their close-on-exec, in the restorer */
void plan_late_fcntls(struct process_plan *plan); /* plan_locks.c */
void plan_proc(struct process_plan *plan); /* plan_proc.c: files of /proc/PID */
/* Its contents are in the image, and were compared or put back: plan_nameless.c */
void plan_packed(struct plan *plan); /* before all others */
bool plan_is_packed(const struct plan *plan, uint64_t dev, uint64_t ino);
void plan_sysv(struct plan *plan); /* plan_sysv.c: System V IPC */
void plan_attach(struct process_plan *plan); /* and its shared memory in a process */
/* Where all of the segment would be, of which @s is a part. */
void plan_attached_range(const struct process_plan *plan, const struct segment *s, uint64_t *start,
			 uint64_t *end);
void plan_undo(struct process_plan *plan);
/* plan_huge.c: can there be huge pages? Then all that are of a size are of that size. */
void plan_huge(struct plan *plan);
/* what it will be for memory of that size; 0: ordinary pages */
unsigned int plan_huge_shift(const struct plan *plan, unsigned int shift);
void plan_objects(struct plan *plan); /* plan_shared.c: shared memory without a file */
int plan_object_slot(const struct plan *plan, const struct segment *s);
/* An OP_MEMORY with a new slot, of the owner and mode that @f has, or NULL. */
struct plan_op *plan_make_nameless(struct plan *plan, const struct open_file *f, uint64_t size);
/* The first one that is kept of a file is the one that is found; NULL: there is none. */
struct memory_file *plan_keep_memory(struct plan *plan, uint64_t dev, uint64_t ino, int slot);
struct memory_file *plan_find_memory(const struct plan *plan, uint64_t dev, uint64_t ino);
/* Of what is a private mapping of a file without a name, and none of its own: slot, or -1. */
int plan_memory_slot(const struct plan *plan, const struct segment *s);
void plan_mapped_memory(struct plan *plan); /* plan_mapped.c, when files are planned */
void plan_own_vdso(struct process_plan *plan); /* plan_vdso.c: ->own_vdso */
void plan_memory(struct process_plan *plan); /* plan_memory.c */
/* Of a mapping that is there: plan_advise.c. First, before it is filled, of which pages. */
void plan_advise_pages(struct process_plan *plan, const struct segment *s);
/* Once it is, @name for people */
void plan_advise(struct process_plan *plan, const struct segment *s, const char *name);
/*
 * plan_guards.c: guard regions of a mapping. First once it is filled; those that are closed
 * instead, when all its pages have got their protection; of all mappings, those that stay open.
 */
void plan_guards(struct process_plan *plan, const struct segment *s, const char *name);
void plan_close_guards(struct process_plan *plan, const struct segment *s, const char *name);
void plan_open_guards(struct process_plan *plan);
bool plan_is_closed(const struct process_plan *plan, const struct segment *s,
		    const struct xckpt_guard *g);
bool plan_locks_around_guards(const struct process_plan *plan, const struct segment *s);
/* plan_advise.c: what locks a mapping, and tells whether that may be */
uint32_t plan_lock_call(const struct process_plan *plan, const struct segment *s);
/* plan_keys.c: protection keys, before there is memory; and that of a mapping */
void plan_keys(struct process_plan *plan);
void plan_key_of(struct process_plan *plan, const struct segment *s, const char *name);
bool plan_is_skipped(const struct process_plan *plan, const struct segment *s); /* not mapped */
/* Where the room for the stack @s to grow begins; @floor is the end of what lies below. */
uint64_t plan_stack_room(const struct process_plan *plan);
uint64_t plan_stack_bottom(const struct process_plan *plan, const struct segment *s,
			   uint64_t floor);
/* plan_mapped.c: is a mapping of a file from the core, or of the file itself? */
void plan_mapped(struct plan *plan);
bool plan_is_from_core(const struct process_plan *plan, const struct segment *s);
void plan_descriptors(struct process_plan *plan); /* plan_process.c: choose ->fds */
void plan_check(struct process_plan *plan);
void plan_place(struct process_plan *plan);
void plan_vforks(struct process_plan *plan); /* plan_thread.c: with the plans of the children */
void plan_no_huge_pages(struct process_plan *plan); /* before there is any memory */
void plan_process(struct process_plan *plan);
void plan_limits(struct process_plan *plan);
void plan_root(struct process_plan *plan);
void plan_thread(struct process_plan *plan, size_t n); /* plan_thread.c: its tail */
/* plan_scheduling.c: the last is to be done before its privileges are those of the image */
void plan_scheduling(struct process_plan *plan, const struct image_thread *t);
void plan_wishes(struct process_plan *plan, const struct image_thread *t);
void plan_clones(struct process_plan *plan); /* the other threads */
void plan_ended_leader(struct process_plan *plan);

void plan_timers(struct process_plan *plan); /* plan_timers.c: they are made, with their ids */
void plan_stops_hush(struct process_plan *plan);
void plan_stops_take(struct process_plan *plan);
void plan_stop(struct process_plan *plan);
void plan_timers_start(struct process_plan *plan);
/* @info is pending: let it tell what it would have told when it was taken */
void plan_timer_signal(const struct process_plan *plan, uint8_t *info);

/* plan_call.c: a system call that goes on in the middle */
struct call {
	const char *name; /* NULL: none */
	uint64_t record; /* on the thread's stack */
	uint64_t clock, expires; /* expires 0: it has no time-out */
	uint64_t time, divisor; /* where what is left goes, and how: see RECORD_LEFT */
};
/* @again: @regs are about to make a call that was interrupted; they are changed */
struct call plan_call(struct process_plan *plan, const struct image_thread *t,
		      struct x86_regs *regs, bool again);
/* call.S in a program that was resumed before, or 0 */
uint64_t plan_find_call(const struct process_plan *plan);
void plan_call_time(struct process_plan *plan, const struct image_thread *t,
		    const struct call *call);

void plan_credentials(struct process_plan *plan,
		      const struct image_thread *t); /* plan_credentials.c */
void plan_dumpable(struct process_plan *plan);

struct caps {
	uint64_t effective, permitted, inheritable, ambient, bounding;
	uint32_t securebits;
};
/* What the image has, as far as we may give it. */
struct caps plan_caps(const struct plan_host *host, const struct credentials *c);
void plan_leftovers(struct process_plan *plan); /* plan_left.c: find ->left */
bool plan_is_left(const struct process_plan *plan, const struct segment *s);
/* of the launcher's own ring, which tells another one: launch_rings.c */
#define RING_HELPER_ENTRIES 64u
bool plan_hole(struct process_plan *plan); /* plan_hole.c: choose ->hole, ->restart */

/* mapped below the first thread's stack */
/* bytes below the top of the first stack: by default, at most, without a limit */
#define STACK_RESERVE (8ull << 20)
#define STACK_MOST (1ull << 30)
#define STACK_UNLIMITED (64ull << 20)

#define PAGE_DOWN(x) ((x) & ~(uint64_t)(IMAGE_PAGE_SIZE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + IMAGE_PAGE_SIZE - 1)

#endif
