/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls that the freeze interrupts. */
#ifndef XCKPT_RESTART_H
#define XCKPT_RESTART_H

#include <linux/ptrace.h>
#include <linux/sched.h>

#include "xckpt_image.h"

/* interrupt.c has what is done in the thread itself, restart.c what others ask of it. */

/* In the thread that parks: let a call be made again that would show EINTR, or too little. */
void restart_interrupted(struct pt_regs *regs);

/* In such a thread: it has been sent back to make its call once more, but did not yet. */
bool restart_is_due(const struct pt_regs *regs);

/*
 * Can the call that @task sleeps in be made again from its start in an image, as if
 * it had just come there? It has done nothing yet then, and keeps nothing in the
 * kernel that counts, but with @relative for a time-out that starts over.
 */
bool restart_starts_again(struct task_struct *task, bool relative);

/* @file as a terminal that does not give whole lines, or NULL; good as long as @file is. */
struct tty_struct *restart_raw_terminal(const struct file *file);

/* What such a call that sleeps would have returned, had it been interrupted. */
long restart_result(const struct pt_regs *regs);

/* The signal mask that the call of a held thread is about to restore. */
unsigned long restart_sigmask(struct task_struct *task, bool asleep, bool *saved);

/* In the thread that parked, when it goes on: the time it was held counts as waited. */
void restart_charge(struct pt_regs *regs, u64 held_ns);

/* Where a held thread's call goes on, if it keeps that in the kernel. */
void restart_describe(struct xckpt_note_thread *note, struct task_struct *task,
		      const struct pt_regs *regs, bool asleep);

#endif
