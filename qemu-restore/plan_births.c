// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree as operations: what each process does until it is the engine. */
#include <stdlib.h>

#include "plan_tree.h"

static int pid_of(const struct tree *t, int n)
{
	return n == NOBODY ? 0 : t->nodes[n].birth.pid;
}

/* The births in the order in which everybody's come right behind it, by maker. */
static void number(struct tree *t, int n)
{
	struct node *node = &t->nodes[n];
	int i, early, first = t->plan->nr_births;

	node->number = first;
	t->by_number[t->plan->nr_births++] = n;
	for (early = 1; early >= 0; early--)
		for (i = node->made[early]; i != -1; i = t->nodes[i].next)
			number(t, i);
	node->birth.nr_below = t->plan->nr_births - first - 1;
}

static void add_fork(struct tree *t, int n)
{
	const struct node *node = &t->nodes[n];
	struct plan_op *op = plan_add_shared(t->plan, OP_FORK, pid_of(t, node->maker));

	op->arg[0] = node->birth.pid;
	op->arg[1] = node->how;
	op->arg[2] = node->how == FORK_ORPHAN ? tree_free_pid(t) : 0;
	op->arg[3] = node->number;
}

static void join_group(struct tree *t, const struct node *node, bool leaders)
{
	int pid = node->birth.pid;

	if (node->pgid != OWN && node->pgid != node->sid && (node->pgid == pid) == leaders)
		plan_add_shared(t->plan, OP_SETPGID, pid)->arg[0] = node->pgid;
}

/* Those of its children that do not stay: it has to see their end before it goes on. */
static void see_ends(struct tree *t, int first, int pid)
{
	int i;

	for (i = first; i != -1; i = t->nodes[i].brother) {
		const struct birth *b = &t->nodes[i].birth;
		struct plan_op *op;

		if (b->kind == BIRTH_LIVES)
			continue;
		op = plan_add_shared(t->plan, OP_SEE, pid);
		op->arg[0] = b->pid;
		op->arg[1] = b->kind == BIRTH_ENDS;
	}
}

static void add_terminal_op(struct tree *t, enum op_kind kind, const struct node *node,
			    int foreground)
{
	const struct plan_terminal *terminal = plan_terminal_of(t->plan, node->sid);
	struct plan_op *op = plan_add_shared(t->plan, kind, node->birth.pid);

	op->arg[0] = (uint64_t)terminal->slave;
	op->arg[1] = (uint64_t)foreground;
}

/* Who is in a session that has a terminal of the image, and does not have that itself? */
static bool has_left_terminal(const struct tree *t, const struct node *node)
{
	const struct image *img = t->plan->img;

	return node->birth.process >= 0 &&
	       !(img->processes[node->birth.process].info.flags & XCKPT_PROCESS_TTY) &&
	       node->sid != OWN && plan_terminal_of(t->plan, node->sid);
}

/* What one of them does, from its first moment until it is what it is to be. */
static void add_birth(struct tree *t, const struct node *node)
{
	int i, pid = node->birth.pid;

	if (node->subreaper)
		plan_add_shared(t->plan, OP_SUBREAPER, pid);
	for (i = node->made[1]; i != -1; i = t->nodes[i].next)
		add_fork(t, i);
	if (tree_leads_session(node))
		plan_add_shared(t->plan, OP_SETSID, pid);
	/* whom it makes from now on has it, too */
	if (node->foreground)
		add_terminal_op(t, OP_TAKE_TERMINAL, node, 0);
	for (i = node->made[0]; i != -1; i = t->nodes[i].next)
		add_fork(t, i);
	if (has_left_terminal(t, node))
		add_terminal_op(t, OP_LEAVE_TERMINAL, node, 0);
	plan_add_shared(t->plan, OP_MEET, pid);
	join_group(t, node, true);
	plan_add_shared(t->plan, OP_MEET, pid);
	join_group(t, node, false);
	if (node->foreground)
		add_terminal_op(t, OP_FOREGROUND, node, node->foreground);
	plan_add_shared(t->plan, OP_MEET, pid);
	if (node->birth.kind != BIRTH_LIVES) {
		plan_add_shared(t->plan, OP_EXIT, pid)->arg[0] = node->exit_code;
	} else {
		see_ends(t, node->child, pid);
		plan_add_shared(t->plan, OP_MEET, pid);
	}
}

/* Every node at the end of its maker's list; those of qemu-resume are returned. */
static int link_made(struct tree *t)
{
	int i, own = -1;

	for (i = t->nr - 1; i >= 0; i--) {
		struct node *node = &t->nodes[i];
		int *list = node->maker == NOBODY ? &own : &t->nodes[node->maker].made[node->early];

		node->next = *list;
		*list = i;
	}
	return own;
}

static void add_births(struct tree *t)
{
	struct plan *plan = t->plan;
	int i, n, own = link_made(t);

	t->by_number = plan_must(calloc(t->nr + 1u, sizeof(*t->by_number)));
	plan->births = plan_must(calloc(t->nr + 1u, sizeof(*plan->births)));
	for (n = own; n != -1; n = t->nodes[n].next)
		number(t, n);
	for (n = own; n != -1; n = t->nodes[n].next)
		add_fork(t, n);
	if ((int)plan->nr_births != t->nr) {
		plan_issue(plan, false,
			   "cannot resume %s: its processes are each other's parents "
			   "(take the checkpoint anew)",
			   plan->img->name);
		return;
	}
	for (i = 0; i < t->nr; i++) {
		struct node *node = &t->nodes[t->by_number[i]];

		node->birth.ours = node->parent == NOBODY && node->how != FORK_ORPHAN;
		node->birth.ppid =
			node->parent == NOBODY ? !node->birth.ours : pid_of(t, node->parent);
		node->birth.pgid = node->pgid;
		node->birth.sid = node->sid;
		node->birth.exit_code = node->exit_code;
		plan->births[i] = node->birth;
		if (node->birth.ours && node->birth.kind == BIRTH_LIVES && plan->main < 0)
			plan->main = node->birth.process;
		add_birth(t, node);
	}
}

/* Make all processes, and give each its place. */
void plan_births(struct plan *plan)
{
	struct tree t = { .plan = plan, .free_pid = FREE_PIDS };

	tree_make_up(&t);
	add_births(&t);
	if (plan->main < 0)
		plan_issue(plan, false,
			   "cannot resume %s: none of its processes can be a child of qemu-resume "
			   "(dump the process that they came from with them)",
			   plan->img->name);
	tree_free(&t);
}
