/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a core of /dev/xckpt holds, beyond what any ELF core does.
 *
 * The file is an ELF64 little-endian ET_CORE for EM_X86_64: one PT_NOTE, then
 * one PT_LOAD per mapping in address order. Every PT_LOAD starts at a multiple
 * of the page size, so it can be mapped straight from the file. p_filesz is 0
 * where nothing was ever touched; it may be smaller than p_memsz, and the rest
 * reads as zero. With more than 65534 mappings e_phnum is PN_XNUM and the count
 * stands in sh_info of section header 0.
 *
 * Notes come in two parts. First, once per process and in any order:
 *   CORE NT_PRPSINFO, NT_AUXV, NT_FILE,
 *   XCKPT PROCESS, MM, VMA, GUARD, SIGACTION, TIMER, SIGPENDING, FILE, RING, SEM_UNDO
 * then those of each thread, the thread-group leader first, if it lives:
 *   CORE NT_PRSTATUS, which begins a thread; CORE NT_PRFPREG, LINUX NT_X86_XSTATE
 *   (not compacted, as ptrace gives it), CORE NT_SIGINFO,
 *   XCKPT THREAD, SIGPENDING
 * A note that stands before the first NT_PRSTATUS is the process's.
 *
 * Notes named "XCKPT" have the types below, out of the way of everybody else's
 * because some readers ignore note names. All their fields are little-endian
 * and of fixed width; every description starts with its structure's size in
 * bytes, so fields can be added at the end: a reader takes missing ones as 0.
 * Strings are NUL-terminated; a *_off member is the offset of one from the
 * start of the description, 0 when there is none. Addresses are the process's.
 * There are no kernel addresses, and padding is zero.
 *
 * That is what the device gives. In an image (group.json tells of format version 2),
 * contents that several mappings have are in one core only. It is about three kinds
 * of mappings:
 * - shared memory, with XCKPT_VMA_SHARED and of what has no name: XCKPT_VMA_SHMEM, with
 *   XCKPT_VMA_DELETED also XCKPT_VMA_HUGETLB and, unless XCKPT_VMA_MAYWRITE is set too,
 *   XCKPT_VMA_FILE;
 * - XCKPT_VMA_SYSV of segments that group.json has, in processes that it does not list
 *   as "elsewhere";
 * - other XCKPT_VMA_FILE with XCKPT_VMA_UNWRITTEN: of programs and libraries.
 * Mappings are of one object when they are of one kind, and @dev, @ino, @file_size and
 * @file_mtime_ns are the same.
 *
 * All these mappings are put in order: those of an object together, by @pgoff, the
 * longest first, then as the processes stand in group.json, then by address. Gone
 * through in that order, one whose contents end (@pgoff + p_filesz) no further on in
 * the object than those of an earlier one is left out: its p_filesz becomes 0, and a
 * hole is where its contents were. Its holder is the earlier one whose contents end
 * furthest on. So a reader that goes through them in the same order finds where the
 * contents of one with p_filesz 0 are: in its holder, if that reaches so far, and
 * zero from there on. What is in its holder begins @pgoff - @pgoff of the holder
 * behind the holder's p_offset.
 */
#ifndef _UAPI_XCKPT_IMAGE_H
#define _UAPI_XCKPT_IMAGE_H

#include <linux/types.h>

#define XCKPT_NOTE_NAME	"XCKPT"

enum xckpt_note_type {
	XCKPT_NT_PROCESS	= 0x58430001,
	XCKPT_NT_MM		= 0x58430002,
	XCKPT_NT_VMA		= 0x58430003,
	XCKPT_NT_SIGACTION	= 0x58430004,
	XCKPT_NT_SIGPENDING	= 0x58430005,
	XCKPT_NT_FILE		= 0x58430006,
	XCKPT_NT_THREAD		= 0x58430007,
	XCKPT_NT_TIMER		= 0x58430008,
	XCKPT_NT_SEM_UNDO	= 0x58430009,
	XCKPT_NT_CREDS		= 0x5843000a,
	XCKPT_NT_GUARD		= 0x5843000b,
	XCKPT_NT_RING		= 0x5843000c,
};

/* struct xckpt_note_process.flags */
#define XCKPT_PROCESS_NO_NEW_PRIVS	(1u << 0)
#define XCKPT_PROCESS_SUBREAPER		(1u << 1)	/* PR_SET_CHILD_SUBREAPER */
#define XCKPT_PROCESS_SECCOMP		(1u << 2)	/* some thread has a seccomp mode */
#define XCKPT_PROCESS_STOPPED		(1u << 3)	/* job control stop (SIGSTOP ...) */
#define XCKPT_PROCESS_TTY		(1u << 4)	/* has a controlling terminal */
#define XCKPT_PROCESS_IO_URING		(1u << 5)	/* has used io_uring */
/* its descriptors, or its directories and umask, are another process's too or not all threads' */
#define XCKPT_PROCESS_ODD_FILES		(1u << 6)	/* CLONE_FILES */
#define XCKPT_PROCESS_ODD_FS		(1u << 7)	/* CLONE_FS */
/* its SEM_UNDO is another process's too or not all threads' (CLONE_SYSVSEM), or cannot be read */
#define XCKPT_PROCESS_ODD_UNDO		(1u << 8)
/* of some thread, or of all: */
#define XCKPT_PROCESS_SEGMENTS		(1u << 9)	/* modify_ldt(2), set_thread_area(2) */
#define XCKPT_PROCESS_IO_PORTS		(1u << 10)	/* ioperm(2), iopl(2) */
#define XCKPT_PROCESS_TRAPS		(1u << 11)	/* PR_SET_TSC, ARCH_SET_CPUID */
#define XCKPT_PROCESS_DISPATCH		(1u << 12)	/* PR_SET_SYSCALL_USER_DISPATCH */
/* its memory is another process's, too (CLONE_VM without CLONE_VFORK) */
#define XCKPT_PROCESS_ODD_MM		(1u << 13)
/* namespaces of any thread other than those of who dumped it; of pids: than the first process's */
#define XCKPT_PROCESS_OWN_UTS		(1u << 14)
#define XCKPT_PROCESS_OWN_NET		(1u << 15)
#define XCKPT_PROCESS_OWN_USER		(1u << 16)
#define XCKPT_PROCESS_OWN_PID		(1u << 17)
/* beside XCKPT_PROCESS_STOPPED: its parent has waited for that (waitid(2), WSTOPPED) */
#define XCKPT_PROCESS_STOP_TOLD		(1u << 18)
#define XCKPT_PROCESS_UPROBES		(1u << 19)	/* breakpoints of uprobes in its code */
/* some thread has requests of io_uring under way, or may have; or has registered descriptors */
#define XCKPT_PROCESS_REQUESTS		(1u << 20)
#define XCKPT_PROCESS_RING_FDS		(1u << 21)	/* IORING_REGISTER_RING_FDS */
#define XCKPT_PROCESS_RING_LIMITS	(1u << 22)	/* restrictions for whatever ring it has */

struct xckpt_timer_value {
	__u64 interval_ns;	/* 0: does not repeat */
	__u64 value_ns;		/* until the next expiry; 0: not armed */
};

struct xckpt_rlimit {
	__u64 cur;		/* ~0: no limit */
	__u64 max;
};

#define XCKPT_NR_RLIMITS	16

/* XCKPT_NT_PROCESS: identity and everything that is one per process. */
struct xckpt_note_process {
	__u32 size;
	__u32 flags;		/* XCKPT_PROCESS_* */
	__s32 pid;		/* ids as the first process of the group sees them */
	__s32 ppid;
	__s32 pgid;
	__s32 sid;
	__u32 nr_threads;
	__u32 umask;
	__u32 uid, euid, suid, fsuid;	/* of the leader, initial user namespace */
	__u32 gid, egid, sgid, fsgid;
	__u64 cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	__u32 securebits;
	__u32 personality;
	__u32 dumpable;		/* PR_GET_DUMPABLE */
	__s32 oom_score_adj;
	__u32 exit_signal;
	__u32 nr_posix_timers;	/* timer_create() timers */
	char comm[16];
	struct xckpt_timer_value itimer[3];	/* ITIMER_REAL, _VIRTUAL, _PROF */
	struct xckpt_rlimit rlimit[XCKPT_NR_RLIMITS];
	__u32 exe_off;		/* paths as the dumper sees them */
	__u32 cwd_off;
	__u32 root_off;
	__u32 nr_groups;	/* supplementary groups: */
	__u32 groups_off;	/* an array of __u32 there */
	__u32 stop_signal;	/* with XCKPT_PROCESS_STOPPED: by which; 0: not told */
};

/* XCKPT_NT_MM: the layout that brk(2) and /proc show; addresses. */
struct xckpt_note_mm {
	__u32 size;
	__u32 flags;		/* XCKPT_MM_* */
	__u64 start_code, end_code, start_data, end_data;
	__u64 start_brk, brk, start_stack;
	__u64 arg_start, arg_end, env_start, env_end;
	__u64 vdso;		/* where its ELF header is mapped, 0: nowhere */
	__u32 dump_filter;	/* /proc/PID/coredump_filter; see XCKPT_MM_DUMP_FILTER */
	__u32 pkeys;		/* a bit for each protection key it has, 0 among them; 0: not told */
};
#define XCKPT_MM_THP_DISABLED	(1u << 0)	/* PR_SET_THP_DISABLE */
#define XCKPT_MM_LOCK_FUTURE	(1u << 1)	/* mlockall(MCL_FUTURE) */
#define XCKPT_MM_LOCK_ONFAULT	(1u << 2)	/* beside it: MCL_ONFAULT */
/* what was registered with membarrier(2): MEMBARRIER_CMD_REGISTER_... */
#define XCKPT_MM_BARRIER_GLOBAL	(1u << 3)	/* GLOBAL_EXPEDITED */
#define XCKPT_MM_BARRIER	(1u << 4)	/* PRIVATE_EXPEDITED */
#define XCKPT_MM_BARRIER_CORE	(1u << 5)	/* PRIVATE_EXPEDITED_SYNC_CORE */
#define XCKPT_MM_BARRIER_RSEQ	(1u << 6)	/* PRIVATE_EXPEDITED_RSEQ */
#define XCKPT_MM_MDWE		(1u << 7)	/* PR_SET_MDWE */
#define XCKPT_MM_MDWE_NO_INHERIT	(1u << 8)	/* beside it */
#define XCKPT_MM_MERGE_ANY	(1u << 9)	/* PR_SET_MEMORY_MERGE */
#define XCKPT_MM_DUMP_FILTER	(1u << 10)	/* @dump_filter is told */
#define XCKPT_MM_THP_ADVISED	(1u << 11)	/* PR_THP_DISABLE_EXCEPT_ADVISED */

/* What a mapping is made of. */
enum xckpt_vma_kind {
	XCKPT_VMA_ANON,		/* private anonymous memory, [heap] and [stack] too */
	XCKPT_VMA_FILE,		/* a file, private or shared (see flags) */
	XCKPT_VMA_SHMEM,	/* shared anonymous memory, memfd, deleted tmpfs file */
	XCKPT_VMA_SYSV,		/* shmat(); ino is the segment's id */
	XCKPT_VMA_HUGETLB,	/* huge pages: MAP_HUGETLB, MFD_HUGETLB, SHM_HUGETLB, hugetlbfs */
	XCKPT_VMA_VDSO,
	XCKPT_VMA_VVAR,		/* the vDSO's data: never in the image */
	XCKPT_VMA_SPECIAL,	/* devices, secretmem: never in the image */
	XCKPT_VMA_RING,		/* io_uring's: pgoff is its IORING_OFF_* and what lies behind it */
};

/* struct xckpt_vma.flags */
#define XCKPT_VMA_READ		(1u << 0)
#define XCKPT_VMA_WRITE		(1u << 1)
#define XCKPT_VMA_EXEC		(1u << 2)
#define XCKPT_VMA_SHARED	(1u << 3)
#define XCKPT_VMA_MAYWRITE	(1u << 4)	/* mprotect() may make it writable */
#define XCKPT_VMA_GROWSDOWN	(1u << 5)
#define XCKPT_VMA_LOCKED	(1u << 6)
#define XCKPT_VMA_DONTFORK	(1u << 7)
#define XCKPT_VMA_WIPEONFORK	(1u << 8)
#define XCKPT_VMA_DONTDUMP	(1u << 9)	/* in the image all the same */
#define XCKPT_VMA_NORESERVE	(1u << 10)
#define XCKPT_VMA_HUGEPAGE	(1u << 11)	/* MADV_HUGEPAGE */
#define XCKPT_VMA_NOHUGEPAGE	(1u << 12)
#define XCKPT_VMA_MERGEABLE	(1u << 13)
#define XCKPT_VMA_HEAP		(1u << 14)	/* holds the brk heap */
#define XCKPT_VMA_STACK		(1u << 15)	/* holds the first thread's stack */
#define XCKPT_VMA_UFFD		(1u << 16)	/* registered with a userfaultfd */
#define XCKPT_VMA_DELETED	(1u << 17)	/* the file has no name any more */
#define XCKPT_VMA_LOCKONFAULT	(1u << 18)	/* MLOCK_ONFAULT; beside LOCKED */
#define XCKPT_VMA_UNWRITTEN	(1u << 19)	/* XCKPT_VMA_FILE: all pages are the file's */
#define XCKPT_VMA_SEALED	(1u << 20)	/* mseal(2) */
#define XCKPT_VMA_SEQUENTIAL	(1u << 21)	/* MADV_SEQUENTIAL */
#define XCKPT_VMA_RANDOM	(1u << 22)	/* MADV_RANDOM */
#define XCKPT_VMA_COPIED	(1u << 23)	/* of its contents there was a copy at the freeze */

struct xckpt_vma {
	__u64 start, end;	/* page-aligned; the n-th entry is the n-th PT_LOAD */
	__u64 pgoff;		/* offset in the file, bytes */
	__u64 dev, ino;		/* new_encode_dev() form; 0 without a file */
	__u64 file_size;	/* bytes, at the freeze */
	__s64 file_mtime_ns;
	__u32 flags;		/* XCKPT_VMA_* */
	__u32 kind;		/* enum xckpt_vma_kind */
	__u32 path_off;		/* file name, or the name of an anonymous mapping */
	__u32 pkey;
	__u32 page_shift;	/* XCKPT_VMA_HUGETLB: its pages have 1 << page_shift bytes */
	__u32 __reserved;
};

/* The head of a note that is a table; strings follow the entries. */
struct xckpt_note_table {
	__u32 size;		/* of this head */
	__u32 entry_size;
	__u32 nr_entries;
	__u32 entries_off;	/* from the start of the description */
};

/* XCKPT_NT_VMA is a table of struct xckpt_vma in address order. */

/*
 * XCKPT_NT_GUARD is a table of these, ascending: pages of a mapping whose touch is a SIGSEGV
 * until MADV_GUARD_REMOVE (madvise(2), since Linux 6.13). Each lies in one mapping, and two of
 * that have something in between. The contents there are those that the program would find
 * once they are no more: a file's own, else zero. The note is absent when there are none.
 */
struct xckpt_guard {
	__u64 start, end;	/* page-aligned */
};

/* XCKPT_NT_SIGACTION is a table of 64 of these, signal 1 first. */
struct xckpt_sigaction {
	__u64 handler;		/* 0: default, 1: ignored */
	__u64 flags;		/* SA_* of x86-64 */
	__u64 restorer;
	__u64 mask;		/* bit n-1: signal n */
};

/*
 * XCKPT_NT_SIGPENDING is a table of 128-byte siginfo_t of x86-64 in the order
 * in which they were queued. Before the first NT_PRSTATUS it holds what is
 * pending for the process, after one what is pending for that thread. A signal
 * whose siginfo the kernel did not keep has si_code SI_USER and pid 0. The note
 * is absent when nothing is pending.
 */
#define XCKPT_SIGINFO_SIZE	128

/* struct xckpt_timer.flags */
/*
 * It has expired, and its signal was pending when this was written: @value_ns is for
 * the next time, @overrun what that signal will tell.
 */
#define XCKPT_TIMER_PENDING	(1u << 0)
/* The thread or process whose time it counts is gone: it never expires. */
#define XCKPT_TIMER_CLOCK_GONE	(1u << 1)
/* The thread that was to get its signals is gone, and nobody gets them. */
#define XCKPT_TIMER_TARGET_GONE	(1u << 2)
/* It was set to a date (CLOCK_REALTIME, TIMER_ABSTIME), which is that of @date_ns. */
#define XCKPT_TIMER_DATED	(1u << 3)

/*
 * XCKPT_NT_TIMER is a table of these with ascending ids, what timer_create(2) made
 * and timer_delete(2) did not end. The note is absent when there are none.
 *
 * Timers run on while a process is frozen: one may expire after this note and
 * before SIGPENDING was written. It has no XCKPT_TIMER_PENDING then, but its signal
 * (si_code SI_TIMER, si_timerid) is among the pending ones, and what @value_ns was
 * left until is over.
 */
struct xckpt_timer {
	__s32 id;		/* the kernel's timer_t */
	/*
	 * CLOCK_REALTIME, _MONOTONIC, _BOOTTIME, _TAI, _REALTIME_ALARM, _BOOTTIME_ALARM,
	 * or that of a processor clock, as clock_getcpuclockid(3) makes it, of a thread
	 * or process with an id, never "the caller's own": ~id << 3 | 4 for a thread |
	 * 0 (user and system time), 1 (user time) or 2 (CLOCK_PROCESS_CPUTIME_ID and
	 * CLOCK_THREAD_CPUTIME_ID)
	 */
	__s32 clock;
	__u32 notify;		/* SIGEV_* of its struct sigevent */
	__u32 signo;
	__u64 sigev_value;
	__s32 tid;		/* SIGEV_THREAD_ID: who gets the signal */
	__u32 flags;		/* XCKPT_TIMER_* */
	__u64 interval_ns;	/* 0: does not repeat */
	__u64 value_ns;		/* until the next expiry, on its clock; 0: not armed */
	__u32 overrun;		/* timer_getoverrun(2) */
	__u32 __reserved;
	__u64 date_ns;		/* of the next expiry, since the Epoch; see XCKPT_TIMER_DATED */
};

/*
 * XCKPT_NT_SEM_UNDO is a table of these: what is added to semaphores when the process
 * ends, because it used SEM_UNDO; ascending. None has @adjust 0; the note is absent
 * when there are none.
 */
struct xckpt_sem_undo {
	__s32 id;		/* of the set, in the process's IPC namespace */
	__u16 number;		/* of the semaphore in it */
	__s16 adjust;
};

/* struct xckpt_file.state */
#define XCKPT_FILE_LOCKED	(1u << 0)	/* somebody has locks or leases on the file */
#define XCKPT_FILE_SEMAPHORE	(1u << 1)	/* EFD_SEMAPHORE, where fdinfo does not tell */
#define XCKPT_FILE_QUEUE	(1u << 2)	/* a POSIX message queue, mq_open(3) */
#define XCKPT_FILE_UNLINKED	(1u << 3)	/* its name was removed; it may have others */
#define XCKPT_FILE_SECRET	(1u << 4)	/* memfd_secret(2): nobody can read it */

/* One open file description. */
struct xckpt_file {
	__u32 id;		/* the same in all processes of the group; from 1 */
	__u32 flags;		/* O_* of x86-64, as fcntl(F_GETFL) gives them */
	__u32 mode;		/* st_mode */
	__u32 path_off;		/* as /proc/PID/fd shows it */
	__u64 pos;		/* bytes */
	__u64 dev, ino, rdev;	/* new_encode_dev() form */
	__u64 file_size;
	__s64 file_mtime_ns;
	__u32 nlink;		/* 0: deleted */
	/*
	 * descriptions there are, whoever has them: of a pipe; of the master of a
	 * pseudo-terminal those of itself and of its slave
	 */
	__u32 readers, writers;
	__u32 state;		/* XCKPT_FILE_* */
	__s32 owner;		/* F_SETOWN: its id, as pids are; 0: nobody */
	__u32 owner_type;	/* F_OWNER_TID 0, F_OWNER_PID 1, F_OWNER_PGRP 2 */
	__u32 owner_signal;	/* F_SETSIG; 0: SIGIO */
	__u32 uid, gid;		/* the file's, as stat(2) tells it in the initial namespace */
	__u32 __reserved;
};

/* One file descriptor. */
struct xckpt_fd {
	__s32 fd;
	__u32 file;		/* index of its description among the files */
	__u32 flags;		/* XCKPT_FD_* */
	__u32 __reserved;
};
#define XCKPT_FD_CLOEXEC	(1u << 0)

/* XCKPT_NT_FILE: two tables, descriptions and descriptors (ascending). */
struct xckpt_note_file {
	__u32 size;
	__u32 file_size;	/* sizeof(struct xckpt_file) of the writer */
	__u32 nr_files;
	__u32 files_off;
	__u32 fd_size;
	__u32 nr_fds;
	__u32 fds_off;
	__u32 __reserved;
};

/* struct xckpt_ring.state: why it cannot be made again */
/* in use, or has completions that had no room: what follows and its memory may be of two moments */
#define XCKPT_RING_BUSY		(1u << 0)
/* files, buffers, an eventfd, credentials, restrictions ... : io_uring_register(2) */
#define XCKPT_RING_REGISTERED	(1u << 1)

/*
 * XCKPT_NT_RING is a table of these, in the order of their descriptions in XCKPT_NT_FILE: what
 * io_uring_setup(2) made. Its memory is in XCKPT_VMA_RING mappings, if it is mapped. The note
 * is absent when there are none.
 */
struct xckpt_ring {
	__u32 file;		/* id of its description */
	__u32 state;		/* XCKPT_RING_* */
	__u32 flags;		/* IORING_SETUP_* */
	__u32 sq_entries, cq_entries;
	__u32 sq_head, cq_tail;	/* what the kernel counts: requests taken, completions told */
	/* where the program finds things, bytes from IORING_OFF_SQ_RING on; array 0: none */
	__u32 sq_tail_off, cq_head_off, cqes_off, array_off;
	__u32 __reserved;
};

/* What a thread was doing that it will take up again (restart_syscall(2)). */
enum xckpt_restart {
	XCKPT_RESTART_NONE,
	/* until @restart_expires_ns of @restart_clock, as the process reads it */
	XCKPT_RESTART_NANOSLEEP,
	XCKPT_RESTART_FUTEX,		/* same, if not 0 */
	XCKPT_RESTART_POLL,		/* same, if not 0 */
	XCKPT_RESTART_OTHER,
};

/* struct xckpt_note_thread.flags */
#define XCKPT_THREAD_IN_SYSCALL		(1u << 0)	/* orig_rax holds its number */
#define XCKPT_THREAD_SAVED_SIGMASK	(1u << 1)	/* left a call with a temporary mask */
#define XCKPT_THREAD_SECCOMP		(1u << 2)
/*
 * Its write(2), send(2) or the like was cut short by the freeze: rax is what it had
 * moved by then, and the rest of what was asked for is still to be moved.
 */
#define XCKPT_THREAD_CUT		(1u << 3)
#define XCKPT_THREAD_RESET_ON_FORK	(1u << 4)	/* SCHED_RESET_ON_FORK, beside policy */
#define XCKPT_THREAD_MCE_EARLY		(1u << 5)	/* PR_MCE_KILL: early */
#define XCKPT_THREAD_MCE_LATE		(1u << 6)	/* or late */
#define XCKPT_THREAD_IO_FLUSHER		(1u << 7)	/* PR_SET_IO_FLUSHER */
/* PR_SET_SPECULATION_CTRL: what is disabled, and whether for good */
#define XCKPT_THREAD_NO_STORE_BYPASS	(1u << 8)
#define XCKPT_THREAD_NO_STORE_BYPASS_EVER	(1u << 9)
#define XCKPT_THREAD_NO_BRANCHES	(1u << 10)
#define XCKPT_THREAD_NO_BRANCHES_EVER	(1u << 11)

#define XCKPT_AFFINITY_WORDS		16

/* XCKPT_NT_THREAD: what NT_PRSTATUS has no room for. */
struct xckpt_note_thread {
	__u32 size;
	__u32 flags;		/* XCKPT_THREAD_* */
	__s32 tid;
	__u32 state;		/* enum xckpt_task_state (uapi/xckpt.h) */
	__u64 sigmask;		/* as it will be once a temporary mask is undone */
	__u64 altstack_sp, altstack_size;
	__u32 altstack_flags;	/* SS_* */
	__u32 pdeath_signal;
	__u64 clear_child_tid;	/* set_tid_address(2) */
	__u64 robust_list;	/* set_robust_list(2), 0: none */
	__u64 rseq;		/* rseq(2), 0: not registered */
	__u32 rseq_len;
	__u32 rseq_sig;
	__u64 timer_slack_ns;
	__u32 policy;		/* SCHED_* */
	__s32 nice;
	__u32 rt_priority;
	__u32 restart;		/* enum xckpt_restart */
	__s32 restart_clock;	/* CLOCK_* */
	__u32 restart_nr;	/* the call itself: orig_rax may be restart_syscall(2) */
	__u64 restart_expires_ns;
	char comm[16];
	__s32 vfork_child;	/* XCKPT_TASK_VFORK: the process that it waits for */
	__s32 tracer;		/* ptrace(2): the process that traces it; 0: none, or not to be seen */
	__u32 ioprio;		/* ioprio_set(2); 0: none */
	__u32 __reserved;
	/* sched_setaffinity(2): bit n is processor n; no bit: it may run on all */
	__u64 affinity[XCKPT_AFFINITY_WORDS];
};

/*
 * XCKPT_NT_CREDS: of a thread whose ids, groups, capabilities or no_new_privs are not those of
 * its process: system calls set them for one thread, and the C library for all.
 */
struct xckpt_note_creds {
	__u32 size;
	__u32 flags;		/* XCKPT_PROCESS_NO_NEW_PRIVS */
	__u32 uid, euid, suid, fsuid;	/* as in struct xckpt_note_process */
	__u32 gid, egid, sgid, fsgid;
	__u64 cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	__u32 securebits;
	__u32 nr_groups;
	__u32 groups_off;
	__u32 __reserved;
};

#endif /* _UAPI_XCKPT_IMAGE_H */
