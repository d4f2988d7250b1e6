// SPDX-License-Identifier: GPL-2.0-or-later
/* Who makes which process: plan.c tells the rules. */
#include <stdlib.h>
#include <string.h>

#include "plan_tree.h"

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

/* The sessions whose terminal qemu-resume stands for: its master is not in the image. */
static void find_terminals(struct tree *t)
{
	const struct image *img = t->plan->img;
	size_t i;

	t->terminals = plan_must(calloc(img->nr_processes + 1, sizeof(*t->terminals)));
	for (i = 0; i < img->nr_processes; i++)
		if (img->processes[i].info.flags & XCKPT_PROCESS_TTY &&
		    !plan_terminal_of(t->plan, img->processes[i].info.sid))
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

bool tree_leads_session(const struct node *n)
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

	if (!tree_leads_session(&t->nodes[n]))
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

	if (sid == OWN || !tree_leads_session(&t->nodes[leader]) || is_above(t, n, leader)) {
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
	if (parent != NOBODY && tree_leads_session(&t->nodes[parent]) &&
	    sid == birth_session(t, parent))
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

int tree_free_pid(struct tree *t)
{
	while (is_taken(t, t->free_pid))
		t->free_pid++;
	return t->free_pid++;
}

/* A group in the foreground may be one that nobody is in any more. */
static void add_foreground(struct tree *t)
{
	const struct plan *plan = t->plan;
	size_t i;

	for (i = 0; i < plan->nr_terminals; i++) {
		const struct terminal *terminal = plan->terminals[i].terminal;
		int leader = find(t, terminal->session), group = terminal->foreground;

		if (leader == NOBODY || !tree_leads_session(&t->nodes[leader]))
			continue;
		if (!group) {
			group = tree_free_pid(t);
			stand_in(t, group, terminal->session, leader);
		}
		t->nodes[leader].foreground = group;
	}
}

void tree_make_up(struct tree *t)
{
	int i;

	find_terminals(t);
	add_nodes(t);
	add_leaders(t);
	add_foreground(t);
	for (i = 0; i < t->nr; i++)
		decide(t, i);
}

void tree_free(struct tree *t)
{
	free(t->nodes);
	free(t->order);
	free(t->by_number);
	free(t->terminals);
}
