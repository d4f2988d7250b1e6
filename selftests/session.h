/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of /dev/xckpt, and processes to freeze, for the tests in C. */
#ifndef SESSION_H
#define SESSION_H

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "harness.h"
#include "xckpt.h"

/* Counters that the target and the test share. */
static volatile uint64_t *shared;

static inline void share_counters(void)
{
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(shared != MAP_FAILED);
}

static inline int session(void)
{
	int fd = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);

	ASSERT(fd >= 0);
	return fd;
}

static inline int pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static const uint32_t all_modes[] = { XCKPT_MODE_AUTO, XCKPT_MODE_SOFT, XCKPT_MODE_STRICT };
#define NR_MODES ((int)(sizeof(all_modes) / sizeof(all_modes[0])))

static inline const char *mode_name(uint32_t mode)
{
	static const char *const names[] = { "auto", "soft", "strict" };

	return mode < NR_MODES ? names[mode] : "?";
}

/* A freeze of @f, in which only the target is set. */
static inline int freeze_it(int fd, struct xckpt_freeze *f, uint32_t mode, uint32_t timeout_ms)
{
	f->size = sizeof(*f);
	f->mode = mode;
	f->timeout_ms = timeout_ms;
	return ioctl(fd, XCKPT_IOCTL_FREEZE, f);
}

static inline int freeze_ms(int fd, pid_t pid, struct xckpt_freeze *f, uint32_t mode,
			    uint32_t timeout_ms)
{
	int ret;

	*f = (struct xckpt_freeze){ .target_fd = pidfd(pid) };
	ret = freeze_it(fd, f, mode, timeout_ms);
	if (f->target_fd >= 0) {
		int keep = errno;

		close(f->target_fd);
		errno = keep;
	}
	return ret;
}

/* An emulated machine under load is slow: the default may be too short. */
#define LONG_MS 60000

static inline int freeze_mode(int fd, pid_t pid, struct xckpt_freeze *f, uint32_t mode)
{
	return freeze_ms(fd, pid, f, mode, LONG_MS);
}

static inline int freeze(int fd, pid_t pid, struct xckpt_freeze *f)
{
	return freeze_mode(fd, pid, f, XCKPT_MODE_STRICT);
}

static inline int snapshot(int fd, uint32_t flags, struct xckpt_snapshot *s)
{
	*s = (struct xckpt_snapshot){ .size = sizeof(*s), .flags = flags };
	return ioctl(fd, XCKPT_IOCTL_SNAPSHOT, s);
}

/* The core of a process, or -1. */
static inline int core_of(int fd, pid_t pid, uint32_t flags)
{
	struct xckpt_core c = { .size = sizeof(c), .pid = pid, .flags = flags };

	return ioctl(fd, XCKPT_IOCTL_CORE, &c) ? -1 : c.out_fd;
}

static inline int thaw_flags(int fd, uint32_t flags)
{
	struct xckpt_thaw t = { .size = sizeof(t), .flags = flags };

	return ioctl(fd, XCKPT_IOCTL_THAW, &t);
}

static inline int thaw(int fd)
{
	return thaw_flags(fd, 0);
}

#define MAX_TASKS 512
static struct xckpt_task tasks[MAX_TASKS];

/* Fills tasks[] and returns how many there are. */
static inline unsigned int list_tasks(int fd)
{
	struct xckpt_tasks t = { .size = sizeof(t),
				 .tasks = (uintptr_t)tasks,
				 .nr_tasks = MAX_TASKS,
				 .task_size = sizeof(tasks[0]) };

	ASSERT(!ioctl(fd, XCKPT_IOCTL_TASKS, &t));
	return t.out_nr_tasks;
}

static inline const struct xckpt_task *find_task(unsigned int nr, pid_t tid)
{
	for (unsigned int i = 0; i < nr && i < MAX_TASKS; i++)
		if (tasks[i].tid == tid)
			return &tasks[i];
	return NULL;
}

static inline void nap_ms(long ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Waits until a counter has moved by @by; 0 when it does not within a minute. */
static inline int moves(int n, uint64_t by)
{
	uint64_t from = shared[n];

	for (int i = 0; i < 60000; i++) {
		if (shared[n] - from >= by)
			return 1;
		nap_ms(1);
	}
	return 0;
}

/* Waits until a counter is at least @value; 0 when it does not within a minute. */
static inline int reaches(int n, uint64_t value)
{
	for (int i = 0; i < 60000; i++) {
		if (shared[n] >= value)
			return 1;
		nap_ms(1);
	}
	return 0;
}

/* Whether none of the first @nr counters moves for a while. */
static inline int stands_still(int nr)
{
	uint64_t before[64];

	for (int i = 0; i < nr; i++)
		before[i] = shared[i];
	nap_ms(100);
	for (int i = 0; i < nr; i++)
		if (shared[i] != before[i])
			return 0;
	return 1;
}

static inline _Noreturn void count_forever(int n)
{
	for (;;)
		shared[n]++;
}

static inline void *counting_thread(void *arg)
{
	count_forever((int)(long)arg);
}

/* Counts between short sleeps. */
static inline void *napping_thread(void *arg)
{
	for (;;) {
		shared[(long)arg]++;
		nap_ms(1);
	}
	return NULL;
}

static inline void *pausing_thread(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static inline void in_thread(void *(*fn)(void *), long arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, (void *)arg))
		_exit(99);
}

static inline void three_threads(void)
{
	in_thread(counting_thread, 1);
	in_thread(napping_thread, 2);
	in_thread(pausing_thread, 0);
	count_forever(0);
}

/* Its first thread has ended: the process's leader is a zombie, which nobody holds. */
static inline void without_leader(void)
{
	in_thread(napping_thread, 0);
	syscall(SYS_exit, 0);
}

/* A child that runs @fn; it has shown that it runs when this returns. */
static inline pid_t target(void (*fn)(void))
{
	uint64_t before = shared[0];
	pid_t pid = fork();

	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		/* no session of the test must live on in its target */
		syscall(SYS_close_range, 3, ~0u, 0);
		fn();
		_exit(98);
	}
	EXPECT(reaches(0, before + 1));
	return pid;
}

/* The letter of /proc/PID/stat. */
static inline char proc_state(pid_t pid)
{
	char path[64], buf[512] = "";
	const char *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, buf, sizeof(buf) - 1) < 0)
		buf[0] = 0;
	close(fd);
	p = strrchr(buf, ')');
	return p && p[1] ? p[2] : 0;
}

static inline int reaches_state(pid_t pid, char state)
{
	for (int i = 0; i < 60000; i++) {
		if (proc_state(pid) == state)
			return 1;
		nap_ms(1);
	}
	return 0;
}

/* All threads of it: a signal that stops a process reaches them one by one. */
static inline int threads_reach_state(pid_t pid, char state)
{
	struct dirent *entry;
	char path[64];
	int good = 1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (good && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			good = reaches_state(atoi(entry->d_name), state);
	closedir(dir);
	return good;
}

static inline int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

#endif
