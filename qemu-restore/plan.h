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
#include "restorer/record.h"

/* A growing array of bytes. Running out of memory ends the program. */
struct buffer {
	uint8_t *bytes;
	size_t len, room;
};

/* Append @len bytes (zeroes if @bytes is NULL) at a multiple of @align; returns their offset. */
size_t buffer_add(struct buffer *b, const void *bytes, size_t len, size_t align);

enum op_kind {
	/* carried out by the launcher, before the engine is started */
	OP_NAMESPACES, /* [0]: CLONE_NEW* */
	OP_CLOCKS, /* [0]: monotonic, [1]: boottime, ns */
	OP_PID, /* [0]: pid */
	OP_OPEN, /* [0]: slot, [1]: x86-64 flags, [2]: position, [3]: enum open_check, [4]: size
		    wanted */
	OP_PIPE, /* [0]: slot of the reading end, [1]: writing end, [2]: capacity, [3]: flags of [1]
		  */
	OP_FILL, /* [0]: slot, [1]: bytes; path: file in the image */
	OP_OWN, /* [0]: slot, [1]: qemu-resume's own descriptor */
	OP_PLACE, /* [0]: slot, [1]: descriptor */
	OP_CWD,
	OP_UMASK, /* [0] */
	OP_OOM, /* [0] */
	OP_STACK_LIMIT, /* [0], [1] */
	OP_EXEC,
	/* carried out by the restorer; RECORD_x is op - OP_RESTORER */
	OP_RESTORER,
	OP_SYSCALL = OP_RESTORER,
	OP_SWEEP,
	OP_READ,
	OP_POKE4,
	OP_POKE8,
	OP_LEFT, /* as RECORD_LEFT */
	OP_CLONE, /* [0], [4]: index of the thread */
	OP_BARRIER,
	OP_WAIT,
	OP_GO,
	OP_START, /* [0], [1]: offsets in plan.keep */
};

/* what OP_OPEN finds must be */
enum open_check {
	CHECK_NOTHING,
	CHECK_CREATE, /* named by the user: made if it is to be written */
	CHECK_REGULAR,
	CHECK_DIRECTORY,
	CHECK_DEVICE, /* [5]: rdev */
	CHECK_UNCHANGED, /* regular, size [4], mtime_ns [5] */
};

struct plan_op {
	enum op_kind kind;
	int tid; /* 0: the launcher */
	uint32_t nr;
	uint32_t want;
	uint64_t arg[6];
	uint64_t value;
	const char *path; /* NULL, or what is opened, entered ... */
	const char *object; /* NULL, or what it is for */
	const char *build_id; /* NULL, or that of what is opened; "" is any */
	uint8_t refs; /* bit n: arg[n] is an offset in plan.data */
	bool optional; /* failure is a warning */
};

struct issue {
	bool forceable;
	bool warning; /* told, but never stops anything */
	char *text;
};

/* What the planner must know of this machine and this call. */
struct plan_host {
	bool root;
	uint32_t uid, gid;
	uint64_t address_top; /* end of what a process can map */
	bool tty[3]; /* of qemu-resume's own descriptors */
	bool stdin_taken; /* the image came from there */
	bool exe_exists; /* at the image's path */
	struct xckpt_rlimit rlimit[XCKPT_NR_RLIMITS];
	/* what qemu-resume's own children start with */
	uint64_t cap_permitted, cap_inheritable, cap_ambient, cap_bset;
	uint32_t securebits;
	const uint32_t *groups; /* supplementary, ascending */
	size_t nr_groups;
	const char **override; /* by fd; NULL beyond and where there is none */
	size_t nr_override;
};

/* Descriptors of ours in the program until it starts; all above the image's. */
struct plan_fds {
	int status, restorer, core, exe, park2, restart;
	int next; /* further ones: files to be mapped */
};

struct plan {
	const struct image *img;
	const struct image_process *process;
	const struct engine *engine;
	const struct plan_host *host;
	struct plan_op *ops;
	size_t nr_ops, room_ops;
	struct issue *issues;
	size_t nr_issues;
	struct buffer data; /* strings and structures that operations point to */
	struct buffer keep; /* frames and XSAVE areas */
	struct plan_fds fds;
	unsigned int nr_slots;
	uint64_t hole; /* where the restorer will live */
	uint64_t hole_size; /* at most */
	uint64_t restart; /* address of the restart ELF's page */
	uint64_t restart_end; /* where its only segment ends */
	struct buffer vdso; /* patched pages */
	uint64_t call; /* where the program has call.S; 0: nowhere */
};

struct plan *plan_make(const struct image *img, const struct engine *engine,
		       const struct plan_host *host);
void plan_free(struct plan *plan);
void plan_print(const struct plan *plan);
/* One operation as --print-plan shows it, in a static buffer. */
const char *plan_op_text(const struct plan *plan, const struct plan_op *op);

/* for the planner's own files */
struct plan_op *plan_add(struct plan *plan, enum op_kind kind, int tid);
/* a system call that must not fail; arguments by plan_args() */
struct plan_op *plan_syscall(struct plan *plan, int tid, uint32_t nr, uint64_t a, uint64_t b,
			     uint64_t c, uint64_t d);
void plan_issue(struct plan *plan, bool forceable, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void plan_warning(struct plan *plan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void plan_files(struct plan *plan); /* plan_files.c: descriptors */
void plan_descriptor_flags(struct plan *plan); /* their close-on-exec, in the restorer */
void plan_memory(struct plan *plan); /* plan_memory.c */
void plan_process(struct plan *plan); /* plan_process.c: one per process */
void plan_limits(struct plan *plan);
void plan_thread(struct plan *plan, size_t n); /* plan_thread.c: its tail */
void plan_clones(struct plan *plan); /* the other threads */

/* plan_call.c: a system call that goes on in the middle */
struct call {
	const char *name; /* NULL: none */
	uint64_t record; /* on the thread's stack */
	uint64_t clock, expires; /* expires 0: it has no time-out */
	uint64_t time, divisor; /* where what is left goes, and how: see RECORD_LEFT */
};
/* @again: @regs are about to make a call that was interrupted; they are changed */
struct call plan_call(struct plan *plan, const struct image_thread *t, struct x86_regs *regs,
		      bool again);
/* call.S in a program that was resumed before, or 0 */
uint64_t plan_find_call(const struct plan *plan);
void plan_call_time(struct plan *plan, const struct image_thread *t, const struct call *call);

void plan_credentials(struct plan *plan, const struct image_thread *t); /* plan_credentials.c */
bool plan_hole(struct plan *plan); /* plan_hole.c: choose ->hole, ->restart */

/* x86-64 system calls that the plan uses */
enum {
	NR_WRITE = 1,
	NR_CLOSE = 3,
	NR_POLL = 7,
	NR_MMAP = 9,
	NR_MPROTECT = 10,
	NR_MUNMAP = 11,
	NR_BRK = 12,
	NR_RT_SIGACTION = 13,
	NR_RT_SIGPROCMASK = 14,
	NR_WRITEV = 20,
	NR_MADVISE = 28,
	NR_DUP2 = 33,
	NR_NANOSLEEP = 35,
	NR_SETITIMER = 38,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
	NR_FCNTL = 72,
	NR_CAPSET = 126,
	NR_RT_SIGQUEUEINFO = 129,
	NR_PERSONALITY = 135,
	NR_SETPRIORITY = 141,
	NR_SCHED_SETSCHEDULER = 144,
	NR_MLOCK = 149,
	NR_PRCTL = 157,
	NR_ARCH_PRCTL = 158,
	NR_SETGROUPS = 116,
	NR_SETRESUID = 117,
	NR_SETRESGID = 119,
	NR_FUTEX = 202,
	NR_SET_TID_ADDRESS = 218,
	NR_CLOCK_NANOSLEEP = 230,
	NR_TGKILL = 234,
	NR_SET_ROBUST_LIST = 273,
	NR_RT_TGSIGQUEUEINFO = 297,
	NR_PRLIMIT64 = 302,
	NR_RSEQ = 334,
};

/* x86-64 mmap() */
#define X86_PROT_READ 1
#define X86_PROT_WRITE 2
#define X86_PROT_EXEC 4
#define X86_MAP_SHARED 0x01
#define X86_MAP_PRIVATE 0x02
#define X86_MAP_ANONYMOUS 0x20
#define X86_MAP_NORESERVE 0x4000
#define X86_MAP_FIXED_NOREPLACE 0x100000

/* mapped below the first thread's stack */
#define STACK_RESERVE (8ull << 20)

#define PAGE_DOWN(x) ((x) & ~(uint64_t)(IMAGE_PAGE_SIZE - 1))
#define PAGE_UP(x) PAGE_DOWN((x) + IMAGE_PAGE_SIZE - 1)

#endif
