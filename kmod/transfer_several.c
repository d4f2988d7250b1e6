// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that wait for several messages or events, and that a freeze made return with those
 * that there were. The rest is had by the call itself, with arguments that are moved on.
 */
#include <linux/aio_abi.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/ptrace.h>
#include <linux/socket.h>
#include <linux/time64.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <asm/unistd.h>

#include "symbols.h"
#include "transfer.h"

/* recvmmsg(2) has written back what is left of its time. */
static bool time_is_over(const void __user *user)
{
	struct __kernel_timespec left;

	return user &&
	       (copy_from_user(&left, user, sizeof(left)) || (!left.tv_sec && !left.tv_nsec));
}

/* Had only a signal ended it here? */
static bool messages_ended_early(const struct pt_regs *regs, bool slept)
{
	const unsigned int by_itself = MSG_DONTWAIT | MSG_WAITFORONE | MSG_PEEK | MSG_ERRQUEUE;
	struct file *file = fget(regs->di);
	struct socket *sock = file ? sock_from_file(file) : NULL;
	bool ret;

	ret = sock && sock->sk && !(file->f_flags & O_NONBLOCK) && !(regs->r10 & by_itself) &&
	      !READ_ONCE(sock->sk->sk_err) &&
	      (slept || sock->sk->sk_rcvtimeo == MAX_SCHEDULE_TIMEOUT) &&
	      !time_is_over((void __user *)regs->r8);
	if (file)
		fput(file);
	return ret;
}

bool several_cut(struct transfer *t, const struct pt_regs *regs, bool slept)
{
	unsigned long wanted = 0;

	switch (regs->orig_ax) {
	case __NR_recvmmsg:
		if (messages_ended_early(regs, slept))
			wanted = min_t(unsigned int, regs->dx, UIO_MAXIOV);
		break;
	/* a time-out, or other signals for as long as it waits, are not to be had again */
	case __NR_io_getevents:
		wanted = regs->r8 ? 0 : regs->si;
		break;
	case __NR_io_pgetevents:
		wanted = regs->r8 || regs->r9 ? 0 : regs->si;
		break;
	}
	if (regs->ax >= wanted)
		return false;
	t->several = true;
	t->left = wanted - regs->ax;
	t->rest = *regs;
	return true;
}

/* What comes behind the @nr that the call has got. */
static void move_on(struct pt_regs *rest, unsigned long nr)
{
	if (rest->orig_ax == __NR_recvmmsg) {
		rest->si += nr * sizeof(struct mmsghdr);
	} else {
		rest->si -= nr; /* that it waits for */
		rest->r10 += nr * sizeof(struct io_event);
	}
	rest->dx -= nr;
	rest->ax = 0;
}

ssize_t several_more(struct transfer *t)
{
	long ret;

	move_on(&t->rest, t->rest.ax);
	if (t->rest.orig_ax == __NR_recvmmsg)
		ret = kernel_call(__x64_sys_recvmmsg)(&t->rest);
	else
		ret = compat_io_getevents(&t->rest);
	if (ret > 0) {
		t->rest.ax = ret;
		t->left -= min_t(size_t, t->left, ret);
	}
	return ret;
}
