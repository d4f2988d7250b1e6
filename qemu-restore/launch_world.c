// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The world of the program: a pid namespace, so that it has its pid again, with
 * an init that reaps orphans; a mount namespace with that namespace's /proc; a
 * time namespace, so that clocks go on and never back; an IPC namespace, if there is
 * System V IPC, where its ids are free.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "launch_cover.h"
#include "report.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NS 1000000000ll

/* what the init is told, and answers */
#define WORD_READY 'r'
#define WORD_COVER 'c'
#define WORD_UNCOVER 'u'
#define WORD_CLEAR 'k'
#define WORD_WAIT_CLEAR 'w'
#define WORD_LEAVE 'l'
#define WORD_ORPHANS 'o'

#define CLEAR_NAPS 10000 /* ms */

struct request {
	int process;
	char word;
};

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;
	size_t len = strlen(text);

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		ret = -1;
	if (fd >= 0)
		close(fd);
	return ret;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

/* An offset for the children's @clock so that it shows @want now. */
static void add_offset(char *text, size_t room, const char *name, clockid_t clock, int64_t want)
{
	int64_t offset = want - clock_ns(clock), sec = offset / NS, nsec = offset % NS;
	size_t len = strlen(text);

	if (nsec < 0) {
		sec--;
		nsec += NS;
	}
	snprintf(text + len, room - len, "%s %lld %lld\n", name, (long long)sec, (long long)nsec);
}

static int set_clocks(const struct plan *plan)
{
	char text[128] = "";
	size_t i;

	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind != OP_CLOCKS)
			continue;
		add_offset(text, sizeof(text), "monotonic", CLOCK_MONOTONIC, op->arg[0]);
		add_offset(text, sizeof(text), "boottime", CLOCK_BOOTTIME, op->arg[1]);
		if (write_file("/proc/self/timens_offsets", text))
			return fail("cannot set the program's clocks: %s", strerror(errno));
	}
	return 0;
}

/* Not root: in a user namespace where this user is itself and may do the rest. */
static int enter_user_namespace(const struct plan_host *host)
{
	char map[64];

	if (unshare(CLONE_NEWUSER))
		return fail("cannot make a user namespace: %s (run qemu-resume as root)",
			    strerror(errno));
	snprintf(map, sizeof(map), "%u %u 1", host->uid, host->uid);
	if (write_file("/proc/self/uid_map", map) || write_file("/proc/self/setgroups", "deny"))
		return fail("cannot map uid %u: %s", host->uid, strerror(errno));
	snprintf(map, sizeof(map), "%u %u 1", host->gid, host->gid);
	if (write_file("/proc/self/gid_map", map))
		return fail("cannot map gid %u: %s", host->gid, strerror(errno));
	return 0;
}

/* Keep the socket and the restart ELFs only, as 0 and what follows. */
static int close_all_but(int control, struct cover *covers, int nr)
{
	int i;

	control = fcntl(control, F_DUPFD_CLOEXEC, nr + 1);
	if (control < 0)
		return -1;
	for (i = 0; i < nr; i++) {
		covers[i].restart = fcntl(covers[i].restart, F_DUPFD_CLOEXEC, nr + 1);
		if (covers[i].restart < 0)
			return -1;
	}
	if (dup2(control, 0) < 0)
		return -1;
	for (i = 0; i < nr; i++)
		if (dup2(covers[i].restart, i + 1) < 0)
			return -1;
		else
			covers[i].restart = i + 1;
	return syscall(SYS_close_range, nr + 1, ~0u, 0);
}

/* Wait until nobody is left but this init: zombies count. Not for ever. */
static int wait_clear(void)
{
	const struct timespec nap = { 0, 1000000 };
	int naps;

	for (naps = 0; naps < CLEAR_NAPS && !kill(-1, SIGKILL); naps++)
		nanosleep(&nap, NULL);
	return naps < CLEAR_NAPS ? 0 : EBUSY;
}

/* Do as told, reaping, until the program's side says that it is over and nobody is left. */
static _Noreturn void run_init(struct cover *covers)
{
	const int control = 0;
	struct request request = { 0 };

	signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
	while (read(control, &request, sizeof(request)) == sizeof(request) &&
	       request.word != WORD_LEAVE) {
		char answer[2] = { request.word };

		if (request.word == WORD_COVER)
			answer[1] = cover_on(&covers[request.process]);
		else if (request.word == WORD_UNCOVER)
			answer[1] = cover_off(&covers[request.process]);
		else if (request.word == WORD_CLEAR)
			kill(-1, SIGKILL);
		else if (request.word == WORD_WAIT_CLEAR)
			answer[1] = wait_clear();
		if (write(control, answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	if (request.word != WORD_LEAVE) /* qemu-resume was killed */
		kill(-1, SIGKILL);
	/* what the program left behind lives on; with SIGCHLD ignored this waits for all */
	if (!waitpid(-1, NULL, __WALL | WNOHANG) && write(control, &(char){ WORD_ORPHANS }, 1) != 1)
		errno = 0;
	close(control);
	while (waitpid(-1, NULL, __WALL) >= 0 || errno == EINTR)
		;
	_exit(0);
}

static _Noreturn void init_main(int control, struct cover *covers, int nr)
{
	char word = WORD_READY;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "xckpt-init");
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("cannot make a mount namespace: %s", strerror(errno));
	else if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		fail("cannot mount /proc: %s", strerror(errno));
	else if (write(control, &word, 1) == 1 && !close_all_but(control, covers, nr))
		run_init(covers);
	_exit(RECORD_EXIT_FAILURE);
}

int world_open(struct world *world, const struct plan *plan, struct cover *covers)
{
	int flags = CLONE_NEWPID, pair[2];
	char word = 0;
	size_t i;

	world->init = -1;
	for (i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_NAMESPACES)
			flags |= plan->ops[i].arg[0] & (CLONE_NEWTIME | CLONE_NEWIPC);
	if (!plan->host->root && enter_user_namespace(plan->host))
		return -1;
	if (unshare(flags))
		return fail("cannot make namespaces: %s (run qemu-resume as root)",
			    strerror(errno));
	if (flags & CLONE_NEWTIME && set_clocks(plan))
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail("cannot make a socket: %s", strerror(errno));
	world->init = fork();
	if (!world->init) {
		close(pair[0]);
		init_main(pair[1], covers, (int)plan->nr_processes);
	}
	close(pair[1]);
	world->control = pair[0];
	if (world->init < 0)
		return fail("cannot make a process: %s", strerror(errno));
	world->pidfd = syscall(SYS_pidfd_open, world->init, 0); /* is close-on-exec */
	if (read(pair[0], &word, 1) != 1 || word != WORD_READY || world->pidfd < 0) {
		world_kill(world);
		return -1;
	}
	return 0;
}

int world_root(const struct world *world)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", world->init);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fail("cannot open the program's root: %s: %s (mount /proc)", path,
			     strerror(errno))
		      : fd;
}

/*
 * Entering a mount namespace leads to its root, even who was below another one, after
 * chroot(2); that is to be found there under the same name.
 */
int world_enter(const struct world *world, char root[PATH_MAX])
{
	int own = open("/", O_PATH | O_CLOEXEC);
	char link[32];
	ssize_t n;

	if (setns(world->pidfd, CLONE_NEWNS))
		return fail("cannot enter the program's mount namespace: %s", strerror(errno));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", own);
	n = readlink(link, root, PATH_MAX - 1);
	root[n > 1 ? n : 0] = 0;
	close(own);
	if (*root && (chroot(root) || chdir("/")))
		return fail("cannot enter %s in the program's mount namespace: %s", root,
			    strerror(errno));
	return 0;
}

/* Have the init do something; returns an error number. */
static int ask(const struct world *world, char word, int process)
{
	const struct request request = { .process = process, .word = word };
	unsigned char answer[2] = { 0 };
	ssize_t n;

	if (write(world->control, &request, sizeof(request)) != sizeof(request))
		return errno;
	do /* a child that was killed may have left an answer of its own unread */
		n = read(world->control, answer, sizeof(answer));
	while ((n < 0 && errno == EINTR) || (n > 0 && answer[0] != word));
	return n == sizeof(answer) ? answer[1] : EPIPE;
}

int world_cover(const struct world *world, int process)
{
	return ask(world, WORD_COVER, process);
}

void world_uncover(const struct world *world, int process)
{
	int error = ask(world, WORD_UNCOVER, process);

	if (error)
		warn("cannot show the program's own file again: children that run it will fail: %s",
		     strerror(error));
}

void world_clear(const struct world *world)
{
	ask(world, WORD_CLEAR, 0);
}

int world_wait_clear(const struct world *world)
{
	return ask(world, WORD_WAIT_CLEAR, 0);
}

static void reap_init(struct world *world)
{
	while (waitpid(world->init, NULL, 0) < 0 && errno == EINTR)
		;
	world->init = -1;
}

void world_kill(struct world *world)
{
	if (world->init > 0) {
		kill(world->init, SIGKILL);
		reap_init(world);
	}
	world_leave(world);
}

void world_leave(struct world *world)
{
	const struct request leave = { .word = WORD_LEAVE };
	char word;

	send(world->control, &leave, sizeof(leave), MSG_NOSIGNAL);
	if (world->init > 0 && read(world->control, &word, 1) == 0)
		reap_init(world);
	close(world->control);
	if (world->pidfd >= 0)
		close(world->pidfd);
}
