// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of system calls that the freeze interrupts, here and in the image. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h> /* which needs the types of that one */
#include <linux/kallsyms.h>
#include <linux/major.h>
#include <linux/math64.h>
#include <linux/net.h>
#include <linux/restart_block.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <uapi/linux/futex.h>
#include <asm/ioctls.h>
#include <net/sock.h>
#include <asm/thread_info.h>
#include <asm/unistd.h>

#include "compat/timer.h"
#include "restart.h"
#include "symbols.h"
#include "task.h"

enum { ZERO_MINOR = 5, FULL_MINOR = 7, RANDOM_MINOR = 8, URANDOM_MINOR = 9 };

/* Zeros and random numbers: a second call is as good as the rest of the first one. */
static bool never_ends(unsigned int fd)
{
	struct file *file = fget(fd);
	struct inode *inode;
	bool ret;

	if (!file)
		return false;
	inode = file_inode(file);
	ret = S_ISCHR(inode->i_mode) && imajor(inode) == MEM_MAJOR &&
	      (iminor(inode) == ZERO_MINOR || iminor(inode) == FULL_MINOR ||
	       iminor(inode) == RANDOM_MINOR || iminor(inode) == URANDOM_MINOR);
	fput(file);
	return ret;
}

/* How much there is room for; 0 when that is not to be had. */
static size_t size_of_vectors(unsigned long vectors, unsigned long nr)
{
	struct iovec fast[UIO_FASTIOV], *iov = fast;
	struct iov_iter iter;
	ssize_t size;

	size = import_iovec(ITER_DEST, (void __user *)vectors, nr, ARRAY_SIZE(fast), &iov, &iter);
	kfree(iov);
	return size < 0 ? 0 : size;
}

/* Did it give less than was asked for? Only what interrupts these makes them do so. */
static bool ended_half_way(const struct pt_regs *regs)
{
	/* with a signal it would have ended without us, too */
	if ((long)regs->ax <= 0 || task_sigpending(current) || restart_is_due(regs))
		return false;
	switch (regs->orig_ax) {
	case __NR_read:
	case __NR_pread64:
		return regs->ax < regs->dx && never_ends(regs->di);
	case __NR_readv:
	case __NR_preadv:
	case __NR_preadv2:
		return never_ends(regs->di) && regs->ax < size_of_vectors(regs->si, regs->dx);
	case __NR_getrandom:
		return regs->ax < regs->si;
	}
	return false;
}

static bool is_socket(unsigned int fd)
{
	struct file *file = fget(fd);
	bool ret = file && sock_from_file(file);

	if (file)
		fput(file);
	return ret;
}

/* recvmmsg(2) keeps why it gave less than all for the next call, which is not to hear of us. */
static void forget_error(const struct pt_regs *regs)
{
	struct socket *sock;
	struct file *file;

	if (regs->orig_ax != __NR_recvmmsg || (long)regs->ax <= 0 || task_sigpending(current))
		return;
	file = fget(regs->di);
	sock = file ? sock_from_file(file) : NULL;
	if (sock && sock->sk) {
		cmpxchg(&sock->sk->sk_err, ERESTARTSYS, 0);
		cmpxchg(&sock->sk->sk_err, EINTR, 0);
	}
	if (file)
		fput(file);
}

/* As the kernel does it, which has looked at the result already if nothing woke the thread. */
static void make_again(struct pt_regs *regs)
{
	regs->ax = regs->orig_ax;
	regs->ip -= 2;
}

/*
 * Some calls return EINTR even when no handler runs, or less than they could. Our notification is
 * not a signal, and the program must not see it: what can be made again, because it has done
 * nothing yet, is made again, unless a handler runs first. close() must never be here. A relative
 * time-out starts over.
 */
void restart_interrupted(struct pt_regs *regs)
{
	/* a 32-bit call has other numbers */
	if (in_ia32_syscall() || (long)regs->orig_ax < 0)
		return;
	if (ended_half_way(regs))
		make_again(regs);
	forget_error(regs);
	if (regs->ax != (unsigned long)-EINTR)
		return;
	switch (regs->orig_ax) {
	case __NR_write:
	case __NR_writev:
		if (!is_socket(regs->di))
			break;
		fallthrough;
	case __NR_read:
	case __NR_readv:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_connect: /* it goes on by itself, and a second call waits for that */
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
	case __NR_select: /* when it could not write back the time that is left */
	case __NR_pselect6:
	case __NR_ppoll:
		regs->ax = -ERESTARTNOHAND;
		break;
	case __NR_fallocate: /* what has been done is done again, or was undone */
		if (!(regs->si & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)))
			regs->ax = -ERESTARTNOHAND;
		break;
	case __NR_ioctl: /* tcdrain(3) */
		if (regs->si == TCSBRK && regs->dx)
			regs->ax = -ERESTARTNOHAND;
	}
}

bool restart_is_due(const struct pt_regs *regs)
{
	u16 code;

	return regs->ax == regs->orig_ax && !get_user(code, (u16 __user *)regs->ip) &&
	       code == 0x050f; /* syscall */
}

/*
 * These wrote back the time that was left when they were interrupted, and take it
 * again when they are made again.
 */
void restart_charge(struct pt_regs *regs, u64 held_ns)
{
	bool micro = regs->orig_ax == __NR_select;
	struct __kernel_timespec __user *user;
	struct __kernel_timespec left;
	s32 rem;
	s64 ns;

	if (in_ia32_syscall())
		return;
	switch (regs->orig_ax) {
	case __NR_select:
	case __NR_pselect6:
		user = (void __user *)regs->r8;
		break;
	case __NR_ppoll:
		user = (void __user *)regs->dx;
		break;
	default:
		return;
	}
	if ((long)regs->ax != -ERESTARTNOHAND && !restart_is_due(regs))
		return;
	if (!user || copy_from_user(&left, user, sizeof(left)) || left.tv_sec < 0 ||
	    left.tv_sec > KTIME_SEC_MAX - 1)
		return;
	if (micro) /* a struct timeval, of the same size */
		left.tv_nsec *= NSEC_PER_USEC;
	ns = left.tv_sec * NSEC_PER_SEC + left.tv_nsec - (s64)held_ns;
	ns = max_t(s64, ns, 0);
	left.tv_sec = div_s64_rem(ns, NSEC_PER_SEC, &rem);
	left.tv_nsec = micro ? rem / NSEC_PER_USEC : rem;
	if (copy_to_user(user, &left, sizeof(left)))
		pr_debug("cannot write the time that is left of a call\n");
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
	case S_IFIFO:
	case S_IFCHR:
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
