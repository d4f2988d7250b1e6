// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers that a freeze cut short. A write to a pipe or socket that waits for
 * room, a recv() with MSG_WAITALL, or a read from a terminal that waits for several
 * bytes, returns what it has moved so far when it is interrupted: that is what an
 * image shows. The thread that runs on has nobody to blame for a short count, so the
 * rest is moved here before it sees one. Calls that move between files do not even
 * have to wait: transfer_copy.c; those that take several messages are in
 * transfer_several.c.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/tty.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <asm/unistd.h>

#include "compat/task.h"
#include "freeze.h"
#include "restart.h"
#include "transfer.h"

static int take_buffer(struct transfer *t, unsigned long buf, unsigned long len)
{
	len = min_t(unsigned long, len, MAX_RW_COUNT); /* more is not moved by one call */
	t->fast[0].iov_base = (void __user *)buf;
	t->fast[0].iov_len = len;
	iov_iter_init(&t->iter, t->receive ? ITER_DEST : ITER_SOURCE, t->fast, 1, len);
	t->iov = NULL;
	return 0;
}

static int take_iovecs(struct transfer *t, const struct iovec __user *iov, unsigned long nr)
{
	ssize_t ret;

	t->iov = t->fast;
	ret = import_iovec(t->receive ? ITER_DEST : ITER_SOURCE, iov, nr, TRANSFER_IOVECS, &t->iov,
			   &t->iter);
	return ret < 0 ? ret : 0;
}

static int take_message(struct transfer *t, unsigned long user)
{
	struct user_msghdr header;

	if (copy_from_user(&header, (void __user *)user, sizeof(header)))
		return -EFAULT;
	/* descriptors that come with the rest would have nowhere to go */
	if (t->receive && header.msg_controllen)
		return -EOPNOTSUPP;
	return take_iovecs(t, header.msg_iov, header.msg_iovlen);
}

/*
 * A terminal gives a byte when it has got as many as it is to wait for (VMIN), and no more
 * than 64 of these. With a time for each of them (VTIME) it may give less by itself.
 */
static int take_terminal(struct transfer *t, const struct pt_regs *regs)
{
	struct file *file = fget(regs->di);
	struct tty_struct *tty = file ? restart_raw_terminal(file) : NULL;
	unsigned long least = tty && !TIME_CHAR(tty) ? min_t(u8, MIN_CHAR(tty), 64) : 0;

	if (file)
		fput(file);
	if (least <= 1)
		return -EOPNOTSUPP;
	t->receive = true;
	return take_buffer(t, regs->si, min(least, regs->dx));
}

static int take_arguments(struct transfer *t, const struct pt_regs *regs)
{
	switch (regs->orig_ax) {
	case __NR_read:
		return take_terminal(t, regs);
	case __NR_write:
		return take_buffer(t, regs->si, regs->dx);
	case __NR_writev:
		return take_iovecs(t, (void __user *)regs->si, regs->dx);
	case __NR_pwritev2:
		/* a stream is written to at no position */
		if ((long)regs->r10 != -1 || (regs->r9 & RWF_NOWAIT))
			return -EOPNOTSUPP;
		return take_iovecs(t, (void __user *)regs->si, regs->dx);
	case __NR_sendto:
	case __NR_recvfrom:
		t->socket = true;
		t->receive = regs->orig_ax == __NR_recvfrom;
		t->flags = regs->r10;
		return take_buffer(t, regs->si, regs->dx);
	case __NR_sendmsg:
	case __NR_recvmsg:
		t->socket = true;
		t->receive = regs->orig_ax == __NR_recvmsg;
		t->flags = regs->dx;
		return take_message(t, regs->si);
	}
	return -EOPNOTSUPP;
}

static ssize_t move_by_socket(struct transfer *t, struct socket *sock)
{
	struct msghdr msg = { .msg_iter = t->iter, .msg_flags = t->flags };
	ssize_t ret;

	/* one call: of what is moved already it would tell once, and not by a signal */
	if (!t->receive)
		msg.msg_flags = (t->flags & ~MSG_ZEROCOPY) | MSG_NOSIGNAL;
	ret = t->receive ? sock_recvmsg(sock, &msg, t->flags) : sock_sendmsg(sock, &msg);
	if (ret > 0)
		iov_iter_advance(&t->iter, ret);
	/* an error ends the transfer, and the next call has to tell it */
	if (ret == -ECONNRESET || ret == -ETIMEDOUT)
		WRITE_ONCE(sock->sk->sk_err, -ret);
	return ret;
}

static ssize_t move(struct transfer *t)
{
	loff_t pos = 0;

	if (t->several)
		return several_more(t);
	if (t->from)
		return copy_more(t);
	if (t->socket)
		return move_by_socket(t, sock_from_file(t->file));
	if (t->receive)
		return vfs_iter_read(t->file, &t->iter, &pos, 0);
	return vfs_iter_write(t->file, &t->iter, &pos, 0);
}

/*
 * Would a stream that blocks have ended the transfer here by itself? Not if only a
 * signal can do that; where a time-out can, or a driver's habits, only if the
 * freeze found the thread waiting.
 */
bool transfer_ended_early(struct transfer *t, bool slept)
{
	struct socket *sock = sock_from_file(t->file);
	umode_t mode = file_inode(t->file)->i_mode;
	long timeout;

	/* a file with positions does not wait for anybody */
	if ((t->file->f_mode & FMODE_LSEEK) || (t->file->f_flags & O_NONBLOCK) ||
	    (t->flags & (MSG_DONTWAIT | MSG_PEEK)))
		return false;
	if (!sock)
		return !t->socket && (S_ISFIFO(mode) || slept);
	if (!sock->sk || sock->type != SOCK_STREAM || (t->receive && !(t->flags & MSG_WAITALL)))
		return false;
	timeout = t->receive ? sock->sk->sk_rcvtimeo : sock->sk->sk_sndtimeo;
	return timeout == MAX_SCHEDULE_TIMEOUT || slept;
}

bool transfer_cut(struct transfer *t, const struct pt_regs *regs, bool slept)
{
	if (in_ia32_syscall() || (long)regs->orig_ax < 0 || (long)regs->ax <= 0 ||
	    restart_is_due(regs))
		return false;
	/*
	 * With a signal, the call would have ended without us, too. So it would with a
	 * completion of io_uring, which comes as a work and must not wait behind ours.
	 */
	if (task_sigpending(current) || compat_uses_io_uring(current))
		return false;
	if (regs->orig_ax == __NR_sendfile || regs->orig_ax == __NR_copy_file_range)
		return copy_cut(t, regs, slept);
	if (several_cut(t, regs, slept))
		return true;
	if (take_arguments(t, regs) || regs->ax >= iov_iter_count(&t->iter))
		return false;
	/* now: the number may be another file's when the thread goes on */
	t->file = fget(regs->di);
	if (t->file && !transfer_ended_early(t, slept)) {
		fput(t->file);
		t->file = NULL;
	}
	return t->file;
}

static size_t transfer_left(const struct transfer *t)
{
	return t->from || t->several ? t->left : iov_iter_count(&t->iter);
}

/*
 * A notification may be left from what cut the transfer short, or come for a work
 * of somebody else, which can wait: only a signal or the next freeze ends it here.
 */
void transfer_finish(struct transfer *t, struct pt_regs *regs)
{
	ssize_t ret;

	if (!t->from && !t->several)
		iov_iter_advance(&t->iter, regs->ax);
	do {
		clear_notify_signal();
		if (park_is_posted())
			return;
		ret = move(t);
		if (ret > 0)
			regs->ax += ret;
	} while ((ret > 0 || ret == -ERESTARTSYS || ret == -EINTR) && transfer_left(t) &&
		 test_thread_flag(TIF_NOTIFY_SIGNAL) && !task_sigpending(current));
}

void transfer_end(struct transfer *t)
{
	if (t->file)
		fput(t->file);
	if (t->from)
		fput(t->from);
	kfree(t->iov);
}
