// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings [LINES]: what a program, and each of its threads by itself, has told the
 * kernel about how it is to be treated: processors, policy, I/O priority, membarrier(2),
 * prctl(2). All of it has to be so afterwards.
 */
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#define PR_GET_MDWE 66
#endif
#ifndef PR_SET_MEMORY_MERGE /* Linux 6.4 */
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static pthread_barrier_t turn;

static int barriers(void)
{
	return !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) &&
	       !syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) &&
	       syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) < 0;
}

static int runs_on(int cpu)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) == 1 &&
	       CPU_ISSET(cpu, &set);
}

/* Not every kernel has them all, nor every processor. */
static const struct {
	int set, get;
	unsigned long arg[2];
} wishes[] = {
	{ PR_SET_MDWE, PR_GET_MDWE, { PR_MDWE_REFUSE_EXEC_GAIN, 0 } },
	{ PR_SET_MEMORY_MERGE, PR_GET_MEMORY_MERGE, { 1, 0 } },
	{ PR_MCE_KILL, PR_MCE_KILL_GET, { PR_MCE_KILL_SET, PR_MCE_KILL_EARLY } },
	{ PR_SET_IO_FLUSHER, PR_GET_IO_FLUSHER, { 1, 0 } },
};
#define NR_WISHES (sizeof(wishes) / sizeof(wishes[0]))
static int answers[NR_WISHES];

static void wish(void)
{
	for (size_t i = 0; i < NR_WISHES; i++) {
		prctl(wishes[i].set, wishes[i].arg[0], wishes[i].arg[1], 0, 0);
		answers[i] = prctl(wishes[i].get, 0, 0, 0, 0);
	}
}

static int have_wishes(void)
{
	for (size_t i = 0; i < NR_WISHES; i++)
		if (prctl(wishes[i].get, 0, 0, 0, 0) != answers[i])
			return 0;
	return 1;
}

static void ask(int cpu, int policy, int ioprio)
{
	struct sched_param param = { 0 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) || sched_setscheduler(0, policy, &param) ||
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, ioprio))
		die("ask");
}

static int has(int cpu, int policy, int ioprio)
{
	return runs_on(cpu) && sched_getscheduler(0) == policy &&
	       syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) == ioprio;
}

#define LOW IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7)
#define IDLE IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)

static void *other(void *arg)
{
	int cpu = sysconf(_SC_NPROCESSORS_ONLN) > 1;

	ask(cpu, SCHED_BATCH, IDLE);
	for (;;) {
		pthread_barrier_wait(&turn);
		expect(has(cpu, SCHED_BATCH, IDLE), "the other thread's are kept");
		pthread_barrier_wait(&turn);
	}
	return arg;
}

int main(int argc, char **argv)
{
	unsigned int i, lines = number(argv, argc, 1, 40);
	uint64_t seed = 1;
	pthread_t thread;

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0))
		die("membarrier");
	if (pthread_barrier_init(&turn, NULL, 2) || pthread_create(&thread, NULL, other, NULL))
		die("threads");
	wish();
	ask(0, SCHED_OTHER | SCHED_RESET_ON_FORK, LOW);
	for (i = 0; i < lines; i++) {
		seed = work(seed, STEP);
		pthread_barrier_wait(&turn);
		pthread_barrier_wait(&turn);
		expect(has(0, SCHED_OTHER | SCHED_RESET_ON_FORK, LOW), "its own are kept");
		expect(barriers(), "membarrier() works");
		expect(have_wishes(), "what prctl() asked for is kept");
		say("%u %016llx", i, (unsigned long long)seed);
	}
	return failures != 0;
}
