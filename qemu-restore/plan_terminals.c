// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pseudo-terminals whose master is in the image. The launcher makes each anew, so its
 * number may be another one, and keeps a slave of it as long as there is no program:
 * the slaves of the image are opened by that, the leader of the session takes it as its
 * controlling terminal, and where no process has any, the master finds that closed.
 */
#include <stdlib.h>
#include <string.h>

#include "plan_files.h"

static const struct open_file *master_of(const struct files *files, const struct open_file *slave)
{
	return files_find(files, slave->master)->file;
}

/* The user may have named a file for it. */
static bool is_made(const struct files *files, const struct open_file *f)
{
	return is_master(f) && f->terminal && files_find(files, f->id)->fd >= 0 &&
	       !files_override(files->plan, f);
}

bool has_master(const struct files *files, const struct open_file *slave)
{
	return slave->master && is_made(files, master_of(files, slave));
}

const struct plan_terminal *plan_terminal_of(const struct plan *plan, int sid)
{
	size_t i;

	for (i = 0; sid > 0 && i < plan->nr_terminals; i++)
		if (plan->terminals[i].terminal->session == sid)
			return &plan->terminals[i];
	return NULL;
}

static void add_terminal(struct files *files, struct description *d)
{
	struct plan *plan = files->plan;
	struct plan_op *op = plan_add_shared(plan, OP_TERMINAL, 0);

	d->slot = (int)plan->nr_slots++;
	d->slave = d->file->terminal->opened ? (int)plan->nr_slots++ : -1;
	op->arg[0] = (uint64_t)d->slot;
	op->arg[1] = (uint64_t)d->slave;
	op->arg[2] = d->file->flags;
	op->path = plan_path(plan, d->file->path);
	op->value = (uint64_t)d->pid;
	plan->terminals[plan->nr_terminals++] =
		(struct plan_terminal){ d->file->terminal, d->slot, d->slave };
}

void plan_masters(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i;

	files->plan->terminals = plan_must(calloc(img->nr_files + 1, sizeof(struct plan_terminal)));
	for (i = 0; i < img->nr_files; i++)
		if (is_made(files, &img->files[i]))
			add_terminal(files, &files->all[i]);
}

/* One that is made anew has its own; and nobody's are for who runs without a terminal. */
void plan_front(struct plan *plan)
{
	const bool *tty = plan->host->tty;
	int sid = plan->main < 0 ? 0 : plan->processes[plan->main].process->info.sid;

	if (plan->img->front && (tty[0] || tty[1] || tty[2]) && !plan_terminal_of(plan, sid))
		plan_add_shared(plan, OP_FRONT, 0);
}

void plan_slave(struct files *files, struct description *d)
{
	const struct description *master = files_find(files, d->file->master);
	struct plan_op *op;

	if (strcmp(d->file->path, "/dev/tty")) {
		files_reopen(files->plan, d, master->slave);
		return;
	}
	op = plan_add_shared(files->plan, OP_OPEN_TTY, 0);
	d->slot = (int)files->plan->nr_slots++;
	op->arg[0] = (uint64_t)d->slot;
	op->arg[1] = (uint64_t)master->slave;
	op->arg[2] = d->file->flags;
	op->value = (uint64_t)d->pid;
}

/* Last, since an exclusive or locked one cannot be opened any more. */
void plan_modes(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i;

	for (i = 0; i < img->nr_files; i++) {
		const struct description *d = &files->all[i];
		struct plan_op *op;

		if (!is_made(files, d->file))
			continue;
		op = plan_add_shared(files->plan, OP_MODES, 0);
		op->arg[0] = (uint64_t)d->slot;
		op->arg[1] = (uint64_t)d->slave;
		op->arg[2] = i;
		op->value = (uint64_t)d->pid;
		op->object = d->file->path;
	}
}
