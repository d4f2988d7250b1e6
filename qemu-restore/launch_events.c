// SPDX-License-Identifier: GPL-2.0-or-later
/* Anonymous inodes, and what is held on files: locks, leases, who gets their signals. */
#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch_slots.h"
#include "oflags.h"
#include "report.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
#define NS 1000000000ull
/* instance numbers grow by one with each watch: no more steps than this to reach one */
#define MOST_WATCHES (1 << 20)

static int make_counter(const struct plan_op *op)
{
	int fd = eventfd(0, EFD_CLOEXEC | (op->arg[2] ? EFD_SEMAPHORE : 0));
	uint64_t count = op->arg[1];

	if (fd >= 0 && count && write(fd, &count, sizeof(count)) != sizeof(count)) {
		close(fd);
		return -1;
	}
	return fd;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS) };
}

/*
 * One that has expired and repeats is armed again when it is read, from when it
 * expired: so it is made to expire now.
 */
static int set_timer(int fd, const struct plan_op *op)
{
	struct itimerspec its = { .it_value = timespec_of(op->arg[4]),
				  .it_interval = timespec_of(op->arg[5]) };
	uint64_t expirations = op->arg[2];
	bool at_once = expirations && !op->arg[4] && op->arg[5];
	int flags = (int)op->nr;

	if (at_once) {
		its.it_value = timespec_of(1);
		flags &= ~TFD_TIMER_ABSTIME;
	}
	if (timerfd_settime(fd, flags, &its, NULL))
		return -1;
	/* the one that is made up is not to come on top of the others; milliseconds at most */
	if (at_once)
		poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
	return expirations ? ioctl(fd, TFD_IOC_SET_TICKS, &expirations) : 0;
}

int slots_start_timers(const struct slots *slots, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_TIMERFD &&
		    set_timer(slots->fd[plan->ops[i].arg[0]], &plan->ops[i]))
			return fail("cannot resume pid %d: cannot start its timerfd: %s",
				    (int)plan->ops[i].value, strerror(errno));
	return 0;
}

static int make_signals(const struct plan_op *op)
{
	uint64_t mask = op->arg[1]; /* bit n-1: signal n, as the kernel has it */

	return (int)syscall(SYS_signalfd4, -1, &mask, sizeof(mask), SFD_CLOEXEC);
}

int event_make(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	static const char *const names[] = { "eventfd", "timerfd", "signalfd", "epoll instance",
					     "inotify instance" };
	uint64_t flags = op->kind == OP_EVENTFD || op->kind == OP_TIMERFD ? op->arg[3]
			 : op->kind == OP_SIGNALFD			  ? op->arg[2]
									  : op->arg[1];
	int fd, ret;

	switch (op->kind) {
	case OP_EVENTFD:
		fd = make_counter(op);
		break;
	case OP_TIMERFD:
		fd = timerfd_create((int)op->arg[1], TFD_CLOEXEC);
		break;
	case OP_SIGNALFD:
		fd = make_signals(op);
		break;
	case OP_EPOLL:
		fd = epoll_create1(EPOLL_CLOEXEC);
		break;
	default:
		fd = inotify_init1(IN_CLOEXEC);
		break;
	}
	if (fd < 0)
		return fail("cannot resume pid %d: cannot make its %s: %s", (int)op->value,
			    names[op->kind - OP_EVENTFD], strerror(errno));
	fcntl(fd, F_SETFL, oflags_to_host(flags) & ~O_ACCMODE);
	ret = slot_keep(slots, plan, op->arg[0], fd);
	close(fd);
	return ret;
}

/* Each watch that is taken away leaves an event behind. */
static void drain(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	char buf[4096] __attribute__((aligned(8)));

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

/* Numbers are given out in order, so those before are used up first. */
int event_watch(const struct slots *slots, const struct plan_op *op)
{
	int fd = slots->fd[op->arg[0]], want = (int)op->arg[1], wd = -1, tries;

	for (tries = 0; tries < MOST_WATCHES; tries++) {
		wd = inotify_add_watch(fd, op->path, (uint32_t)op->arg[2]);
		if (wd < 0 || wd >= want)
			break;
		inotify_rm_watch(fd, wd);
		if (tries % 128 == 127)
			drain(fd);
	}
	if (tries)
		drain(fd);
	if (wd == want)
		return 0;
	return fail("cannot watch %s as number %d: %s", op->path, want,
		    wd < 0 ? strerror(errno) : "that cannot be had");
}

int event_lock(const struct slots *slots, const struct plan_op *op)
{
	int fd = slots->fd[op->arg[0]], ret;

	if (op->kind == OP_FLOCK) {
		ret = flock(fd, (op->arg[1] ? LOCK_EX : LOCK_SH) | LOCK_NB);
	} else {
		struct flock lock = { .l_type = op->arg[1] ? F_WRLCK : F_RDLCK,
				      .l_start = (off_t)op->arg[2],
				      .l_len = (off_t)op->arg[3] };

		ret = fcntl(fd, F_OFD_SETLK, &lock);
	}
	if (ret)
		return fail("cannot lock %s again: %s%s", op->object, strerror(errno),
			    errno == EAGAIN ? " (somebody else has locked it; end who does)" : "");
	return 0;
}

/* For a process that is gone: of a child that has been waited for. */
static int open_dead(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	int fd;

	if (!pid)
		_exit(0);
	fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return fd;
}

static int place_pidfd(const struct plan_op *op)
{
	int pid = (int)op->arg[1];
	unsigned int how = op->arg[2] & X86_O_EXCL ? PIDFD_THREAD : 0;
	int fd = pid < 0 ? open_dead() : (int)syscall(SYS_pidfd_open, pid, how);

	if (fd < 0 || dup2(fd, (int)op->arg[0]) < 0)
		return fail("cannot open process %d as fd %d: %s", pid, (int)op->arg[0],
			    strerror(errno));
	fcntl(fd, F_SETFL, oflags_to_host(op->arg[2]) & ~O_ACCMODE);
	if (fd == (int)op->arg[0])
		fcntl(fd, F_SETFD, 0); /* pidfd_open(2) always sets it */
	else
		close(fd);
	return 0;
}

/*
 * An epoll instance knows a file by the number under which it was added, and the
 * program will name it so. What is at that number now steps aside for a moment.
 */
static int add_at(int epoll, int number, int target, struct epoll_event *event)
{
	int flags = fcntl(number, F_GETFD), aside = -1, ret, error;

	if (flags >= 0) {
		aside = fcntl(number, F_DUPFD_CLOEXEC, 0);
		if (aside < 0)
			return -1;
		if (number == epoll)
			epoll = aside;
	}
	ret = dup2(target, number) < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, number, event);
	if (ret && errno == EEXIST) /* of a try before this one */
		ret = epoll_ctl(epoll, EPOLL_CTL_DEL, number, NULL) ||
				      epoll_ctl(epoll, EPOLL_CTL_ADD, number, event)
			      ? -1
			      : 0;
	error = errno;
	if (aside < 0) {
		close(number);
	} else {
		dup3(aside, number, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
		close(aside);
	}
	errno = error;
	return ret;
}

static int place_entry(const struct slots *slots, const struct plan_op *op)
{
	struct epoll_event event = { .events = (uint32_t)op->arg[2], .data.u64 = op->arg[3] };
	int target = op->arg[4] == ~0ull ? (int)op->arg[5] : slots->fd[op->arg[4]];

	if (!add_at(slots->fd[op->arg[0]], (int)op->arg[1], target, &event))
		return 0;
	/* it was a terminal or a pipe, and a file stands for it now, which nobody waits for */
	if (errno != EPERM)
		return fail("cannot make an epoll instance wait for fd %d (%s): %s",
			    (int)op->arg[1], op->object, strerror(errno));
	warn("pid %d: an epoll instance does not wait for fd %d (%s) any more: it is a file now",
	     (int)op->value, (int)op->arg[1], op->object);
	return 0;
}

static int place_owner(const struct slots *slots, const struct plan_op *op)
{
	struct f_owner_ex owner = { .type = (int)op->arg[1], .pid = (pid_t)op->arg[2] };

	if (fcntl(slots->fd[op->arg[0]], F_SETOWN_EX, &owner))
		return fail("cannot send signals about %s to %d: %s", op->object, owner.pid,
			    strerror(errno));
	return 0;
}

int event_place(const struct slots *slots, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_PIDFD:
		return place_pidfd(op);
	case OP_ENTRY:
		return place_entry(slots, op);
	case OP_OWNER:
		return place_owner(slots, op);
	case OP_LEASE:
		if (fcntl(slots->fd[op->arg[0]], F_SETLEASE, op->arg[1] ? F_WRLCK : F_RDLCK))
			return fail("cannot take a lease on %s again: %s%s", op->object,
				    strerror(errno),
				    errno == EAGAIN ? " (somebody else has it open)" : "");
		return 0;
	default:
		return 0;
	}
}
