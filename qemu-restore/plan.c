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
 * plan_tree.c decides all that, plan_births.c makes operations of it.
 */
#include <sched.h>
#include <stdlib.h>

#include "plan.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static void plan_surroundings(struct plan *plan)
{
	const struct image *img = plan->img;
	uint64_t spaces = CLONE_NEWPID | CLONE_NEWNS;
	struct plan_op *op;

	if (img->clocks.monotonic_ns)
		spaces |= CLONE_NEWTIME;
	if (has_sysv(&img->sysv))
		spaces |= CLONE_NEWIPC;
	plan_add_shared(plan, OP_NAMESPACES, 0)->arg[0] = spaces;
	if (spaces & CLONE_NEWTIME) {
		op = plan_add_shared(plan, OP_CLOCKS, 0);
		op->arg[0] = img->clocks.monotonic_ns;
		op->arg[1] = img->clocks.boottime_ns;
	}
}

/* All have the one mount namespace that is made of qemu-resume's. */
static void judge_mounts(struct plan *plan)
{
	const struct image_process *first = plan->img->processes, *p;

	for (p = first; p < first + plan->img->nr_processes; p++)
		if (p->mounts != first->mounts) {
			plan_issue(plan, true,
				   "cannot resume pid %d: it had other things mounted than pid %d, "
				   "and all get one mount namespace (dump them one by one)",
				   p->info.pid, first->info.pid);
			return;
		}
	if (first->mounts)
		plan_warning(plan,
			     "pid %d: it had other things mounted than xckpt-dump: its paths are "
			     "taken as they are here",
			     first->info.pid);
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
	plan_leftovers(&plan->processes[i]);
	plan_descriptors(&plan->processes[i]);
}

static void fill_process(struct process_plan *plan)
{
	size_t i;

	plan_check(plan);
	plan_place(plan);
	plan_no_huge_pages(plan);
	plan_keys(plan);
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
	plan_packed(plan);
	plan->nr_processes = img->nr_processes;
	plan->processes = plan_must(calloc(img->nr_processes, sizeof(*plan->processes)));
	plan->core_slots = plan_must(calloc(img->nr_processes, sizeof(*plan->core_slots)));
	for (i = 0; i < plan->nr_processes; i++)
		begin_process(plan, i);
	plan_surroundings(plan);
	judge_mounts(plan);
	plan_sysv(plan);
	plan_mapped(plan);
	plan_huge(plan);
	plan_objects(plan);
	plan_files(plan);
	plan_mapped_memory(plan);
	for (i = 0; i < plan->nr_processes; i++)
		plan_vforks(&plan->processes[i]);
	plan_births(plan);
	plan_front(plan);
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
