// SPDX-License-Identifier: GPL-2.0-or-later
/* Pseudo-terminals: made by the launcher, taken by the leaders of their sessions. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch_slots.h"
#include "oflags.h"
#include "report.h"

static int failed(const struct plan_op *op, const char *what)
{
	return fail("cannot resume pid %d: %s: %s", (int)op->value, what, strerror(errno));
}

/* As it is when it is new: a slave that the launcher has leads nobody to it. */
static int open_slave(struct slots *slots, const struct plan *plan, const struct plan_op *op,
		      int master)
{
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), ret;

	if (slave < 0)
		return failed(op, "cannot open the slave of a pseudo-terminal");
	ret = slot_keep(slots, plan, op->arg[1], slave);
	close(slave);
	return ret;
}

static int open_master(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int flags = oflags_to_host(op->arg[2]), unlocked = 0, ret;
	int fd = open(op->path, (flags & O_ACCMODE) | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return failed(op, op->path);
	fcntl(fd, F_SETFL, flags & ~O_ACCMODE);
	if (ioctl(fd, TIOCSPTLCK, &unlocked))
		ret = failed(op, op->path);
	else
		ret = slot_keep(slots, plan, op->arg[0], fd);
	if (!ret && op->arg[1] != ~0ull)
		ret = open_slave(slots, plan, op, fd);
	close(fd);
	return ret;
}

/* In a process of its own that has our descriptors: /dev/tty becomes @number. */
static int become_and_open(int slave, int number, int flags)
{
	int fd;

	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
		return -1;
	fd = open("/dev/tty", (flags & O_ACCMODE) | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETFL, flags & ~O_ACCMODE) || dup3(fd, number, O_CLOEXEC) < 0)
		return -1;
	close(fd);
	return ioctl(number, TIOCNOTTY);
}

/*
 * What /dev/tty leads to is decided when it is opened, by the session of whoever does:
 * a process that ends leads one for a moment. It gives the terminal up before, so that
 * another one can take it.
 */
static int open_tty(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int slave = slots->fd[op->arg[1]], status = 0;
	pid_t pid;

	if (slot_keep(slots, plan, op->arg[0], slave))
		return -1;
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (!pid)
		_exit(become_and_open(slave, slots->fd[op->arg[0]], oflags_to_host(op->arg[2]))
			      ? errno
			      : 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0)
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return pid < 0 || status ? failed(op, "cannot open /dev/tty") : 0;
}

static int set_modes(int fd, const struct terminal *t)
{
	struct termios2 modes = { .c_iflag = t->iflag,
				  .c_oflag = t->oflag,
				  .c_cflag = t->cflag,
				  .c_lflag = t->lflag,
				  .c_ispeed = t->ispeed,
				  .c_ospeed = t->ospeed,
				  .c_line = t->line };
	struct winsize size = { t->rows, t->columns, t->width, t->height };
	int on = 1;

	memcpy(modes.c_cc, t->chars, sizeof(modes.c_cc));
	/* packet mode would tell of all that comes after it */
	return ioctl(fd, TCSETS2, &modes) || ioctl(fd, TIOCSWINSZ, &size) ||
			       (t->packet && ioctl(fd, TIOCPKT, &on)) ||
			       (t->exclusive && ioctl(fd, TIOCEXCL))
		       ? -1
		       : 0;
}

/* Who is not root keeps it; that there is one user only was told. */
static int set_owner(int fd, const struct plan *plan, const struct terminal *t)
{
	if (!plan->host->root || !t->mode)
		return 0;
	return fchown(fd, t->uid, t->gid) || fchmod(fd, t->mode) ? -1 : 0;
}

static int finish(const struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	const struct terminal *t = plan->img->files[op->arg[2]].terminal;
	int master = slots->fd[op->arg[0]], on = 1;
	int slave = op->arg[1] == ~0ull ? -1 : slots->fd[op->arg[1]];

	if (set_modes(master, t))
		return failed(op, "cannot set the modes of a pseudo-terminal");
	/* that character is the one of canonical mode, and not shown */
	if (t->end && write(master, &t->chars[VEOF], 1) != 1)
		return failed(op, "cannot type an end of file");
	if (slave >= 0 &&
	    (set_owner(slave, plan, t) || (t->slave_exclusive && ioctl(slave, TIOCEXCL))))
		return failed(op, "cannot set the owner of a pseudo-terminal");
	if (t->locked && ioctl(master, TIOCSPTLCK, &on))
		return failed(op, "cannot lock a pseudo-terminal");
	return 0;
}

int terminal_make(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_TERMINAL:
		return open_master(slots, plan, op);
	case OP_OPEN_TTY:
		return open_tty(slots, plan, op);
	default:
		return finish(slots, plan, op);
	}
}

/* SIGTTOU is blocked, as all signals are. */
int terminal_join(const struct slots *slots, const struct plan_op *op)
{
	int fd = slots->fd[op->arg[0]];
	pid_t group = (pid_t)op->arg[1];

	switch (op->kind) {
	case OP_TAKE_TERMINAL:
		return ioctl(fd, TIOCSCTTY, 0) ? fail("cannot give session %d its terminal: %s",
						      op->tid, strerror(errno))
					       : 0;
	case OP_LEAVE_TERMINAL:
		return ioctl(fd, TIOCNOTTY) ? fail("cannot take the terminal from pid %d: %s",
						   op->tid, strerror(errno))
					    : 0;
	default:
		return ioctl(fd, TIOCSPGRP, &group)
			       ? fail("cannot put process group %d into the foreground: %s", group,
				      strerror(errno))
			       : 0;
	}
}
