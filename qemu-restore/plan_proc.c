// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files of /proc that tell of a process or thread of the image: there is none before
 * that is there, and some stay with the memory that it had when they were opened. So
 * each process opens those that it has by itself, when it is all but complete.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_files.h"

/* One before @fd in @p that is of the same description, or NULL. */
static const struct process_fd *earlier(const struct image_process *p, const struct process_fd *fd)
{
	const struct process_fd *other;

	for (other = p->fds; other < fd; other++)
		if (other->file == fd->file)
			return other;
	return NULL;
}

/* Somebody else in the image before @plan's process has the description, too. */
static const struct image_process *other_holder(const struct process_plan *plan,
						const struct open_file *f)
{
	const struct image_process *p;
	size_t i;

	for (p = plan->img->processes; p < plan->process; p++)
		for (i = 0; i < p->nr_fds; i++)
			if (p->fds[i].file == f)
				return p;
	return NULL;
}

static void open_itself(struct process_plan *plan, const struct open_file *f, int fd)
{
	const char *path = plan_path(plan->group, f->path);
	const struct image_process *other = other_holder(plan, f);
	struct plan_op *op = plan_add(plan, OP_OPEN_ITSELF, plan->process->info.pid);

	op->arg[0] = buffer_add(&plan->data, path, strlen(path) + 1, 1);
	op->refs = 1;
	op->arg[1] = f->flags;
	op->arg[2] = f->pos;
	op->arg[3] = (uint64_t)fd;
	op->object = path;
	if (other)
		plan_warning(plan->group,
			     "pid %d: %s is not shared with pid %d any more: each has a position "
			     "of its own",
			     plan->process->info.pid, f->path, other->info.pid);
}

/* What is not told to have been written to is taken for what it was before. */
static void judge_dirty(struct process_plan *plan, const struct open_file *f)
{
	static const char end[] = "/clear_refs";
	size_t len = strlen(f->path);

	if (plan->host->tells_dirty || len < sizeof(end) ||
	    strcmp(f->path + len - (sizeof(end) - 1), end) != 0)
		return;
	plan_issue(plan->group, true,
		   "cannot resume pid %d: it asks which of its memory was written to (%s), and "
		   "this kernel does not tell (use one with CONFIG_MEM_SOFT_DIRTY)",
		   plan->process->info.pid, f->path);
}

void plan_proc(struct process_plan *plan)
{
	const struct image_process *p = plan->process;
	size_t i;

	for (i = 0; i < p->nr_fds; i++) {
		const struct process_fd *fd = &p->fds[i], *other;
		/* 2 is the engine's for now */
		int number = fd->fd == 2 ? plan->fds.park2 : fd->fd;

		if (!is_of_process(plan->img, fd->file) || files_override(plan->group, fd->file))
			continue;
		other = earlier(p, fd);
		if (!other)
			judge_dirty(plan, fd->file);
		if (other)
			plan_syscall(plan, p->info.pid, NR_DUP2,
				     (uint64_t)(other->fd == 2 ? plan->fds.park2 : other->fd),
				     (uint64_t)number, 0, 0);
		else
			open_itself(plan, fd->file, number);
	}
}
