/* SPDX-License-Identifier: GPL-2.0-or-later */
/* General registers: what has to change before a thread can go on, and the frame that loads them.
 */
#ifndef REGS_H
#define REGS_H

#include "image.h"

#define USER_TOP 0x7ffffffff000ull /* end of x86-64 user space, 47 bits */

enum regs_problem {
	REGS_GOOD,
	REGS_NOT_SYSCALL, /* interrupted in a call that was not made by SYSCALL */
	REGS_NO_CODE, /* the instruction cannot be read */
	REGS_OUTSIDE, /* rip, rsp or a base is no user address */
	REGS_NOT_64BIT,
};

/*
 * A thread stopped inside a call that the kernel would have restarted: make the
 * registers so that it is made anew. *@restarted tells whether that was so.
 */
enum regs_problem regs_restart(const struct image_process *p, const struct image_thread *t,
			       struct x86_regs *regs, bool *restarted);

/*
 * Inside a restartable sequence: go to its abort handler, as the kernel would.
 * Returns true if so; *@cs tells whether the area's rseq_cs has to be cleared.
 */
bool regs_rseq_abort(const struct image_process *p, const struct image_thread *t,
		     struct x86_regs *regs, bool *cs);

enum regs_problem regs_check(const struct x86_regs *regs);

/* struct rt_sigframe; rt_sigreturn(2) with rsp = frame + 8 loads it */
#define FRAME_SIZE 440
#define FRAME_FPSTATE 232 /* where the address of the XSAVE area goes */

void regs_frame(const struct x86_regs *regs, const struct xckpt_note_thread *info, bool has_xsave,
		uint8_t frame[FRAME_SIZE]);

#endif
