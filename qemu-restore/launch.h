/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the plan to a running program. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/types.h>

#include "plan.h"

/* Descriptions that the launcher holds for the program: launch_files.c */
struct slots {
	int *fd;
	size_t nr;
};

/* Open everything, and check it. Returns 0, or -1 after one line on stderr. */
int slots_open(struct slots *slots, const struct plan *plan);
void slots_close(struct slots *slots);
/* In the child: put everything at its number. Returns 0 or -1. */
int slots_place(const struct slots *slots, const struct plan *plan);
/* Raise RLIMIT_NOFILE so that all of that fits. */
int slots_make_room(const struct plan *plan);

struct cover;

/* The world the program lives in: namespaces and their init, launch_world.c */
struct world {
	pid_t init;
	int pidfd; /* of it: its mount namespace is the program's */
	int control; /* socket to it */
};

/* Make it; its init keeps @cover. */
int world_open(struct world *world, const struct plan *plan, struct cover *cover);
/* In the child: enter the mount namespace. */
int world_enter(const struct world *world);
/* Show the restart ELF at the program's path; returns an error number. Take it away. */
int world_cover(const struct world *world);
void world_uncover(const struct world *world);
/* Kill all that is in it. */
void world_kill(struct world *world);
/* Let it live until its last process has ended. */
void world_leave(struct world *world);

/* A program that has been started but is held before its first instruction. */
struct launched {
	struct world world;
	pid_t pid;
	int status; /* socket; one byte lets it go */
};

/* Returns 0, or -1 after one line on stderr and with nothing left behind. */
int launch(struct launched *l, struct plan *plan, const struct slots *slots);
/* Let it run. */
int launch_go(struct launched *l);
/* End it, and all that it has started. */
void launch_abort(struct launched *l);

/* Stay in front of the program until it ends; returns what to exit with. front.c */
int front(struct launched *l, const struct plan *plan, int verifier, pid_t verifier_pid);
/* Block the signals that front() waits for. */
void front_prepare(void);
/* Where there is to be no front() after all. */
void front_end(void);

#endif
