// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In front of the program: what is sent to qemu-resume reaches the program, its
 * stops and its end become qemu-resume's. Signals of the terminal are not passed
 * on: the program is in the same process group and has them already.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch.h"
#include "report.h"

static sigset_t waited;

void front_prepare(void)
{
	sigfillset(&waited);
	sigprocmask(SIG_BLOCK, &waited, NULL);
}

static void forward(pid_t pid, const siginfo_t *info)
{
	if (info->si_code == SI_QUEUE)
		syscall(SYS_rt_sigqueueinfo, pid, info->si_signo, info);
	else if (info->si_code == SI_USER || info->si_code == SI_TKILL)
		kill(pid, info->si_signo);
}

/* End as the program did, so that who waits for us sees the same. */
static int end_like(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + WTERMSIG(status);
}

static void stop_like(pid_t pid)
{
	raise(SIGSTOP);
	kill(pid, SIGCONT);
}

/* True when the program has ended: *@status tells how. */
static bool look(struct launched *l, int *verifier_status, pid_t verifier, int *status)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (pid == verifier && !WIFSTOPPED(st)) {
			*verifier_status = st;
		} else if (pid == l->pid && WIFSTOPPED(st)) {
			stop_like(pid);
		} else if (pid == l->pid) {
			*status = st;
			return true;
		}
	}
	return false;
}

int front(struct launched *l, const struct plan *plan, int go_verifier, pid_t verifier)
{
	int status = 0, bad = 0;
	siginfo_t info;

	if (verifier > 0) {
		(void)!write(go_verifier, "g", 1);
		close(go_verifier);
	}
	for (;;) {
		if (look(l, &bad, verifier, &status))
			break;
		if (bad) { /* the verifier has said what is wrong */
			world_kill(&l->world);
			return RECORD_EXIT_FAILURE;
		}
		if (sigwaitinfo(&waited, &info) > 0 && info.si_signo != SIGCHLD)
			forward(l->pid, &info);
	}
	if (verifier > 0)
		kill(verifier, SIGKILL);
	world_leave(&l->world);
	return end_like(status);
}
