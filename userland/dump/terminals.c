// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pseudo-terminals whose master is in the group. A descriptor of our own of the master
 * tells nearly all of it, and takes nothing away. What was written to one side and
 * not read from the other cannot be looked at: then the group is to go on for a while.
 */
#include "dump.h"
#include "report.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PTS_MAJOR 136
#define TTY_RDEV 0x500 /* /dev/tty: whichever was its opener's */
#define NO_INDEX UINT32_MAX

/* Device numbers are in the kernel's new_encode_dev() form. */
static uint32_t index_of(uint64_t rdev)
{
	return (rdev >> 8 & 0xfff) == PTS_MAJOR
		       ? (uint32_t)((rdev & 0xff) | (rdev >> 12 & ~0xffull))
		       : NO_INDEX;
}

/* Which pseudo-terminal @f is the slave of. */
static uint32_t slave_index(const struct dump *d, const struct open_file *f)
{
	unsigned int dev = 0;
	int fd;

	if (f->kind != FILE_TTY || f->flags & X86_O_PATH)
		return NO_INDEX;
	if (f->rdev != TTY_RDEV)
		return index_of(f->rdev);
	fd = holder_duplicate(d, f);
	if (fd < 0)
		return NO_INDEX;
	if (ioctl(fd, TIOCGDEV, &dev))
		dev = 0;
	close(fd);
	return index_of(dev);
}

int terminal_modes(int fd, struct terminal *t)
{
	struct termios2 modes;
	struct winsize size;

	if (ioctl(fd, TCGETS2, &modes) || ioctl(fd, TIOCGWINSZ, &size))
		return -1;
	t->iflag = modes.c_iflag;
	t->oflag = modes.c_oflag;
	t->cflag = modes.c_cflag;
	t->lflag = modes.c_lflag;
	t->ispeed = modes.c_ispeed;
	t->ospeed = modes.c_ospeed;
	t->line = modes.c_line;
	_Static_assert(sizeof(modes.c_cc) == sizeof(t->chars), "as many as the kernel has");
	memcpy(t->chars, modes.c_cc, sizeof(t->chars));
	t->rows = size.ws_row;
	t->columns = size.ws_col;
	t->width = size.ws_xpixel;
	t->height = size.ws_ypixel;
	return 0;
}

/* All that the master tells; how often its slave is open was told with it. */
static int read_state(int fd, struct terminal *t)
{
	int packet = 0, exclusive = 0, locked = 0;
	struct pollfd hangup = { .fd = fd };

	if (ioctl(fd, TIOCGPTN, &t->index) || terminal_modes(fd, t) ||
	    ioctl(fd, TIOCGPKT, &packet) || ioctl(fd, TIOCGEXCL, &exclusive) ||
	    ioctl(fd, TIOCGPTLCK, &locked) || poll(&hangup, 1, 0) < 0)
		return -1;
	t->packet = packet;
	t->exclusive = exclusive;
	t->locked = locked;
	/* it was and is not */
	t->opened = hangup.revents & POLLHUP;
	return 0;
}

/* The first process of the group whose @id, as we see it, is @outer. */
static const struct image_process *member(const struct dump *d, pid_t (*id)(pid_t), pid_t outer)
{
	for (size_t i = 0; outer > 0 && i < d->img.nr_processes; i++)
		if (id(d->img.processes[i].outer_pid) == outer)
			return &d->img.processes[i];
	return NULL;
}

static int foreground_group(const struct dump *d, pid_t outer)
{
	const struct image_process *p = member(d, getpgid, outer);

	if (p)
		return p->info.pgid;
	for (size_t i = 0; outer > 0 && i < d->img.nr_zombies; i++)
		if (getpgid(d->img.zombies[i].outer_pid) == outer)
			return d->img.zombies[i].pgid;
	return 0;
}

static pid_t itself(pid_t pid)
{
	return pid;
}

/* Nobody outside may be the one that leads the session of processes of the group. */
static void read_session(const struct dump *d, int fd, struct terminal *t)
{
	const struct image_process *leader;
	pid_t session = 0, group = 0;

	if (ioctl(fd, TIOCGSID, &session) || ioctl(fd, TIOCGPGRP, &group))
		return;
	leader = member(d, itself, session);
	if (leader && leader->info.flags & XCKPT_PROCESS_TTY) {
		t->session = leader->info.sid;
		t->foreground = foreground_group(d, group);
	} else {
		t->outside |= !leader && member(d, getsid, session);
	}
}

/* Owner and mode of /dev/pts/INDEX, as @h has it where there is no descriptor @fd. */
static void read_owner(const struct holder *h, int fd, struct terminal *t)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root/dev/pts/%u", h->process->outer_pid, t->index);
	if ((fd >= 0 ? fstat(fd, &st) : stat(path, &st)) || !S_ISCHR(st.st_mode) ||
	    (fd < 0 && st.st_rdev != makedev(PTS_MAJOR, t->index)))
		return;
	t->uid = st.st_uid;
	t->gid = st.st_gid;
	t->mode = st.st_mode & 07777;
}

/* What waits to be read on one side, and is not to be taken away. */
struct waiting {
	int bytes; /* of a line that is typed in canonical mode, and not ended, nobody tells */
	bool end; /* an end of file, as only the slave may have it */
	bool stopped; /* what is written there does not go on */
};

static struct waiting look_at(int fd)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT };
	struct waiting w = { 0 };

	/* this waits for what is on its way, too */
	if (poll(&ready, 1, 0) < 0 || ioctl(fd, TIOCINQ, &w.bytes))
		return (struct waiting){ 0 };
	w.stopped = !(ready.revents & (POLLOUT | POLLHUP));
	w.end = !w.bytes && ready.revents & POLLIN;
	/* news of packet mode */
	if (!w.bytes && ready.revents & POLLPRI)
		w.bytes = 1;
	return w;
}

static int not_now(struct dump *d, const struct terminal *t, const struct open_file *f, int bytes)
{
	const struct holder *h = &d->holders[f - d->img.files];

	d->unread =
		bytes ? arena_printf(&d->priv.arena,
				     "%d byte%s in pseudo-terminal %u that pid %d (fd %d, %s) has "
				     "not read would be lost (dump again when it has read them)",
				     bytes, bytes == 1 ? "" : "s", t->index, h->process->info.pid,
				     h->fd, f->path)
		      : arena_printf(&d->priv.arena,
				     "what pid %d (fd %d, %s) writes to pseudo-terminal %u is held "
				     "up, as by ^S (let it go on, as by ^Q, and dump again)",
				     h->process->info.pid, h->fd, f->path, t->index);
	return d->unread ? 1 : -1;
}

/* 1: something is on its way to this side, or held up on the way from there */
static int check_side(struct dump *d, const struct open_file *f, struct terminal *t, int fd)
{
	struct waiting w = look_at(fd);

	t->end |= w.end && !w.bytes;
	return w.bytes || w.stopped ? not_now(d, t, f, w.bytes) : 0;
}

static struct open_file *first_slave(const struct dump *d, const struct open_file *master)
{
	for (size_t i = 0; i < d->img.nr_files; i++)
		if (d->img.files[i].master == master->id && d->holders[i].process)
			return &d->img.files[i];
	return NULL;
}

/*
 * What only the slave tells. One that was closed everywhere may be opened for that:
 * its other side finds it closed again.
 */
static int read_slave(struct dump *d, struct open_file *f, int master)
{
	const struct holder *h = &d->holders[f - d->img.files];
	const struct open_file *slave = first_slave(d, f);
	struct terminal *t = f->terminal;
	int exclusive = 0, ret = 0, fd = -1;

	if (slave)
		fd = holder_duplicate(d, slave);
	else if (t->opened && !t->locked)
		fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	read_owner(h, fd, t);
	if (fd >= 0) {
		if (!ioctl(fd, TIOCGEXCL, &exclusive))
			t->slave_exclusive = exclusive;
		ret = check_side(d, slave ? slave : f, t, fd);
		close(fd);
	}
	return ret;
}

/* Its slaves in the group become known as such; *@dev: on more than one devpts. */
static uint32_t find_slaves(struct dump *d, const struct open_file *master, bool *mixed)
{
	const struct terminal *t = master->terminal;
	uint64_t dev = 0;
	uint32_t nr = 0;

	for (size_t i = 0; i < d->img.nr_files; i++) {
		struct open_file *f = &d->img.files[i];

		if (!d->holders[i].process || slave_index(d, f) != t->index)
			continue;
		f->master = master->id;
		nr++;
		if (f->rdev == TTY_RDEV)
			continue;
		*mixed |= dev && dev != f->dev;
		dev = f->dev;
	}
	return nr;
}

/* Several instances of devpts may have the same numbers: then nobody tells them apart. */
static bool is_there_already(const struct dump *d, const struct open_file *master)
{
	for (const struct open_file *f = d->img.files; f < master; f++)
		if (f->terminal && f->terminal->index == master->terminal->index)
			return true;
	return false;
}

static int read_terminal(struct dump *d, struct open_file *f, int fd)
{
	bool mixed = false;
	uint32_t slaves;
	int ret;

	f->terminal = arena_alloc(&d->priv.arena, 1, sizeof(*f->terminal));
	if (!f->terminal)
		return -1;
	if (read_state(fd, f->terminal) || is_there_already(d, f)) {
		f->terminal = NULL; /* as image_unsupported() tells */
		return 0;
	}
	slaves = find_slaves(d, f, &mixed);
	f->terminal->opened |= slaves > 0;
	f->terminal->outside = mixed || slaves != f->writers;
	read_session(d, fd, f->terminal);
	if (f->terminal->outside)
		return 0; /* it is not resumed anyway */
	ret = check_side(d, f, f->terminal, fd);
	return ret ? ret : read_slave(d, f, fd);
}

int capture_terminals(struct dump *d)
{
	int ret = 0;

	for (size_t i = 0; i < d->img.nr_files && !ret; i++) {
		struct open_file *f = &d->img.files[i];
		int fd = is_master(f) && d->holders[i].process ? holder_duplicate(d, f) : -1;

		if (fd < 0)
			continue;
		ret = read_terminal(d, f, fd);
		close(fd);
	}
	return ret;
}
