// SPDX-License-Identifier: GPL-2.0-or-later
/* A process of the tree, from its birth until it is the engine: its part of the plan. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch_slots.h"
#include "launch_tree.h"
#include "report.h"

static pid_t fork_with_pid(pid_t pid, uint64_t flags)
{
	struct clone_args args = { .flags = flags,
				   /* of a brother it is the maker's own */
				   .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
				   .set_tid = (uintptr_t)&pid,
				   .set_tid_size = 1 };

	return syscall(SYS_clone3, &args, sizeof(args));
}

int birth_reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* In a process of the tree: an end that was seen must not be told to the program again. */
static void forget_sigchld(void)
{
	const struct timespec now = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &now);
}

static void tell(int socket, uint32_t kind, unsigned int birth)
{
	const struct record_status status = { .magic = RECORD_MAGIC, .kind = kind, .index = birth };

	if (write(socket, &status, sizeof(status)) != sizeof(status))
		_exit(RECORD_EXIT_FAILURE);
}

static _Noreturn void give_up(int socket, unsigned int birth)
{
	tell(socket, STATUS_TOLD, birth);
	_exit(RECORD_EXIT_FAILURE);
}

static void meet(int socket, unsigned int birth)
{
	ssize_t n;
	char word;

	tell(socket, STATUS_MET, birth);
	do
		n = read(socket, &word, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(RECORD_EXIT_FAILURE);
}

/* As wait(2) is to tell it; only that there was a core dump cannot be had. */
static _Noreturn void end_with(int code)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;
	int sig = code & 0x7f;

	if (!sig)
		_exit(code >> 8);
	setrlimit(RLIMIT_CORE, &none);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(RECORD_EXIT_FAILURE);
}

static int see_end(const struct plan_op *op)
{
	int flags = op->arg[1] ? WEXITED | WNOWAIT : WEXITED;
	siginfo_t info;

	while (waitid(P_PID, op->arg[0], &info, flags))
		if (errno != EINTR)
			return -1;
	forget_sigchld();
	return 0;
}

static void be_born(const struct nursery *nursery, unsigned int birth);

/* Its sockets are those of the births from @first to @last. */
static void close_sockets(const struct nursery *nursery, unsigned int first, unsigned int last)
{
	const struct plan *plan = nursery->plan;
	unsigned int base = nursery->sockets;

	if (first)
		syscall(SYS_close_range, base, base + first - 1, 0);
	syscall(SYS_close_range, base + last + 1, base + 2 * plan->nr_births - 1, 0);
}

static pid_t make(const struct nursery *nursery, const struct plan_op *op)
{
	const struct plan *plan = nursery->plan;
	unsigned int birth = op->arg[3], last = birth + plan->births[birth].nr_below;
	pid_t pid = fork_with_pid(op->arg[0], op->arg[1] == FORK_BROTHER ? CLONE_PARENT : 0);

	if (!pid) {
		close_sockets(nursery, birth, last);
		be_born(nursery, birth);
	}
	return pid;
}

/* By somebody in between who ends: who gets the orphan is its parent from then on. */
static pid_t make_orphan(const struct nursery *nursery, const struct plan_op *op)
{
	pid_t pid = fork_with_pid(op->arg[2], 0);

	if (!pid)
		_exit(make(nursery, op) < 0 ? errno : 0);
	if (pid > 0) {
		int status = birth_reap(pid);

		forget_sigchld();
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
		if (errno)
			return -1;
	}
	return pid;
}

int birth_make(const struct nursery *nursery, const struct plan_op *op, pid_t *made)
{
	unsigned int birth = op->arg[3], base = nursery->sockets;
	pid_t pid;

	pid = op->arg[1] == FORK_ORPHAN ? make_orphan(nursery, op) : make(nursery, op);
	if (pid < 0)
		return fail("cannot give a process its pid %d: %s%s", (int)op->arg[0],
			    strerror(errno), errno == EINVAL ? " (raise kernel.pid_max)" : "");
	*made = pid;
	/* the sockets of those that come of it are theirs only */
	syscall(SYS_close_range, base + birth, base + birth + nursery->plan->births[birth].nr_below,
		0);
	return 0;
}

static int carry_out(const struct nursery *nursery, const struct plan_op *op, unsigned int birth)
{
	pid_t made;

	switch (op->kind) {
	case OP_FORK:
		return birth_make(nursery, op, &made);
	case OP_SUBREAPER:
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		return 0;
	case OP_SETSID:
		return setsid() < 0 ? fail("cannot make session %d: %s", op->tid, strerror(errno))
				    : 0;
	case OP_SETPGID:
		return setpgid(0, op->arg[0]) ? fail("cannot put pid %d into process group %d: %s",
						     op->tid, (int)op->arg[0], strerror(errno))
					      : 0;
	case OP_TAKE_TERMINAL:
	case OP_LEAVE_TERMINAL:
	case OP_FOREGROUND:
		return terminal_join(nursery->slots, op);
	case OP_SEE:
		return see_end(op) ? fail("cannot see the end of pid %d: %s", (int)op->arg[0],
					  strerror(errno))
				   : 0;
	case OP_EXIT:
		end_with(op->arg[0]);
	default:
		meet(nursery->sockets + birth, birth);
		return 0;
	}
}

/*
 * What is ignored stays so through exec. Those that a C library keeps to itself, and lets
 * nobody set, are among them: posix_spawn(3) starts programs with them ignored.
 */
static void reset_signals(void)
{
	const struct {
		unsigned long handler, flags, restorer, mask;
	} by_default = { 0 };
	sigset_t all;
	int sig;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, &by_default, NULL, sizeof(by_default.mask));
}

/* A process's life until it is the engine; does not return. */
static void be_born(const struct nursery *nursery, unsigned int birth)
{
	const struct plan *plan = nursery->plan;
	const struct birth *b = &plan->births[birth];
	const struct plan_op *op = &plan->ops[nursery->first_op[birth]];
	int socket = nursery->sockets + birth;

	reset_signals();
	for (; op->tid == b->pid && op->process < 0; op++)
		if (carry_out(nursery, op, birth))
			give_up(socket, birth);
	launch_exec(&nursery->files[b->process], &plan->processes[b->process], nursery->slots,
		    nursery->world, socket);
	give_up(socket, birth);
}
