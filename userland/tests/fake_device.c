// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into a copy of xckpt-dump in place of the kernel module (ld --wrap):
 * /dev/xckpt whose group is one process, or some, with synthetic cores.
 *   FAKE_REASON=N     the freeze fails for that reason
 *   FAKE_CULPRIT=PID  because of that process
 *   FAKE_PROCESSES=N  so many processes, each the parent of the next
 *   FAKE_ENDED=PID    and this one, which has ended
 *   FAKE_ASLEEP=1     their threads are left asleep unless the mode is strict
 *   FAKE_MIB=N        so much memory with something in it, each
 *   FAKE_SHARED=1     all of them the same
 *   FAKE_SOCKET=1     they have a socket open
 *   FAKE_PIPES=1      descriptors 0 and 1 are both ends of a pipe of their own
 *   FAKE_MOVED=N      threads move in the first N snapshots
 *   FAKE_UNCLONED=N   memory is not cloned for that reason
 *   FAKE_STUCK=1      who is to be killed or stopped cannot be
 *   FAKE_SLOW=1       a signal can come before the core is there
 *   FAKE_MAPPED=FILE  they have it mapped; what it holds is not looked at
 *   FAKE_MAPPED_TOO=N and so many more: FILE.1 to FILE.N
 *   FAKE_COPIED=1     and was copied at the freeze
 *   FAKE_SLOW_READ=1  it can change before their memory is read
 *   FAKE_FSIZE=N      from the cores on no file may have more bytes
 *   FAKE_NOFILE=N     from the first core on there can be so many descriptors
 *   FAKE_IMAGE=PATH   "early" is logged when this is not there at a kill or stop
 *   FAKE_LOG=FILE     takes one line per step: freeze[-MODE][ TARGET], snapshot[-frozen],
 *                     core, contents (of a core, when first read), thaw, kill, stop
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR_THREADS 3
#define MAX_CORES 128
#define MAX_MAPPED 100

int __real_open(const char *path, int flags, ...);
int __real_ioctl(int fd, unsigned long cmd, ...);
ssize_t __real_pread64(int fd, void *buf, size_t len, off64_t offset);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long cmd, ...);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off64_t offset);
ssize_t __real_splice(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned int flags);
ssize_t __wrap_splice(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned int flags);

static int device_fd = -1;
static bool frozen, snapshot, cloned;
static uint32_t mode;
static struct {
	int fd;
	size_t head; /* bytes of it; SIZE_MAX when contents were read already */
} cores[MAX_CORES];
static size_t nr_cores;

static int setting(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

static int nr_processes(void)
{
	return setting("FAKE_PROCESSES") ? setting("FAKE_PROCESSES") : 1;
}

static int pid_of(int n)
{
	return setting("FAKE_PID") + n * 10;
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

static int refuse(int error)
{
	errno = error;
	return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
	mode_t bits;
	va_list ap;

	va_start(ap, flags);
	bits = va_arg(ap, mode_t);
	va_end(ap);
	if (strcmp(path, XCKPT_DEVICE) != 0)
		return __real_open(path, flags, bits);
	if (setting("FAKE_MISSING"))
		return refuse(ENOENT);
	return device_fd = memfd_create("device", MFD_CLOEXEC);
}

int __wrap_open64(const char *path, int flags, ...)
{
	mode_t bits;
	va_list ap;

	va_start(ap, flags);
	bits = va_arg(ap, mode_t);
	va_end(ap);
	return __wrap_open(path, flags, bits);
}

/* Contents of a core: of a clone at any time, of the group while it is frozen. */
static int look(int fd, size_t end)
{
	for (size_t i = 0; i < nr_cores; i++) {
		if (cores[i].fd != fd || end <= cores[i].head)
			continue;
		if (!frozen && !cloned)
			return refuse(ESTALE);
		if (__atomic_exchange_n(&cores[i].head, SIZE_MAX, __ATOMIC_RELAXED) < SIZE_MAX) {
			note("contents");
			if (setting("FAKE_SLOW_READ"))
				sleep(2);
		}
	}
	return 0;
}

ssize_t __wrap_pread64(int fd, void *buf, size_t len, off64_t offset)
{
	return look(fd, (size_t)offset + len) ? -1 : __real_pread64(fd, buf, len, offset);
}

ssize_t __wrap_splice(int in, off64_t *from, int out, off64_t *to, size_t len, unsigned int flags)
{
	if (from && look(in, (size_t)*from + len))
		return -1;
	return __real_splice(in, from, out, to, len, flags);
}

/* In the place of a library. */
static void map_file(struct spec_segment *s, const char *path)
{
	struct stat st;

	if (!path || stat(path, &st))
		return;
	s->path = path;
	if (setting("FAKE_COPIED"))
		s->flags |= XCKPT_VMA_COPIED;
	s->ino = st.st_ino;
	s->file_size = (uint64_t)st.st_size;
	s->mtime_ns = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
}

/* Above all others, a page each. */
static size_t map_more(struct spec_segment *s)
{
	static char paths[MAX_MAPPED][256];
	size_t nr = (size_t)setting("FAKE_MAPPED_TOO");

	for (size_t i = 0; i < nr; i++) {
		uint64_t start = 0x2000000000 + i * 0x1000;

		snprintf(paths[i], sizeof(paths[i]), "%s.%zu", getenv("FAKE_MAPPED"), i + 1);
		s[i] =
			(struct spec_segment){ start, start + 0x1000, 0x1000, XCKPT_VMA_FILE, 1,
					       NULL };
		map_file(&s[i], paths[i]);
	}
	return nr;
}

static void set_limit(int resource, const char *name)
{
	struct rlimit limit;

	limit.rlim_cur = limit.rlim_max = (rlim_t)setting(name);
	if (limit.rlim_cur)
		setrlimit(resource, &limit);
}

static void note_freeze(const struct xckpt_freeze *f)
{
	static const char *const modes[] = { "", "-soft", "-strict" };
	char line[64], target[32] = "";

	if (f->target == XCKPT_TARGET_TREE && f->nr_target_fds)
		snprintf(target, sizeof(target), " trees %u", f->nr_target_fds + 1);
	else if (f->target == XCKPT_TARGET_PGRP)
		snprintf(target, sizeof(target), " pgrp %d", f->target_id);
	else if (f->target == XCKPT_TARGET_SESSION)
		snprintf(target, sizeof(target), " session %d", f->target_id);
	else if (f->target == XCKPT_TARGET_CGROUP)
		snprintf(target, sizeof(target), " cgroup");
	snprintf(line, sizeof(line), "freeze%s%s", modes[f->mode], target);
	note(line);
}

/* What belongs together, and nothing else. */
static bool target_ok(const struct xckpt_freeze *f)
{
	const int32_t *fds = (const int32_t *)(uintptr_t)f->target_fds;

	if (f->size != sizeof(*f) || f->flags || f->mode > XCKPT_MODE_STRICT)
		return false;
	for (uint32_t i = 0; i < f->nr_target_fds; i++)
		if (f->target != XCKPT_TARGET_TREE || fcntl(fds[i], F_GETFD) < 0)
			return false;
	if (f->target == XCKPT_TARGET_PGRP || f->target == XCKPT_TARGET_SESSION)
		return f->target_id > 0 && !f->target_fds;
	return f->target_id == 0 && fcntl(f->target_fd, F_GETFD) >= 0;
}

static int do_freeze(struct xckpt_freeze *f)
{
	static const int errors[] = { 0,      ESRCH,   ETIMEDOUT, EPERM,     EINVAL,
				      EINVAL, EDEADLK, EBUSY,	  EOPNOTSUPP };
	int reason = setting("FAKE_REASON");

	if (!target_ok(f))
		return refuse(EINVAL);
	if (reason) {
		f->out_reason = (uint32_t)reason;
		f->out_pid = setting("FAKE_CULPRIT");
		return refuse(errors[reason]);
	}
	frozen = true;
	snapshot = cloned = false;
	mode = f->mode;
	f->out_nr_processes = (uint32_t)nr_processes();
	f->out_nr_threads = f->out_nr_processes * NR_THREADS;
	f->out_realtime_ns = 1700000000000000000;
	if (setting("FAKE_ASLEEP") && mode != XCKPT_MODE_STRICT)
		f->out_nr_asleep = f->out_nr_threads;
	note_freeze(f);
	return 0;
}

static int do_tasks(struct xckpt_tasks *t)
{
	struct xckpt_task *tasks = (struct xckpt_task *)(uintptr_t)t->tasks;
	bool asleep = setting("FAKE_ASLEEP") && mode != XCKPT_MODE_STRICT;
	int ended = setting("FAKE_ENDED");
	uint32_t nr = 0;

	if (!frozen)
		return refuse(ENOENT);
	for (int i = 0; i < nr_processes(); i++) {
		int ppid = i ? pid_of(i - 1) : 1;

		for (int j = 0; j < NR_THREADS; j++, nr++)
			if (nr < t->nr_tasks)
				tasks[nr] = (struct xckpt_task){ pid_of(i), pid_of(i) + j, ppid,
								 asleep ? XCKPT_TASK_ASLEEP
									: XCKPT_TASK_PARKED };
	}
	if (ended && nr++ < t->nr_tasks)
		tasks[nr - 1] =
			(struct xckpt_task){ ended, ended, pid_of(0), XCKPT_TASK_ZOMBIE, 256, 0 };
	t->out_nr_tasks = nr;
	t->out_nr_disturbed = (__u32)setting("FAKE_DISTURBED");
	return 0;
}

static int do_snapshot(struct xckpt_snapshot *s)
{
	static int moved;

	if (!frozen)
		return refuse(ENOENT);
	note(s->flags & XCKPT_SNAPSHOT_FROZEN ? "snapshot-frozen" : "snapshot");
	if (moved++ < setting("FAKE_MOVED"))
		return refuse(EAGAIN);
	snapshot = true;
	s->out_nr_processes = (uint32_t)nr_processes();
	s->out_uncloned = s->flags & XCKPT_SNAPSHOT_FROZEN ? XCKPT_UNCLONED_ASKED
							   : (__u32)setting("FAKE_UNCLONED");
	s->out_nr_uncloned = s->out_uncloned ? s->out_nr_processes : 0;
	s->out_uncloned_pid = s->out_uncloned ? pid_of(0) : 0;
	s->out_nr_stateful = setting("FAKE_PIPES") ? 1 : 0;
	cloned = !s->out_uncloned;
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
	struct spec_segment segments[4 + MAX_MAPPED];
	struct spec spec = plain_spec;
	uint64_t size, mib = (uint64_t)setting("FAKE_MIB") << 20;
	struct bytes head;
	struct stat st;
	size_t i;

	if (!snapshot || nr_cores == MAX_CORES)
		return refuse(ENOENT);
	note("core");
	memcpy(segments, plain_spec.segments, 4 * sizeof(*segments));
	map_file(&segments[2], getenv("FAKE_MAPPED"));
	segments[3] = (struct spec_segment){ 0x20000000, 0x20000000 + (64ul << 30),
					     64ul << 30, XCKPT_VMA_ANON,
					     3,		 NULL,
					     32ul << 30, (32ul << 30) + mib };
	if (setting("FAKE_SHARED"))
		segments[3] = (struct spec_segment){ 0x20000000, 0x20000000 + (2ul << 30),
						     2ul << 30,	 XCKPT_VMA_SHMEM,
						     0x1b,	 "/dev/zero (deleted)",
						     1ul << 30,	 (1ul << 30) + mib };
	spec.segments = segments;
	spec.nr_segments += map_more(segments + 4);
	spec.pid = c->pid;
	spec.ppid = c->pid == pid_of(0) ? 1 : c->pid - 10;
	spec.state = setting("FAKE_ASLEEP") && mode != XCKPT_MODE_STRICT ? XCKPT_TASK_ASLEEP
									 : XCKPT_TASK_PARKED;
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
	head = core_head(&spec, &size);
	c->out_size = size;
	for (i = 0; i < nr_cores && cores[i].fd != c->out_fd; i++)
		;
	cores[i].fd = c->out_fd;
	cores[i].head = head.len;
	nr_cores += i == nr_cores;
	free(head.data);
	fstat(c->out_fd, &st);
	c->out_data_bytes = (uint64_t)st.st_blocks * 512;
	set_limit(RLIMIT_FSIZE, "FAKE_FSIZE");
	set_limit(RLIMIT_NOFILE, "FAKE_NOFILE");
	return 0;
}

static int do_thaw(const struct xckpt_thaw *t)
{
	const char *image = getenv("FAKE_IMAGE");

	if (!frozen)
		return refuse(ENOENT);
	if (t->flags && setting("FAKE_STUCK"))
		return refuse(EIO);
	if (t->flags && image && access(image, F_OK))
		note("early");
	frozen = false;
	note(t->flags & XCKPT_THAW_KILL ? "kill" : t->flags & XCKPT_THAW_STOP ? "stop" : "thaw");
	return 0;
}

static int do_info(struct xckpt_info *info)
{
	info->out_abi_version = XCKPT_ABI_VERSION;
	info->out_page_size = 4096;
	info->out_targets = setting("FAKE_OLD") ? 1 : 0xf;
	info->out_modes = 7;
	info->out_xfeatures = 7;
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
		return do_info(arg);
	case XCKPT_IOCTL_FREEZE:
		return do_freeze(arg);
	case XCKPT_IOCTL_TASKS:
		return do_tasks(arg);
	case XCKPT_IOCTL_SNAPSHOT:
		return do_snapshot(arg);
	case XCKPT_IOCTL_CORE:
		return do_core(arg);
	case XCKPT_IOCTL_THAW:
		return do_thaw(arg);
	}
	return refuse(ENOTTY);
}
