/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a plan: what each does, and what it needs to know. */
#ifndef PLAN_OP_H
#define PLAN_OP_H

#include <stdbool.h>
#include <stdint.h>

enum op_kind {
	/* carried out by the launcher, before the engine is started */
	OP_NAMESPACES, /* [0]: CLONE_NEW* */
	OP_CLOCKS, /* [0]: monotonic, [1]: boottime, ns */
	/* System V IPC: OP_IPC_LIMIT to OP_MSG */
	OP_IPC_LIMIT, /* [0] to [3]: numbers, [4]: of those; path */
	OP_SHM, /* [0]: id, [1]: key, [2]: size, [3]: mode, [4]: locked, [5]: gone; value: index */
	OP_SHM_COPY, /* [0]: id, [1]: process, of its core [2]: offset, [3]: bytes, [4]: to where */
	OP_SHM_FILL, /* [0]: id, [1]: bytes; path: file in the image */
	OP_SEM, /* [0]: id, [1]: key, [2]: semaphores, [3]: mode; value: index */
	OP_MSG, /* [0]: id, [1]: key, [2]: room, [3]: mode; value: index; path: file in the image */
	OP_FORK, /* [0]: pid, [1]: enum fork_how, [2]: pid of who lets go, [3]: birth */
	OP_SUBREAPER,
	OP_SETSID,
	OP_SETPGID, /* [0] */
	OP_TAKE_TERMINAL, /* [0]: slot of its slave; the controlling terminal of this session */
	OP_LEAVE_TERMINAL, /* [0]: as well */
	OP_FOREGROUND, /* [0]: as well, [1]: process group */
	OP_MEET, /* wait until all have come here */
	OP_SEE, /* [0]: pid of a child that ends, [1]: it is not waited for */
	OP_EXIT, /* [0]: as wait(2) tells it */
	OP_OPEN, /* [0]: slot, [1]: x86-64 flags, [2]: position, [3]: enum open_check, [4]: size */
	OP_PIPE, /* [0]: slot of the reading end, [1]: writing end, [2]: capacity, [3], [4]: their
		    flags, [5]: uid, and gid << 32 */
	OP_FIFO, /* [0]: slot, opened for reading and writing, [1]: capacity */
	OP_REOPEN, /* [0]: slot, [1]: of this one, [2]: x86-64 flags, [3]: position, [4]: it is the
		      same description */
	OP_FILL, /* [0]: slot, [1]: bytes, [2]: from there, [3]: as a packet; path: file in the
		    image */
	OP_UNPACK, /* [0]: bytes, [1]: mode, [2]: mtime_ns, [3]: uid, [4]: gid; object: file in the
		      image, for path */
	OP_CONTENTS, /* [0]: slot, [1]: bytes; path: file in the image */
	OP_LOST_DIRECTORY, /* [0]: slot, [1]: mode, [2]: device and [3]: inode that it was, 0:
			      unknown, [4]: uid, [5]: gid; path: where it was */
	OP_TERMINAL, /* [0]: slot of the master, [1]: of a slave, or -1, [2]: x86-64 flags */
	OP_OPEN_TTY, /* [0]: slot, /dev/tty [1]: for whom this slave's terminal is that, [2]: flags
		      */
	OP_MODES, /* [0], [1]: as OP_TERMINAL, [2]: index in img->files */
	OP_FRONT, /* qemu-resume's terminal gets the modes of img->front, once all stand */
	OP_EVENTFD, /* [0]: slot, [1]: count, [2]: semaphore, [3]: x86-64 flags */
	OP_TIMERFD, /* [0]: slot, [1]: clock, [2]: expirations, [3]: x86-64 flags, [4]: value, ns,
		       [5]: interval, ns; nr: TFD_TIMER_*. The value is a date with ABSTIME */
	OP_SIGNALFD, /* [0]: slot, [1]: mask, [2]: x86-64 flags */
	OP_EPOLL, /* [0]: slot, [1]: x86-64 flags */
	OP_INOTIFY, /* [0]: slot, [1]: x86-64 flags */
	OP_RING, /* [0]: slot, [1]: x86-64 flags, [2]: index in img->files */
	OP_RING_COPY, /* [0]: slot, [1]: process, of its core [2]: offset, [3]: bytes, [4]: to
			 where, IORING_OFF_* */
	OP_WATCH, /* [0]: slot, [1]: wd, [2]: IN_*; path. Last: what we do is no event */
	OP_FLOCK, /* [0]: slot, [1]: exclusive */
	OP_OFD_LOCK, /* [0]: slot, [1]: exclusive, [2]: start, [3]: bytes, 0: all that follow */
	OP_SEAL, /* [0]: slot, [1]: F_SEAL_*, [2]: once it is mapped */
	OP_MEMORY, /* [0]: slot, [1]: bytes, [2]: mode with its type, 0: any, [3]: uid, [4]: gid,
		      [5]: log2 of the size of huge pages, or 0; path: where it was on a disk */
	OP_COPY, /* [0]: slot, [1]: process, of its core [2]: offset, [3]: bytes, [4]: to where */
	OP_CORE, /* [0]: slot, [1]: process whose core it is */
	OP_OWN, /* [0]: slot, [1]: qemu-resume's own descriptor */
	OP_PLACE, /* [0]: slot, [1]: descriptor */
	OP_PIDFD, /* [0]: descriptor, [1]: pid, -1: of one that is gone, [2]: x86-64 flags */
	OP_ENTRY, /* [0]: slot of an epoll, [1]: number, [2]: EPOLL*, [3]: data, [4]: slot, or -1:
		     [5]: descriptor */
	OP_OWNER, /* [0]: slot, [1]: F_OWNER_*, [2]: id */
	OP_LEASE, /* [0]: slot, [1]: exclusive */
	OP_CWD, /* [0]: slot of what is in its place, and 1; or 0, and path */
	OP_UMASK, /* [0] */
	OP_OOM, /* [0] */
	OP_DUMP_FILTER, /* [0] */
	OP_EXEC,
	/* carried out by the restorer; RECORD_x is op - OP_RESTORER */
	OP_RESTORER,
	OP_SYSCALL = OP_RESTORER,
	OP_SWEEP,
	OP_LOAD, /* wait until the loader has read what it can */
	OP_READ,
	OP_POKE4,
	OP_POKE8,
	OP_LEFT, /* as RECORD_LEFT */
	OP_OPEN_ITSELF, /* as RECORD_OPEN */
	OP_CLONE, /* [0], [4]: index of the thread */
	OP_TIMER, /* [0]: clock, [1]: sigevent, [2]: id */
	OP_BARRIER,
	OP_WAIT,
	OP_GO,
	OP_END, /* of a thread that had ended before its process did */
	OP_START, /* [0], [1]: offsets in plan.keep */
	OP_OCCUPY, /* [0]: from there, [1]: to there, [2]: 1, or 0: no more */
};

/* what OP_OPEN finds must be */
enum open_check {
	CHECK_NOTHING,
	CHECK_CREATE, /* named by the user: made if it is to be written */
	CHECK_REGULAR,
	CHECK_SAME, /* as well, with size [4] and mtime_ns [5] */
	CHECK_DIRECTORY,
	CHECK_DEVICE, /* [5]: rdev */
	CHECK_UNCHANGED, /* regular, size [4], mtime_ns [5] */
};

struct plan_op {
	enum op_kind kind;
	int process; /* index of the one that it is for, or -1: for all */
	int tid; /* 0: the launcher */
	uint32_t nr;
	uint32_t want;
	uint64_t arg[6];
	uint64_t value; /* of what is opened: the pid that it is for */
	const char *path; /* NULL, or what is opened, entered ... */
	const char *object; /* NULL, or what it is for */
	const char *build_id; /* NULL, or that of what is opened; "" is any */
	uint8_t refs; /* bit n: arg[n] is an offset in plan.data */
	bool optional; /* failure is a warning */
};

static inline bool is_sysv_op(enum op_kind kind)
{
	return kind >= OP_IPC_LIMIT && kind <= OP_MSG;
}

#endif
