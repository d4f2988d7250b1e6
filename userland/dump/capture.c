// SPDX-License-Identifier: GPL-2.0-or-later
/* The frozen group as one struct image: a core per process and what joins them. */
#include "dump.h"
#include "interrupt.h"
#include "label.h"
#include "report.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const state_names[] = {
	[XCKPT_TASK_PARKED] = "parked", [XCKPT_TASK_STOPPED] = "stopped",
	[XCKPT_TASK_VFORK] = "vfork",	[XCKPT_TASK_EXITING] = "exiting",
	[XCKPT_TASK_ZOMBIE] = "zombie", [XCKPT_TASK_ASLEEP] = "asleep",
};

static const char *state_name(uint32_t state)
{
	return state < sizeof(state_names) / sizeof(state_names[0]) ? state_names[state] : "?";
}

bool has_registers(uint32_t state)
{
	return state <= XCKPT_TASK_VFORK || state == XCKPT_TASK_ASLEEP;
}

/*
 * What /proc/PID/status tells as @key ("NSpgid:"): an id in the pid namespace that is
 * @depth levels below ours, or in the innermost one for 0; *@levels is how many there
 * are. Returns 0 when that is not known.
 */
static int namespace_id(int pid, const char *key, unsigned int depth, unsigned int *levels)
{
	char path[64], line[512];
	unsigned int nr = 0;
	int id = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *at = line + strlen(key), *end;

		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		for (int found = (int)strtol(at, &end, 10); end != at;
		     found = (int)strtol(at = end, &end, 10)) {
			nr++;
			if (!depth || nr == depth)
				id = found;
		}
		break;
	}
	if (f)
		fclose(f);
	if (levels)
		*levels = nr;
	return id;
}

/* What a process that has ended still tells: with ids as the first process sees them. */
static int add_ended(struct dump *d, struct manifest_process *p, const struct xckpt_task *task)
{
	struct image_zombie *z = &d->img.zombies[d->img.nr_zombies++];
	int outer = p->pid, pid, ppid;
	unsigned int depth;
	char buf[64];

	p->comm = arena_strdup(&d->priv.arena, comm_of(outer, buf));
	if (!p->comm)
		return -1;
	namespace_id(d->tasks[0].pid, "NStgid:", 0, &depth);
	pid = namespace_id(outer, "NStgid:", depth, NULL);
	ppid = namespace_id(task->ppid, "NStgid:", depth, NULL);
	p->pid = pid ? pid : outer;
	p->ppid = ppid ? ppid : task->ppid;
	p->pgid = namespace_id(outer, "NSpgid:", depth, NULL);
	p->sid = namespace_id(outer, "NSsid:", depth, NULL);
	p->exit_code = task->exit_code;
	*z =
		(struct image_zombie){ p->pid,	     p->ppid, p->pgid, p->sid,
				       p->exit_code, p->comm, outer };
	return 0;
}

static int note_label(struct dump *d, struct manifest_process *mp, int outer_pid)
{
	char own[LABEL_ROOM], label[LABEL_ROOM];

	label_read(outer_pid, label);
	if (!label[0] || !strcmp(label, label_read(0, own)))
		return 0;
	mp->label = arena_strdup(&d->priv.arena, label);
	return mp->label ? 0 : -1;
}

static int fill_process(struct dump *d, struct manifest_process *mp, const struct image_process *p)
{
	struct arena *arena = &d->priv.arena;

	mp->ppid = p->info.ppid;
	mp->pgid = p->info.pgid;
	mp->sid = p->info.sid;
	mp->comm = p->info.comm;
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

/*
 * The processes there are, threads of one standing together in the list. Who has
 * ended is described at once: somebody may wait for it when the group goes on.
 */
static int list_processes(struct dump *d)
{
	struct arena *arena = &d->priv.arena;
	struct manifest *m = &d->priv.manifest;
	size_t i = 0;

	d->img.priv = &d->priv;
	d->img.processes = arena_alloc(arena, d->nr_tasks, sizeof(*d->img.processes));
	d->img.zombies = arena_alloc(arena, d->nr_tasks, sizeof(*d->img.zombies));
	m->processes = arena_alloc(arena, d->nr_tasks, sizeof(*m->processes));
	if (!d->img.processes || !d->img.zombies || !m->processes)
		return -1;
	while (i < d->nr_tasks) {
		struct manifest_process *mp = &m->processes[m->nr_processes++];
		const struct xckpt_task *leader = &d->tasks[i];
		bool live = false;

		mp->pid = leader->pid;
		mp->state = state_name(leader->state);
		for (; i < d->nr_tasks && d->tasks[i].pid == mp->pid; i++)
			live |= has_registers(d->tasks[i].state);
		mp->mounts = d->mounts_of[leader - d->tasks];
		if (live)
			mp->core = arena_printf(arena, "%d.core", mp->pid);
		if (live ? !mp->core : add_ended(d, mp, leader))
			return -1;
	}
	return 0;
}

static int add_live(struct dump *d, struct manifest_process *mp, struct core_files *files)
{
	struct image_process *p = &d->img.processes[d->img.nr_processes];
	struct core_place at = { .name = mp->core };
	uint64_t data_bytes = 0;
	int fd;

	at.action = arena_printf(&d->priv.arena, "cannot dump pid %d", mp->pid);
	if (!at.action)
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
	/* the snapshot may have woken who slept before */
	if (p->threads[0].tid == p->info.pid)
		mp->state = state_name(p->threads[0].info.state);
	d->data_bytes += data_bytes;
	return note_label(d, mp, p->outer_pid) || fill_process(d, mp, p) ? -1 : 0;
}

/* Every core's notes; contents are not touched. */
static int capture_cores(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;
	struct core_files *files = arena_alloc(&d->priv.arena, m->nr_processes, sizeof(*files));

	if (!files)
		return -1;
	for (size_t i = 0; i < m->nr_processes; i++) {
		if (interrupted)
			return -1;
		if (m->processes[i].core &&
		    add_live(d, &m->processes[i], &files[d->img.nr_processes]))
			return -1;
	}
	if (!d->img.nr_processes)
		return fail("cannot dump %s: it has ended", d->name);
	m->root_pid = m->processes[0].pid; /* parents come before children */
	return merge_files(d, files);
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

/* What open files hold is there for as long as nobody reads or writes on. */
static int capture_state(struct dump *d)
{
	int ret;

	if (capture_cores(d) || find_holders(d))
		return -1;
	count_unread(d);
	/* first, since all the rest may be for nothing */
	ret = capture_terminals(d);
	if (ret)
		return ret;
	if (find_names(d))
		return -1;
	if (capture_pipes(d) || capture_events(d) || capture_locks(d) || capture_places(d) ||
	    capture_sysv(d) || capture_contents(d))
		return -1;
	/* who was left asleep may have been woken, and have read on */
	return session_disturbed(d);
}

int capture_frozen(struct dump *d)
{
	if (list_processes(d))
		return -1;
	if (d->snapshot.out_nr_stateful || d->opt.with_files) {
		int ret = capture_state(d);

		if (ret)
			return ret < 0 ? -1 : 1;
	}
	return d->frozen && snapshot_outlives(d) && !d->nr_contents ? session_thaw(d, 0) : 0;
}

void capture_forget(struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_processes; i++)
		if (d->img.processes[i].core_fd >= 0)
			close(d->img.processes[i].core_fd);
	close_contents(d);
	release_mapped(d);
	d->img = (struct image){ 0 };
	d->priv.manifest.nr_processes = 0;
	d->nr_threads = 0;
	d->nr_buffers = 0;
	d->priv.manifest.sysv = (struct sysv_ipc){ 0 };
	d->data_bytes = 0;
}

int capture(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;

	if (!d->img.nr_processes && capture_cores(d))
		return -1;
	m->version = IMAGE_FORMAT_WHOLE;
	m->thin = d->opt.thin;
	m->tool = "xckpt-dump " XCKPT_VERSION;
	m->xfeatures = d->xfeatures;
	m->clocks = (struct image_clocks){ (int64_t)d->freeze.out_realtime_ns,
					   (int64_t)d->freeze.out_monotonic_ns,
					   (int64_t)d->freeze.out_boottime_ns };
	if (count_unsupported(d))
		return -1;
	image_unsupported(&d->img, note_unsupported, d);
	if (hold_mapped(d))
		return -1;
	return d->opt.thin ? describe_mapped(d) : 0;
}
