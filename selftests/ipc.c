// SPDX-License-Identifier: GPL-2.0-or-later
/* What a core tells of System V IPC: SEM_UNDO, and memory by shmat(). Root, module loaded. */
#include <sched.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "corefile.h"

#define NR_SEMS 600 /* enough to be a set of several pages */

#define READY 8 /* in shared[] */
#define FIRST_SET 9
#define SECOND_SET 10
#define SEGMENT 11
#define WRITTEN 12
#define READ_ONLY 13

static void get(int fd, pid_t pid)
{
	core_load(core_of(fd, pid, 0));
	close(core.fd);
}

static const struct xckpt_sem_undo *undo;
static size_t nr_undo;

static void load_undo(void)
{
	const struct xckpt_note_table *table;
	size_t size;

	table = note(XCKPT_NT_SEM_UNDO, 0, &size);
	nr_undo = 0;
	if (!table)
		return;
	ASSERT(size >= sizeof(*table) && table->size == sizeof(*table));
	ASSERT(table->entry_size == sizeof(*undo) && table->entries_off == sizeof(*table));
	ASSERT(size == sizeof(*table) + table->nr_entries * sizeof(*undo));
	undo = (const void *)(table + 1);
	nr_undo = table->nr_entries;
}

static int is_undo(size_t i, uint64_t set, int number, int adjust)
{
	return i < nr_undo && undo[i].id == (int)set && undo[i].number == number &&
	       undo[i].adjust == adjust;
}

static int is_odd(void)
{
	const struct xckpt_note_process *info;
	size_t size;

	info = note(XCKPT_NT_PROCESS, 0, &size);
	ASSERT(info);
	return !!(info->flags & XCKPT_PROCESS_ODD_UNDO);
}

static void op(int set, int number, int by)
{
	struct sembuf sop = { (unsigned short)number, (short)by, SEM_UNDO };

	if (semop(set, &sop, 1))
		_exit(97);
}

static void *op_in_thread(void *arg)
{
	op((int)shared[FIRST_SET], 5, 2);
	shared[READY] = 1;
	return pausing_thread(NULL);
}

/* Its threads have the same ones. */
static void with_undo(void)
{
	int first = semget(IPC_PRIVATE, 7, 0600), second = semget(IPC_PRIVATE, NR_SEMS, 0600);
	int gone = semget(IPC_PRIVATE, 1, 0600);

	if (first < 0 || second < 0 || gone < 0)
		_exit(96);
	shared[FIRST_SET] = (uint64_t)first;
	shared[SECOND_SET] = (uint64_t)second;
	op(second, NR_SEMS - 1, 32767);
	op(first, 6, 9);
	op(first, 6, -4);
	op(first, 0, 1);
	op(first, 0, -1);
	op(gone, 0, 1);
	semctl(gone, 0, IPC_RMID);
	in_thread(op_in_thread, 0);
	napping_thread(NULL);
}

static void forget_sets(void)
{
	semctl((int)shared[FIRST_SET], 0, IPC_RMID);
	semctl((int)shared[SECOND_SET], 0, IPC_RMID);
}

TEST(undo_of_semaphores)
{
	struct xckpt_freeze f;
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_undo);
	EXPECT(reaches(READY, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	get(fd, pid);
	load_undo();
	EXPECT(nr_undo == 3 && !is_odd());
	EXPECT(is_undo(0, shared[FIRST_SET], 5, -2));
	EXPECT(is_undo(1, shared[FIRST_SET], 6, -5));
	EXPECT(is_undo(2, shared[SECOND_SET], NR_SEMS - 1, -32767));
	/* from outside, too */
	semctl((int)shared[FIRST_SET], 0, IPC_RMID);
	get(fd, pid);
	load_undo();
	EXPECT(nr_undo == 1 && is_undo(0, shared[SECOND_SET], NR_SEMS - 1, -32767));
	close(fd);
	forget_sets();
}

static _Noreturn int sleep_on(void *arg)
{
	shared[READY] = 1;
	for (;;)
		pause();
}

static void with_child(int flags)
{
	static char stack[16384] __attribute__((aligned(16)));
	int set = semget(IPC_PRIVATE, 1, 0600);

	shared[FIRST_SET] = (uint64_t)set;
	op(set, 0, 1);
	if (clone(sleep_on, stack + sizeof(stack), flags | SIGCHLD, NULL) < 0)
		_exit(96);
	napping_thread(NULL);
}

static void with_sharing_child(void)
{
	with_child(CLONE_SYSVSEM);
}

static void with_plain_child(void)
{
	with_child(0);
}

TEST(undo_that_others_have_too)
{
	void (*const targets[])(void) = { with_plain_child, with_sharing_child };
	struct xckpt_freeze f;
	pid_t pid;
	int fd;

	share_counters();
	for (int i = 0; i < 2; i++) {
		shared[READY] = 0;
		pid = target(targets[i]);
		EXPECT(reaches(READY, 1));
		fd = session();
		ASSERT(!freeze(fd, pid, &f));
		get(fd, pid);
		load_undo();
		EXPECT(nr_undo == 1 && is_odd() == i);
		close(fd);
		forget_sets();
	}
}

/* Killed while it is read: no list is looked at that has been given back. */
TEST(undo_of_who_is_killed)
{
	for (int i = 0; i < 20; i++) {
		struct xckpt_snapshot s;
		struct xckpt_freeze f;
		pid_t pid, killer;
		int fd;

		share_counters();
		pid = target(with_undo);
		EXPECT(reaches(READY, 1));
		fd = session();
		ASSERT(!freeze(fd, pid, &f));
		killer = fork();
		if (!killer) {
			usleep((unsigned int)i * 100);
			kill(pid, SIGKILL);
			_exit(0);
		}
		snapshot(fd, 0, &s);
		waitpid(killer, NULL, 0);
		close(fd);
		forget_sets();
	}
}

static void with_segment(void)
{
	int id = shmget(IPC_PRIVATE, 3 * 4096, 0600);
	char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);

	if (one == (void *)-1 || two == (void *)-1)
		_exit(97);
	shmctl(id, IPC_RMID, NULL);
	strcpy(one + 4096, "shared");
	shared[SEGMENT] = (uint64_t)id;
	shared[WRITTEN] = (uintptr_t)one;
	shared[READ_ONLY] = (uintptr_t)two;
	shared[READY] = 1;
	napping_thread(NULL);
}

TEST(memory_that_is_attached)
{
	const struct xckpt_vma *one, *two;
	struct xckpt_freeze f;
	char text[8];
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_segment);
	EXPECT(reaches(READY, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	core_load(core_of(fd, pid, 0));
	one = vma_at(shared[WRITTEN]);
	two = vma_at(shared[READ_ONLY]);
	ASSERT(one && two);
	EXPECT(one->kind == XCKPT_VMA_SYSV && one->ino == shared[SEGMENT]);
	EXPECT(two->kind == XCKPT_VMA_SYSV && two->ino == shared[SEGMENT]);
	EXPECT(one->flags & XCKPT_VMA_MAYWRITE && !(two->flags & XCKPT_VMA_MAYWRITE));
	EXPECT(one->flags & two->flags & XCKPT_VMA_SHARED);
	core_memory(text, sizeof(text), shared[READ_ONLY] + 4096);
	EXPECT(!strcmp(text, "shared"));
	close(core.fd);
	close(fd);
}
