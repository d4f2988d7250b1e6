// SPDX-License-Identifier: GPL-2.0-or-later
/* Arguments of FREEZE that are wrong: nothing is held then. Runs as root, module loaded. */
#include <limits.h>
#include <sys/eventfd.h>

#include "session.h"

static void counts(void)
{
	in_thread(napping_thread, 1);
	count_forever(0);
}

/* FREEZE of @f fails with @err, and nothing is held afterwards. */
static void freeze_fails(int fd, struct xckpt_freeze f, int err)
{
	f.size = sizeof(f);
	if (!EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == err))
		printf("# target %u fd %d id %d mode %u, wanted: %s\n", f.target, f.target_fd,
		       f.target_id, f.mode, strerror(err));
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
}

TEST(descriptors_of_another_kind)
{
	static const uint32_t targets[] = { XCKPT_TARGET_TREE, XCKPT_TARGET_CGROUP };
	int fd = session(), pipes[2];
	int bad[] = { -1,
		      INT_MAX,
		      INT_MIN,
		      900, /* closed */
		      fd,
		      open("/dev/null", O_RDONLY),
		      open("/", O_RDONLY | O_DIRECTORY),
		      open("/proc/self/stat", O_RDONLY),
		      open("/proc/self", O_RDONLY | O_DIRECTORY),
		      open("/sys/fs/cgroup/cgroup.procs", O_RDONLY),
		      eventfd(0, 0),
		      pipe(pipes) ? -1 : pipes[0] };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (int n = 0; n < 2; n++)
			freeze_fails(fd,
				     (struct xckpt_freeze){ .target = targets[n],
							    .mode = XCKPT_MODE_STRICT,
							    .target_fd = bad[i] },
				     EBADF);
}

TEST(descriptors_of_the_other_target)
{
	int fd = session(), cgroup;
	pid_t pid;

	share_counters();
	pid = target(counts);
	freeze_fails(
		fd, (struct xckpt_freeze){ .target = XCKPT_TARGET_CGROUP, .target_fd = pidfd(pid) },
		EBADF);
	cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
	freeze_fails(fd, (struct xckpt_freeze){ .target_fd = cgroup }, EBADF);
	EXPECT(moves(0, 1));
}

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

static void *telling_thread(void *arg)
{
	shared[1] = (uint64_t)gettid();
	return pausing_thread(arg);
}

static void tells_its_thread(void)
{
	in_thread(telling_thread, 0);
	count_forever(0);
}

/* A tree has a process for a root. */
TEST(a_pidfd_of_a_thread)
{
	struct xckpt_freeze f = { .size = sizeof(f), .mode = XCKPT_MODE_STRICT };
	int fd = session();

	share_counters();
	target(tells_its_thread);
	EXPECT(reaches(1, 1));
	f.target_fd = (int)syscall(SYS_pidfd_open, (pid_t)shared[1], PIDFD_THREAD);
	if (f.target_fd < 0)
		SKIP("this kernel has no pidfds of threads");
	EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && (errno == EBADF || errno == ESRCH));
	EXPECT(moves(0, 1));
}

TEST(unknown_targets_and_modes)
{
	struct xckpt_freeze f = { .size = sizeof(f) };
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	f.target_fd = pidfd(pid);
	for (int bit = 2; bit < 32; bit++) {
		f.target = 1u << bit;
		freeze_fails(fd, f, EINVAL);
	}
	f.target = UINT_MAX;
	freeze_fails(fd, f, EINVAL);
	f.target = XCKPT_TARGET_TREE;
	f.mode = XCKPT_MODE_STRICT + 1;
	freeze_fails(fd, f, EINVAL);
	f.mode = UINT_MAX;
	freeze_fails(fd, f, EINVAL);
	f.mode = XCKPT_MODE_STRICT;
	f.timeout_ms = XCKPT_TIMEOUT_MAX_MS + 1;
	freeze_fails(fd, f, EINVAL);
	f.timeout_ms = 0;
	f.__reserved = 1;
	freeze_fails(fd, f, EINVAL);
	EXPECT(moves(0, 1));
}

TEST(all_targets_and_modes_are_announced)
{
	struct xckpt_info info = { .size = sizeof(info) };

	ASSERT(!ioctl(session(), XCKPT_IOCTL_INFO, &info));
	EXPECT(info.out_targets == (2u << XCKPT_TARGET_CGROUP) - 1);
	EXPECT(info.out_modes == (2u << XCKPT_MODE_STRICT) - 1);
}

/* A member that the target does not use must be zero: it may mean something one day. */
TEST(members_of_another_target)
{
	struct xckpt_freeze tree = { .mode = XCKPT_MODE_STRICT }, f;
	int fd = session();
	int32_t one;
	pid_t pid;

	share_counters();
	pid = target(counts);
	one = tree.target_fd = pidfd(pid);
	f = tree;
	f.target_id = pid;
	freeze_fails(fd, f, EINVAL);
	for (uint32_t kind = XCKPT_TARGET_PGRP; kind <= XCKPT_TARGET_CGROUP; kind++) {
		f = (struct xckpt_freeze){ .target = kind, .mode = XCKPT_MODE_STRICT };
		if (kind == XCKPT_TARGET_CGROUP)
			f.target_fd = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
		else
			f.target_id = getsid(0);
		f.nr_target_fds = 1;
		freeze_fails(fd, f, EINVAL);
		f.target_fds = (uintptr_t)&one;
		freeze_fails(fd, f, EINVAL);
		f.nr_target_fds = 0;
		freeze_fails(fd, f, EINVAL);
	}
	f = (struct xckpt_freeze){ .target = XCKPT_TARGET_CGROUP, .target_id = 1 };
	f.target_fd = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
	freeze_fails(fd, f, EINVAL);
	EXPECT(moves(0, 1));
}

TEST(numbers_of_no_group)
{
	static const int bad[] = { 0, -1, INT_MIN };

	for (uint32_t kind = XCKPT_TARGET_PGRP; kind <= XCKPT_TARGET_SESSION; kind++) {
		struct xckpt_freeze f = { .size = sizeof(f), .target = kind };
		int fd = session();

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			f.target_id = bad[i];
			freeze_fails(fd, f, EINVAL);
		}
		f.target_id = INT_MAX;
		EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == ESRCH);
		EXPECT(f.out_reason == XCKPT_REASON_GONE);
	}
}

TEST(lists_of_further_roots)
{
	struct xckpt_freeze tree = { .mode = XCKPT_MODE_STRICT }, f;
	int32_t fds[2] = { -1, -1 };
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	tree.target_fd = fds[0] = pidfd(pid);
	f = tree;
	f.nr_target_fds = XCKPT_TARGET_FDS_MAX + 1;
	f.target_fds = (uintptr_t)fds;
	freeze_fails(fd, f, EINVAL);
	f.nr_target_fds = UINT_MAX;
	freeze_fails(fd, f, EINVAL);
	f.nr_target_fds = 2;
	freeze_fails(fd, f, EBADF);
	fds[1] = open("/dev/null", O_RDONLY);
	freeze_fails(fd, f, EBADF);
	f.target_fds = 0;
	freeze_fails(fd, f, EFAULT);
	f.target_fds = 0xffff888000000000ul;
	freeze_fails(fd, f, EFAULT);
	EXPECT(moves(0, 1));
}
