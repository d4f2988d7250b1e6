/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls of x86-64 that the restorer itself makes; records add theirs (../plan.h). */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <stdint.h>

#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_OPEN 2
#define SYS_CLOSE 3
#define SYS_LSEEK 8
#define SYS_MMAP 9
#define SYS_MUNMAP 11
#define SYS_PREAD64 17
#define SYS_DUP2 33
#define SYS_FUTEX 202
#define SYS_TIMER_CREATE 222
#define SYS_TIMER_DELETE 226
#define SYS_CLOCK_GETTIME 228
#define SYS_EXIT_GROUP 231

#define X86_EINTR 4
#define X86_EIO 5
#define X86_ESRCH 3

#define X86_PROT_NONE 0
#define X86_MAP_PRIVATE 0x02
#define X86_MAP_ANONYMOUS 0x20
#define X86_MAP_NORESERVE 0x4000
#define X86_MAP_FIXED_NOREPLACE 0x100000
#define X86_O_RDONLY 0
#define X86_O_WRONLY 1
#define X86_FUTEX_WAIT_PRIVATE 128
#define X86_FUTEX_WAKE_PRIVATE 129

static inline int64_t syscall6(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			       uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline int64_t syscall4(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return syscall6(nr, a, b, c, d, 0, 0);
}

static inline int64_t syscall3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	return syscall6(nr, a, b, c, 0, 0, 0);
}

#endif
