// SPDX-License-Identifier: GPL-2.0-or-later
/* What FREEZE takes for the group: trees, process groups, sessions. */
#include "players.h"

static pid_t join;

static void join_group(void)
{
	if (setpgid(0, join))
		_exit(97);
}

static int freeze_id(int fd, uint32_t kind, pid_t id, struct xckpt_freeze *f, uint32_t mode)
{
	*f = (struct xckpt_freeze){ .target = kind, .target_id = id };
	return freeze_it(fd, f, mode, LONG_MS);
}

TEST(a_process_group)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t leader;

	share_counters();
	leader = join = player(0, own_group);
	player(1, join_group);
	player(2, join_group);
	player(3, NULL); /* of another group */
	player(4, own_group);
	for (int i = 0; i < NR_MODES; i++) {
		ASSERT(!freeze_id(fd, XCKPT_TARGET_PGRP, leader, &f, all_modes[i]));
		EXPECT(f.out_nr_processes == 3 && f.out_nr_threads == 3);
		EXPECT(list_tasks(fd) == 3);
		expect_held(7, 5);
		ASSERT(!thaw(fd));
		expect_held(0, 5);
	}
}

/* A child that made a group of its own, or a session, is not of the group. */
static void with_children_elsewhere(void)
{
	own_group();
	if (!fork()) {
		own_group();
		count_at(1);
	}
	if (!fork()) {
		own_session();
		count_at(2);
	}
	if (!fork())
		count_at(3);
}

TEST(a_process_group_is_no_tree)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = player(0, with_children_elsewhere);
	EXPECT(moves(1, 1) && moves(2, 1) && moves(3, 1));
	ASSERT(!freeze_id(fd, XCKPT_TARGET_PGRP, pid, &f, XCKPT_MODE_STRICT));
	EXPECT(f.out_nr_processes == 2);
	expect_held(9, 4);
	ASSERT(!thaw(fd));
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(f.out_nr_processes == 4);
	expect_held(15, 4);
}

static void session_of_groups(void)
{
	own_session();
	if (!fork()) {
		own_group();
		count_at(1);
	}
	if (!fork())
		count_at(2);
	if (!fork()) {
		own_session();
		count_at(3);
	}
}

TEST(a_session_with_all_its_groups)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t sid;

	share_counters();
	sid = player(0, session_of_groups);
	EXPECT(moves(1, 1) && moves(2, 1) && moves(3, 1));
	for (int i = 0; i < NR_MODES; i++) {
		ASSERT(!freeze_id(fd, XCKPT_TARGET_SESSION, sid, &f, all_modes[i]));
		EXPECT(f.out_nr_processes == 3);
		expect_held(7, 4);
		ASSERT(!thaw(fd));
		expect_held(0, 4);
	}
}

/* The leader has ended and was waited for: only the number is left. */
TEST(groups_whose_leader_is_gone)
{
	static const uint32_t kinds[] = { XCKPT_TARGET_PGRP, XCKPT_TARGET_SESSION };
	struct xckpt_freeze f;
	int fd = session();
	pid_t leader;

	share_counters();
	leader = fork();
	if (!leader) {
		own_session();
		if (!fork())
			count_at(0);
		if (!fork())
			count_at(1);
		_exit(0);
	}
	EXPECT(waitpid(leader, NULL, 0) == leader);
	EXPECT(moves(0, 1) && moves(1, 1));
	for (int i = 0; i < 2; i++) {
		ASSERT(!freeze_id(fd, kinds[i], leader, &f, XCKPT_MODE_AUTO));
		EXPECT(f.out_nr_processes == 2);
		expect_held(3, 2);
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 1) && moves(1, 1));
	}
}

TEST(groups_that_are_empty)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	/* a pid that is no group's number */
	EXPECT(waitpid(pid, NULL, 0) == pid);
	for (uint32_t kind = XCKPT_TARGET_PGRP; kind <= XCKPT_TARGET_SESSION; kind++) {
		EXPECT(freeze_id(fd, kind, pid, &f, XCKPT_MODE_AUTO) == -1 && errno == ESRCH);
		EXPECT(f.out_reason == XCKPT_REASON_GONE);
	}
	/* one that lives but leads nothing */
	share_counters();
	pid = player(0, NULL);
	for (uint32_t kind = XCKPT_TARGET_PGRP; kind <= XCKPT_TARGET_SESSION; kind++) {
		EXPECT(freeze_id(fd, kind, pid, &f, XCKPT_MODE_AUTO) == -1 && errno == ESRCH);
		EXPECT(f.out_reason == XCKPT_REASON_GONE);
	}
	EXPECT(moves(0, 1));
}

TEST(the_callers_own_group_and_session)
{
	struct xckpt_freeze f;
	int fd = session();

	share_counters();
	player(0, NULL);
	EXPECT(freeze_id(fd, XCKPT_TARGET_PGRP, getpgrp(), &f, XCKPT_MODE_AUTO) == -1 &&
	       errno == EDEADLK);
	EXPECT(f.out_reason == XCKPT_REASON_SELF && f.out_pid == getpid());
	EXPECT(freeze_id(fd, XCKPT_TARGET_SESSION, getsid(0), &f, XCKPT_MODE_AUTO) == -1 &&
	       errno == EDEADLK);
	EXPECT(f.out_reason == XCKPT_REASON_SELF && f.out_pid == getpid());
	expect_held(0, 1);
}

/* Of a list of roots: the first is target_fd. */
static int freeze_trees(int fd, const pid_t *pids, unsigned int nr, struct xckpt_freeze *f,
			uint32_t mode)
{
	int32_t fds[8];
	int ret, keep;

	for (unsigned int i = 0; i < nr; i++)
		fds[i] = pidfd(pids[i]);
	*f = (struct xckpt_freeze){ .target_fd = fds[0],
				    .target_fds = nr > 1 ? (uintptr_t)&fds[1] : 0,
				    .nr_target_fds = nr - 1 };
	ret = freeze_it(fd, f, mode, LONG_MS);
	keep = errno;
	for (unsigned int i = 0; i < nr; i++)
		close(fds[i]);
	errno = keep;
	return ret;
}

TEST(several_trees)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pids[3];

	share_counters();
	pids[0] = player(0, NULL);
	pids[1] = player(4, session_of_groups); /* with 1, 2 and 3 */
	EXPECT(moves(1, 1) && moves(2, 1) && moves(3, 1));
	pids[2] = player(5, own_session);
	player(6, NULL);
	for (int i = 0; i < NR_MODES; i++) {
		ASSERT(!freeze_trees(fd, pids, 3, &f, all_modes[i]));
		EXPECT(f.out_nr_processes == 6 && f.out_nr_threads == 6);
		expect_held(63, 7);
		ASSERT(!thaw(fd));
		expect_held(0, 7);
	}
}

TEST(trees_that_overlap_count_once)
{
	struct xckpt_freeze f;
	int fd = session();
	unsigned int nr;
	pid_t pids[4];

	share_counters();
	pids[0] = pids[3] = player(0, session_of_groups);
	EXPECT(moves(1, 1) && moves(2, 1) && moves(3, 1));
	/* a child of the first, twice */
	ASSERT(!freeze(fd, pids[0], &f));
	nr = list_tasks(fd);
	ASSERT(nr == 4 && tasks[0].pid == pids[0]);
	pids[1] = tasks[1].pid;
	pids[2] = tasks[3].pid;
	ASSERT(!thaw(fd));
	ASSERT(!freeze_trees(fd, pids, 4, &f, XCKPT_MODE_AUTO));
	EXPECT(f.out_nr_processes == 4 && f.out_nr_threads == 4 && list_tasks(fd) == 4);
	expect_held(15, 4);
	ASSERT(!thaw(fd));
	expect_held(0, 4);
}

/* One that may not be frozen is enough: all others go on at once. */
TEST(all_or_nothing)
{
	pid_t own = getpid(), init = 1, kthread = 2;
	const struct {
		pid_t *pid;
		int err;
		uint32_t reason;
	} bad[] = { { &own, EDEADLK, XCKPT_REASON_SELF },
		    { &init, EINVAL, XCKPT_REASON_INIT },
		    { &kthread, EINVAL, XCKPT_REASON_KTHREAD } };
	struct xckpt_freeze f;
	int fd = session(), other = session();
	pid_t pids[3];

	share_counters();
	pids[0] = player(0, NULL);
	pids[1] = player(1, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pids[2] = *bad[i].pid;
		EXPECT(freeze_trees(fd, pids, 3, &f, XCKPT_MODE_AUTO) == -1 && errno == bad[i].err);
		EXPECT(f.out_reason == bad[i].reason && f.out_pid == pids[2]);
		expect_held(0, 2);
	}
	ASSERT(!freeze(other, pids[1], &f));
	EXPECT(freeze_trees(fd, pids, 2, &f, XCKPT_MODE_AUTO) == -1 && errno == EBUSY);
	EXPECT(f.out_reason == XCKPT_REASON_BUSY && f.out_pid == pids[1]);
	expect_held(2, 2);
	EXPECT(!thaw(other));
	EXPECT(!freeze_trees(fd, pids, 2, &f, XCKPT_MODE_AUTO));
}

static void storming_session(void)
{
	own_session();
	for (int i = 0; i < 4; i++)
		if (!fork())
			fork_forever(0);
}

/* Newborns are of the group, however fast they come. */
TEST(a_session_that_forks_all_the_time)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t sid;

	share_counters();
	sid = player(1, storming_session);
	EXPECT(moves(0, 1));
	for (int i = 0; i < 30; i++) {
		ASSERT(!freeze_id(fd, XCKPT_TARGET_SESSION, sid, &f, all_modes[i % NR_MODES]));
		EXPECT(f.out_nr_processes >= 5);
		EXPECT(stands_still(2));
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 3));
	}
}

static int chain_length;

/* Each is the only child of the one before. */
static void a_chain(void)
{
	for (int i = 1; i < chain_length; i++) {
		pid_t pid = fork();

		if (pid < 0)
			_exit(97);
		if (pid)
			pausing_thread(NULL);
	}
	shared[1] = 1;
}

/* The process that is @from below @pid. */
static pid_t chain_at(pid_t pid, int from)
{
	char path[64];

	while (from--) {
		FILE *children;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
		children = fopen(path, "r");
		ASSERT(children && fscanf(children, "%d", &pid) == 1);
		fclose(children);
	}
	return pid;
}

/* Beyond what is walked without remembering: all of it, in order, and nobody above. */
TEST(a_deep_chain)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	chain_length = test_arg ? test_arg : 300;
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		alarm(0);
		syscall(SYS_close_range, 3, ~0u, 0);
		a_chain();
		pausing_thread(NULL);
	}
	ASSERT(reaches(1, 1));
	for (int from = 0; from < 200; from += 100) {
		pid_t root = chain_at(pid, from), before = 0;
		int64_t start = now_ms();
		unsigned int nr, want = (unsigned int)(chain_length - from);

		ASSERT(!freeze(fd, root, &f));
		nr = list_tasks(fd);
		printf("# frozen and listed in %lld ms\n", (long long)(now_ms() - start));
		EXPECT(f.out_nr_processes == want && nr == want && tasks[0].pid == root);
		for (unsigned int i = 0; i < nr && i < MAX_TASKS; i++) {
			EXPECT(!i || tasks[i].ppid == before);
			before = tasks[i].pid;
		}
		ASSERT(!thaw(fd));
	}
}
