/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls that the freeze interrupts. */
#ifndef XCKPT_RESTART_H
#define XCKPT_RESTART_H

#include <linux/ptrace.h>
#include <linux/sched.h>

#include "xckpt_image.h"

/* In the thread that parks: let a call be made again that would show EINTR. */
void restart_interrupted(struct pt_regs *regs);

/* Where a held thread's call goes on, if it keeps that in the kernel. */
void restart_describe(struct xckpt_note_thread *note, struct task_struct *task,
		      const struct pt_regs *regs);

#endif
