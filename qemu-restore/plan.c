// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan as a whole: who makes which process, in what order; then each process
 * by itself.
 *
 * All processes are made first, empty, with their pids, by each other: parents,
 * sessions and process groups are things that only fork(2), setsid(2) and
 * setpgid(2) give. Then they become the engine, one after the other, and are
 * filled. A process is made by
 *
 *   its parent              when that is in the right session: its own, or the one
 *                           that it was born in and leaves later
 *   the session's leader    else: as a brother (CLONE_PARENT) when they have the same
 *                           parent; or by a child of the leader that ends, so that
 *                           the next subreaper above, or the init, gets it
 *
 * A leader that is not in the image is stood in for by a process that lives until
 * all have their places. So is the leader of a process group. Whoever had ended
 * and was not waited for is made like the others, and then ends. In between they
 * meet: nobody joins a process group before it is there, nobody ends before all
 * have joined, nobody goes on before all that had ended have ended.
 *
 * A session that had a terminal becomes that of qemu-resume, which has one; and a
 * process group of it whose leader is not in the image becomes qemu-resume's own.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define NOBODY -1 /* qemu-resume, or the init */
#define OWN 0 /* qemu-resume's session or process group */
#define ANY -1
#define FREE_PIDS 300 /* as the kernel does when it begins anew */

struct node {
	struct birth birth;
	int pgid, sid;
	int exit_code;
	int parent, maker; /* nodes */
	int child, brother; /* lists: of those with the same parent */
	int made[2], next; /* of those with the same maker: [1] before it leaves its session */
	enum fork_how how;
	bool early;
	bool subreaper;
	int number; /* of the birth; -1: none yet */
};

struct tree {
	struct plan *plan;
	struct node *nodes;
	int nr, room;
	int *order; /* nodes by pid */
	int *by_number; /* of the birth */
	int *terminals; /* sessions that have one, ascending */
	int nr_terminals;
	int free_pid;
};

static int compare_int(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The node of @pid, or NOBODY. */
static int find(const struct tree *t, int pid)
{
	int low = 0, high = t->nr;

	while (low < high) {
		int mid = low + (high - low) / 2;

		if (t->nodes[t->order[mid]].birth.pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return low < t->nr && t->nodes[t->order[low]].birth.pid == pid ? t->order[low] : NOBODY;
}

static int add_node(struct tree *t, enum birth_kind kind, int pid)
{
	int i, n = t->nr;

	if (n == t->room) {
		t->room = t->room * 2 + 64;
		t->nodes = plan_must(realloc(t->nodes, t->room * sizeof(*t->nodes)));
		t->order = plan_must(realloc(t->order, t->room * sizeof(*t->order)));
	}
	t->nodes[n] = (struct node){ .birth = { .pid = pid, .process = -1, .kind = kind },
				     .parent = NOBODY,
				     .maker = NOBODY,
				     .child = -1,
				     .brother = -1,
				     .made = { -1, -1 },
				     .next = -1,
				     .number = -1 };
	for (i = n; i > 0 && t->nodes[t->order[i - 1]].birth.pid > pid; i--)
		t->order[i] = t->order[i - 1];
	t->order[i] = n;
	t->nr++;
	return n;
}

static bool has_terminal(const struct tree *t, int sid)
{
	return bsearch(&sid, t->terminals, t->nr_terminals, sizeof(sid), compare_int);
}

/* The sessions whose terminal qemu-resume stands for: there must be no other in the image. */
static void find_terminals(struct tree *t)
{
	const struct image *img = t->plan->img;
	size_t i;

	t->terminals = plan_must(calloc(img->nr_processes + 1, sizeof(*t->terminals)));
	for (i = 0; i < img->nr_processes; i++)
		if (img->processes[i].info.flags & XCKPT_PROCESS_TTY)
			t->terminals[t->nr_terminals++] = img->processes[i].info.sid;
	qsort(t->terminals, t->nr_terminals, sizeof(*t->terminals), compare_int);
}

/* 0 is outside of the namespace that the image was taken in, 1 its init. */
static void set_ids(struct tree *t, struct node *n, int pgid, int sid)
{
	n->sid = sid <= 1 || has_terminal(t, sid) ? OWN : sid;
	n->pgid = pgid <= 1 ? OWN : pgid;
}

static void set_parent(struct tree *t, int n, int parent)
{
	t->nodes[n].parent = parent;
	if (parent == NOBODY)
		return;
	t->nodes[n].brother = t->nodes[parent].child;
	t->nodes[parent].child = n;
}

static void add_nodes(struct tree *t)
{
	const struct image *img = t->plan->img;
	size_t i;
	int n;

	for (i = 0; i < img->nr_processes; i++) {
		const struct xckpt_note_process *info = &img->processes[i].info;

		n = add_node(t, BIRTH_LIVES, info->pid);
		t->nodes[n].birth.process = (int)i;
		t->nodes[n].subreaper = info->flags & XCKPT_PROCESS_SUBREAPER;
		set_ids(t, &t->nodes[n], info->pgid, info->sid);
	}
	for (i = 0; i < img->nr_zombies; i++) {
		const struct image_zombie *z = &img->zombies[i];

		n = add_node(t, BIRTH_ENDS, z->pid);
		t->nodes[n].exit_code = z->exit_code;
		set_ids(t, &t->nodes[n], z->pgid, z->sid);
	}
	for (n = t->nr - 1; n >= 0; n--)
		set_parent(t, n,
			   find(t, n < (int)img->nr_processes
					   ? img->processes[n].info.ppid
					   : img->zombies[n - img->nr_processes].ppid));
}

static bool leads_session(const struct node *n)
{
	return n->sid == n->birth.pid;
}

static bool is_above(const struct tree *t, int above, int n)
{
	while (n != NOBODY && n != above)
		n = t->nodes[n].parent;
	return n == above;
}

/* Can @n's children of session @sid be made from below @n, where its leader is? */
static bool comes_from_below(const struct tree *t, int n, int sid)
{
	int leader = find(t, sid);

	return leader != NOBODY && leader != n && is_above(t, n, leader);
}

/* The session that @n has to be born in. */
static int birth_session(const struct tree *t, int n)
{
	int i, sid;

	if (!leads_session(&t->nodes[n]))
		return t->nodes[n].sid;
	for (i = t->nodes[n].child; i != -1; i = t->nodes[i].brother) {
		sid = birth_session(t, i);
		if (sid != ANY && sid != t->nodes[n].sid && !comes_from_below(t, n, sid))
			return sid;
	}
	return ANY;
}

static int session_of(const struct tree *t, int n)
{
	return n == NOBODY ? OWN : t->nodes[n].sid;
}

static int next_subreaper(const struct tree *t, int n)
{
	for (n = t->nodes[n].parent; n != NOBODY && !t->nodes[n].subreaper;)
		n = t->nodes[n].parent;
	return n;
}

static void refuse(struct tree *t, int n)
{
	const struct node *node = &t->nodes[n];

	plan_issue(t->plan, false,
		   "cannot resume pid %d: nobody can make it: it belongs to session %d, and its "
		   "parent does not (dump the process that it came from with it, or dump it alone)",
		   node->birth.pid, node->sid);
}

/* In a session that @n's parent is not in and was not born in: its leader makes it. */
static void decide_leader(struct tree *t, int n, int sid)
{
	int parent = t->nodes[n].parent, leader = find(t, sid);

	if (sid == OWN || !leads_session(&t->nodes[leader]) || is_above(t, n, leader)) {
		refuse(t, n);
		return;
	}
	t->nodes[n].maker = leader;
	if (t->nodes[leader].parent == parent) {
		t->nodes[n].how = FORK_BROTHER;
	} else if (next_subreaper(t, leader) == parent) {
		t->nodes[n].how = FORK_ORPHAN;
	} else {
		t->nodes[n].maker = NOBODY;
		refuse(t, n);
	}
}

static void decide(struct tree *t, int n)
{
	int parent = t->nodes[n].parent, sid = birth_session(t, n);

	t->nodes[n].maker = parent;
	if (sid == ANY || sid == session_of(t, parent))
		return;
	if (parent != NOBODY && leads_session(&t->nodes[parent]) && sid == birth_session(t, parent))
		t->nodes[n].early = true;
	else
		decide_leader(t, n, sid);
}

/* Of a session whose leader has ended: where a stand-in for that has to be. */
static int parent_of_session(const struct tree *t, int first)
{
	int i;

	for (i = first; i < t->nr; i++)
		if (t->nodes[i].sid == t->nodes[first].sid && t->nodes[i].parent == NOBODY)
			return NOBODY;
	/* parents come first, so the first one's is not of this session */
	return t->nodes[first].parent;
}

static void stand_in(struct tree *t, int pid, int sid, int parent)
{
	int n = add_node(t, BIRTH_STANDS_IN, pid);

	t->nodes[n].pgid = pid;
	t->nodes[n].sid = sid;
	set_parent(t, n, parent);
}

/* Somebody has to lead a session and a process group until its members are in it. */
static void add_leaders(struct tree *t)
{
	int i, nr = t->nr;

	for (i = 0; i < nr; i++) {
		int sid = t->nodes[i].sid;

		if (sid != OWN && find(t, sid) == NOBODY)
			stand_in(t, sid, sid, parent_of_session(t, i));
	}
	for (i = 0; i < nr; i++) {
		int pgid = t->nodes[i].pgid, leader = find(t, pgid);

		if (leader != NOBODY && t->nodes[leader].pgid != pgid)
			plan_issue(t->plan, false,
				   "cannot resume pid %d: the leader of its process group %d has "
				   "left that (take the checkpoint later, or dump pid %d alone)",
				   t->nodes[i].birth.pid, pgid, t->nodes[i].birth.pid);
		if (leader != NOBODY)
			continue;
		if (t->nodes[i].sid == OWN)
			t->nodes[i].pgid = OWN;
		else if (pgid != OWN)
			stand_in(t, pgid, t->nodes[i].sid, t->nodes[i].parent);
	}
}

static bool is_taken(const struct tree *t, int pid)
{
	const struct image *img = t->plan->img;
	size_t i, j;

	if (find(t, pid) != NOBODY)
		return true;
	for (i = 0; i < img->nr_processes; i++)
		for (j = 0; j < img->processes[i].nr_threads; j++)
			if (img->processes[i].threads[j].tid == pid)
				return true;
	return false;
}

static int free_pid(struct tree *t)
{
	while (is_taken(t, t->free_pid))
		t->free_pid++;
	return t->free_pid++;
}

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
	op->arg[2] = node->how == FORK_ORPHAN ? free_pid(t) : 0;
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

/* What one of them does, from its first moment until it is what it is to be. */
static void add_birth(struct tree *t, const struct node *node)
{
	int i, pid = node->birth.pid;

	if (node->subreaper)
		plan_add_shared(t->plan, OP_SUBREAPER, pid);
	for (i = node->made[1]; i != -1; i = t->nodes[i].next)
		add_fork(t, i);
	if (leads_session(node))
		plan_add_shared(t->plan, OP_SETSID, pid);
	for (i = node->made[0]; i != -1; i = t->nodes[i].next)
		add_fork(t, i);
	plan_add_shared(t->plan, OP_MEET, pid);
	join_group(t, node, true);
	plan_add_shared(t->plan, OP_MEET, pid);
	join_group(t, node, false);
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
		plan->births[i] = node->birth;
		if (node->birth.ours && node->birth.kind == BIRTH_LIVES && plan->main < 0)
			plan->main = node->birth.process;
		add_birth(t, node);
	}
}

/* Make all processes, and give each its place. */
static void plan_births(struct plan *plan)
{
	struct tree t = { .plan = plan, .free_pid = FREE_PIDS };
	int i;

	find_terminals(&t);
	add_nodes(&t);
	add_leaders(&t);
	for (i = 0; i < t.nr; i++)
		decide(&t, i);
	add_births(&t);
	if (plan->main < 0)
		plan_issue(plan, false,
			   "cannot resume %s: none of its processes can be a child of qemu-resume "
			   "(dump the process that they came from with them)",
			   plan->img->name);
	free(t.nodes);
	free(t.order);
	free(t.by_number);
	free(t.terminals);
}

static void plan_surroundings(struct plan *plan)
{
	const struct image *img = plan->img;
	uint64_t spaces = CLONE_NEWPID | CLONE_NEWNS;
	struct plan_op *op;

	if (img->clocks.monotonic_ns)
		spaces |= CLONE_NEWTIME;
	plan_add_shared(plan, OP_NAMESPACES, 0)->arg[0] = spaces;
	if (spaces & CLONE_NEWTIME) {
		op = plan_add_shared(plan, OP_CLOCKS, 0);
		op->arg[0] = img->clocks.monotonic_ns;
		op->arg[1] = img->clocks.boottime_ns;
	}
}

static void begin_process(struct plan *plan, size_t i)
{
	plan->processes[i] = (struct process_plan){ .group = plan,
						    .img = plan->img,
						    .process = &plan->img->processes[i],
						    .engine = plan->engine,
						    .host = plan->host,
						    .exe_exists = plan->host->exe_exists[i],
						    .index = (int)i,
						    .vfork_fd = -1 };
	plan->processes[i].leader_ended =
		plan->img->processes[i].threads[0].tid != plan->img->processes[i].info.pid;
	plan_descriptors(&plan->processes[i]);
}

static void fill_process(struct process_plan *plan)
{
	size_t i;

	plan_check(plan);
	plan_place(plan);
	plan_memory(plan);
	if (!plan->call)
		plan->call = plan_find_call(plan);
	plan_process(plan);
	plan_clones(plan);
	plan_ended_leader(plan);
	for (i = 0; i < plan->process->nr_threads; i++)
		plan_thread(plan, i);
}

struct plan *plan_make(const struct image *img, const struct engine *engine,
		       const struct plan_host *host)
{
	struct plan *plan = plan_must(calloc(1, sizeof(*plan)));
	size_t i;

	plan->img = img;
	plan->engine = engine;
	plan->host = host;
	plan->main = -1;
	plan->nr_processes = img->nr_processes;
	plan->processes = plan_must(calloc(img->nr_processes, sizeof(*plan->processes)));
	for (i = 0; i < plan->nr_processes; i++)
		begin_process(plan, i);
	plan_surroundings(plan);
	plan_objects(plan);
	plan_files(plan);
	for (i = 0; i < plan->nr_processes; i++)
		plan_vforks(&plan->processes[i]);
	plan_births(plan);
	for (i = 0; i < plan->nr_processes; i++)
		fill_process(&plan->processes[i]);
	plan_sort(plan);
	for (i = 0; i < plan->nr_processes; i++)
		if (!plan_hole(&plan->processes[i]))
			plan_issue(
				plan, false,
				"cannot resume pid %d: no hole of %llu bytes in its address space "
				"(it is full)",
				img->processes[i].info.pid,
				(unsigned long long)plan->processes[i].hole_size);
	return plan;
}
