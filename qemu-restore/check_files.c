// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare descriptors: which there are, what they lead to, flags, position, who shares. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check_files.h"
#include "oflags.h"
#include "plan_files.h"

/* what opening it has to give again; the rest is about opening, or is not kept */
#define COMPARED (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_SYNC | O_NOATIME | O_PATH)

struct check_files *check_files_begin(const struct plan *plan)
{
	struct check_files *files = plan_must(calloc(1, sizeof(*files)));
	size_t i;

	files->plan = plan;
	files->makers = plan_must(calloc(plan->nr_slots + 1, sizeof(*files->makers)));
	files->met = plan_must(calloc(plan->img->nr_files + 1, sizeof(*files->met)));
	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		switch (op->kind) {
		case OP_PIPE:
			files->makers[op->arg[1]] = op;
			/* fall through */
		case OP_OPEN:
		case OP_FIFO:
		case OP_REOPEN:
		case OP_MEMORY:
		case OP_LOST_DIRECTORY:
		case OP_TERMINAL:
		case OP_OPEN_TTY:
		case OP_EVENTFD:
		case OP_TIMERFD:
		case OP_SIGNALFD:
		case OP_EPOLL:
		case OP_INOTIFY:
		case OP_RING:
		case OP_OWN:
			files->makers[op->arg[0]] = op;
			break;
		default:
			break;
		}
	}
	return files;
}

static bool is_own(const struct plan_op *maker)
{
	return maker && maker->kind == OP_OWN;
}

/* What --fd names, or what stands for a standard input that the image came from. */
static bool is_replaced(const struct plan_op *maker)
{
	return maker && maker->kind == OP_OPEN && maker->arg[3] == CHECK_CREATE;
}

/* An engine may give a file of its own making for one that tells of a process. */
static bool is_engines(const struct check *c, const struct open_file *f,
		       const struct plan_op *maker)
{
	return !maker && is_of_process(c->plan->img, f) && !check_natively(c);
}

static int compare_fds(const void *key, const void *element)
{
	const int *fd = key;
	const struct process_fd *p = element;

	return *fd < p->fd ? -1 : *fd > p->fd;
}

static const struct process_fd *find(const struct check *c, int fd)
{
	return bsearch(&fd, c->image->fds, c->image->nr_fds, sizeof(*c->image->fds), compare_fds);
}

/* Who made what is behind each of the process's descriptors. */
static const struct plan_op **find_makers(const struct check *c, const struct check_files *files)
{
	const struct process_plan *p = c->process;
	const struct plan_op **makers = plan_must(calloc(c->image->nr_fds + 1, sizeof(*makers)));
	size_t i;

	for (i = p->first_op; i < p->first_op + p->nr_ops; i++) {
		const struct plan_op *op = &c->plan->ops[i];
		const struct process_fd *fd;

		if (op->kind != OP_PLACE)
			continue;
		fd = find(c, (int)op->arg[1] == p->fds.park2 ? 2 : (int)op->arg[1]);
		if (fd)
			makers[fd - c->image->fds] = files->makers[op->arg[0]];
	}
	return makers;
}

/* Ours, until the program starts, and what vfork() waits for. */
static bool is_left(const struct check *c, int fd)
{
	const struct process_plan *p = c->process;
	size_t i;

	for (i = 0; i < p->nr_vforks; i++)
		if (p->vforks[i].fd == fd)
			return true;
	return fd == p->fds.status || fd == p->vfork_fd;
}

static int check_no_more(struct check *c)
{
	char path[64], object[32], link[4200];
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", c->image->info.pid);
	/* since 6.2 it tells how many there are: those that were looked at, and the status's */
	if (!c->process->nr_vforks && c->process->vfork_fd < 0 && !stat(path, &st) &&
	    (size_t)st.st_size == c->image->nr_fds + 1)
		return 0;
	dir = opendir(path);
	if (!dir)
		ret = check_unreadable(c, path);
	while (dir && !ret && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (*entry->d_name == '.' || find(c, fd) || is_left(c, fd))
			continue;
		snprintf(object, sizeof(object), "fd/%d", fd);
		if (check_link(c, link, sizeof(link), object) < 0)
			strcpy(link, "open");
		snprintf(object, sizeof(object), "fd %d", fd);
		ret = check_differs(c, object, link, "closed");
	}
	if (dir)
		closedir(dir);
	return ret;
}

/* Of a pseudo-terminal of the image, whose number may be another one; but not /dev/tty. */
static bool is_slave(const struct open_file *f, const struct plan_op *maker)
{
	return f->master && maker && maker->kind == OP_REOPEN;
}

static bool is_path(const struct open_file *f)
{
	return f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY || f->kind == FILE_DEVICE ||
	       f->kind == FILE_FIFO || f->kind == FILE_TTY;
}

/* Is it what the image says, or what stands for that, whatever its name is? */
static bool is_kind(const struct check *c, const struct open_file *f, const struct plan_op *maker,
		    const char *link, const struct stat *st)
{
	struct stat own;

	if (is_own(maker))
		return !fstat((int)maker->arg[1], &own) && own.st_dev == st->st_dev &&
		       own.st_ino == st->st_ino && own.st_rdev == st->st_rdev;
	if (is_slave(f, maker))
		return S_ISCHR(st->st_mode) && st->st_rdev == check_slave_rdev(c, f);
	if (is_pipe(f))
		return S_ISFIFO(st->st_mode) && !strncmp(link, "pipe:", 5);
	if (is_nameless(f))
		return S_ISREG(st->st_mode) && !st->st_nlink;
	if (f->kind == FILE_DIRECTORY && f->deleted)
		return S_ISDIR(st->st_mode);
	if (is_pidfd(f)) /* since Linux 6.9 it is no anonymous inode any more */
		return !strncmp(link, "pidfd:", 6) || !strcmp(link, "anon_inode:[pidfd]");
	return f->kind != FILE_ANON_INODE || !strcmp(link, f->path);
}

/* The path that it must have; NULL: none. */
static const char *path_of(const struct check *c, const struct open_file *f,
			   const struct plan_op *maker)
{
	if (is_own(maker) || is_slave(f, maker))
		return NULL;
	if (is_engines(c, f, maker))
		return NULL;
	if (maker && maker->kind == OP_OPEN)
		return maker->path;
	return f->deleted || !is_path(f) ? NULL : plan_path(c->process->group, f->path);
}

/*
 * To be shown a link, the kernel has to make an inode for it; but fdinfo, which is read
 * anyway, tells mount and inode. @fdinfo: NULL if that may not be read.
 */
static bool is_at_path(struct check_files *files, const char *want, const char *fdinfo)
{
	struct statx *st = &files->there;

	if (!fdinfo || !strstr(fdinfo, "\nino:"))
		return false;
	if (!files->path || strcmp(want, files->path)) {
		files->path = NULL;
		if (statx(AT_FDCWD, want, AT_NO_AUTOMOUNT, STATX_INO | STATX_MNT_ID, st) ||
		    !(st->stx_mask & STATX_MNT_ID))
			return false;
		files->path = want;
	}
	return check_value(fdinfo, "\nmnt_id:", 10) == st->stx_mnt_id &&
	       check_value(fdinfo, "\nino:", 10) == st->stx_ino;
}

static int check_target(struct check *c, struct check_files *files, const struct process_fd *fd,
			const struct plan_op *maker, const char *fdinfo)
{
	struct met *met = &files->met[fd->file - c->plan->img->files];
	const char *want = path_of(c, fd->file, maker);
	char link[4200], name[32], path[64], object[32];
	struct stat st;
	int seen;

	if (want && !is_pipe(fd->file) && is_at_path(files, want, fdinfo))
		return 0;
	snprintf(name, sizeof(name), "fd/%d", fd->fd);
	snprintf(object, sizeof(object), "fd %d", fd->fd);
	snprintf(path, sizeof(path), "/proc/%d/%s", c->image->info.pid, name);
	seen = check_link(c, link, sizeof(link), name);
	if (!seen)
		return 0;
	if (seen < 0)
		return check_differs(c, object, "closed", fd->file->path);
	if (want && !check_same_path(c, link, path, want))
		return check_differs(c, object, link, want);
	if (want && !is_pipe(fd->file))
		return 0;
	if (stat(path, &st))
		return check_unreadable(c, path);
	if (!is_replaced(maker)) {
		met->dev = st.st_dev;
		met->ino = st.st_ino;
	}
	return want || is_kind(c, fd->file, maker, link, &st)
		       ? 0
		       : check_differs(c, object, link, fd->file->path);
}

uint64_t check_value(const char *fdinfo, const char *name, int base)
{
	const char *line = strstr(fdinfo, name);

	return line ? strtoull(line + strlen(name), NULL, base) : 0;
}

int check_fdinfo(struct check *c, const struct process_fd *fd, const struct plan_op *maker,
		 const char *fdinfo)
{
	const struct open_file *f = fd->file;
	uint64_t flags = check_value(fdinfo, "flags:", 8), pos = check_value(fdinfo, "pos:", 10);
	uint64_t compared = is_replaced(maker) ? O_ACCMODE : COMPARED;
	char object[64];

	snprintf(object, sizeof(object), "the close-on-exec flag of fd %d", fd->fd);
	if (check_number(c, object, "%llu", !!(flags & O_CLOEXEC), fd->cloexec))
		return -1;
	if (is_own(maker) || is_engines(c, f, maker)) /* with the flags of who opened it */
		return 0;
	snprintf(object, sizeof(object), "the flags of fd %d", fd->fd);
	if (check_number(c, object, "%#llo", flags & compared,
			 (uint64_t)oflags_to_host(f->flags) & compared))
		return -1;
	if (is_replaced(maker) || is_lost_directory(f) || !file_seeks(f))
		return 0;
	snprintf(object, sizeof(object), "the position of fd %d", fd->fd);
	/* of a directory that was read it may be another one here */
	if (f->kind == FILE_DIRECTORY && maker && maker->kind == OP_OPEN)
		return check_number(c, object, "%llu", pos, maker->arg[2]);
	return check_number(c, object, "%llu", pos, f->pos);
}

/* Another descriptor of the same description before this one? Then they must be of one now. */
static int check_sharing(struct check *c, const struct process_fd *fd, const struct met *met)
{
	int pid = c->image->info.pid;
	char object[64], found[64], expected[64];

	/* each process opens what tells of one itself */
	if (met->pid != pid && is_of_process(c->plan->img, fd->file))
		return 0;
	if (!met->pid || syscall(SYS_kcmp, pid, met->pid, KCMP_FILE, fd->fd, met->fd) <= 0)
		return 0; /* it is, or this kernel does not tell */
	snprintf(object, sizeof(object), "fd %d", fd->fd);
	snprintf(found, sizeof(found), "an open file of its own");
	snprintf(expected, sizeof(expected), "that of fd %d of pid %d", met->fd, met->pid);
	return check_differs(c, object, found, expected);
}

static int check_fd(struct check *c, struct check_files *files, const struct process_fd *fd,
		    const struct plan_op *maker)
{
	struct met *met = &files->met[fd->file - c->plan->img->files];
	const char *fdinfo;
	int seen;

	seen = check_read(c, "fdinfo/%d", fd->fd);
	fdinfo = seen > 0 ? (const char *)c->text.bytes : NULL;
	if (check_target(c, files, fd, maker, fdinfo) || seen < 0)
		return -1;
	if (seen && check_fdinfo(c, fd, maker, fdinfo))
		return -1;
	if (seen && fd->file->kind == FILE_ANON_INODE && check_event(c, fd, fdinfo))
		return -1;
	if (maker && (fd->file->terminal || fd->file->master) && check_side(c, fd, maker))
		return -1;
	/* 0, 1 and 2 may be different ones there; each process opens pidfds itself */
	if (is_own(maker) || is_pidfd(fd->file))
		return 0;
	if (check_sharing(c, fd, met))
		return -1;
	met->pid = c->image->info.pid;
	met->fd = fd->fd;
	return 0;
}

int check_files(struct check *c, struct check_files *files)
{
	const struct plan_op **makers = find_makers(c, files);
	size_t i;
	int ret = 0;

	for (i = 0; i < c->image->nr_fds && !ret; i++)
		ret = check_fd(c, files, &c->image->fds[i], makers[i]);
	free(makers);
	return ret ? ret : check_no_more(c);
}
