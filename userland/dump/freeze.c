// SPDX-License-Identifier: GPL-2.0-or-later
/* The session on /dev/xckpt; uapi/xckpt.h tells what its commands do. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Why a freeze failed, in words. */
static const struct {
	enum xckpt_reason reason;
	const char *what, *remedy;
} reasons[] = {
	{ XCKPT_REASON_GONE, "is not alive any more", NULL },
	{ XCKPT_REASON_TIMEOUT, "did not stop in time",
	  "it sits in the kernel; try again, or with a longer --timeout" },
	{ XCKPT_REASON_DENIED, "may not be traced by this user",
	  "run it as root; a security module may forbid it" },
	{ XCKPT_REASON_KTHREAD, "is a kernel thread", "only programs can be dumped" },
	{ XCKPT_REASON_INIT, "is an init process", "dump what it started, one by one" },
	{ XCKPT_REASON_SELF, "has xckpt-dump itself among its descendants",
	  "run it from outside of that tree" },
	{ XCKPT_REASON_BUSY, "is frozen by another session", "wait until that dump has ended" },
	{ XCKPT_REASON_COMPAT, "runs 32-bit or x32 code", "only 64-bit programs can be dumped" },
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

int session_open(struct dump *d)
{
	struct xckpt_info info = { .size = sizeof(info) };

	d->session_fd = open_device();
	if (d->session_fd < 0)
		return -1;
	if (ioctl(d->session_fd, XCKPT_IOCTL_INFO, &info))
		return fail("cannot use " XCKPT_DEVICE ": %s", strerror(errno));
	if (info.out_abi_version != XCKPT_ABI_VERSION)
		return fail("cannot use " XCKPT_DEVICE
			    ": the module speaks version %u, this program "
			    "version %d (use both of one release)",
			    info.out_abi_version, XCKPT_ABI_VERSION);
	if (info.out_page_size != IMAGE_PAGE_SIZE)
		return fail("cannot use " XCKPT_DEVICE ": pages have %u bytes instead of %u",
			    info.out_page_size, IMAGE_PAGE_SIZE);
	d->xfeatures = info.out_xfeatures;
	d->pid_fd = (int)syscall(SYS_pidfd_open, d->opt.pid, 0);
	if (d->pid_fd < 0 && errno == ESRCH)
		return fail("cannot find pid %d: No such process", d->opt.pid);
	if (d->pid_fd < 0 && errno == EINVAL)
		return fail("cannot dump pid %d: it is a thread, not a process (give the process's "
			    "pid)",
			    d->opt.pid);
	if (d->pid_fd < 0)
		return fail("cannot open pid %d: %s", d->opt.pid, strerror(errno));
	return 0;
}

static int freeze_failed(const struct dump *d, int error)
{
	int culprit = d->freeze.out_pid > 0 ? d->freeze.out_pid : d->opt.pid;
	char comm[64], root_comm[64], who[128] = "it";

	if (culprit != d->opt.pid)
		snprintf(who, sizeof(who), "pid %d (%s)", culprit, comm_of(culprit, comm));
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *remedy = reasons[i].remedy;

		if (d->freeze.out_reason != (uint32_t)reasons[i].reason)
			continue;
		return fail("cannot freeze pid %d (%s): %s %s%s%s%s", d->opt.pid,
			    comm_of(d->opt.pid, root_comm), who, reasons[i].what,
			    remedy ? " (" : "", remedy ? remedy : "", remedy ? ")" : "");
	}
	return fail("cannot freeze pid %d (%s): %s", d->opt.pid, comm_of(d->opt.pid, root_comm),
		    strerror(error));
}

int session_freeze(struct dump *d)
{
	d->freeze = (struct xckpt_freeze){
		.size = sizeof(d->freeze),
		.target = XCKPT_TARGET_TREE,
		.mode = XCKPT_MODE_AUTO,
		.target_fd = d->pid_fd,
		.timeout_ms = d->opt.timeout_ms,
	};
	while (ioctl(d->session_fd, XCKPT_IOCTL_FREEZE, &d->freeze)) {
		if (errno != EINTR)
			return freeze_failed(d, errno);
		if (interrupted)
			return -1;
	}
	d->frozen = true;
	d->frozen_ns = now_ns();
	return 0;
}

int session_tasks(struct dump *d)
{
	struct xckpt_tasks arg;
	size_t room = d->freeze.out_nr_threads + d->freeze.out_nr_exiting + 64;

	for (;;) {
		free(d->tasks);
		d->tasks = calloc(room, sizeof(*d->tasks));
		if (!d->tasks)
			return fail("cannot list the tasks of pid %d: out of memory", d->opt.pid);
		arg = (struct xckpt_tasks){
			.size = sizeof(arg),
			.tasks = (uintptr_t)d->tasks,
			.nr_tasks = (uint32_t)room,
			.task_size = sizeof(*d->tasks),
		};
		if (ioctl(d->session_fd, XCKPT_IOCTL_TASKS, &arg)) {
			if (errno == EINTR && !interrupted)
				continue;
			return fail("cannot list the tasks of pid %d: %s", d->opt.pid,
				    strerror(errno));
		}
		if (arg.out_nr_tasks <= room)
			break;
		room = arg.out_nr_tasks;
	}
	d->nr_tasks = arg.out_nr_tasks;
	return 0;
}

/*
 * What was stopped or in vfork() may be woken or killed although it is frozen;
 * what was read of it before is then of another instant than what came after.
 */
int session_undisturbed(struct dump *d)
{
	struct xckpt_tasks arg = { .size = sizeof(arg), .task_size = sizeof(*d->tasks) };

	while (ioctl(d->session_fd, XCKPT_IOCTL_TASKS, &arg)) {
		if (errno != EINTR || interrupted)
			return fail("cannot list the tasks of pid %d: %s", d->opt.pid,
				    strerror(errno));
	}
	if (arg.out_nr_disturbed)
		return fail("cannot dump pid %d: %u of its threads were woken or killed during the "
			    "dump (dump again)",
			    d->opt.pid, arg.out_nr_disturbed);
	return 0;
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

	while (ioctl(d->session_fd, XCKPT_IOCTL_CORE, &arg)) {
		if (errno != EINTR || interrupted)
			return fail("cannot open the core of pid %d (%s): %s", pid,
				    comm_of(pid, comm), strerror(errno));
	}
	*data_bytes = arg.out_data_bytes;
	return arg.out_fd;
}

int session_thaw(struct dump *d, uint32_t flags)
{
	struct xckpt_thaw arg = { .size = sizeof(arg), .flags = flags };
	const char *what = flags & XCKPT_THAW_KILL   ? "kill"
			   : flags & XCKPT_THAW_STOP ? "stop"
						     : "thaw";

	while (ioctl(d->session_fd, XCKPT_IOCTL_THAW, &arg)) {
		if (errno != EINTR)
			return fail("cannot %s pid %d: %s", what, d->opt.pid, strerror(errno));
	}
	d->frozen = false;
	d->thawed_ns = now_ns();
	return 0;
}
