/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/xckpt: freeze a group of processes at one instant and read each of them
 * as an ELF core.
 *
 * One open file is one session, and a session freezes at most one group at a
 * time. Closing the last descriptor of the session, or the death of its holder,
 * thaws the group and frees everything; a descriptor passed on or inherited
 * over fork() keeps the session. Core descriptors have a life of their own. Those
 * of a snapshot can be read when the group runs on, the others only as long as it
 * stays frozen.
 *
 * The order of a dump: FREEZE, TASKS, SNAPSHOT, CORE of each process, THAW, and
 * then the contents at leisure.
 *
 * Opening needs CAP_SYS_PTRACE and CAP_CHECKPOINT_RESTORE (or CAP_SYS_ADMIN) in
 * the initial user namespace. Pids in and out are those of the caller's pid
 * namespace.
 *
 * Every argument is a pointer to a structure whose first member is its own size
 * in bytes, as the caller was built with. A shorter structure than the first
 * published one is EINVAL; a longer one than the kernel knows is accepted when
 * the unknown tail is zero, else E2BIG. Members named out_* are written by the
 * kernel, the others are read; reserved members and unknown flags must be zero.
 *
 * Errors that any command may return:
 *   EFAULT      a pointer does not lead to readable (writable) memory
 *   EINVAL      wrong size, unknown flag or value, reserved member not zero
 *   E2BIG       non-zero bytes beyond what this kernel knows
 *   ENOTTY      no such command
 *   ENOMEM      no memory
 *   EINTR       a signal came while waiting; nothing was changed
 * Those of single commands stand with them.
 */
#ifndef _UAPI_XCKPT_H
#define _UAPI_XCKPT_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define XCKPT_DEVICE		"/dev/xckpt"
#define XCKPT_ABI_VERSION	1

#define XCKPT_IOCTL_TYPE	0xb8

enum {
	XCKPT_CMD_INFO = 0x80,
	XCKPT_CMD_FREEZE,
	XCKPT_CMD_THAW,
	XCKPT_CMD_TASKS,
	XCKPT_CMD_CORE,
	XCKPT_CMD_SNAPSHOT,
};

/*
 * INFO: what this module can do. Always succeeds on an open session.
 * @out_targets:   bit n set: enum xckpt_target n is supported
 * @out_modes:     bit n set: enum xckpt_mode n is supported
 * @out_xfeatures: the user part of XCR0: state components in NT_X86_XSTATE
 */
struct xckpt_info {
	__u32 size;
	__u32 flags;
	__u32 out_abi_version;
	__u32 out_page_size;
	__u32 out_targets;
	__u32 out_modes;
	__aligned_u64 out_xfeatures;
};
#define XCKPT_IOCTL_INFO _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_INFO)

/*
 * What the group is. Whatever its processes fork while it is being frozen is part
 * of it. Kernel threads are passed over; the system's init, the caller itself and
 * 32-bit programs make the freeze fail.
 */
enum xckpt_target {
	XCKPT_TARGET_TREE,	/* processes, each with all its descendants */
	XCKPT_TARGET_PGRP,	/* a process group; its leader may be gone */
	XCKPT_TARGET_SESSION,	/* a session; its leader may be gone */
	XCKPT_TARGET_CGROUP,	/* a cgroup of version 2 with all cgroups below it */
};

/*
 * How threads are treated that sleep in a system call. A thread that is left
 * asleep does not notice anything, its time-out runs on. One that is woken makes
 * its call again when the group is thawed (see kmod/restart.c).
 */
enum xckpt_mode {
	XCKPT_MODE_AUTO,	/* left asleep where its call can start again in an image */
	XCKPT_MODE_SOFT,	/* also where a relative time-out starts over in the image */
	XCKPT_MODE_STRICT,	/* every thread leaves the kernel and parks */
};

/* Why a freeze failed; @out_pid is the process or thread that caused it, or 0. */
enum xckpt_reason {
	XCKPT_REASON_NONE,
	XCKPT_REASON_GONE,	/* ESRCH: no process of the group is alive */
	XCKPT_REASON_TIMEOUT,	/* ETIMEDOUT: out_pid did not stop in time */
	XCKPT_REASON_DENIED,	/* EPERM: the caller may not trace out_pid */
	XCKPT_REASON_KTHREAD,	/* EINVAL: out_pid is a kernel thread */
	XCKPT_REASON_INIT,	/* EINVAL: out_pid is the system's init */
	XCKPT_REASON_SELF,	/* EDEADLK: the caller is in the group */
	XCKPT_REASON_BUSY,	/* EBUSY: out_pid is frozen by another session */
	XCKPT_REASON_COMPAT,	/* EOPNOTSUPP: out_pid runs 32-bit or x32 code */
};

#define XCKPT_TIMEOUT_DEFAULT_MS	5000
#define XCKPT_TIMEOUT_MAX_MS		600000
#define XCKPT_TARGET_FDS_MAX		4096

/*
 * FREEZE: stop the group, all of it or nothing. When it fails, everything that
 * had stopped goes on before the call returns. A snapshot that the session still
 * has is given up.
 * @target_fd: of a tree: pidfd of its root; of a cgroup: descriptor of its
 *             directory; else unused
 * @target_id: of a process group or session: its number; else 0
 * @target_fds, @nr_target_fds: of a tree: array of __s32, pidfds of further roots
 *             that belong to the group; at most XCKPT_TARGET_FDS_MAX; else 0
 * @timeout_ms: 0 means XCKPT_TIMEOUT_DEFAULT_MS; at most XCKPT_TIMEOUT_MAX_MS
 * @out_nr_threads: live threads held, of @out_nr_processes processes
 * @out_nr_stopped: of them, already stopped by a signal or a tracer
 * @out_nr_vfork: of them, waiting in vfork() for a child that is held too
 * @out_nr_asleep: of them, left asleep in a system call
 * @out_nr_exiting: threads that were on their way out and are not held
 * @out_rounds: scans of the group until one found nothing new
 * @out_latency_ns: from the call's start until the group stood still
 * @out_skew_ns: between the first and the last thread that parked
 * @out_realtime_ns, @out_monotonic_ns, @out_boottime_ns: the clocks then
 *
 * ESRCH, ETIMEDOUT, EPERM, EINVAL, EDEADLK, EBUSY, EOPNOTSUPP: see out_reason
 * EBUSY with XCKPT_REASON_NONE: this session holds a group already
 * EBADF: @target_fd or one of @target_fds is not a pidfd or not of a cgroup
 */
struct xckpt_freeze {
	__u32 size;
	__u32 flags;
	__u32 target;
	__u32 mode;
	__s32 target_fd;
	__u32 timeout_ms;
	__u32 out_reason;
	__s32 out_pid;
	__u32 out_nr_processes;
	__u32 out_nr_threads;
	__u32 out_nr_stopped;
	__u32 out_nr_vfork;
	__u32 out_nr_exiting;
	__u32 out_rounds;
	__aligned_u64 out_latency_ns;
	__aligned_u64 out_skew_ns;
	__aligned_u64 out_realtime_ns;
	__aligned_u64 out_monotonic_ns;
	__aligned_u64 out_boottime_ns;
	__aligned_u64 target_fds;
	__u32 nr_target_fds;
	__s32 target_id;
	__u32 out_nr_asleep;
	__u32 __reserved;
};
#define XCKPT_IOCTL_FREEZE _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_FREEZE)

/* SIGKILL every process of the group instead of letting it go on */
#define XCKPT_THAW_KILL	(1u << 0)
/* SIGSTOP every process of the group: it goes on at SIGCONT */
#define XCKPT_THAW_STOP	(1u << 1)

/*
 * THAW: let the group go on. Cores of a snapshot stay readable; reads from others
 * fail with ESTALE afterwards.
 * ENOENT: no group is frozen
 */
struct xckpt_thaw {
	__u32 size;
	__u32 flags;
};
#define XCKPT_IOCTL_THAW _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_THAW)

enum xckpt_task_state {
	XCKPT_TASK_PARKED,	/* held on its way to user mode */
	XCKPT_TASK_STOPPED,	/* stopped by a signal or a tracer before the freeze */
	XCKPT_TASK_VFORK,	/* waits for a vfork child that is held */
	XCKPT_TASK_EXITING,	/* on its way out: no registers, no memory */
	XCKPT_TASK_ZOMBIE,	/* a process that ended and was not waited for */
	XCKPT_TASK_ASLEEP,	/* left asleep in a system call */
};

/* One thread of the group; a process is the entry whose tid equals its pid. */
struct xckpt_task {
	__s32 pid;
	__s32 tid;
	__s32 ppid;
	__u32 state;		/* enum xckpt_task_state */
	__s32 exit_code;	/* of a zombie, as wait(2) gives it */
	__u32 __reserved;
};

/*
 * TASKS: list the threads of the frozen group, parents before children, the
 * first thread of each process before its others.
 * @tasks: pointer to an array of struct xckpt_task, or 0
 * @nr_tasks: entries that fit there
 * @task_size: sizeof(struct xckpt_task) of the caller
 * @out_nr_tasks: entries there are; when more than @nr_tasks, only the first
 *                @nr_tasks were written and the call still succeeds
 * @out_nr_disturbed: threads that moved although the group was frozen: one that
 *                was asleep, stopped or in vfork() and was woken (by what it
 *                waited for, a signal, its tracer) ran in the kernel until it
 *                parked. What was captured of it before may be torn: without a
 *                snapshot, an image is good only if this is 0 after the last
 *                byte was read.
 * ENOENT: no group is frozen
 */
struct xckpt_tasks {
	__u32 size;
	__u32 flags;
	__aligned_u64 tasks;
	__u32 nr_tasks;
	__u32 task_size;
	__u32 out_nr_tasks;
	__u32 out_nr_disturbed;
};
#define XCKPT_IOCTL_TASKS _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_TASKS)

/* leave out the contents of clean private file mappings but for ELF headers */
#define XCKPT_SNAPSHOT_THIN	(1u << 0)
/* clone no memory: contents are read from the frozen processes, before THAW */
#define XCKPT_SNAPSHOT_FROZEN	(1u << 1)
/* do what THAW does, too, unless something is still to be read of the group */
#define XCKPT_SNAPSHOT_THAW	(1u << 2)

/* Why the memory of a process was not cloned. */
enum xckpt_uncloned {
	XCKPT_UNCLONED_NONE,
	XCKPT_UNCLONED_ASKED,	/* XCKPT_SNAPSHOT_FROZEN */
	XCKPT_UNCLONED_UFFD,	/* userfaultfd: a clone would wait for its handler */
	XCKPT_UNCLONED_MEMORY,	/* no memory for the clone or the copied pages */
	XCKPT_UNCLONED_LIMIT,	/* no more processes in the system (pid_max, threads-max) */
	XCKPT_UNCLONED_DEVICE,	/* asynchronous I/O (io_setup(2), io_uring), before Linux 6.5 */
};

/*
 * SNAPSHOT: capture every process of the frozen group as it is now: registers,
 * notes and layout; memory as a copy-on-write clone; and a copy of what a clone
 * would not keep: shared memory (once for the group), huge pages, what is left
 * out or wiped on fork, and files that somebody has open for writing. The group
 * may be thawed or killed afterwards: CORE and reads from cores go on working
 * until the session ends or freezes again, or a core's last descriptor is closed.
 *
 * A process whose memory cannot be cloned is read from itself: only until THAW.
 * With XCKPT_SNAPSHOT_THAW the group goes on before the call returns if all memory
 * was cloned and nothing is there that has more than the cores can give back
 * (@out_nr_stateful), which the caller may want to read first.
 *
 * When threads moved meanwhile, everything is captured once more; then once more
 * with no thread left asleep (XCKPT_MODE_STRICT).
 * @out_nr_processes: that were captured
 * @out_nr_uncloned: of them, to be read before THAW
 * @out_uncloned, @out_uncloned_pid: why (enum xckpt_uncloned), and the first one
 * @out_nr_attempts: 1 to 3
 * @out_nr_stateful: open file descriptions of the group that are pipes, anonymous
 *         inodes, masters of pseudo-terminals, files without a name or of tmpfs, or of
 *         files with locks, directories that were read; shared mappings of tmpfs files,
 *         and of parts of shared memory; and IPC namespaces with System V objects,
 *         whoever made them
 * @out_copied_bytes: memory copied because a clone would not keep it
 * @out_clone_ns: the longest time that one clone took
 * @out_total_ns: of the whole call, without the thaw
 * @out_thawed: 1: the group goes on, and there is none to THAW any more
 *
 * ENOENT: no group is frozen; ESRCH: no process of it is left
 * E2BIG: a process has more than a core can tell of: 1048576 guard regions, 512 MiB of notes
 * EINTR: a signal came before all processes were captured: make the call again, which begins
 *         anew, with signals blocked that come often; with ENOENT it tells then that the
 *         group has been thawed
 * EAGAIN: threads moved in the last attempt too (one that was stopped was woken):
 *         thaw and freeze again
 * ETIMEDOUT, or another error of FREEZE: threads that moved did not come to rest
 *         again; the group has been thawed
 */
struct xckpt_snapshot {
	__u32 size;
	__u32 flags;
	__u32 out_nr_processes;
	__u32 out_nr_uncloned;
	__u32 out_uncloned;
	__s32 out_uncloned_pid;
	__u32 out_nr_attempts;
	__u32 out_nr_stateful;
	__aligned_u64 out_copied_bytes;
	__aligned_u64 out_clone_ns;
	__aligned_u64 out_total_ns;
	__u32 out_thawed;
	__u32 __reserved; /* must be 0 */
};
#define XCKPT_IOCTL_SNAPSHOT _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_SNAPSHOT)

/* as XCKPT_SNAPSHOT_THIN; with a snapshot EINVAL unless that has it too */
#define XCKPT_CORE_THIN	(1u << 0)

/*
 * CORE: open the ELF core of one process, of the snapshot where there is one, else
 * of the frozen group: regular, read-only, sparse (SEEK_DATA, SEEK_HOLE),
 * close-on-exec. uapi/xckpt_image.h tells its layout. Readers may share it.
 * @out_size: bytes of the file, holes included
 * @out_data_bytes: of them without the holes; of a core of a snapshot about so many
 *                  until its contents are first looked at
 * ENOENT: neither snapshot nor frozen group; ESRCH: @pid is no live process of it
 * E2BIG: as of SNAPSHOT
 */
struct xckpt_core {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__s32 out_fd;
	__u32 out_nr_threads;
	__u32 out_nr_segments;
	__aligned_u64 out_size;
	__aligned_u64 out_data_bytes;
};
#define XCKPT_IOCTL_CORE _IO(XCKPT_IOCTL_TYPE, XCKPT_CMD_CORE)

#endif /* _UAPI_XCKPT_H */
