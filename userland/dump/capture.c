// SPDX-License-Identifier: GPL-2.0-or-later
/* The frozen group as one struct image: a core per process and what joins them. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"
#include "version.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = {
	[XCKPT_TASK_PARKED] = "parked", [XCKPT_TASK_STOPPED] = "stopped",
	[XCKPT_TASK_VFORK] = "vfork",	[XCKPT_TASK_EXITING] = "exiting",
	[XCKPT_TASK_ZOMBIE] = "zombie",
};

static bool has_registers(uint32_t state)
{
	return state <= XCKPT_TASK_VFORK;
}

/* What a process that has ended still tells. */
static int add_ended(struct dump *d, struct manifest_process *p, const struct xckpt_task *task)
{
	struct image_zombie *z = &d->img.zombies[d->img.nr_zombies++];
	char buf[64], path[64], stat[512];
	const char *end;
	size_t n = 0;
	FILE *f;

	p->comm = arena_strdup(&d->priv.arena, comm_of(p->pid, buf));
	if (!p->comm)
		return -1;
	p->ppid = task->ppid;
	p->exit_code = task->exit_code;
	snprintf(path, sizeof(path), "/proc/%d/stat", p->pid);
	f = fopen(path, "re");
	if (f) {
		n = fread(stat, 1, sizeof(stat) - 1, f);
		fclose(f);
	}
	stat[n] = 0;
	end = strrchr(stat, ')');
	if (end && sscanf(end, ") %*c %*d %d %d", &p->pgid, &p->sid) != 2)
		p->pgid = p->sid = 0;
	*z = (struct image_zombie){ p->pid, p->ppid, p->pgid, p->sid, p->exit_code, p->comm };
	return 0;
}

static int fill_process(struct dump *d, struct manifest_process *mp, const struct image_process *p)
{
	struct arena *arena = &d->priv.arena;

	mp->ppid = p->info.ppid;
	mp->pgid = p->info.pgid;
	mp->sid = p->info.sid;
	mp->comm = p->info.comm;
	mp->core = p->core_name;
	mp->nr_threads = p->nr_threads;
	mp->threads = arena_alloc(arena, p->nr_threads, sizeof(*mp->threads));
	mp->nr_fds = p->nr_fds;
	mp->fds = arena_alloc(arena, p->nr_fds, sizeof(*mp->fds));
	if (!mp->threads || !mp->fds)
		return -1;
	for (size_t i = 0; i < p->nr_threads; i++)
		mp->threads[i] = p->threads[i].tid;
	for (size_t i = 0; i < p->nr_fds; i++)
		mp->fds[i] =
			(struct manifest_fd){ p->fds[i].fd, p->fds[i].file->id, p->fds[i].cloexec };
	d->nr_threads += p->nr_threads;
	return 0;
}

static int add_live(struct dump *d, struct manifest_process *mp, struct core_files *files)
{
	struct image_process *p = &d->img.processes[d->img.nr_processes];
	struct core_place at;
	uint64_t data_bytes = 0;
	int fd;

	at.action = arena_printf(&d->priv.arena, "cannot dump pid %d", mp->pid);
	at.name = arena_printf(&d->priv.arena, "%d.core", mp->pid);
	if (!at.action || !at.name)
		return -1;
	fd = session_core(d, mp->pid, &data_bytes);
	if (fd < 0)
		return -1;
	p->core_fd = fd;
	d->img.nr_processes++;
	if (core_read(fd, &at, &d->priv.arena, p, files))
		return -1;
	p->outer_pid = mp->pid;
	mp->pid = p->info.pid;
	d->data_bytes += data_bytes;
	return fill_process(d, mp, p);
}

/* Threads of one process stand together in the list. */
static int add_processes(struct dump *d, struct core_files *files)
{
	struct manifest *m = &d->priv.manifest;
	size_t i = 0;

	while (i < d->nr_tasks) {
		struct manifest_process *mp = &m->processes[m->nr_processes++];
		const struct xckpt_task *leader = &d->tasks[i];
		bool live = false;

		mp->pid = leader->pid;
		mp->state = leader->state <= XCKPT_TASK_ZOMBIE ? state_names[leader->state] : "?";
		for (; i < d->nr_tasks && d->tasks[i].pid == mp->pid; i++)
			live |= has_registers(d->tasks[i].state);
		if (interrupted)
			return -1;
		if (live ? add_live(d, mp, &files[d->img.nr_processes]) : add_ended(d, mp, leader))
			return -1;
	}
	if (!d->img.nr_processes)
		return fail("cannot dump pid %d: it has ended", d->opt.pid);
	m->root_pid = m->processes[0].pid; /* parents come before children */
	return 0;
}

static int count_unsupported(struct dump *d)
{
	int nr = image_unsupported(&d->img, NULL, NULL);

	d->priv.manifest.unsupported =
		arena_alloc(&d->priv.arena, (size_t)nr, sizeof(*d->priv.manifest.unsupported));
	return d->priv.manifest.unsupported ? 0 : -1;
}

static void note_unsupported(void *ctx, int pid, const char *object, const char *why)
{
	struct dump *d = ctx;
	struct manifest *m = &d->priv.manifest;
	struct manifest_unsupported *u = &m->unsupported[m->nr_unsupported];

	u->pid = pid;
	u->object = arena_strdup(&d->priv.arena, object);
	u->why = arena_strdup(&d->priv.arena, why);
	if (u->object && u->why)
		m->nr_unsupported++;
}

static int gather(struct dump *d, struct core_files *files)
{
	if (add_processes(d, files) || merge_files(d, files) || capture_pipes(d) ||
	    count_unsupported(d) || describe_host(d))
		return -1;
	image_unsupported(&d->img, note_unsupported, d);
	return d->opt.thin ? describe_mapped(d) : 0;
}

int capture(struct dump *d)
{
	struct arena *arena = &d->priv.arena;
	struct manifest *m = &d->priv.manifest;
	struct core_files *files = arena_alloc(arena, d->nr_tasks, sizeof(*files));

	d->img.priv = &d->priv;
	d->img.processes = arena_alloc(arena, d->nr_tasks, sizeof(*d->img.processes));
	d->img.zombies = arena_alloc(arena, d->nr_tasks, sizeof(*d->img.zombies));
	m->processes = arena_alloc(arena, d->nr_tasks, sizeof(*m->processes));
	if (!files || !d->img.processes || !d->img.zombies || !m->processes)
		return -1;
	m->version = IMAGE_FORMAT_VERSION;
	m->thin = d->opt.thin;
	m->tool = "xckpt-dump " XCKPT_VERSION;
	m->xfeatures = d->xfeatures;
	m->clocks = (struct image_clocks){ (int64_t)d->freeze.out_realtime_ns,
					   (int64_t)d->freeze.out_monotonic_ns,
					   (int64_t)d->freeze.out_boottime_ns };
	return gather(d, files);
}
