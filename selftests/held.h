/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread whose registers are all known, in user code or in a system call. */
#ifndef HELD_H
#define HELD_H

#include <asm/prctl.h>
#include <cpuid.h>

#include "session.h"

#define HELD_RIP 2 /* in shared[]: what only the thread itself knows */
#define HELD_RSP 3
#define HELD_FS 4
#define HELD_TID 5
#define HELD_RETURNED 6
#define HELD_MXCSR 0x7fa1u /* truncate; two exceptions were seen */
#define HELD_FCW 0x0e7fu /* truncate to double */
#define HELD_GS 0x123456789000ul
#define HELD_PKRU 0x55555554u

#define XFEATURE_AVX (1u << 2)
#define XFEATURE_PKRU (1u << 9)

/* rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15; r15 and a call's arguments are set at run time */
static uint64_t held_gpr[16] asm("held_gpr") __attribute__((used)) = {
	0x0101010101010101, 0x0202020202020202, 0x0303030303030303, 0x0404040404040404,
	0x0505050505050505, 0x0606060606060606, 0x0707070707070707, 0x0808080808080808,
	0x0909090909090909, 0xa0a0a0a0a0a0a0a0, 0xb0b0b0b0b0b0b0b0, 0xc0c0c0c0c0c0c0c0,
	0xd0d0d0d0d0d0d0d0, 0xe0e0e0e0e0e0e0e0, 0xf0f0f0f0f0f0f0f0,
};

/* 16 of 32 bytes, and 8 of 10 bytes: normal numbers of different sizes */
static uint8_t held_ymm[16][32] asm("held_ymm") __attribute__((used));
static uint8_t held_st[8][16] asm("held_st") __attribute__((used));
static uint32_t held_mxcsr asm("held_mxcsr") __attribute__((used)) = HELD_MXCSR;
static uint16_t held_fcw asm("held_fcw") __attribute__((used)) = HELD_FCW;

static inline uint64_t xfeatures(void)
{
	struct xckpt_info info = { .size = sizeof(info) };
	int fd = session();

	ASSERT(!ioctl(fd, XCKPT_IOCTL_INFO, &info));
	close(fd);
	return info.out_xfeatures;
}

static inline void held_fill(void)
{
	for (int i = 0; i < 16; i++)
		for (int b = 0; b < 32; b++)
			held_ymm[i][b] = (uint8_t)(i * 32 + b + 1);
	for (int i = 0; i < 8; i++) {
		for (int b = 0; b < 7; b++)
			held_st[i][b] = (uint8_t)(i * 16 + b + 1);
		held_st[i][7] = (uint8_t)(0x80 + i);
		held_st[i][8] = (uint8_t)(0xf0 + i);
		held_st[i][9] = i & 1 ? 0xbf : 0x3f;
	}
}

#define HELD_LOAD_ST(n) "fldt held_st+16*" #n "(%%rip)\n"
#define HELD_LOAD_XMM(n) "movups held_ymm+32*" #n "(%%rip), %%xmm" #n "\n"
#define HELD_LOAD_YMM(n) "vmovups held_ymm+32*" #n "(%%rip), %%ymm" #n "\n"
#define HELD_ALL_16(op)                                                                            \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13)    \
		op(14) op(15)
#define HELD_LOAD_GPR(n, reg) "movq held_gpr+8*" #n "(%%rip), %%" #reg "\n"

/* clang-format off */
#define HELD_LOAD_X87                                                                              \
	"fninit\n"                                                                                 \
	"fldcw held_fcw(%%rip)\n" /* st(0) last */                                                 \
	HELD_LOAD_ST(7) HELD_LOAD_ST(6) HELD_LOAD_ST(5) HELD_LOAD_ST(4)                            \
	HELD_LOAD_ST(3) HELD_LOAD_ST(2) HELD_LOAD_ST(1) HELD_LOAD_ST(0)                            \
	"ldmxcsr held_mxcsr(%%rip)\n"
#define HELD_LOAD_GENERAL                                                                          \
	HELD_LOAD_GPR(0, rax) HELD_LOAD_GPR(1, rbx) HELD_LOAD_GPR(2, rcx) HELD_LOAD_GPR(3, rdx)    \
	HELD_LOAD_GPR(4, rsi) HELD_LOAD_GPR(5, rdi) HELD_LOAD_GPR(6, rbp) HELD_LOAD_GPR(7, r8)     \
	HELD_LOAD_GPR(8, r9) HELD_LOAD_GPR(9, r10) HELD_LOAD_GPR(10, r11) HELD_LOAD_GPR(11, r12)   \
	HELD_LOAD_GPR(12, r13) HELD_LOAD_GPR(13, r14)
/* clang-format on */

/*
 * Counts at shared[0] in user code; or, when rcx is to be 0, counts at shared[1] and
 * makes the system call whose number is in rax, which shall not return.
 */
static inline _Noreturn void held_go(int avx)
{
	held_gpr[14] = (uintptr_t)shared;
	asm volatile(HELD_LOAD_X87 : :);
	if (avx)
		asm volatile(HELD_ALL_16(HELD_LOAD_YMM) : :);
	else
		asm volatile(HELD_ALL_16(HELD_LOAD_XMM) : :);
	asm volatile("leaq 1f(%%rip), %%rax\n"
		     "movq held_gpr+8*14(%%rip), %%r15\n"
		     "movq %%rax, 8*2(%%r15)\n"
		     "movq %%rsp, 8*3(%%r15)\n" HELD_LOAD_GENERAL "testq %%rcx, %%rcx\n"
		     "jz 2f\n"
		     "1: incq (%%r15)\n"
		     "jmp 1b\n"
		     "2: incq 8(%%r15)\n"
		     "syscall\n"
		     "3: incq 8*6(%%r15)\n"
		     "jmp 3b\n"
		     :
		     :);
	__builtin_unreachable();
}

#endif
