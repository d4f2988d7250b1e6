// SPDX-License-Identifier: GPL-2.0-only
/* What a system call that the freeze interrupts returns: in the thread itself, as it parks. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h> /* which needs the types of that one */
#include <linux/major.h>
#include <linux/math64.h>
#include <linux/net.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/time64.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <asm/ioctls.h>
#include <asm/unistd.h>

#include "restart.h"

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
