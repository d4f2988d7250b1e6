/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the plan to a running program. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <limits.h>
#include <sys/types.h>

#include "plan.h"

struct unpacked;

/* Descriptions that the launcher holds for the program: launch_files.c. launch() opens them. */
struct slots {
	int *fd;
	size_t nr;
	struct unpacked *unpacked; /* packed files that were made: launch_unpack.c */
	size_t nr_unpacked;
	int top; /* nothing is open above; what will be gets one of the free numbers below */
	int root; /* the world's: only from there what is open can be linked or renamed there */
};

/*
 * Open everything, and check it; with @root as that of paths, which must be open for as
 * long. Returns 0, or -1 after one line on stderr.
 */
int slots_open(struct slots *slots, const struct plan *plan, int root);
/* When the program's clocks are set: what is left of its timerfds begins to count. */
int slots_start_timers(const struct slots *slots, const struct plan *plan);
/* When all stands: seals that would have been in the way, watches that would have seen us. */
int slots_finish(const struct slots *slots, const struct plan *plan);
void slots_close(struct slots *slots);
/* The program runs: what packed files have replaced is not needed any more. */
void slots_keep_unpacked(struct slots *slots);
/* It does not: files are again as they were. */
void slots_undo_unpacked(struct slots *slots);
/* In a process of the program: put everything at its number. Returns 0 or -1. */
int slots_place(const struct slots *slots, const struct process_plan *plan);
/* A number above all that the program or the restorer uses: from there slots are. */
int slots_first(const struct plan *plan);
/* Raise RLIMIT_NOFILE so that all of that fits. */
int slots_make_room(const struct plan *plan);

/* System V IPC, in its namespace: launch_sysv.c. All return 0, or -1 after one line on stderr. */
int sysv_make(const struct plan *plan);
/* Before each attempt: who has ended may have changed them, by SEM_UNDO. */
int sysv_set_values(const struct plan *plan);
/* When all is attached: owners and modes, and what was to be removed. */
int sysv_finish(const struct plan *plan);

struct cover;

/* The world the program lives in: namespaces and their init, launch_world.c */
struct world {
	pid_t init;
	int pidfd; /* of it: its mount namespace is the program's */
	int control; /* socket to it */
};

/* Make it; its init keeps @covers, one for each process. */
int world_open(struct world *world, const struct plan *plan, struct cover *covers);
/* Its root in the mount namespace, where nobody has to go for that; a descriptor, or -1 as above.
 */
int world_root(const struct world *world);
/* In the child: enter the mount namespace. @root: what the root was outside, "" if it is the same.
 */
int world_enter(const struct world *world, char root[PATH_MAX]);
/* Show the restart ELF of a process at its program's path; returns an error number. */
int world_cover(const struct world *world, int process);
/* Take it away. */
void world_uncover(const struct world *world, int process);
/* Kill all but the init; then wait, when our own children have been reaped, until all are gone. */
void world_clear(const struct world *world);
int world_wait_clear(const struct world *world);
/* Kill all that is in it. */
void world_kill(struct world *world);
/* Let it live until its last process has ended. */
void world_leave(struct world *world);

/* A process on its way. */
struct launched_process {
	pid_t pid; /* as we see it; 0: not known yet */
	int status; /* socket; a byte is the word to go on; -1: there is none any more */
};

/* A program that has been started but is held before its first instruction. */
struct launched {
	struct world world;
	struct launched_process *all; /* as plan->births */
	unsigned int nr;
	unsigned int main; /* the one whose end is qemu-resume's */
	bool *told; /* as plan->ops: it could not be done, and that was told */
};

struct loader;

/* Returns 0, or -1 after one line on stderr and with nothing left behind. */
int launch(struct launched *l, struct plan *plan, struct slots *slots, struct loader *loader);
/* Let it run. */
int launch_go(struct launched *l, const struct plan *plan);
/* End it, and all that it has started. */
void launch_abort(struct launched *l, const struct plan *plan);

/* Stay in front of the program until it ends; returns what to exit with. front.c */
int front(struct launched *l, const struct plan *plan, struct loader *loader);
/* Before the program runs: it gets the terminal if that is ours to give, as it had it. */
void front_begin(const struct launched *l, const struct plan *plan);
/* Block the signals that front() waits for: who is told to end cleans up first. */
void front_hold(void);
/* Once they are held, and before anything is started. */
void front_prepare(void);
/* Where there is to be no front() after all. */
void front_end(void);

#endif
