// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous inodes. The launcher makes them, as it opens files: under QEMU too they
 * are the host's. What an epoll instance waits for is added last, in a process that
 * has it; a pidfd is opened in each process that has one, once all are there.
 */
#include "plan_files.h"

#define X86_TFD_TIMER_ABSTIME 1u
#define CLOCK_REALTIME_ALARM_NR 8

bool is_pidfd(const struct open_file *f)
{
	return f->kind == FILE_ANON_INODE && f->event.kind == EVENT_PROCESS;
}

/* A date for clocks that tell one; the others go on where they were, so what is left is right. */
static uint64_t expiry(const struct plan *plan, const struct event_state *e)
{
	bool date = e->clock == 0 || e->clock == CLOCK_REALTIME_ALARM_NR;

	if (!e->value_ns || !(e->settime_flags & X86_TFD_TIMER_ABSTIME))
		return e->value_ns;
	return e->value_ns + (uint64_t)(date ? plan->img->clocks.realtime_ns : 0);
}

static void plan_timer(struct plan *plan, struct plan_op *op, const struct event_state *e,
		       uint32_t flags)
{
	bool date = e->clock == 0 || e->clock == CLOCK_REALTIME_ALARM_NR;

	op->arg[1] = (uint64_t)e->clock;
	op->arg[2] = e->count;
	op->arg[3] = flags;
	op->arg[4] = expiry(plan, e);
	op->arg[5] = e->interval_ns;
	/* a date of the other clocks is as good as what is left until then */
	op->nr = date ? e->settime_flags : e->settime_flags & ~X86_TFD_TIMER_ABSTIME;
}

static void plan_watches(struct plan *plan, const struct open_file *f, int slot)
{
	size_t i;

	for (i = 0; i < f->event.nr_watches; i++) {
		struct plan_op *op = plan_add_shared(plan, OP_WATCH, 0);

		op->arg[0] = slot;
		op->arg[1] = (uint64_t)f->event.watches[i].wd;
		op->arg[2] = f->event.watches[i].mask;
		op->path = plan_path(plan, f->event.watches[i].path);
	}
}

void plan_event(struct files *files, struct description *d)
{
	const struct event_state *e = &d->file->event;
	uint32_t flags = d->file->flags;
	static const enum op_kind kinds[] = {
		[EVENT_COUNTER] = OP_EVENTFD,  [EVENT_TIMER] = OP_TIMERFD,
		[EVENT_SIGNALS] = OP_SIGNALFD, [EVENT_POLL] = OP_EPOLL,
		[EVENT_WATCHES] = OP_INOTIFY,  [EVENT_RING] = OP_RING,
	};
	struct plan_op *op;

	if (e->kind == EVENT_PROCESS || e->kind == EVENT_UNKNOWN)
		return; /* where it is placed; refused */
	op = plan_add_shared(files->plan, kinds[e->kind], 0);
	d->slot = (int)files->plan->nr_slots++;
	op->arg[0] = d->slot;
	op->value = d->pid;
	switch (e->kind) {
	case EVENT_COUNTER:
		op->arg[1] = e->count;
		op->arg[2] = e->semaphore;
		op->arg[3] = flags;
		break;
	case EVENT_TIMER:
		plan_timer(files->plan, op, e, flags);
		break;
	case EVENT_SIGNALS:
		op->arg[1] = e->mask;
		op->arg[2] = flags;
		break;
	default:
		op->arg[1] = flags;
		break;
	}
	if (e->kind == EVENT_WATCHES)
		plan_watches(files->plan, d->file, d->slot);
	if (e->kind == EVENT_RING)
		plan_ring(files->plan, d, op);
}

/* A descriptor of @f in @p, or -1. */
static int descriptor_in(const struct image_process *p, const struct open_file *f)
{
	size_t i;

	for (i = 0; i < p->nr_fds; i++)
		if (p->fds[i].file == f)
			return p->fds[i].fd;
	return -1;
}

/* The process that can add @target to @poll: a pidfd is only where its descriptors are. */
static struct process_plan *find_adder(struct files *files, const struct description *poll,
				       const struct description *target, int *fd)
{
	struct plan *plan = files->plan;
	size_t i;

	if (!is_pidfd(target->file) || target->slot >= 0)
		return &plan->processes[poll->process];
	for (i = 0; i < plan->nr_processes; i++) {
		const struct image_process *p = &plan->img->processes[i];

		*fd = descriptor_in(p, target->file);
		if (*fd >= 0 && descriptor_in(p, poll->file) >= 0)
			return &plan->processes[i];
	}
	return NULL;
}

static void plan_entry(struct files *files, const struct description *poll,
		       const struct poll_entry *entry)
{
	const struct description *target = files_find(files, entry->file);
	int fd = -1, slot = target->slot;
	struct process_plan *plan = find_adder(files, poll, target, &fd);
	struct plan_op *op;

	if (target->is_own)
		slot = files->own_slot[target->own < 3 ? target->own : 0];
	if (!plan || (slot < 0 && fd < 0)) {
		plan_issue(files->plan, false,
			   "cannot resume pid %d: its epoll instance (fd %d) waits for fd %d (%s), "
			   "which no process has beside it (let the program close it)",
			   poll->pid, poll->fd, entry->fd, target->file->path);
		return;
	}
	op = plan_add(plan, OP_ENTRY, 0);
	op->value = plan->process->info.pid;
	op->arg[0] = poll->slot;
	op->arg[1] = (uint64_t)entry->fd;
	op->arg[2] = entry->events;
	op->arg[3] = entry->data;
	op->arg[4] = fd < 0 ? (uint64_t)slot : ~0ull;
	op->arg[5] = fd == 2 ? (uint64_t)plan->fds.park2 : (uint64_t)fd;
	op->object = target->file->path;
}

void plan_entries(struct files *files)
{
	const struct image *img = files->plan->img;
	size_t i, j;

	for (i = 0; i < img->nr_files; i++) {
		const struct description *poll = &files->all[i];

		for (j = 0;
		     poll->slot >= 0 && !poll->replaced && j < img->files[i].event.nr_entries; j++)
			if (img->files[i].event.entries[j].file)
				plan_entry(files, poll, &img->files[i].event.entries[j]);
	}
}
