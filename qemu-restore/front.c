// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In front of the program: what is sent to qemu-resume reaches the program, its
 * stops and its end become qemu-resume's. Where the program has a process group of
 * its own, it is treated as a shell treats a job: its group gets the terminal, and
 * what the terminal sends to qemu-resume is for that group.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "launch.h"
#include "load.h"
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

void front_hold(void)
{
	sigfillset(&waited);
	sigprocmask(SIG_BLOCK, &waited, NULL);
}

static bool has_own_group(pid_t pid)
{
	return getpgid(pid) > 0 && getpgid(pid) != getpgrp();
}

/* Of its own, but in our session: then one of us has the terminal, if there is one. */
static bool shares_session(pid_t pid)
{
	return getsid(pid) == getsid(0);
}

static void set_foreground(pid_t to)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0)
		return;
	/* SIGTTOU is blocked */
	if (tcsetpgrp(tty, to))
		warn("cannot give the terminal to process group %d: %s", to, strerror(errno));
	close(tty);
}

static bool is_foreground(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	pid_t group = -1;

	if (tty >= 0) {
		group = tcgetpgrp(tty);
		close(tty);
	}
	return group == getpgrp();
}

static bool gave_terminal;

static void give_terminal(pid_t pid)
{
	gave_terminal = has_own_group(pid) && shares_session(pid) && is_foreground();
	if (gave_terminal)
		set_foreground(getpgid(pid));
}

static void take_terminal(void)
{
	if (gave_terminal)
		set_foreground(getpgrp());
	gave_terminal = false;
}

static struct {
	bool changed;
	struct termios before;
} modes;

/* Speed and the like are the line's. The numbers of the others are all machines' that we run on. */
static int apply_modes(int tty, const struct terminal *was)
{
	struct termios now = modes.before;

	now.c_iflag = was->iflag;
	now.c_oflag = was->oflag;
	now.c_lflag = was->lflag;
	memcpy(now.c_cc, was->chars, sizeof(was->chars));
	return tcsetattr(tty, TCSANOW, &now);
}

/* What the program has set there, as stty(1) does; how it leaves it is up to the program. */
static void set_modes(const struct terminal *was)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (tty < 0)
		return;
	if (tcgetattr(tty, &modes.before) || apply_modes(tty, was))
		warn("cannot give the terminal the modes that it had: %s", strerror(errno));
	else
		modes.changed = true;
	close(tty);
}

static void reset_modes(void)
{
	int tty = modes.changed ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;

	if (tty < 0)
		return;
	tcsetattr(tty, TCSANOW, &modes.before);
	close(tty);
}

/* As the kernel tells of a window that was made larger: a screen is to be drawn anew. */
static void tell_size(pid_t pid, const struct terminal *was)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct winsize now;

	if (tty < 0)
		return;
	if (!ioctl(tty, TIOCGWINSZ, &now) &&
	    (now.ws_row != was->rows || now.ws_col != was->columns))
		kill(has_own_group(pid) ? -getpgid(pid) : pid, SIGWINCH);
	close(tty);
}

void front_prepare(void)
{
	fork_waker();
}

void front_end(void)
{
	take_terminal();
	reset_modes();
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
	else if (info->si_code == SI_KERNEL && has_own_group(pid))
		kill(-getpgid(pid), info->si_signo);
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
	take_terminal();
	raise(SIGSTOP);
	give_terminal(pid);
	if (sigtimedwait(&cont, &info, &now) < 0 || info.si_pid != waker.pid)
		kill(has_own_group(pid) ? -getpgid(pid) : pid, SIGCONT);
}

/* Whom we wait for. */
struct watch {
	struct launched *l;
	const struct plan *plan;
	int status; /* of the main process */
	pid_t loader; /* it checks what is left of the image */
	int loader_status;
	const struct terminal *was; /* the program is still to be told if its size is another one */
};

static bool is_ours(const struct watch *w, unsigned int i)
{
	return w->plan->births[i].ours && w->l->all[i].pid > 0;
}

/* Do processes of the program live that are our children? */
static bool is_alive(const struct watch *w)
{
	unsigned int i;

	for (i = 0; i < w->l->nr; i++)
		if (is_ours(w, i) && w->plan->births[i].kind == BIRTH_LIVES)
			return true;
	return false;
}

static void note_end(struct watch *w, pid_t pid, int status)
{
	unsigned int i;

	for (i = 0; i < w->l->nr; i++) {
		if (!is_ours(w, i) || w->l->all[i].pid != pid)
			continue;
		w->l->all[i].pid = -1;
		if (i == w->l->main)
			w->status = status;
	}
}

static void look(struct watch *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (WIFSTOPPED(status)) {
			if (pid == w->l->all[w->l->main].pid)
				stop_like(pid);
		} else if (pid == w->loader) {
			w->loader_status = status;
			w->loader = -1;
		} else {
			note_end(w, pid, status);
		}
	}
}

/* To the main process, or when that has ended to all others that we wait for. */
static void pass_on(const struct watch *w, const siginfo_t *info)
{
	pid_t main = w->l->all[w->l->main].pid;
	unsigned int i;

	for (i = 0; i < w->l->nr; i++)
		if (is_ours(w, i) && (main < 0 || w->l->all[i].pid == main))
			forward(w->l->all[i].pid, info);
}

/* In the background it is somebody else's. */
void front_begin(const struct launched *l, const struct plan *plan)
{
	bool foreground = is_foreground();
	size_t i;

	give_terminal(l->all[l->main].pid);
	for (i = 0; foreground && i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_FRONT)
			set_modes(plan->img->front);
}

/*
 * What comes before the program is back in the call that it waits in does not end that: so it
 * is told of its terminal's size when it had time for that.
 */
static int next_signal(struct watch *w, siginfo_t *info)
{
	const struct timespec patience = { 0, 500000000 };
	int sig;

	if (!w->was)
		return sigwaitinfo(&waited, info);
	sig = sigtimedwait(&waited, info, &patience);
	if (sig < 0 && w->l->all[w->l->main].pid > 0)
		tell_size(w->l->all[w->l->main].pid, w->was);
	if (sig < 0)
		w->was = NULL;
	return sig;
}

int front(struct launched *l, const struct plan *plan, struct loader *loader)
{
	struct watch w = { .l = l,
			   .plan = plan,
			   .loader = loader->pid,
			   .was = modes.changed ? plan->img->front : NULL };
	siginfo_t info;

	loader_release(loader);
	for (look(&w); is_alive(&w); look(&w)) {
		if (w.loader_status) { /* it has said what is wrong */
			launch_abort(l, plan);
			front_end();
			return RECORD_EXIT_FAILURE;
		}
		if (next_signal(&w, &info) > 0 && info.si_signo != SIGCHLD &&
		    info.si_pid != waker.pid)
			pass_on(&w, &info);
	}
	if (w.loader > 0)
		kill(w.loader, SIGKILL);
	modes.changed = false; /* they are as the program has left them */
	front_end();
	world_leave(&l->world);
	return end_like(w.status);
}
