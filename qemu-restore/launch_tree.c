// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tree as qemu-resume sees it: it makes its own children, which make theirs
 * (launch_birth.c), and all meet at its sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch_tree.h"
#include "report.h"

/* of all: born; leading their process groups; in their process groups */
#define MEETINGS 3

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

int tree_word(const struct launched *l, unsigned int birth, char word)
{
	return send(l->all[birth].status, &word, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
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
		tree_word(l, i, WORD_GO);
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
			birth_reap(l->all[i].pid);
	}
}

static int open_sockets(struct launched *l, struct nursery *nursery)
{
	const int on = 1;
	unsigned int i;
	int pair[2];

	/* where all below are taken a new pair gets the two before */
	nursery->sockets = nursery->slots->top + 3;
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
		    birth_make(nursery, op, &l->all[op->arg[3]].pid))
			return -1;
	}
	return 0;
}

int tree_make(struct launched *l, struct nursery *nursery)
{
	const struct plan *plan = nursery->plan;
	int ret, round;

	nursery->first_op = find_parts(plan);
	if (!nursery->first_op)
		return fail("cannot make the processes: %s", strerror(ENOMEM));
	ret = open_sockets(l, nursery);
	if (!ret)
		ret = fork_ours(nursery, l);
	syscall(SYS_close_range, nursery->sockets, nursery->sockets + l->nr - 1, 0);
	free(nursery->first_op);
	if (ret)
		return -1;
	for (round = 0; round < MEETINGS; round++) {
		if (gather(l, plan, false))
			return -1;
		words(l);
	}
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
			birth_reap(l->all[i].pid);
	}
}
