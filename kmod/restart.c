// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of system calls that the freeze interrupts, here and in the image. */
#include <linux/errno.h>
#include <linux/kallsyms.h>
#include <linux/restart_block.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <asm/thread_info.h>
#include <asm/unistd.h>

#include "restart.h"

/*
 * Some calls return EINTR even when no handler runs. Our notification is not a
 * signal, and the program must not see it: what can be made again, because it
 * has done nothing yet, is made again, unless a handler runs first. close() must
 * never be here. A relative time-out starts over.
 */
void restart_interrupted(struct pt_regs *regs)
{
	/* a 32-bit call has other numbers */
	if (in_ia32_syscall() || (long)regs->orig_ax < 0 || regs->ax != (unsigned long)-EINTR)
		return;
	switch (regs->orig_ax) {
	case __NR_read:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_accept:
	case __NR_accept4:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_msgsnd:
	case __NR_msgrcv:
	case __NR_mq_timedsend:
	case __NR_mq_timedreceive:
	case __NR_futex:
	case __NR_rt_sigtimedwait:
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
		regs->ax = -ERESTARTNOHAND;
	}
}

/*
 * Which call a restart block belongs to: after a second interruption orig_ax is
 * restart_syscall's, but the argument registers are still the first one's. The
 * functions are static, so they are told by their names. One serves two calls:
 * nanosleep(2) has a pointer where clock_nanosleep(2) has a clock's number.
 */
static u32 restart_nr(const struct restart_block *block, const struct pt_regs *regs)
{
	char name[KSYM_NAME_LEN];

	/* it may be about to make that call (ax), or to leave it (orig_ax) */
	if (regs->orig_ax != __NR_restart_syscall && regs->ax != __NR_restart_syscall)
		return regs->orig_ax;
	snprintf(name, sizeof(name), "%ps", block->fn);
	if (strstarts(name, "do_restart_poll"))
		return __NR_poll;
	if (strstarts(name, "futex_wait_restart"))
		return __NR_futex;
	if (strstarts(name, "hrtimer_nanosleep_restart"))
		return regs->di < PAGE_SIZE ? __NR_clock_nanosleep : __NR_nanosleep;
	if (strstarts(name, "posix_cpu_nsleep_restart") ||
	    strstarts(name, "alarm_timer_nsleep_restart"))
		return __NR_clock_nanosleep;
	return __NR_restart_syscall;
}

void restart_describe(struct xckpt_note_thread *note, struct task_struct *task,
		      const struct pt_regs *regs)
{
	struct restart_block *block = &task->restart_block;

	note->restart_nr = restart_nr(block, regs);
	if (regs->ax != -ERESTART_RESTARTBLOCK && regs->ax != __NR_restart_syscall)
		return;
	switch (note->restart_nr) {
	case __NR_nanosleep:
	case __NR_clock_nanosleep:
		note->restart = XCKPT_RESTART_NANOSLEEP;
		note->restart_clock = block->nanosleep.clockid;
		note->restart_expires_ns = block->nanosleep.expires;
		break;
	case __NR_futex:
		note->restart = XCKPT_RESTART_FUTEX;
		note->restart_clock = CLOCK_MONOTONIC;
		note->restart_expires_ns = block->futex.time;
		break;
	case __NR_poll:
		note->restart = XCKPT_RESTART_POLL;
		note->restart_clock = CLOCK_MONOTONIC;
		if (block->poll.has_timeout)
			note->restart_expires_ns =
				block->poll.tv_sec * NSEC_PER_SEC + block->poll.tv_nsec;
		break;
	default:
		note->restart = XCKPT_RESTART_OTHER;
	}
}
