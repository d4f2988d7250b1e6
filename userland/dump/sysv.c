// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System V IPC of the group. Nothing but an attached segment belongs to a process, so
 * this chooses. Of an IPC namespace other than the dumper's own: all there is. Of that
 * one: what the group has attached, has SEM_UNDO of, has made or was the last to use,
 * and what belongs to its users; but of root, who has the whole system's, no other
 * memory, and no sets and queues that a living process outside was the last to use.
 */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* What is done in an IPC namespace, and where that is. */
struct visit {
	struct dump *d;
	int (*act)(struct visit *v);
	int tid; /* a thread that has it */
	bool own; /* it is the dumper's */
	int ret;
};

static ino_t space_of(int tid)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), tid ? "/proc/%d/ns/ipc" : "/proc/self/ns/ipc", tid);
	return stat(path, &st) ? 0 : st.st_ino;
}

static void *enter(void *arg)
{
	struct visit *v = arg;
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", v->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWIPC))
		v->ret = fail("cannot enter the IPC namespace of thread %d: %s", v->tid,
			      strerror(errno));
	else
		v->ret = v->act(v);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* A thread of its own goes into a namespace, and ends there. */
static int visit(struct dump *d, int tid, int (*act)(struct visit *v))
{
	struct visit v = { .d = d, .act = act, .tid = tid };
	pthread_t thread;
	int error;

	v.own = space_of(tid) == space_of(0);
	if (v.own)
		return act(&v);
	error = pthread_create(&thread, NULL, enter, &v);
	if (error)
		return fail("cannot make a thread: %s", strerror(error));
	pthread_join(thread, NULL);
	return v.ret;
}

static int look(struct visit *v)
{
	return sysv_look();
}

int sysv_is_there(struct dump *d)
{
	ino_t last = 0;
	int pid = 0;

	for (size_t i = 0; i < d->nr_tasks; i++) {
		const struct xckpt_task *task = &d->tasks[i];
		ino_t space;
		int ret;

		/* one thread of each process that lives: its first one may have ended */
		if (!has_registers(task->state) || task->pid == pid)
			continue;
		pid = task->pid;
		space = space_of(task->tid);
		if (!space || space == last)
			continue;
		last = space;
		ret = visit(d, task->tid, look);
		if (ret)
			return ret;
	}
	return 0;
}

static bool is_member(const struct dump *d, int pid)
{
	for (size_t i = 0; i < d->nr_tasks; i++)
		if (d->tasks[i].pid == pid)
			return true;
	return false;
}

static bool is_user(const struct dump *d, uint32_t uid)
{
	for (size_t i = 0; i < d->img.nr_processes; i++)
		if (d->img.processes[i].info.uid == uid || d->img.processes[i].info.euid == uid)
			return true;
	return false;
}

static bool is_used_inside(const struct dump *d, const struct sysv_entry *e)
{
	for (size_t i = 0; i < e->nr_pids; i++)
		if (is_member(d, e->pids[i]))
			return true;
	return false;
}

/* By who lives. */
static bool is_used_outside(const struct sysv_entry *e)
{
	for (size_t i = 0; i < e->nr_pids; i++)
		if (kill(e->pids[i], 0) == 0 || errno == EPERM)
			return true;
	return false;
}

/* By whose it is, and who used it last; @small: it may be somebody's who has ended. */
static bool is_ours(struct visit *v, const struct sysv_entry *e, bool small)
{
	const struct sysv_object *o = &e->object;
	struct dump *d = v->d;

	if (!v->own || is_used_inside(d, e))
		return true;
	if ((o->uid && is_user(d, o->uid)) || (o->cuid && is_user(d, o->cuid)))
		return true;
	if ((o->uid && o->cuid) || !is_user(d, 0))
		return false;
	if (small && !is_used_outside(e))
		return true;
	d->nr_sysv_left++;
	return false;
}

/* A mapping of a segment: of all of it, or any. */
static bool is_attached(const struct dump *d, const struct sysv_entry *e, bool whole)
{
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		const struct image_process *p = &d->img.processes[i];

		for (size_t j = 0; j < p->nr_segments; j++) {
			const struct segment *s = &p->segments[j];

			if (is_sysv_memory(s) && s->vma.ino == (uint64_t)e->object.id &&
			    (!whole || (!s->vma.pgoff && s->end - s->start >= e->size)))
				return true;
		}
	}
	return false;
}

static bool has_undo(const struct dump *d, const struct sysv_entry *e)
{
	for (size_t i = 0; i < d->img.nr_processes; i++)
		for (size_t j = 0; j < d->img.processes[i].nr_undo; j++)
			if (d->img.processes[i].undo[j].id == e->object.id)
				return true;
	return false;
}

/* What no mapping holds is a content by itself. */
static int add_memory(struct dump *d, struct sysv_segment *s)
{
	struct content c = { .size = s->size };

	c.fd = sysv_open_segment(s);
	if (c.fd < 0 || s->huge)
		return c.fd < 0 ? -1 : close(c.fd);
	s->data = c.name =
		arena_printf(&d->priv.arena, MANIFEST_FILES "/sysv-shm-%d", s->object.id);
	c.path = arena_printf(&d->priv.arena, "System V shared memory segment %d", s->object.id);
	return add_content(d, c);
}

static int add_segment(struct visit *v, const struct sysv_entry *e)
{
	struct sysv_ipc *ipc = &v->d->priv.manifest.sysv;
	bool attached = is_attached(v->d, e, false);
	struct sysv_segment *s, *more;

	/* one that goes with its last user is of no use without one */
	if (!attached && (e->removed || !is_ours(v, e, false)))
		return 0;
	more = arena_grow(&v->d->priv.arena, ipc->segments, ipc->nr_segments, sizeof(*more));
	if (!more)
		return -1;
	ipc->segments = more;
	s = &more[ipc->nr_segments++];
	*s = (struct sysv_segment){
		.object = e->object, .size = e->size, .locked = e->locked, .removed = e->removed
	};
	return is_attached(v->d, e, true) ? 0 : add_memory(v->d, s);
}

static int add_set(struct visit *v, struct sysv_entry *e)
{
	struct sysv_ipc *ipc = &v->d->priv.manifest.sysv;
	struct sysv_set *more;

	if (v->own && sysv_read_pids(v->d, e))
		return -1;
	if (!has_undo(v->d, e) && !is_ours(v, e, true))
		return 0;
	more = arena_grow(&v->d->priv.arena, ipc->sets, ipc->nr_sets, sizeof(*more));
	if (!more)
		return -1;
	ipc->sets = more;
	more[ipc->nr_sets] = (struct sysv_set){ .object = e->object, .nr = e->size };
	return sysv_read_set(v->d, &more[ipc->nr_sets++]);
}

static int add_queue(struct visit *v, const struct sysv_entry *e)
{
	struct sysv_ipc *ipc = &v->d->priv.manifest.sysv;
	struct sysv_queue *more;

	if (!is_ours(v, e, true))
		return 0;
	more = arena_grow(&v->d->priv.arena, ipc->queues, ipc->nr_queues, sizeof(*more));
	if (!more)
		return -1;
	ipc->queues = more;
	more[ipc->nr_queues] =
		(struct sysv_queue){ .object = e->object, .room = e->room, .data_size = e->size };
	return sysv_read_queue(v->d, &more[ipc->nr_queues++]);
}

static int take(struct visit *v)
{
	struct sysv_ipc *ipc = &v->d->priv.manifest.sysv;
	struct sysv_list list = { 0 };
	int ret = sysv_list(v->d, &list);

	for (size_t i = 0; i < list.nr_segments && !ret; i++)
		ret = add_segment(v, &list.segments[i]);
	for (size_t i = 0; i < list.nr_sets && !ret; i++)
		ret = add_set(v, &list.sets[i]);
	for (size_t i = 0; i < list.nr_queues && !ret; i++)
		ret = add_queue(v, &list.queues[i]);
	return ret || !has_sysv(ipc) ? ret : sysv_read_limits(ipc->limits);
}

/* Who has another namespace than the one that was taken. */
static int find_elsewhere(struct dump *d, ino_t taken)
{
	struct sysv_ipc *ipc = &d->priv.manifest.sysv;

	ipc->elsewhere = arena_alloc(&d->priv.arena, d->img.nr_processes, sizeof(int));
	if (!ipc->elsewhere)
		return -1;
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		ino_t space = space_of(live_tid(d, &d->img.processes[i]));

		if (space && space != taken)
			ipc->elsewhere[ipc->nr_elsewhere++] = d->img.processes[i].info.pid;
	}
	return 0;
}

int capture_sysv(struct dump *d)
{
	struct sysv_ipc *ipc = &d->priv.manifest.sysv;
	ino_t space = 0;

	d->nr_sysv_left = 0;
	for (size_t i = 0; d->sysv && i < d->img.nr_processes && !has_sysv(ipc); i++) {
		int tid = live_tid(d, &d->img.processes[i]);
		ino_t last = space;

		space = space_of(tid);
		if (space && space != last && visit(d, tid, take))
			return -1;
	}
	if (has_sysv(ipc) && find_elsewhere(d, space))
		return -1;
	d->img.sysv = *ipc;
	return 0;
}

const char *sysv_remark(const struct dump *d, char *buf)
{
	const struct sysv_ipc *ipc = &d->img.sysv;

	if (!has_sysv(ipc))
		return "";
	snprintf(buf, 160, "; System V: %zu segment%s, %zu semaphore set%s, %zu queue%s",
		 ipc->nr_segments, ipc->nr_segments == 1 ? "" : "s", ipc->nr_sets,
		 ipc->nr_sets == 1 ? "" : "s", ipc->nr_queues, ipc->nr_queues == 1 ? "" : "s");
	return buf;
}
