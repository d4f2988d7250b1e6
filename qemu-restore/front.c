// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In front of the program: what is sent to qemu-resume reaches the program, its
 * stops and its end become qemu-resume's. Signals of the terminal are not passed
 * on: the program is in the same process group and has them already.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "report.h"

static sigset_t waited;
static struct {
	pid_t pid; /* -1: there is none */
	int fd; /* takes the pid of a program that stands */
} waker = { -1, -1 };

/* 'T' and the like; 0: it is gone */
static char state_of(pid_t pid)
{
	char path[32], text[512], *end;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

/* For each pid that it reads: wake @front when that process does not stand any more. */
static _Noreturn void run_waker(int fd, pid_t front)
{
	const struct timespec pause = { 0, 50000000 };
	pid_t pid;
	char state;

	while (read(fd, &pid, sizeof(pid)) == sizeof(pid) && getppid() == front) {
		while ((state = state_of(pid)) == 'T' || state == 't')
			nanosleep(&pause, NULL);
		kill(front, SIGCONT);
	}
	_exit(0);
}

/*
 * Who stops as the program does is not told when that goes on: a process of its
 * own has to look. Made before our children belong to another pid namespace.
 */
static void fork_waker(void)
{
	pid_t front = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return;
	waker.pid = fork();
	if (!waker.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[1]);
		run_waker(fds[0], front);
	}
	close(fds[0]);
	waker.fd = fds[1];
}

void front_prepare(void)
{
	sigfillset(&waited);
	sigprocmask(SIG_BLOCK, &waited, NULL);
	fork_waker();
}

void front_end(void)
{
	if (waker.pid > 0) {
		kill(waker.pid, SIGKILL);
		waitpid(waker.pid, NULL, 0);
		close(waker.fd);
	}
	waker.pid = -1;
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

/* Stand until either of us is told to go on. */
static void stop_like(pid_t pid)
{
	const struct timespec now = { 0, 0 };
	siginfo_t info = { 0 };
	sigset_t cont;

	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	if (waker.pid > 0 && write(waker.fd, &pid, sizeof(pid)) != sizeof(pid))
		waker.pid = -1;
	raise(SIGSTOP);
	if (sigtimedwait(&cont, &info, &now) < 0 || info.si_pid != waker.pid)
		kill(pid, SIGCONT);
}

/* True when the program has ended: *@status tells how. */
static bool look(struct launched *l, int *verifier_status, pid_t *verifier, int *status)
{
	int st;
	pid_t pid;

	while ((pid = waitpid(-1, &st, WNOHANG | WUNTRACED)) > 0) {
		if (pid == *verifier && !WIFSTOPPED(st)) {
			*verifier_status = st;
			*verifier = -1;
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
		if (look(l, &bad, &verifier, &status))
			break;
		if (bad) { /* the verifier has said what is wrong */
			launch_abort(l);
			front_end();
			return RECORD_EXIT_FAILURE;
		}
		if (sigwaitinfo(&waited, &info) > 0 && info.si_signo != SIGCHLD &&
		    info.si_pid != waker.pid)
			forward(l->pid, &info);
	}
	if (verifier > 0)
		kill(verifier, SIGKILL);
	front_end();
	world_leave(&l->world);
	return end_like(status);
}
