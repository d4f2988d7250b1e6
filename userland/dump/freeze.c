// SPDX-License-Identifier: GPL-2.0-or-later
/* The session on /dev/xckpt; uapi/xckpt.h tells what its commands do. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define ENDING_NAPS 1000 /* ms for a process to end that is about to */

/*
 * Why a freeze failed, in words: of the process that caused it, or where no
 * single one did, of what was to be frozen.
 */
static const struct {
	enum xckpt_reason reason;
	const char *what, *of_group, *remedy;
} reasons[] = {
	{ XCKPT_REASON_GONE, "is not alive any more", "has no process that is alive", NULL },
	{ XCKPT_REASON_TIMEOUT, "did not stop in time", NULL,
	  "it sits in the kernel; try again, or with a longer --timeout" },
	{ XCKPT_REASON_DENIED, "may not be traced by this user", NULL,
	  "run it as root; a security module may forbid it" },
	{ XCKPT_REASON_KTHREAD, "is a kernel thread", NULL, "only programs can be dumped" },
	{ XCKPT_REASON_INIT, "is an init process", NULL, "dump what it started, one by one" },
	{ XCKPT_REASON_SELF, "has xckpt-dump itself among its descendants",
	  "has xckpt-dump itself in it", "run it from elsewhere, as by setsid or systemd-run" },
	{ XCKPT_REASON_BUSY, "is frozen by another session", NULL,
	  "wait until that dump has ended" },
	{ XCKPT_REASON_COMPAT, "runs 32-bit or x32 code", NULL,
	  "only 64-bit programs can be dumped" },
};

const char *comm_of(int pid, char *buf)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buf, 63);
		close(fd);
	}
	if (n <= 0)
		return "?";
	buf[n] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return buf;
}

int session_command(struct dump *d, unsigned long command, void *arg)
{
	while (ioctl(d->session_fd, command, arg)) {
		if (errno != EINTR)
			return errno;
		if (interrupted)
			return ECANCELED;
	}
	return 0;
}

static int open_device(void)
{
	int fd = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);
	const char *remedy = NULL;

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		remedy = "load the module: insmod xckpt.ko";
	else if (errno == EPERM || errno == EACCES)
		remedy = "run it as root, or with CAP_SYS_PTRACE and CAP_CHECKPOINT_RESTORE";
	return fail("cannot open " XCKPT_DEVICE ": %s%s%s%s", strerror(errno), remedy ? " (" : "",
		    remedy ? remedy : "", remedy ? ")" : "");
}

static int check_module(const struct xckpt_info *info, const struct options *opt)
{
	if (info->out_abi_version != XCKPT_ABI_VERSION)
		return fail("cannot use " XCKPT_DEVICE
			    ": the module speaks version %u, this program "
			    "version %d (use both of one release)",
			    info->out_abi_version, XCKPT_ABI_VERSION);
	if (info->out_page_size != IMAGE_PAGE_SIZE)
		return fail("cannot use " XCKPT_DEVICE ": pages have %u bytes instead of %u",
			    info->out_page_size, IMAGE_PAGE_SIZE);
	if (!(info->out_targets >> opt->target & 1) || !(info->out_modes >> opt->mode & 1))
		return fail("cannot use " XCKPT_DEVICE
			    ": the module does not know this target or mode (use module and "
			    "program of one release)");
	return 0;
}

int session_open(struct dump *d)
{
	struct xckpt_info info = { .size = sizeof(info) };

	d->session_fd = open_device();
	if (d->session_fd < 0)
		return -1;
	if (ioctl(d->session_fd, XCKPT_IOCTL_INFO, &info))
		return fail("cannot use " XCKPT_DEVICE ": %s", strerror(errno));
	d->xfeatures = info.out_xfeatures;
	return check_module(&info, &d->opt);
}

static int freeze_failed(const struct dump *d, int error)
{
	int root = target_is_pid(d) ? d->opt.pids[0] : 0;
	bool several = d->opt.nr_pids > 1, tree = d->opt.nr_pids;
	int culprit = d->freeze.out_pid;
	char comm[64], object[256], who[128];

	snprintf(object, sizeof(object), "%.200s", d->name);
	if (root)
		snprintf(object, sizeof(object), "pid %d (%s)", root, comm_of(root, comm));
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *what = reasons[i].what, *remedy = reasons[i].remedy;

		if (d->freeze.out_reason != (uint32_t)reasons[i].reason)
			continue;
		if (!reasons[i].of_group && culprit > 0 && culprit != root) {
			snprintf(who, sizeof(who), "pid %d (%s)", culprit, comm_of(culprit, comm));
		} else {
			snprintf(who, sizeof(who), several ? "one of them" : "it");
			if (!tree && reasons[i].of_group)
				what = reasons[i].of_group;
		}
		return fail("cannot freeze %s: %s %s%s%s%s", object, who, what, remedy ? " (" : "",
			    remedy ? remedy : "", remedy ? ")" : "");
	}
	return fail("cannot freeze %s: %s", object, strerror(error));
}

struct xckpt_freeze session_freeze_args(const struct dump *d, uint32_t mode)
{
	bool roots = d->opt.target == XCKPT_TARGET_TREE;

	return (struct xckpt_freeze){
		.size = sizeof(struct xckpt_freeze),
		.target = d->opt.target,
		.mode = mode,
		.target_fd = d->nr_fds ? d->fds[0] : 0,
		.timeout_ms = d->opt.timeout_ms,
		.target_fds = roots && d->nr_fds > 1 ? (uintptr_t)(d->fds + 1) : 0,
		.nr_target_fds = roots ? (uint32_t)d->nr_fds - 1 : 0,
		.target_id = d->opt.id,
	};
}

/* ^Z, or a word to a terminal that does not take it now, must not stop us: all others stand. */
static sigset_t before_stops;

static void hold_stops(void)
{
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTSTP);
	sigaddset(&stops, SIGTTIN);
	sigaddset(&stops, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &stops, &before_stops);
}

/* One that came takes its effect now. */
static void let_stop(void)
{
	pthread_sigmask(SIG_SETMASK, &before_stops, NULL);
}

int session_freeze(struct dump *d, uint32_t mode)
{
	int error;

	d->mode = mode;
	d->freeze = session_freeze_args(d, mode);
	hold_stops();
	d->froze_at_ns = now_ns();
	error = session_command(d, XCKPT_IOCTL_FREEZE, &d->freeze);
	d->frozen = !error;
	if (!error)
		return 0;
	let_stop();
	return error == ECANCELED ? -1 : freeze_failed(d, error);
}

static int list_tasks(struct dump *d, struct xckpt_tasks *arg)
{
	int error = session_command(d, XCKPT_IOCTL_TASKS, arg);

	if (error && error != ECANCELED)
		fail("cannot list the tasks of %s: %s", d->name, strerror(error));
	return error ? -1 : 0;
}

static int list_all_tasks(struct dump *d)
{
	size_t room = d->freeze.out_nr_threads + d->freeze.out_nr_exiting + 64;

	for (;;) {
		struct xckpt_tasks arg = { .size = sizeof(arg), .task_size = sizeof(*d->tasks) };

		free(d->tasks);
		d->tasks = calloc(room, sizeof(*d->tasks));
		if (!d->tasks)
			return fail("cannot list the tasks of %s: out of memory", d->name);
		arg.tasks = (uintptr_t)d->tasks;
		arg.nr_tasks = (uint32_t)room;
		if (list_tasks(d, &arg))
			return -1;
		d->nr_tasks = arg.out_nr_tasks;
		if (d->nr_tasks <= room)
			return 0;
		room = d->nr_tasks;
	}
}

/* The pid of a process that is about to end but has not, or 0: how is not known before. */
static int find_ending(const struct dump *d)
{
	for (size_t i = 0; i < d->nr_tasks;) {
		bool live = false, ending = false;
		int pid = d->tasks[i].pid;

		for (; i < d->nr_tasks && d->tasks[i].pid == pid; i++) {
			live |= has_registers(d->tasks[i].state);
			ending |= d->tasks[i].state == XCKPT_TASK_EXITING;
		}
		if (ending && !live)
			return pid;
	}
	return 0;
}

int session_tasks(struct dump *d)
{
	const struct timespec nap = { 0, 1000000 };
	char comm[64];
	int pid;

	if (list_all_tasks(d))
		return -1;
	for (int naps = 0; (pid = find_ending(d)) && !interrupted; naps++) {
		if (naps == ENDING_NAPS)
			return fail("cannot dump %s: pid %d (%s) is about to end and does not "
				    "(wait for its end and dump again)",
				    d->name, pid, comm_of(pid, comm));
		nanosleep(&nap, NULL);
		if (list_all_tasks(d))
			return -1;
	}
	return interrupted ? -1 : 0;
}

/*
 * Who was asleep, stopped or in vfork() may be woken or killed although it is
 * frozen; what was read of it before is then of another instant than what came
 * after.
 */
int session_disturbed(struct dump *d)
{
	struct xckpt_tasks arg = { .size = sizeof(arg), .task_size = sizeof(*d->tasks) };

	return list_tasks(d, &arg) ? -1 : (int)arg.out_nr_disturbed;
}

int session_undisturbed(struct dump *d)
{
	int nr = session_disturbed(d);

	if (nr > 0)
		return fail("cannot dump %s: %d of its threads were woken or killed during the "
			    "dump (dump again%s)",
			    d->name, nr,
			    d->mode == XCKPT_MODE_STRICT ? "" : ", or with --mode strict");
	return nr;
}

int session_core(struct dump *d, int pid, uint64_t *data_bytes)
{
	struct xckpt_core arg = {
		.size = sizeof(arg),
		.flags = d->opt.thin ? XCKPT_CORE_THIN : 0,
		.pid = pid,
		.out_fd = -1,
	};
	char comm[64];
	int error = session_command(d, XCKPT_IOCTL_CORE, &arg);

	if (error && error != ECANCELED)
		fail("cannot open the core of pid %d (%s): %s", pid, comm_of(pid, comm),
		     error == ESRCH ? "it ended during the dump (dump again)" : strerror(error));
	if (error)
		return -1;
	*data_bytes = arg.out_data_bytes;
	return arg.out_fd;
}

void session_thawed(struct dump *d)
{
	d->frozen = false;
	d->frozen_ns += now_ns() - d->froze_at_ns;
	let_stop();
}

int session_thaw(struct dump *d, uint32_t flags)
{
	struct xckpt_thaw arg = { .size = sizeof(arg), .flags = flags };
	const char *what = flags & XCKPT_THAW_KILL   ? "kill"
			   : flags & XCKPT_THAW_STOP ? "stop"
						     : "thaw";

	while (ioctl(d->session_fd, XCKPT_IOCTL_THAW, &arg)) {
		if (errno != EINTR)
			return fail("cannot %s %s: %s", what, d->name, strerror(errno));
	}
	session_thawed(d);
	return 0;
}
