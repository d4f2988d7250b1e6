/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of x86-64 Linux, whatever machine this is built for. */
#ifndef X86_H
#define X86_H

/* x86-64 system calls that the plan uses */
enum {
	NR_READ = 0,
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
	NR_SHMAT = 30,
	NR_DUP2 = 33,
	NR_NANOSLEEP = 35,
	NR_SETITIMER = 38,
	NR_SENDFILE = 40,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47,
	NR_SEMOP = 65,
	NR_FCNTL = 72,
	NR_CAPSET = 126,
	NR_RT_SIGQUEUEINFO = 129,
	NR_PERSONALITY = 135,
	NR_CHROOT = 161,
	NR_SETPRIORITY = 141,
	NR_SCHED_SETSCHEDULER = 144,
	NR_MLOCK = 149,
	NR_MLOCKALL = 151,
	NR_PRCTL = 157,
	NR_ARCH_PRCTL = 158,
	NR_SETGROUPS = 116,
	NR_SETRESUID = 117,
	NR_SETRESGID = 119,
	NR_SETFSUID = 122,
	NR_SETFSGID = 123,
	NR_FUTEX = 202,
	NR_SET_TID_ADDRESS = 218,
	NR_TIMER_SETTIME = 223,
	NR_CLOCK_NANOSLEEP = 230,
	NR_TGKILL = 234,
	NR_SET_ROBUST_LIST = 273,
	NR_RT_TGSIGQUEUEINFO = 297,
	NR_PRLIMIT64 = 302,
	NR_MEMBARRIER = 324,
	NR_MLOCK2 = 325,
	NR_RSEQ = 334,
};

/* x86-64 mmap() */
#define X86_PROT_READ 1
#define X86_PROT_WRITE 2
#define X86_PROT_EXEC 4
#define X86_MAP_SHARED 0x01
#define X86_MAP_PRIVATE 0x02
#define X86_MAP_ANONYMOUS 0x20
#define X86_MAP_GROWSDOWN 0x0100
#define X86_MAP_NORESERVE 0x4000
#define X86_MAP_HUGETLB 0x40000
#define X86_MAP_HUGE_SHIFT 26
#define X86_MAP_FIXED_NOREPLACE 0x100000

/* Ends of what a program can have: with four levels of page tables, with five. */
#define X86_TOP_4 (1ull << 47)
#define X86_TOP_5 (1ull << 56)

#define AUXV_MAX 52 /* words that every kernel takes */

#endif
