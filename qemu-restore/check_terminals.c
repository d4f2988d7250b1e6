// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare pseudo-terminals. The launcher has both sides of each still: what they are
 * like is seen there, and that the program's descriptors are of those very ones.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"

#define PTS_MAJOR 136

/* "the size of pseudo-terminal 3", in a static buffer */
static const char *part(const struct terminal *t, const char *what)
{
	static char text[96];

	snprintf(text, sizeof(text), "the %s of pseudo-terminal %u", what, t->index);
	return text;
}

static int master_fd(const struct check *c, const struct plan_terminal *p)
{
	return c->slots->fd[p->master];
}

/* Its device number as stat(2) tells it; 0: it cannot be had. */
static uint64_t rdev_of(const struct check *c, const struct plan_terminal *p)
{
	unsigned int index;

	return ioctl(master_fd(c, p), TIOCGPTN, &index) ? 0 : makedev(PTS_MAJOR, index);
}

static const struct plan_terminal *find(const struct check *c, const struct terminal *t)
{
	const struct plan_terminal *p = c->plan->terminals;

	while (p->terminal != t)
		p++;
	return p;
}

/* Plans name files by their ids. */
uint64_t check_slave_rdev(const struct check *c, const struct open_file *f)
{
	return rdev_of(c, find(c, image_find_file(c->plan->img, f->master)->terminal));
}

int check_side(struct check *c, const struct process_fd *fd, const struct plan_op *maker)
{
	int pid = c->image->info.pid, slot;
	char object[64];

	if (maker->kind != OP_TERMINAL && maker->kind != OP_OPEN_TTY && maker->kind != OP_REOPEN)
		return 0;
	slot = c->slots->fd[maker->arg[0]];
	if (syscall(SYS_kcmp, pid, getpid(), KCMP_FILE, fd->fd, slot) <= 0)
		return 0; /* it is, or this kernel does not tell */
	snprintf(object, sizeof(object), "the terminal of fd %d", fd->fd);
	return check_differs(c, object, "another", fd->file->path);
}

/* As new_encode_dev() of the kernel makes it of a number of stat(2)'s. */
static uint64_t encode(uint64_t rdev)
{
	return (minor(rdev) & 0xff) | (uint64_t)major(rdev) << 8 |
	       ((uint64_t)minor(rdev) & ~0xffull) << 12;
}

int check_control(struct check *c, const char *stat)
{
	const struct plan_terminal *p = plan_terminal_of(c->plan, c->image->info.sid);
	const char *end = strrchr(stat, ')');
	int terminal = 0, group = 0;

	if (!p)
		return 0;
	if (!end || sscanf(end, ") %*c %*d %*d %*d %d %d", &terminal, &group) != 2)
		return check_differs(c, "stat", stat, "of another form");
	if (!(c->image->info.flags & XCKPT_PROCESS_TTY))
		return check_number(c, "its controlling terminal", "%#llx", terminal, 0);
	if (check_number(c, "its controlling terminal", "%#llx", terminal, encode(rdev_of(c, p))))
		return -1;
	/* of a group that nobody is in any more the number is not known */
	return p->terminal->foreground ? check_number(c, "the foreground process group", "%lld",
						      group, p->terminal->foreground)
				       : 0;
}

static int check_modes(struct check *c, const struct terminal *t, int fd)
{
	struct termios2 modes;

	if (ioctl(fd, TCGETS2, &modes))
		return check_differs(c, part(t, "state"), strerror(errno), "told");
	if (memcmp(modes.c_cc, t->chars, sizeof(modes.c_cc)))
		return check_differs(c, part(t, "list of special characters"), "another",
				     "that of the image");
	return check_number(c, part(t, "c_iflag"), "%#llo", modes.c_iflag, t->iflag) ||
			       check_number(c, part(t, "c_oflag"), "%#llo", modes.c_oflag,
					    t->oflag) ||
			       check_number(c, part(t, "c_cflag"), "%#llo", modes.c_cflag,
					    t->cflag) ||
			       check_number(c, part(t, "c_lflag"), "%#llo", modes.c_lflag,
					    t->lflag) ||
			       check_number(c, part(t, "input speed"), "%llu", modes.c_ispeed,
					    t->ispeed) ||
			       check_number(c, part(t, "output speed"), "%llu", modes.c_ospeed,
					    t->ospeed) ||
			       check_number(c, part(t, "line discipline"), "%llu", modes.c_line,
					    t->line)
		       ? -1
		       : 0;
}

static int check_size(struct check *c, const struct terminal *t, int fd)
{
	struct winsize size = { 0 };
	char found[64], want[64];

	ioctl(fd, TIOCGWINSZ, &size);
	snprintf(found, sizeof(found), "%u/%u/%u/%u", size.ws_row, size.ws_col, size.ws_xpixel,
		 size.ws_ypixel);
	snprintf(want, sizeof(want), "%u/%u/%u/%u", t->rows, t->columns, t->width, t->height);
	return check_text(c, part(t, "size"), found, want);
}

static int check_switches(struct check *c, const struct terminal *t, int master, int slave)
{
	int packet = -1, locked = -1, exclusive = -1, slave_exclusive = t->slave_exclusive;
	struct pollfd ready = { .fd = slave, .events = POLLIN };

	ioctl(master, TIOCGPKT, &packet);
	ioctl(master, TIOCGPTLCK, &locked);
	ioctl(master, TIOCGEXCL, &exclusive);
	if (slave >= 0)
		ioctl(slave, TIOCGEXCL, &slave_exclusive);
	poll(&ready, 1, 0);
	return check_number(c, part(t, "packet mode"), "%lld", packet, t->packet) ||
			       check_number(c, part(t, "lock"), "%lld", locked, t->locked) ||
			       check_number(c, part(t, "exclusive mode"), "%lld", exclusive,
					    t->exclusive) ||
			       check_number(c, part(t, "slave's exclusive mode"), "%lld",
					    slave_exclusive, t->slave_exclusive) ||
			       check_number(c, part(t, "typed end of file"), "%lld",
					    !!(ready.revents & POLLIN), t->end)
		       ? -1
		       : 0;
}

/* Whose it is: numbers are those of the program here. */
static int check_session(struct check *c, const struct terminal *t, int fd)
{
	pid_t session = 0;

	if (ioctl(fd, TIOCGSID, &session))
		session = 0;
	return check_number(c, part(t, "session"), "%lld", session, t->session);
}

static int check_owner(struct check *c, const struct terminal *t, int slave)
{
	struct stat st;

	if (slave < 0 || !t->mode || !c->plan->host->root || fstat(slave, &st))
		return 0;
	return check_number(c, part(t, "owner"), "%llu", st.st_uid, t->uid) ||
			       check_number(c, part(t, "group"), "%llu", st.st_gid, t->gid) ||
			       check_number(c, part(t, "mode"), "%#llo", st.st_mode & 07777,
					    t->mode)
		       ? -1
		       : 0;
}

int check_terminals(struct check *c)
{
	size_t i;

	for (i = 0; i < c->plan->nr_terminals; i++) {
		const struct plan_terminal *p = &c->plan->terminals[i];
		int master = master_fd(c, p), slave = p->slave < 0 ? -1 : c->slots->fd[p->slave];

		if (check_modes(c, p->terminal, master) || check_size(c, p->terminal, master) ||
		    check_switches(c, p->terminal, master, slave) ||
		    check_session(c, p->terminal, master) || check_owner(c, p->terminal, slave))
			return -1;
	}
	return 0;
}
