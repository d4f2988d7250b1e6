// SPDX-License-Identifier: GPL-2.0-or-later
/* Records become what is known of a checkpoint. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more of @size bytes, zeroed; NULL when out of memory. */
static void *grow(void *list, size_t *nr, size_t *room, size_t size)
{
	char **base = list;
	void *entry;

	if (*nr == *room) {
		size_t more = *room ? 2 * *room : 16;
		char *bigger = reallocarray(*base, more, size);

		if (!bigger)
			return NULL;
		*base = bigger;
		*room = more;
	}
	entry = *base + (*nr)++ * size;
	memset(entry, 0, size);
	return entry;
}

/* A program chooses its name: it must neither steer a terminal nor end a string of a report. */
void model_comm(char *to, const char *from)
{
	memcpy(to, from, COMM_SIZE);
	to[COMM_SIZE] = 0;
	for (; *to; to++)
		if (*to < 0x20 || *to > 0x7e)
			*to = '?';
}

struct checkpoint *model_find(struct model *model, uint32_t session)
{
	for (size_t i = 0; i < model->nr; i++)
		if (model->list[i].session == session)
			return &model->list[i];
	return NULL;
}

/* They come about in the order of the list: look from the last one on. */
struct stat_thread *model_thread(struct checkpoint *c, int pid, int tid, bool add)
{
	struct stat_thread *thread;

	for (size_t i = 0; i < c->nr_threads; i++) {
		size_t at = (c->last_thread + i) % c->nr_threads;

		if (c->threads[at].tid == tid) {
			c->last_thread = at;
			return &c->threads[at];
		}
	}
	thread = add ? grow(&c->threads, &c->nr_threads, &c->room_threads, sizeof(*thread)) : NULL;
	if (thread) {
		thread->pid = pid;
		thread->tid = tid;
	}
	return thread;
}

struct stat_process *model_process(struct checkpoint *c, int pid, bool add)
{
	struct stat_process *process;

	for (size_t i = 0; i < c->nr_processes; i++)
		if (c->processes[i].pid == pid)
			return &c->processes[i];
	process = add ? grow(&c->processes, &c->nr_processes, &c->room_processes, sizeof(*process))
		      : NULL;
	if (process)
		process->pid = pid;
	return process;
}

static int take_freeze_begin(struct model *model, const struct record *r)
{
	struct checkpoint *c = model_find(model, r->session);

	if (!c) {
		c = grow(&model->list, &model->nr, &model->room, sizeof(*c));
		if (!c)
			return -1;
		c->session = r->session;
		c->holder = r->holder;
		c->cpu_begin = r->cpu_ns;
		model_comm(c->comm, r->comm);
	} else {
		if (c->freeze.begin && c->thaw.end > c->freeze.begin)
			c->earlier_ns += c->thaw.end - c->freeze.begin;
		c->freeze = c->snapshot = c->thaw = (struct span){ 0 };
		c->nr_threads = c->nr_processes = c->last_thread = 0;
	}
	c->root = r->freeze_begin.pid;
	c->attempts++;
	c->freeze.begin = r->ns;
	return 0;
}

static int take_thread(struct checkpoint *c, const struct event_freeze_thread *e)
{
	struct stat_thread *thread = model_thread(c, e->pid, e->tid, true);
	struct stat_process *process = model_process(c, e->pid, true);

	if (!thread || !process)
		return -1;
	model_comm(thread->comm, e->comm);
	if (!process->comm[0] || e->tid == e->pid)
		model_comm(process->comm, e->comm);
	thread->state = e->state;
	thread->nr = e->nr;
	thread->ret = e->ret;
	thread->slept = e->slept;
	thread->cut = e->cut;
	if (e->parked_ns)
		thread->held.begin = e->parked_ns;
	thread->frozen.delay_ns = e->delay_ns;
	thread->frozen.switches = e->switches;
	return 0;
}

/* Before the group stands still freeze_thread tells better; later it is one that was woken. */
static void take_park_begin(struct checkpoint *c, const struct record *r)
{
	struct stat_thread *thread = model_thread(c, r->park_begin.pid, r->park_begin.tid, false);

	if (!thread || thread->held.begin)
		return;
	thread->woken = true;
	thread->held.begin = r->ns;
}

static void take_park_end(struct checkpoint *c, const struct record *r)
{
	struct stat_thread *thread = model_thread(c, r->park_end.pid, r->park_end.tid, false);

	if (!thread)
		return;
	thread->held.end = r->ns;
	thread->thawed.delay_ns = r->park_end.delay_ns;
	thread->thawed.switches = r->park_end.switches;
}

static void take_freeze_end(struct checkpoint *c, const struct record *r)
{
	c->freeze.end = r->ns;
	c->freeze_err = r->freeze_end.ret;
	c->mode = r->freeze_end.mode;
	c->nr_rounds = r->freeze_end.nr_rounds;
	c->latency_ns = r->freeze_end.latency_ns;
	c->skew_ns = r->freeze_end.skew_ns;
}

static void take_snapshot_end(struct checkpoint *c, const struct record *r)
{
	c->snapshot.end = r->ns;
	c->snapshot_err = r->snapshot_end.ret;
	c->nr_uncloned = r->snapshot_end.nr_uncloned;
	c->nr_captures = r->snapshot_end.nr_attempts;
	c->copied_bytes = r->snapshot_end.copied_bytes;
}

static void take_group(struct checkpoint *c, const struct record *r)
{
	switch (r->type) {
	case RECORD_freeze_end:
		take_freeze_end(c, r);
		break;
	case RECORD_snapshot_begin:
		c->snapshot.begin = r->ns;
		break;
	case RECORD_snapshot_end:
		take_snapshot_end(c, r);
		break;
	case RECORD_thaw_begin:
		c->thaw.begin = r->ns;
		break;
	case RECORD_thaw_end:
		c->thaw.end = r->ns;
		break;
	case RECORD_session_end:
		c->end_ns = r->ns;
		/* the last descriptor may have been another process's */
		if (r->holder == c->holder)
			c->cpu_end = r->cpu_ns;
		break;
	}
}

static void take_found(struct stat_process *process, const struct event_core_found *e)
{
	process->found = true;
	process->bytes[KIND_ANON] = e->anon;
	process->bytes[KIND_FILE] = e->file;
	process->bytes[KIND_SHARED] = e->shared;
	process->bytes[KIND_HUGETLB] = e->hugetlb;
	process->bytes[KIND_OTHER] = e->other;
	process->bytes[KIND_UNTOUCHED] = e->untouched;
}

/* A snapshot that is taken again has several of each: the last one counts. */
static void take_process(struct checkpoint *c, const struct record *r)
{
	/* all of these events begin with the pid */
	struct stat_process *process = model_process(c, r->capture_begin.pid, false);

	if (!process)
		return;
	switch (r->type) {
	case RECORD_capture_begin:
		process->capture.begin = r->ns;
		break;
	case RECORD_capture_end:
		process->capture.end = r->ns;
		break;
	case RECORD_clone_begin:
		process->clone.begin = r->ns;
		break;
	case RECORD_clone_end:
		process->clone.end = r->ns;
		process->clone_err = r->clone_end.ret;
		process->clone_pages = r->clone_end.pages;
		break;
	case RECORD_core_found:
		take_found(process, &r->core_found);
		break;
	}
}

int model_take(struct model *model, const struct record *r)
{
	struct checkpoint *c;

	if (r->type == RECORD_freeze_begin)
		return take_freeze_begin(model, r);
	c = model_find(model, r->session);
	if (!c)
		return 0; /* its beginning was dropped: that is counted */
	switch (r->type) {
	case RECORD_freeze_thread:
		return take_thread(c, &r->freeze_thread);
	case RECORD_park_begin:
		take_park_begin(c, r);
		break;
	case RECORD_park_end:
		take_park_end(c, r);
		break;
	case RECORD_capture_begin:
	case RECORD_capture_end:
	case RECORD_clone_begin:
	case RECORD_clone_end:
	case RECORD_core_found:
		take_process(c, r);
		break;
	default:
		take_group(c, r);
	}
	return 0;
}

bool checkpoint_settled(const struct checkpoint *c)
{
	if (!c->end_ns)
		return false;
	for (size_t i = 0; i < c->nr_threads; i++)
		if (c->threads[i].held.begin && !c->threads[i].held.end)
			return false;
	return true;
}

bool checkpoint_has(const struct checkpoint *c, int pid)
{
	for (size_t i = 0; i < c->nr_threads; i++)
		if (c->threads[i].pid == pid || c->threads[i].tid == pid)
			return true;
	return c->root == pid;
}

void checkpoint_forget(struct model *model, struct checkpoint *c)
{
	size_t at = (size_t)(c - model->list);

	free(c->threads);
	free(c->processes);
	model->nr--;
	memmove(c, c + 1, (model->nr - at) * sizeof(*c));
}

void model_free(struct model *model)
{
	while (model->nr)
		checkpoint_forget(model, &model->list[model->nr - 1]);
	free(model->list);
}
