/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What qemu-resume writes and the restorer reads: a head and a table of
 * records, both in a file that is mapped at a free hole of the program's address
 * space. The writer may be an ARM64 process, the reader always is x86-64 code:
 * every field is little-endian and of fixed width.
 *
 *   hole            code                 from restorer.bin, read and execute
 *   hole + code     head, frames,        read and write; stays, because
 *                   XSAVE areas          rt_sigreturn reads it last of all
 *   drop_start      records, strings     \ unmapped by the last thread that
 *                   stacks (anonymous)   / leaves the restorer
 */
#ifndef RECORD_H
#define RECORD_H

#define RECORD_MAGIC 0x72706b78 /* "xkpr" */
#define RECORD_STACK_SIZE 8192
#define RECORD_EXIT_FAILURE 125

/* offsets in struct record_head that entry.S knows */
#define HEAD_NR_THREADS 4
#define HEAD_DROP_START 32
#define HEAD_DROP_SIZE 40
#define HEAD_LEFT 80

/* kinds of records; the order is that of the table in entry.S */
#define RECORD_SYSCALL 0 /* nr(arg[0] .. arg[5]) */
#define RECORD_SWEEP 1 /* unmap everything but the hole */
#define RECORD_LOAD 2 /* all is mapped: report, await whether qemu-resume has filled it */
#define RECORD_READ 3 /* fd, address, length, offset: pread() until complete */
#define RECORD_POKE4 4 /* address, value */
#define RECORD_POKE8 5 /* address, value */
#define RECORD_LEFT 6 /* address, clock, ns on it, divisor: write what is left until then */
#define RECORD_OPEN 7 /* path, flags, position, fd: open() as that one */
#define RECORD_CLONE 8 /* stack, flags, child_tid, tls, first record, tid */
#define RECORD_TIMER 9 /* clock, sigevent, id: timer_create() until it has that id */
#define RECORD_BARRIER 10 /* the first thread: wait for the others, report, await "go" */
#define RECORD_WAIT 11 /* the others: arrive, wait for RECORD_GO */
#define RECORD_GO 12 /* the first thread: open the barrier */
#define RECORD_END 13 /* of this thread */
#define RECORD_START 14 /* frame, XSAVE area, XRSTOR mask (0: FXRSTOR) */
#define RECORD_OCCUPY 15 /* start, end, 1: nobody gets an address there until it is 0 again */
#define RECORD_KINDS 16

/* what the result must be */
#define WANT_ANY 0
#define WANT_OK 1 /* not an error */
#define WANT_VALUE 2 /* equal to value */

#define RECORD_OPTIONAL (1 << 0) /* failure is reported, then the next record is taken */
#define RECORD_FROM_CORE (1 << 1) /* not needed if RECORD_LOAD was told so */

/* more of them share the time of the memory, not of the processors */
#define COPIERS_MAX 8

/* words of qemu-resume */
#define WORD_GO 'g'
#define WORD_ALONE 'a' /* at RECORD_LOAD: end the copiers, report once more */
#define WORD_LOADED 'l' /* and what is RECORD_FROM_CORE is done */

#define STATUS_STARTED 1
#define STATUS_FAILED 2
#define STATUS_WARNING 3
#define STATUS_MAPPED 6 /* it waits at RECORD_LOAD */
/* of a process before it is the engine */
#define STATUS_MET 4 /* it waits for the others */
#define STATUS_TOLD 5 /* it ends, and has told why */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct record {
	uint32_t kind;
	uint32_t index; /* of the operation in the plan */
	uint32_t want;
	uint32_t flags;
	uint64_t nr;
	uint64_t arg[6];
	uint64_t value;
};
_Static_assert(sizeof(struct record) == 80, "struct record");

struct record_head {
	uint32_t magic;
	uint32_t nr_threads;
	int32_t status_fd;
	uint32_t keep_tables; /* the engine keeps GDT and IDT in visible pages */
	uint64_t hole, hole_size;
	uint64_t drop_start, drop_size;
	uint64_t first; /* address of the first thread's first record */
	uint64_t stack; /* top of its stack */
	/* written by the restorer, on a cache line of its own */
	uint32_t loaded; /* by qemu-resume */
	uint32_t nr_copiers; /* that are wanted; then, that there are */
	uint32_t arrived; /* threads at the barrier */
	uint32_t open;
	uint32_t left; /* threads that need their stacks and records no more */
	int32_t copiers[COPIERS_MAX]; /* their sockets: numbers of this process */
	uint32_t padding[3];
};
_Static_assert(sizeof(struct record_head) == 128, "struct record_head");
_Static_assert(__builtin_offsetof(struct record_head, nr_threads) == HEAD_NR_THREADS, "nr_threads");
_Static_assert(__builtin_offsetof(struct record_head, drop_start) == HEAD_DROP_START, "drop_start");
_Static_assert(__builtin_offsetof(struct record_head, drop_size) == HEAD_DROP_SIZE, "drop_size");
_Static_assert(__builtin_offsetof(struct record_head, left) == HEAD_LEFT, "left");

/* one message on the status socket */
struct record_status {
	uint32_t magic;
	uint32_t kind; /* STATUS_* */
	uint32_t index;
	uint32_t reserved;
	int64_t result;
};
_Static_assert(sizeof(struct record_status) == 24, "struct record_status");

/* To a copier (copy.c): a block of the core; @nr extents follow, by offset. */
struct copy_request {
	uint64_t block;
	uint32_t core_fd;
	uint32_t nr;
};
_Static_assert(sizeof(struct copy_request) == 16, "struct copy_request");

/* Whole pages. */
struct copy_extent {
	uint64_t offset, len; /* in the core */
	uint64_t addr; /* where they belong, or 0: only hashed */
};
_Static_assert(sizeof(struct copy_extent) == 24, "struct copy_extent");

struct copy_reply {
	uint64_t hash;
	int64_t result; /* 1; 0: all pages are zero, there is no hash; -errno */
};
_Static_assert(sizeof(struct copy_reply) == 16, "struct copy_reply");

/* follows the code of stage1.S in the restart ELF */
struct stage1_args {
	uint64_t hole, hole_size;
	uint64_t code_size; /* pages of code at the start of the file */
	uint64_t file_size;
	uint64_t file_fd;
	uint64_t stack;
};
_Static_assert(sizeof(struct stage1_args) == 48, "struct stage1_args");
#endif

#endif
