// SPDX-License-Identifier: GPL-2.0-or-later
/* Sessions: what they hold, and how long they live. Runs as root, module loaded. */
#include <limits.h>
#include <sys/socket.h>

#include "session.h"

static void counts(void)
{
	in_thread(napping_thread, 1);
	count_forever(0);
}

TEST(without_a_group)
{
	struct xckpt_tasks t = { .size = sizeof(t) };
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	for (int again = 0; again < 2; again++) {
		EXPECT(thaw(fd) == -1 && errno == ENOENT);
		EXPECT(ioctl(fd, XCKPT_IOCTL_TASKS, &t) == -1 && errno == ENOENT);
		EXPECT(snapshot(fd, 0, &s) == -1 && errno == ENOENT);
		EXPECT(core_of(fd, pid, 0) == -1 && errno == ENOENT);
		EXPECT(!freeze(fd, pid, &f) && !thaw(fd));
	}
}

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

static void with_zombie(void)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	shared[2] = (uint64_t)child;
	tells_its_thread();
}

TEST(cores_of_what_is_no_process_of_the_group)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(with_zombie);
	EXPECT(reaches(1, 1));
	EXPECT(reaches_state((pid_t)shared[2], 'Z'));
	ASSERT(!freeze(fd, pid, &f));
	for (int again = 0; again < 2; again++) {
		const pid_t bad[] = { 0,	-1,	   INT_MIN,	     INT_MAX,	      1,
				      getpid(), getppid(), (pid_t)shared[1], (pid_t)shared[2] };

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			EXPECT(core_of(fd, bad[i], 0) == -1 && errno == ESRCH);
		EXPECT(core_of(fd, pid, 0) >= 0);
		EXPECT(!snapshot(fd, 0, &s));
	}
}

TEST(a_second_session_changes_nothing)
{
	struct xckpt_freeze f;
	int first = session(), second = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	for (int mode = 0; mode < NR_MODES; mode++) {
		ASSERT(!freeze(first, pid, &f));
		EXPECT(freeze_mode(second, pid, &f, all_modes[mode]) == -1 && errno == EBUSY);
		EXPECT(f.out_reason == XCKPT_REASON_BUSY && f.out_pid >= pid);
		EXPECT(thaw(second) == -1 && errno == ENOENT);
		EXPECT(core_of(second, pid, 0) == -1 && errno == ENOENT);
		EXPECT(stands_still(2));
		EXPECT(core_of(first, pid, 0) >= 0);
		EXPECT(!thaw(first));
		EXPECT(moves(0, 1) && moves(1, 1));
	}
}

static void send_descriptor(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(to, &msg, 0) != 1)
		_exit(1);
}

static int receive_descriptor(int from)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd = -1;

	ASSERT(recvmsg(from, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A holder that froze @pid, put its session into a socket and died. */
static int session_in_flight(pid_t pid)
{
	int pair[2], status;
	pid_t holder;

	ASSERT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	holder = fork();
	if (!holder) {
		struct xckpt_freeze f;
		int fd = session();

		if (freeze(fd, pid, &f))
			_exit(2);
		send_descriptor(pair[1], fd);
		raise(SIGKILL);
	}
	EXPECT(waitpid(holder, &status, 0) == holder && WIFSIGNALED(status));
	close(pair[1]);
	return pair[0];
}

TEST(a_session_that_was_passed_on)
{
	int in_flight, fd;
	pid_t pid;

	share_counters();
	pid = target(counts);
	in_flight = session_in_flight(pid);
	EXPECT(stands_still(2));
	fd = receive_descriptor(in_flight);
	EXPECT(stands_still(2));
	EXPECT(core_of(fd, pid, 0) >= 0);
	close(in_flight);
	EXPECT(stands_still(2));
	close(fd);
	EXPECT(moves(0, 1) && moves(1, 1));
}

TEST(a_session_that_nobody_received)
{
	int in_flight;
	pid_t pid;

	share_counters();
	pid = target(counts);
	in_flight = session_in_flight(pid);
	EXPECT(stands_still(2));
	close(in_flight);
	EXPECT(moves(0, 1) && moves(1, 1));
}

/* [0] counts what has inherited the session, [1] a child of it that has not. */
static void inherits(int fd)
{
	if (!fork()) {
		close(fd);
		count_forever(1);
	}
	count_forever(0);
}

/* With the end of both holders, one of them frozen, the rest of the group goes on. */
TEST(a_target_that_holds_the_session)
{
	struct xckpt_freeze f;
	pid_t holder, heir;
	int fd;

	share_counters();
	holder = fork();
	if (!holder) {
		fd = session();
		heir = fork();
		if (!heir)
			inherits(fd);
		shared[8] = (uint64_t)heir;
		EXPECT(moves(0, 1) && moves(1, 1));
		if (freeze(fd, heir, &f) || core_of(fd, heir, 0) < 0)
			_exit(2);
		shared[9] = 1;
		pausing_thread(NULL);
	}
	EXPECT(reaches(9, 1));
	kill(holder, SIGKILL);
	EXPECT(waitpid(holder, NULL, 0) == holder);
	EXPECT(stands_still(2));
	kill((pid_t)shared[8], SIGKILL);
	EXPECT(moves(1, 1));
}

TEST(one_of_two_holders_may_thaw)
{
	struct xckpt_freeze f;
	int fd = session(), status;
	pid_t pid, heir;

	share_counters();
	pid = target(counts);
	ASSERT(!freeze(fd, pid, &f));
	heir = fork();
	if (!heir)
		_exit(thaw(fd) ? 1 : 0);
	EXPECT(waitpid(heir, &status, 0) == heir && !status);
	EXPECT(moves(0, 1));
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	EXPECT(!freeze(fd, pid, &f));
}

/* SIGKILL in any moment of a dump, in every mode: the group goes on. */
TEST(holders_killed_at_any_time)
{
	pid_t pid, holder;

	share_counters();
	pid = target(counts);
	for (int i = 0; i < 60; i++) {
		holder = fork();
		if (!holder) {
			struct xckpt_freeze f;
			struct xckpt_snapshot s;
			int fd = session();

			for (;;) {
				freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]);
				snapshot(fd, 0, &s);
				close(core_of(fd, pid, 0));
				thaw(fd);
			}
		}
		usleep((useconds_t)(i * 997 % 7000));
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
		EXPECT(moves(0, 1) && moves(1, 1));
	}
}
