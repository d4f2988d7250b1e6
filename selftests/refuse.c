// SPDX-License-Identifier: GPL-2.0-or-later
/* What /dev/xckpt refuses, and how it says so. Runs as root with the module. */
#include <sys/stat.h>

#include "session.h"

static void counts(void)
{
	in_thread(napping_thread, 1);
	count_forever(0);
}

/* Freezing @pid fails with @err, @reason and @culprit (-1: not looked at). */
static void refused(pid_t pid, int err, uint32_t reason, pid_t culprit)
{
	struct xckpt_freeze f;
	int fd = session();

	EXPECT(freeze(fd, pid, &f) == -1 && errno == err);
	EXPECT(f.out_reason == reason);
	EXPECT(culprit == -1 || f.out_pid == culprit);
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	close(fd);
}

TEST(a_kernel_thread)
{
	refused(2, EINVAL, XCKPT_REASON_KTHREAD, 2);
}

TEST(the_init_process)
{
	refused(1, EINVAL, XCKPT_REASON_INIT, 1);
}

TEST(the_caller_itself)
{
	refused(getpid(), EDEADLK, XCKPT_REASON_SELF, getpid());
}

TEST(an_ancestor_of_the_caller)
{
	refused(getppid(), EDEADLK, XCKPT_REASON_SELF, -1);
}

TEST(a_process_that_ended)
{
	struct xckpt_freeze f = { .size = sizeof(f), .mode = XCKPT_MODE_STRICT };
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	f.target_fd = pidfd(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT(ioctl(session(), XCKPT_IOCTL_FREEZE, &f) == -1 && errno == ESRCH);
	EXPECT(f.out_reason == XCKPT_REASON_GONE);
}

TEST(what_another_session_holds)
{
	struct xckpt_freeze f;
	int first = session(), second = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	ASSERT(!freeze(first, pid, &f));
	EXPECT(freeze(second, pid, &f) == -1 && errno == EBUSY);
	EXPECT(f.out_reason == XCKPT_REASON_BUSY && f.out_pid > 0);
	EXPECT(freeze(first, pid, &f) == -1 && errno == EBUSY);
	EXPECT(f.out_reason == XCKPT_REASON_NONE);
	EXPECT(stands_still(2));
	EXPECT(!thaw(first));
	EXPECT(!freeze(second, pid, &f));
}

TEST(no_pidfd)
{
	struct xckpt_freeze f = { .size = sizeof(f), .mode = XCKPT_MODE_STRICT };

	f.target_fd = open("/dev/null", O_RDONLY);
	EXPECT(ioctl(session(), XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EBADF);
	f.target_fd = -1;
	EXPECT(ioctl(session(), XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EBADF);
}

TEST(nothing_is_frozen)
{
	struct xckpt_tasks t = { .size = sizeof(t) };
	struct xckpt_core c = { .size = sizeof(c), .pid = getpid() };
	int fd = session();

	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	EXPECT(ioctl(fd, XCKPT_IOCTL_TASKS, &t) == -1 && errno == ENOENT);
	EXPECT(ioctl(fd, XCKPT_IOCTL_CORE, &c) == -1 && errno == ENOENT);
}

TEST(unknown_modes_flags_and_commands)
{
	struct xckpt_freeze f = { .size = sizeof(f), .mode = 77 };
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	f.target_fd = pidfd(pid);
	EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EINVAL);
	f.mode = XCKPT_MODE_STRICT;
	f.target = 77;
	EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EINVAL);
	f.target = XCKPT_TARGET_TREE;
	f.flags = 1u << 31;
	EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EINVAL);
	f.flags = 0;
	f.timeout_ms = XCKPT_TIMEOUT_MAX_MS + 1;
	EXPECT(ioctl(fd, XCKPT_IOCTL_FREEZE, &f) == -1 && errno == EINVAL);
	EXPECT(ioctl(fd, _IO(XCKPT_IOCTL_TYPE, 0xff), &f) == -1 && errno == ENOTTY);
	EXPECT(moves(0, 1));
}

/* Every command with every length: short, whole, longer with and without a tail. */
TEST(lengths_of_the_structures)
{
	static const struct {
		unsigned long command;
		size_t size;
	} commands[] = {
		{ XCKPT_IOCTL_INFO, sizeof(struct xckpt_info) },
		{ XCKPT_IOCTL_FREEZE, sizeof(struct xckpt_freeze) },
		{ XCKPT_IOCTL_THAW, sizeof(struct xckpt_thaw) },
		{ XCKPT_IOCTL_TASKS, sizeof(struct xckpt_tasks) },
		{ XCKPT_IOCTL_CORE, sizeof(struct xckpt_core) },
	};
	int fd = session();

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		unsigned char buf[512];
		uint32_t size;

		for (size = 0; size < commands[i].size; size++) {
			memset(buf, 0, sizeof(buf));
			memcpy(buf, &size, sizeof(size));
			EXPECT(ioctl(fd, commands[i].command, buf) == -1 && errno == EINVAL);
		}
		size = (uint32_t)commands[i].size + 16;
		memset(buf, 0, sizeof(buf));
		memcpy(buf, &size, sizeof(size));
		if (ioctl(fd, commands[i].command, buf) == -1)
			EXPECT(errno != EINVAL && errno != E2BIG);
		memset(buf, 0, sizeof(buf));
		memcpy(buf, &size, sizeof(size));
		buf[commands[i].size + 7] = 1;
		EXPECT(ioctl(fd, commands[i].command, buf) == -1 && errno == E2BIG);
		EXPECT(ioctl(fd, commands[i].command, NULL) == -1 && errno == EFAULT);
	}
}

TEST(a_user_without_rights)
{
	struct stat st;

	EXPECT(!stat(XCKPT_DEVICE, &st) && (st.st_mode & 07777) == 0600 && st.st_uid == 0);
	ASSERT(!setgid(65534) && !setuid(65534));
	EXPECT(open(XCKPT_DEVICE, O_RDWR) == -1 && errno == EACCES);
}

TEST(a_descriptor_without_the_capabilities)
{
	int fd;

	/* the file's mode alone must not be enough */
	ASSERT(!chmod(XCKPT_DEVICE, 0666));
	if (!fork()) {
		fd = setgid(65534) || setuid(65534) ? -2 : open(XCKPT_DEVICE, O_RDWR);
		_exit(fd == -1 && errno == EPERM ? 0 : 1);
	}
	EXPECT(wait(&fd) > 0 && fd == 0);
	ASSERT(!chmod(XCKPT_DEVICE, 0600));
}
