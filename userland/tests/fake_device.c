// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into a copy of xckpt-dump in place of the kernel module (ld --wrap):
 * /dev/xckpt whose group is one process with a synthetic core.
 *   FAKE_REASON=N   the freeze fails for that reason
 *   FAKE_MIB=N      so much memory with something in it
 *   FAKE_SOCKET=1   it has a socket open
 *   FAKE_PIPES=1    descriptors 0 and 1 are both ends of a pipe of its own
 *   FAKE_SLOW=1     a signal can come before the core is there
 *   FAKE_LOG=FILE   takes one line per command
 */
#include "common.h"
#include "xckpt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long cmd, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long cmd, ...);

static int device_fd = -1;
static bool frozen;

static int setting(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static int victim(void)
{
	return setting("FAKE_PID");
}

static void note(const char *what)
{
	const char *path = getenv("FAKE_LOG");
	FILE *f = path ? fopen(path, "ae") : NULL;

	if (f) {
		fprintf(f, "%s\n", what);
		fclose(f);
	}
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (strcmp(path, XCKPT_DEVICE) != 0)
		return __real_open(path, flags, mode);
	if (setting("FAKE_MISSING")) {
		errno = ENOENT;
		return -1;
	}
	return device_fd = memfd_create("device", MFD_CLOEXEC);
}

int __wrap_open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return __wrap_open(path, flags, mode);
}

static int do_freeze(struct xckpt_freeze *f)
{
	static const int errors[] = { 0,      ESRCH,   ETIMEDOUT, EPERM,     EINVAL,
				      EINVAL, EDEADLK, EBUSY,	  EOPNOTSUPP };
	int reason = setting("FAKE_REASON");

	if (f->size != sizeof(*f) || f->target != XCKPT_TARGET_TREE || f->target_fd < 0)
		errno = EINVAL;
	else if (reason)
		errno = errors[reason];
	else {
		frozen = true;
		f->out_nr_processes = 1;
		f->out_nr_threads = 3;
		f->out_realtime_ns = 1700000000000000000;
		note("freeze");
		return 0;
	}
	f->out_reason = (uint32_t)reason;
	f->out_pid = victim();
	return -1;
}

static int do_tasks(struct xckpt_tasks *t)
{
	struct xckpt_task *tasks = (struct xckpt_task *)(uintptr_t)t->tasks;

	for (int i = 0; i < 3 && i < (int)t->nr_tasks; i++)
		tasks[i] =
			(struct xckpt_task){ victim(), victim() + i, 1, XCKPT_TASK_PARKED, 0, 0 };
	t->out_nr_tasks = 3;
	t->out_nr_disturbed = (__u32)setting("FAKE_DISTURBED");
	return 0;
}

static int do_core(struct xckpt_core *c)
{
	static const char *const paths[] = { "pipe:[7]", "pipe:[7]", "/dev/null", "socket:[5]" };
	struct xckpt_file files[] = {
		{ .id = 1, .mode = S_IFIFO, .path_off = 0, .ino = 7, .nlink = 1 },
		{ .id = 2,
		  .mode = S_IFIFO,
		  .path_off = 1,
		  .ino = 7,
		  .nlink = 1,
		  .flags = O_WRONLY },
		{ .id = 3, .mode = S_IFSOCK, .path_off = 3, .nlink = 1 },
	};
	struct spec_segment segments[4];
	struct spec spec = plain_spec;
	uint64_t mib = (uint64_t)setting("FAKE_MIB") << 20;
	struct stat st;

	memcpy(segments, plain_spec.segments, sizeof(segments));
	segments[3] = (struct spec_segment){ 0x20000000, 0x20000000 + (64ul << 30),
					     64ul << 30, XCKPT_VMA_ANON,
					     3,		 NULL,
					     32ul << 30, (32ul << 30) + mib };
	spec.segments = segments;
	spec.pid = c->pid;
	spec.files = files;
	spec.paths = paths;
	spec.nr_files = setting("FAKE_SOCKET") ? 3 : 2;
	if (!setting("FAKE_PIPES"))
		files[0].ino = 8;
	if (setting("FAKE_SLOW")) {
		note("slow");
		sleep(5);
	}
	c->out_fd = memfd_create("core", MFD_CLOEXEC);
	core_write(c->out_fd, &spec);
	fstat(c->out_fd, &st);
	c->out_size = (uint64_t)st.st_size;
	c->out_data_bytes = (uint64_t)st.st_blocks * 512;
	return 0;
}

static int do_thaw(const struct xckpt_thaw *t)
{
	if (!frozen) {
		errno = ENOENT;
		return -1;
	}
	frozen = false;
	note(t->flags & XCKPT_THAW_KILL ? "kill" : t->flags & XCKPT_THAW_STOP ? "stop" : "thaw");
	return 0;
}

int __wrap_ioctl(int fd, unsigned long cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != device_fd)
		return __real_ioctl(fd, cmd, arg);
	switch (cmd) {
	case XCKPT_IOCTL_INFO:
		((struct xckpt_info *)arg)->out_abi_version = XCKPT_ABI_VERSION;
		((struct xckpt_info *)arg)->out_page_size = 4096;
		((struct xckpt_info *)arg)->out_xfeatures = 7;
		return 0;
	case XCKPT_IOCTL_FREEZE:
		return do_freeze(arg);
	case XCKPT_IOCTL_TASKS:
		return do_tasks(arg);
	case XCKPT_IOCTL_CORE:
		return do_core(arg);
	case XCKPT_IOCTL_THAW:
		return do_thaw(arg);
	}
	errno = ENOTTY;
	return -1;
}
