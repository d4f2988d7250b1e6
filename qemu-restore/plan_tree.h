/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes as a tree: who makes whom. plan.c tells the rules. */
#ifndef PLAN_TREE_H
#define PLAN_TREE_H

#include "plan.h"

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
	int foreground; /* process group of the terminal that it takes; 0: it takes none */
	int number; /* of the birth; -1: none yet */
};

struct tree {
	struct plan *plan;
	struct node *nodes;
	int nr, room;
	int *order; /* nodes by pid */
	int *by_number; /* of the birth */
	int *terminals; /* sessions whose terminal is qemu-resume's, ascending */
	int nr_terminals;
	int free_pid;
};

/* plan_tree.c: the tree of the image and its stand-ins, with everybody's maker. */
void tree_make_up(struct tree *t);
void tree_free(struct tree *t);
bool tree_leads_session(const struct node *n);
/* A pid that nobody in the image has. */
int tree_free_pid(struct tree *t);

#endif
