// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stopped [TURNS]: jobs that stand, each by another signal, while their parent works.
 * It has been told of all but one of them, and is not told again: they stand until it
 * lets them go on.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

static const struct {
	int sig;
	const char *name;
	bool told;
} jobs[] = { { SIGSTOP, "SIGSTOP", true },
	     { SIGTSTP, "SIGTSTP", true },
	     { SIGTTIN, "SIGTTIN", true },
	     { SIGTTOU, "SIGTTOU", false } };

#define NR_JOBS (sizeof(jobs) / sizeof(*jobs))

/* A process group of its own, whose parent can let it go on. */
static pid_t start(int sig)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	setpgid(0, 0);
	raise(sig);
	_exit(sig);
}

static bool stands(pid_t pid)
{
	char path[64], line[256] = "";
	const char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		die(path);
	fclose(f);
	state = strrchr(line, ')');
	return state && state[2] == 'T';
}

static bool is_told(pid_t pid, int options, int want)
{
	int status;

	return waitpid(pid, &status, options) == pid && status == want;
}

int main(int argc, char **argv)
{
	unsigned int turns = number(argv, argc, 1, 40);
	pid_t pids[NR_JOBS];
	int status;

	for (size_t i = 0; i < NR_JOBS; i++) {
		pids[i] = start(jobs[i].sig);
		while (!stands(pids[i]))
			usleep(1000);
		if (jobs[i].told)
			expect(is_told(pids[i], WUNTRACED, W_STOPCODE(jobs[i].sig)), jobs[i].name);
	}
	for (unsigned int i = 0; i < turns; i++)
		say("turn %u %016jx", i, (uintmax_t)work(i, STEP));
	for (size_t i = 0; i < NR_JOBS; i++) {
		say("stopped by %s", jobs[i].name);
		check(stands(pids[i]), "still stands");
		if (jobs[i].told)
			check(!waitpid(pids[i], &status, WUNTRACED | WNOHANG),
			      "as was told before");
		else
			check(is_told(pids[i], WUNTRACED | WNOHANG, W_STOPCODE(jobs[i].sig)),
			      "as is told now");
		kill(pids[i], SIGCONT);
		check(is_told(pids[i], 0, W_EXITCODE(jobs[i].sig, 0)), "goes on, and ends");
	}
	return failures != 0;
}
