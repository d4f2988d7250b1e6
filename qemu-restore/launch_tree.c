// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making the tree: every process carries out its part of the plan, makes those
 * that come of it, and meets the others at the sockets of qemu-resume.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

static int reap(pid_t pid)
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
		int status = reap(pid);

		forget_sigchld();
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
		if (errno)
			return -1;
	}
	return pid;
}

static int fork_op(const struct nursery *nursery, const struct plan_op *op, pid_t *made)
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
		return fork_op(nursery, op, &made);
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

static void reset_signals(void)
{
	sigset_t all;
	int sig;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
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

int tree_interrupted(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action;
	sigset_t pending;
	size_t i;

	/* those that wait until front() passes them on mean us as long as there is no program */
	sigpending(&pending);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigismember(&pending, signals[i]) && !sigaction(signals[i], NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			return signals[i];
	return 0;
}

/* One message, and from whom it is. */
static bool receive(struct launched_process *p, struct record_status *status)
{
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { status, sizeof(*status) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred from;

	if (recvmsg(p->status, &msg, MSG_CMSG_CLOEXEC) != sizeof(*status) ||
	    status->magic != RECORD_MAGIC)
		return false;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
		memcpy(&from, CMSG_DATA(c), sizeof(from));
		p->pid = from.pid;
	}
	return true;
}

int tree_listen(struct launched *l, unsigned int birth, struct record_status *status)
{
	struct pollfd ready = { .fd = l->all[birth].status, .events = POLLIN };

	/* it takes as long as it takes, but not against the user's will */
	while (poll(&ready, 1, 200) <= 0)
		if (tree_interrupted())
			return -1;
	return receive(&l->all[birth], status);
}

int tree_word(const struct launched *l, unsigned int birth)
{
	return send(l->all[birth].status, "g", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Wait until all that have not ended are there. */
static int gather(struct launched *l, const struct plan *plan, bool living)
{
	struct record_status status;
	unsigned int i;
	int heard;

	for (i = 0; i < l->nr; i++) {
		const struct birth *b = &plan->births[i];

		if (living && b->kind != BIRTH_LIVES)
			continue;
		heard = tree_listen(l, i, &status);
		if (heard < 0)
			return fail("cannot resume pid %d: interrupted (%s)",
				    plan->births[l->main].pid, strsignal(tree_interrupted()));
		if (!heard)
			return fail("cannot resume pid %d: it ended while it was being made",
				    b->pid);
		if (status.kind != STATUS_MET)
			return -1; /* it has told why */
	}
	return 0;
}

static void words(struct launched *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		tree_word(l, i);
}

/* Those that do not stay have nothing more to say. */
static void reap_ended(struct launched *l, const struct plan *plan)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++) {
		if (plan->births[i].kind == BIRTH_LIVES)
			continue;
		close(l->all[i].status);
		l->all[i].status = -1;
		if (plan->births[i].ours && plan->births[i].kind == BIRTH_STANDS_IN)
			reap(l->all[i].pid);
	}
}

/* Nothing is open from there on. */
static int free_numbers(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int top = 2;

	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) > top)
			top = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return top + 1;
}

static int open_sockets(struct launched *l, struct nursery *nursery)
{
	const int on = 1;
	unsigned int i;
	int pair[2];

	nursery->sockets = free_numbers();
	if (nursery->sockets < slots_first(nursery->plan))
		nursery->sockets = slots_first(nursery->plan);
	for (i = 0; i < l->nr; i++) {
		int child = nursery->sockets + (int)i, own = child + (int)l->nr;

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			return fail("cannot make a socket: %s", strerror(errno));
		if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
		    dup3(pair[0], own, O_CLOEXEC) < 0 || dup3(pair[1], child, O_CLOEXEC) < 0)
			return fail("cannot keep a socket: %s", strerror(errno));
		close(pair[0]);
		close(pair[1]);
		l->all[i] = (struct launched_process){ .status = own };
	}
	return 0;
}

/* Where the part of each begins; they follow in the order of the births. */
static size_t *find_parts(const struct plan *plan)
{
	size_t *first = calloc(plan->nr_births + 1, sizeof(*first)), op = 0;
	unsigned int i;

	for (i = 0; first && i < plan->nr_births; i++) {
		while (plan->ops[op].process < 0 && plan->ops[op].tid != plan->births[i].pid)
			op++;
		first[i] = op;
	}
	return first;
}

static int fork_ours(const struct nursery *nursery, struct launched *l)
{
	const struct plan *plan = nursery->plan;
	size_t i;

	for (i = 0; i < plan->nr_ops && plan->ops[i].process < 0; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind == OP_FORK && !op->tid &&
		    fork_op(nursery, op, &l->all[op->arg[3]].pid))
			return -1;
	}
	return 0;
}

int tree_make(struct launched *l, struct nursery *nursery)
{
	const struct plan *plan = nursery->plan;
	int ret;

	nursery->first_op = find_parts(plan);
	if (!nursery->first_op)
		return fail("cannot make the processes: %s", strerror(ENOMEM));
	ret = open_sockets(l, nursery);
	if (!ret)
		ret = fork_ours(nursery, l);
	syscall(SYS_close_range, nursery->sockets, nursery->sockets + l->nr - 1, 0);
	free(nursery->first_op);
	/* born; leading their process groups; in their process groups */
	if (ret || gather(l, plan, false))
		return -1;
	words(l);
	if (gather(l, plan, false))
		return -1;
	words(l);
	if (gather(l, plan, false))
		return -1;
	words(l);
	reap_ended(l, plan);
	return gather(l, plan, true);
}

void tree_end(struct launched *l, const struct plan *plan)
{
	unsigned int i;

	world_clear(&l->world);
	for (i = 0; i < l->nr; i++) {
		if (l->all[i].status >= 0)
			close(l->all[i].status);
		l->all[i].status = -1;
		if (plan->births[i].ours && l->all[i].pid > 0)
			reap(l->all[i].pid);
	}
}
