// SPDX-License-Identifier: GPL-2.0-or-later
/* Opens what the program had open, before there is any process of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch_slots.h"
#include "oflags.h"
#include "report.h"

/* Above all numbers that the program or the restorer uses. */
int slots_first(const struct plan *plan)
{
	int first = 0;
	size_t i;

	for (i = 0; i < plan->nr_processes; i++)
		if (plan->processes[i].fds.next >= first)
			first = plan->processes[i].fds.next + 1;
	return first;
}

int slots_make_room(const struct plan *plan)
{
	rlim_t want = slots_first(plan) + plan->nr_slots + plan->nr_packed + 2 * plan->nr_births +
		      6 * plan->nr_processes + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return fail("cannot read the limit of open files: %s", strerror(errno));
	if (limit.rlim_cur >= want)
		return 0;
	limit.rlim_cur = want;
	if (limit.rlim_max < want)
		limit.rlim_max = want;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return fail("cannot have %llu open files: %s (raise the limit: ulimit -Hn)",
			    (unsigned long long)want, strerror(errno));
	return 0;
}

int slot_keep(struct slots *slots, const struct plan *plan, uint64_t slot, int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, slots_first(plan));

	if (high < 0)
		return fail("cannot hold another open file: %s", strerror(errno));
	slots->fd[slot] = high;
	if (high > slots->top)
		slots->top = high;
	return 0;
}

/*
 * A file belongs to the mount namespace in which it was opened, and from one to another
 * linkat(2) and renameat(2) say EXDEV. What the user has named is the user's.
 */
int slot_open(const struct slots *slots, const char *path, int flags, mode_t mode)
{
	size_t slashes = strspn(path, "/");

	if (!slashes)
		return open(path, flags, mode);
	path = path[slashes] ? path + slashes : ".";
	/* a path alone is no access to what it leads to; and who is not root gives nothing away */
	if (geteuid() || flags & O_PATH)
		return openat(slots->root, path, flags, mode);
	return trusted_open(slots->root, path, flags, mode);
}

const char *slot_remedy(int error)
{
	switch (error) {
	case ENOENT:
		return " (put it there, say by --map where it is, or dump --with-files)";
	case ELOOP:
		return " (a link that is not root's is on its way, and could lead anywhere: say "
		       "by --map where it is)";
	default:
		return "";
	}
}

/* A FIFO may stand there now, at which one would wait. A lease is worth waiting for. */
static int open_regular(const struct slots *slots, const char *path, int flags)
{
	int fd = slot_open(slots, path, flags | O_NONBLOCK, 0);

	if (fd < 0 && errno == EWOULDBLOCK)
		return slot_open(slots, path, flags, 0);
	if (fd >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static int open_path(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int pid = (int)op->value, flags = oflags_to_host(op->arg[1]) | O_NOCTTY | O_CLOEXEC;
	int fd, ret = -1;

	if (op->arg[3] == CHECK_REGULAR || op->arg[3] == CHECK_SAME ||
	    op->arg[3] == CHECK_UNCHANGED)
		fd = open_regular(slots, op->path, flags);
	else if (op->arg[3] != CHECK_CREATE) /* else the user has named it */
		fd = slot_open(slots, op->path, flags, 0);
	else
		fd = open(op->path, flags | (flags & O_ACCMODE ? O_CREAT : 0), 0666);
	if (fd < 0)
		return fail("cannot resume pid %d: %s: %s%s", pid, op->path, strerror(errno),
			    slot_remedy(errno));
	if (!opened_check(op, fd, pid)) {
		if (op->arg[2] && lseek(fd, op->arg[2], SEEK_SET) < 0)
			ret = fail("cannot resume pid %d: cannot seek in %s: %s", pid, op->path,
				   strerror(errno));
		else
			ret = slot_keep(slots, plan, op->arg[0], fd);
	}
	close(fd);
	return ret;
}

static int open_pipe(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int fds[2], ret, i;

	if (pipe2(fds, O_CLOEXEC))
		return fail("cannot make a pipe: %s", strerror(errno));
	if (op->arg[2] && fcntl(fds[1], F_SETPIPE_SZ, (int)op->arg[2]) < 0)
		warn("cannot give %s its %llu bytes: %s", op->object,
		     (unsigned long long)op->arg[2], strerror(errno));
	/* /dev/stdout and the like are opened by it */
	if (plan->host->root && op->arg[5] &&
	    fchown(fds[0], (uid_t)op->arg[5], (gid_t)(op->arg[5] >> 32)))
		warn("cannot give %s its owner: %s", op->object, strerror(errno));
	for (i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFL, oflags_to_host(op->arg[3 + i]) & ~O_ACCMODE);
	ret = slot_keep(slots, plan, op->arg[0], fds[0]) ||
			      slot_keep(slots, plan, op->arg[1], fds[1])
		      ? -1
		      : 0;
	close(fds[0]);
	close(fds[1]);
	return ret;
}

static int open_fifo(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int fd = slot_open(slots, op->path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	int bytes = 0, pid = (int)op->value, ret;
	struct stat st;

	if (fd < 0)
		return fail("cannot resume pid %d: %s: %s%s", pid, op->path, strerror(errno),
			    errno == ENOENT ? " (make it with mkfifo)" : "");
	if (fstat(fd, &st) || !S_ISFIFO(st.st_mode))
		ret = fail("cannot resume pid %d: %s is no named pipe any more", pid, op->path);
	else if (ioctl(fd, FIONREAD, &bytes) || bytes)
		ret = fail("cannot resume pid %d: %s is in use: there are %d bytes in it (end who "
			   "has it open)",
			   pid, op->path, bytes);
	else
		ret = slot_keep(slots, plan, op->arg[0], fd);
	if (!ret && op->arg[1] && fcntl(fd, F_SETPIPE_SZ, (int)op->arg[1]) < 0)
		warn("cannot give %s its %llu bytes: %s", op->path, (unsigned long long)op->arg[1],
		     strerror(errno));
	close(fd);
	return ret;
}

/* One more description, or a descriptor of the same one. */
static int open_again(const struct slots *slots, const struct plan_op *op)
{
	int fd = slots->fd[op->arg[1]];
	char path[32];

	if (op->arg[4])
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* what once kept it from being a link is in the way here */
	return open(path,
		    (oflags_to_host(op->arg[2]) & ~O_NOFOLLOW) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int reopen(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int fd = open_again(slots, op), ret;

	if (fd < 0)
		return fail("cannot open %s once more: %s", op->object, strerror(errno));
	fcntl(fd, F_SETFL, oflags_to_host(op->arg[2]) & ~O_ACCMODE);
	if (op->arg[3] && lseek(fd, op->arg[3], SEEK_SET) < 0)
		ret = fail("cannot seek in %s: %s", op->object, strerror(errno));
	else
		ret = slot_keep(slots, plan, op->arg[0], fd);
	close(fd);
	return ret;
}

/* Put what was in a pipe back into it; it fits, because it fitted. */
static int fill_pipe(const struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	int out = slots->fd[op->arg[0]],
	    in = openat(plan->img->dir_fd, op->path, O_RDONLY | O_CLOEXEC);
	int flags = fcntl(out, F_GETFL);
	uint64_t left = op->arg[1], at = op->arg[2];
	char buf[65536];

	if (in < 0)
		return fail("cannot open %s of the image: %s", op->path, strerror(errno));
	if (fcntl(out, F_SETFL, (flags & ~O_DIRECT) | O_NONBLOCK | (op->arg[3] ? O_DIRECT : 0))) {
		close(in);
		return fail("cannot make a pipe of %s: %s", op->arg[3] ? "packets" : "bytes",
			    strerror(errno));
	}
	while (left) {
		ssize_t n = pread(in, buf, left < sizeof(buf) ? left : sizeof(buf), (off_t)at);

		if (n <= 0 || write(out, buf, n) != n)
			break;
		left -= n;
		at += n;
	}
	fcntl(out, F_SETFL, flags);
	close(in);
	if (left)
		return fail("cannot put %llu bytes back into a pipe: %s", (unsigned long long)left,
			    strerror(errno));
	return 0;
}

static int open_own(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	if (fcntl(op->arg[1], F_GETFD) < 0)
		return fail("cannot resume pid %d: %s: qemu-resume's own descriptor %d is closed "
			    "(give a file in its place with --fd %d=PATH)",
			    (int)op->value, op->object, (int)op->arg[1], (int)op->arg[1]);
	return slot_keep(slots, plan, op->arg[0], op->arg[1]);
}

/* What is to be done for the whole group before there is any process. */
static int prepare(struct slots *slots, const struct plan *plan, const struct plan_op *op)
{
	switch (op->kind) {
	case OP_UNPACK:
		return contents_unpack(slots, plan, op);
	case OP_OPEN:
		return open_path(slots, plan, op);
	case OP_PIPE:
		return open_pipe(slots, plan, op);
	case OP_FIFO:
		return open_fifo(slots, plan, op);
	case OP_REOPEN:
		return reopen(slots, plan, op);
	case OP_FILL:
		return fill_pipe(slots, plan, op);
	case OP_MEMORY:
		return contents_memory(slots, plan, op);
	case OP_COPY:
		return contents_copy_core(slots, plan, op);
	case OP_CONTENTS:
		return contents_copy_file(slots, plan, op);
	case OP_LOST_DIRECTORY:
		return contents_lost_directory(slots, plan, op);
	case OP_SEAL:
		return op->arg[2] ? 0 : contents_seal(slots, op);
	case OP_TERMINAL:
	case OP_OPEN_TTY:
	case OP_MODES:
		return terminal_make(slots, plan, op);
	case OP_EVENTFD:
	case OP_TIMERFD:
	case OP_SIGNALFD:
	case OP_EPOLL:
	case OP_INOTIFY:
		return event_make(slots, plan, op);
	case OP_RING:
		return ring_make(slots, plan, op);
	case OP_RING_COPY:
		return ring_fill(slots, plan, op);
	case OP_FLOCK:
	case OP_OFD_LOCK:
		return event_lock(slots, op);
	case OP_CORE:
		return slot_keep(slots, plan, op->arg[0], plan->img->processes[op->arg[1]].core_fd);
	case OP_OWN:
		return open_own(slots, plan, op);
	default:
		return 0;
	}
}

/* While there are few: each that is listed costs the kernel an inode. */
static int highest_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int top = 2;

	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > top)
			top = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return top;
}

int slots_open(struct slots *slots, const struct plan *plan, int root)
{
	size_t i;
	int ret = 0;

	slots->root = root;
	slots->top = highest_open();
	slots->nr = plan->nr_slots;
	slots->fd = malloc((slots->nr + 1) * sizeof(*slots->fd));
	if (!slots->fd)
		return fail("cannot open the program's files: %s", strerror(errno));
	for (i = 0; i < slots->nr; i++)
		slots->fd[i] = -1;
	for (i = 0; i < plan->nr_ops && !ret; i++)
		ret = prepare(slots, plan, &plan->ops[i]);
	return ret;
}

int slots_finish(const struct slots *slots, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind == OP_SEAL && op->arg[2] && contents_seal(slots, op))
			return -1;
		if (op->kind == OP_WATCH && event_watch(slots, op))
			return -1;
	}
	return 0;
}

void slots_close(struct slots *slots)
{
	size_t i, end;

	/* most have numbers that follow each other */
	for (i = 0; i < slots->nr; i = end) {
		for (end = i + 1; end < slots->nr && slots->fd[end] == slots->fd[end - 1] + 1;)
			end++;
		if (slots->fd[i] >= 0)
			syscall(SYS_close_range, slots->fd[i], slots->fd[end - 1], 0);
	}
	free(slots->fd);
	slots->fd = NULL;
	slots->nr = 0;
}

int slots_place(const struct slots *slots, const struct process_plan *plan)
{
	bool taken[3] = { false, false, true }; /* 2 stays ours until the program starts */
	size_t i;
	int fd;

	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->group->ops[plan->first_op + i];

		if (op->kind == OP_PLACE && dup2(slots->fd[op->arg[0]], op->arg[1]) < 0)
			return fail("cannot make fd %d: %s", (int)op->arg[1], strerror(errno));
		if (event_place(slots, op))
			return -1;
		fd = op->kind == OP_PLACE   ? (int)op->arg[1]
		     : op->kind == OP_PIDFD ? (int)op->arg[0]
					    : -1;
		if (fd >= 0 && fd < 3)
			taken[fd] = true;
	}
	for (fd = 0; fd < 2; fd++)
		if (!taken[fd] && fcntl(fd, F_GETFD) < 0 && dup2(2, fd) < 0)
			return fail("cannot make fd %d: %s", fd, strerror(errno));
	return 0;
}
