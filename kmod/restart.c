// SPDX-License-Identifier: GPL-2.0-only
/* Which system calls may be left asleep, and how an image goes on with those of held threads. */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kallsyms.h>
#include <linux/net.h>
#include <linux/restart_block.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/tty.h>
#include <uapi/linux/futex.h>
#include <net/sock.h>
#include <asm/thread_info.h>
#include <asm/unistd.h>

#include "compat/timer.h"
#include "restart.h"
#include "symbols.h"
#include "task.h"

struct tty_struct *restart_raw_terminal(const struct file *file)
{
	const struct tty_file_private *private = file->private_data;
	char name[KSYM_NAME_LEN];

	if (!S_ISCHR(file_inode(file)->i_mode))
		return NULL;
	/* drivers have any numbers, and all the same functions */
	snprintf(name, sizeof(name), "%ps", file->f_op->read_iter);
	if (!strstarts(name, "tty_read"))
		return NULL;
	return private->tty->termios.c_lflag & ICANON ? NULL : private->tty;
}

/* What it has received of the bytes that it waits for (VMIN) is gone from the terminal. */
static bool terminal_gives_any(const struct file *file)
{
	const struct tty_struct *tty = restart_raw_terminal(file);

	return !tty || MIN_CHAR(tty) <= 1;
}

/* Reading from it waits for a first byte or message, and never for more. */
static bool read_starts_again(struct task_struct *task, unsigned int fd)
{
	struct file *file = kernel_call(fget_task)(task, fd);
	struct socket *sock;
	bool ret;

	if (!file)
		return false;
	switch (file_inode(file)->i_mode & S_IFMT) {
	case S_IFSOCK:
		sock = sock_from_file(file);
		ret = sock && sock->sk && READ_ONCE(sock->sk->sk_rcvlowat) <= 1;
		break;
	case S_IFCHR:
		ret = terminal_gives_any(file);
		break;
	case S_IFIFO:
	case 0: /* eventfd, timerfd, inotify and the like */
		ret = true;
		break;
	default:
		ret = false;
	}
	fput(file);
	return ret;
}

static bool futex_starts_again(const struct pt_regs *regs, bool relative)
{
	switch (regs->si & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		return relative || !regs->r10;
	case FUTEX_WAIT_BITSET: /* until a point in time */
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return true;
	}
	return false;
}

/*
 * Which call a restart block belongs to: after an interruption orig_ax is
 * restart_syscall's, but the argument registers are still the first one's. The
 * functions are static, so they are told by their names. One serves two calls:
 * nanosleep(2) has a pointer where clock_nanosleep(2) has a clock's number.
 */
static u32 restart_block_nr(const struct restart_block *block, const struct pt_regs *regs)
{
	char name[KSYM_NAME_LEN];

	snprintf(name, sizeof(name), "%ps", READ_ONCE(block->fn));
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

/*
 * These go on until the time that their restart block has, and leave it as it is
 * while they sleep; futex(2) does not.
 */
static bool block_starts_again(struct task_struct *task, const struct pt_regs *regs)
{
	switch (restart_block_nr(&task->restart_block, regs)) {
	case __NR_poll:
	case __NR_nanosleep:
	case __NR_clock_nanosleep:
		return true;
	}
	return false;
}

long restart_result(const struct pt_regs *regs)
{
	return regs->orig_ax == __NR_restart_syscall ? -ERESTART_RESTARTBLOCK : -ERESTARTNOINTR;
}

bool restart_starts_again(struct task_struct *task, bool relative)
{
	const struct pt_regs *regs = task_pt_regs(task);

	if (task_thread_info(task)->status & TS_COMPAT)
		return false;
	if ((long)regs->orig_ax < 0)
		return true; /* in a page fault: the instruction is run again */
	if ((long)regs->ax != -ENOSYS)
		return false; /* the call is over, and something else is waited for */
	switch (regs->orig_ax) {
	case __NR_read:
	case __NR_readv:
		return read_starts_again(task, regs->di);
	case __NR_recvfrom:
		return !(regs->r10 & MSG_WAITALL) && read_starts_again(task, regs->di);
	case __NR_recvmsg:
		return !(regs->dx & MSG_WAITALL) && read_starts_again(task, regs->di);
	case __NR_recvmmsg: /* of several it may have some */
		return regs->dx == 1 && !(regs->r10 & MSG_WAITALL) &&
		       read_starts_again(task, regs->di);
	case __NR_fcntl:
		return regs->si == F_SETLKW || regs->si == F_OFD_SETLKW;
	case __NR_futex:
		return futex_starts_again(regs, relative);
	case __NR_poll:
		return relative || (int)regs->dx < 0;
	case __NR_ppoll:
		return relative || !regs->dx;
	case __NR_select:
	case __NR_pselect6:
		return relative || !regs->r8;
	case __NR_clock_nanosleep:
		return relative || (regs->si & TIMER_ABSTIME);
	case __NR_nanosleep:
		return relative;
	case __NR_restart_syscall:
		return block_starts_again(task, regs);
	/* left to themselves these would return EINTR, or lose the time that passed */
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case __NR_epoll_pwait2:
	case __NR_semtimedop:
	case __NR_rt_sigtimedwait:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
	case __NR_semop:
	case __NR_msgsnd:
	case __NR_msgrcv:
	case __NR_mq_timedsend:
	case __NR_mq_timedreceive:
	case __NR_flock:
	case __NR_futex_waitv:
	case __NR_wait4:
	case __NR_waitid:
	case __NR_pause:
	case __NR_rt_sigsuspend:
		return true;
	}
	return false;
}

unsigned long restart_sigmask(struct task_struct *task, bool asleep, bool *saved)
{
	unsigned long nr = asleep ? task_pt_regs(task)->orig_ax : 0;

	*saved = true;
	/* rt_sigsuspend() asks for it to be restored only when it has been woken */
	if (test_tsk_restore_sigmask(task) || nr == __NR_rt_sigsuspend)
		return task->saved_sigmask.sig[0];
	if (nr == __NR_rt_sigtimedwait)
		return task->real_blocked.sig[0];
	*saved = false;
	return task->blocked.sig[0];
}

static u32 restart_nr(const struct restart_block *block, const struct pt_regs *regs)
{
	/* it may be about to make that call (ax), or to leave it (orig_ax) */
	if (regs->orig_ax != __NR_restart_syscall && regs->ax != __NR_restart_syscall)
		return regs->orig_ax;
	return restart_block_nr(block, regs);
}

void restart_describe(struct xckpt_note_thread *note, struct task_struct *task,
		      const struct pt_regs *regs, bool asleep)
{
	struct restart_block *block = &task->restart_block;
	long ax = asleep ? restart_result(regs) : regs->ax;

	note->restart_nr = restart_nr(block, regs);
	if (ax != -ERESTART_RESTARTBLOCK && ax != __NR_restart_syscall)
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
			note->restart_expires_ns = compat_poll_end(block);
		break;
	default:
		note->restart = XCKPT_RESTART_OTHER;
	}
	if (note->restart_expires_ns)
		note->restart_expires_ns += task_clock_offset(task, note->restart_clock);
}
