// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Freezing, with and without a snapshot, what changes all the time. A number as
 * argument: seconds for each storm. Runs as root with the module loaded.
 */
#include <sched.h>

#include "corefile.h"

#define DEFAULT_SECONDS 3
#define EXEC_FD 3
#define NR_WORKERS 4

static int seconds(void)
{
	return test_arg > 0 ? test_arg : DEFAULT_SECONDS;
}

/*
 * Errors that are right: what the target may do is end. A process that was in the
 * group may have ended before its core is asked for.
 */
static int right_error(int ends)
{
	return ends && errno == ESRCH;
}

/* Reads all that a core has, or as much as there is until the process ends. */
static void read_core(int fd)
{
	static char buf[1 << 16];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
}

/* One freeze of @pid in mode and manner number @round; 0 when the target was gone. */
static int dump_once(int fd, pid_t pid, unsigned int round, int ends)
{
	int with_snapshot = round / NR_MODES % 2;
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	unsigned int nr;
	int core_fd;

	if (freeze_mode(fd, pid, &f, all_modes[round % NR_MODES])) {
		EXPECT(right_error(ends));
		return 0;
	}
	if (with_snapshot)
		EXPECT(!snapshot(fd, 0, &s) || right_error(ends));
	nr = list_tasks(fd);
	if (round % 16 == 0)
		EXPECT(stands_still(NR_WORKERS));
	nr = nr < MAX_TASKS ? nr : MAX_TASKS;
	core_fd = nr ? core_of(fd, tasks[round % nr].pid, 0) : -1;
	/* a zombie has none */
	EXPECT(core_fd >= 0 || errno == ESRCH);
	if (with_snapshot)
		ASSERT(!thaw(fd));
	if (core_fd >= 0 && round % 8 == 3)
		read_core(core_fd);
	else if (core_fd >= 0)
		close(core_fd);
	if (!with_snapshot)
		ASSERT(!thaw(fd));
	return 1;
}

/* All that a test started ends when it is killed; nothing is frozen for good. */
static void expect_clean_end(pid_t pid)
{
	char path[64];
	int left = 1;

	kill(pid, SIGKILL);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	for (int i = 0; i < 30000 && left; i++) {
		FILE *children = fopen(path, "r");

		while (children && fscanf(children, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (children)
			fclose(children);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		left = !pid;
		nap_ms(1);
	}
	EXPECT(!left);
}

/* Freezes the storm for the time; it goes on after each freeze, and ends cleanly. */
static void storm_shared(void (*fn)(void), int nr_workers)
{
	int64_t end = now_ms() + seconds() * 1000ll;
	int fd = session();
	unsigned int round = 0;
	pid_t pid;

	alarm((unsigned int)(TEST_SECONDS + 2 * seconds()));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = target(fn);
	for (; now_ms() < end && failed_here < MAX_SAID; round++) {
		if (!EXPECT(dump_once(fd, pid, round, 0)))
			break;
		if (round % 4 == 0)
			EXPECT(moves(0, 1));
	}
	for (int n = 0; n < nr_workers; n++)
		EXPECT(moves(n, 1));
	printf("# %u freezes in %d s\n", round, seconds());
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	expect_clean_end(pid);
}

static void storm(void (*fn)(void), int nr_workers)
{
	share_counters();
	storm_shared(fn, nr_workers);
}

/* @fn again and again in each of the workers, which count how often. */
static void work(int (*fn)(void))
{
	for (int n = 1; n < NR_WORKERS; n++)
		if (!fork())
			for (;;)
				shared[n] += (uint64_t)fn();
	for (;;)
		shared[0] += (uint64_t)fn();
}

/* Waits for @pid, which shall have ended well: 1 to be counted. */
static int ended_well(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		_exit(96);
	return 1;
}

static int bomb(void)
{
	pid_t pid = fork();

	if (!pid) {
		pid_t inner = fork();

		if (!inner)
			_exit(0);
		fork();
		while (waitpid(-1, NULL, 0) > 0)
			;
		_exit(0);
	}
	return ended_well(pid);
}

static void fork_bomb(void)
{
	work(bomb);
}

TEST(fork_bomb_storm)
{
	storm(fork_bomb, NR_WORKERS);
}

static int exec_true(void)
{
	pid_t pid = fork();

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return ended_well(pid);
}

static void exec_children(void)
{
	work(exec_true);
}

TEST(exec_storm)
{
	storm(exec_children, NR_WORKERS);
}

static int vfork_true(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	return ended_well(pid);
}

static void vfork_children(void)
{
	work(vfork_true);
}

TEST(vfork_storm)
{
	storm(vfork_children, NR_WORKERS);
}

static void *brief_thread(void *arg)
{
	usleep((useconds_t)(long)arg);
	return NULL;
}

static void *ending_thread(void *arg)
{
	usleep((useconds_t)(long)arg);
	_exit(0);
}

/* A process that one of its threads ends while the others come, go and wait. */
static int exit_with_threads(void)
{
	static long spread;
	pid_t pid;

	spread = (spread + 137) % 1500;
	pid = fork();
	if (!pid) {
		in_thread(ending_thread, spread);
		for (int i = 0; i < 4; i++)
			in_thread(brief_thread, i * 300);
		pthread_exit(NULL);
	}
	return ended_well(pid);
}

static void exits(void)
{
	work(exit_with_threads);
}

TEST(exit_storm)
{
	storm(exits, NR_WORKERS);
}

static int churn(void)
{
	pthread_t thread[3];

	for (long i = 0; i < 3; i++)
		if (pthread_create(&thread[i], NULL, brief_thread, (void *)(i * 50)))
			_exit(95);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	return 1;
}

static void thread_churn(void)
{
	work(churn);
}

TEST(thread_storm)
{
	storm(thread_churn, NR_WORKERS);
}

/* The counters are in a file, so that they outlive exec. */
static int counters_file;

static void map_counters(int fd)
{
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		_exit(93);
}

/* One process that executes itself again and again, from the main thread or another. */
static void *exec_again(void *how)
{
	char *const argv[] = { "stress", "--exec-again", how, NULL };

	execv("/proc/self/exe", argv);
	_exit(94);
}

__attribute__((constructor)) static void executed_again(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--exec-again"))
		return;
	map_counters(EXEC_FD);
	shared[0]++;
	if (!strcmp(argv[2], "alone"))
		exec_again("alone");
	for (int i = 0; i < 3; i++)
		in_thread(pausing_thread, 0);
	if (!strcmp(argv[2], "leader"))
		exec_again("other");
	in_thread(exec_again, (long)"leader");
	pausing_thread(NULL);
}

/* A target starts with no descriptors but the first three. */
static void first_exec(char *how)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), counters_file);
	if (open(path, O_RDWR) != EXEC_FD)
		_exit(92);
	exec_again(how);
}

static void exec_alone(void)
{
	first_exec("alone");
}

static void exec_with_threads(void)
{
	first_exec("leader");
}

static void exec_self_storm(void (*fn)(void))
{
	counters_file = memfd_create("counters", 0);
	ASSERT(counters_file >= 0 && !ftruncate(counters_file, 65536));
	map_counters(counters_file);
	storm_shared(fn, 1);
}

TEST(exec_self_storm_alone)
{
	exec_self_storm(exec_alone);
}

TEST(exec_self_storm_with_threads)
{
	exec_self_storm(exec_with_threads);
}

/* Lives for a while, with threads and a child. */
static void short_life(unsigned int round)
{
	for (unsigned int i = 0; i < round % 4; i++)
		in_thread(brief_thread, (long)(round % 7 * 100));
	if (round % 3 == 0 && !fork())
		usleep(round % 11 * 200);
	else
		usleep(round % 13 * 200);
	_exit(0);
}

TEST(targets_that_end)
{
	int64_t end = now_ms() + seconds() * 1000ll;
	unsigned int round = 0, caught = 0;
	int fd = session();

	alarm((unsigned int)(TEST_SECONDS + 2 * seconds()));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	share_counters();
	for (; now_ms() < end && failed_here < MAX_SAID; round++) {
		pid_t pid = fork();

		if (!pid) {
			close(fd);
			short_life(round);
		}
		usleep(round % 17 * 150);
		/* a zombie can still be named by a pidfd */
		caught += (unsigned int)dump_once(fd, pid, round, 1);
		expect_clean_end(pid);
	}
	printf("# %u of %u were caught alive\n", caught, round);
	EXPECT(caught);
}
