// SPDX-License-Identifier: GPL-2.0-or-later
/* Freezing what is not simply running: stopped, zombie, vfork, coming and going. */
#include "session.h"

TEST(a_stopped_process_stays_stopped)
{
	struct xckpt_freeze f;
	int fd = session();
	unsigned int nr;
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	kill(pid, SIGSTOP);
	EXPECT(threads_reach_state(pid, 'T'));
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(f.out_nr_stopped == 4 && f.out_nr_threads == 4);
	nr = list_tasks(fd);
	EXPECT(nr == 4 && find_task(nr, pid) && find_task(nr, pid)->state == XCKPT_TASK_STOPPED);
	EXPECT(!thaw(fd));
	EXPECT(stands_still(3));
	EXPECT(proc_state(pid) == 'T');
	kill(pid, SIGCONT);
	EXPECT(moves(0, 1) && moves(1, 1) && moves(2, 1));
}

TEST(sigcont_does_not_wake_a_frozen_process)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(three_threads);
	kill(pid, SIGSTOP);
	EXPECT(threads_reach_state(pid, 'T'));
	ASSERT(!freeze(fd, pid, &f));
	kill(pid, SIGCONT);
	EXPECT(stands_still(3));
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1) && moves(2, 1));
}

static void with_zombie(void)
{
	pid_t child = fork();

	if (!child)
		_exit(42);
	while (proc_state(child) != 'Z')
		nap_ms(1);
	shared[6] = (uint64_t)child;
	count_forever(0);
}

TEST(a_zombie_is_listed_with_its_status)
{
	const struct xckpt_task *zombie;
	struct xckpt_freeze f;
	int fd = session();
	unsigned int nr;
	pid_t pid;

	share_counters();
	pid = target(with_zombie);
	ASSERT(!freeze(fd, pid, &f));
	nr = list_tasks(fd);
	zombie = find_task(nr, (pid_t)shared[6]);
	ASSERT(zombie);
	EXPECT(zombie->state == XCKPT_TASK_ZOMBIE && zombie->ppid == pid);
	EXPECT(WIFEXITED(zombie->exit_code) && WEXITSTATUS(zombie->exit_code) == 42);
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1));
}

static void in_vfork(void)
{
	if (!vfork())
		count_forever(0);
}

TEST(a_vfork_parent_is_held_by_its_child)
{
	struct xckpt_freeze f;
	int fd = session();
	unsigned int nr;
	pid_t pid;

	share_counters();
	pid = target(in_vfork);
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(f.out_nr_processes == 2 && f.out_nr_vfork == 1);
	nr = list_tasks(fd);
	EXPECT(nr == 2 && tasks[0].tid == pid && tasks[0].state == XCKPT_TASK_VFORK);
	EXPECT(tasks[1].ppid == pid && tasks[1].state == XCKPT_TASK_PARKED);
	EXPECT(stands_still(1));
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1));
}

static void *short_life(void *arg)
{
	shared[1]++;
	return NULL;
}

static void threads_come_and_go(void)
{
	in_thread(napping_thread, 0);
	for (;;) {
		pthread_t thread[4];

		for (int i = 0; i < 4; i++)
			if (pthread_create(&thread[i], NULL, short_life, NULL))
				_exit(96);
		for (int i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
	}
}

TEST(threads_that_come_and_go)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(threads_come_and_go);
	for (int i = 0; i < 20; i++) {
		ASSERT(!freeze(fd, pid, &f));
		EXPECT(stands_still(2));
		ASSERT(!thaw(fd));
		EXPECT(moves(1, 1));
	}
}

static void fork_bomb(void)
{
	for (int i = 0; i < 8; i++)
		if (!fork()) {
			__atomic_fetch_add(&shared[2], 1, __ATOMIC_RELAXED);
			for (;;) {
				pid_t pid = fork();

				if (!pid) {
					__atomic_fetch_add(&shared[0], 1, __ATOMIC_RELAXED);
					_exit(0);
				}
				waitpid(pid, NULL, 0);
			}
		}
	for (;;)
		pause();
}

TEST(a_fork_bomb_is_caught_whole)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(fork_bomb);
	EXPECT(reaches(2, 8));
	for (int i = 0; i < 20; i++) {
		ASSERT(!freeze(fd, pid, &f));
		EXPECT(f.out_nr_processes >= 9);
		EXPECT(stands_still(1));
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 3));
	}
}
