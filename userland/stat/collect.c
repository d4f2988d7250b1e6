// SPDX-License-Identifier: GPL-2.0-or-later
/* At the end of a session: what the probes summed up, and the scheduler's accounts. */
#include "stat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probes.skel.h"

static bool read_line(int pid, int tid, const char *file, char *line, int size)
{
	char path[64];
	FILE *f;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	good = fgets(line, size, f);
	fclose(f);
	return good;
}

/* "time on a processor, time that it waited for one, how often it got one" */
static void read_account(struct stat_thread *thread)
{
	char line[128];

	if (read_line(thread->pid, thread->tid, "schedstat", line, sizeof(line)) &&
	    sscanf(line, "%*u %" SCNu64 " %" SCNu64, &thread->ended.delay_ns,
		   &thread->ended.switches) == 2)
		return;
	/* it has ended: until it was last seen */
	thread->ended = thread->thawed.switches ? thread->thawed : thread->frozen;
}

/* Who was born since the thaw is known by its faults only. */
static void add_born(struct checkpoint *c, int tid, const struct thread_sums *sums)
{
	struct stat_thread *thread = model_thread(c, sums->pid, tid, sums->cow || sums->huge);
	char comm[COMM_SIZE + 2] = "";

	if (!thread)
		return;
	thread->sums = *sums;
	if (thread->comm[0] || !read_line(sums->pid, tid, "comm", comm, sizeof(comm)))
		return;
	comm[strcspn(comm, "\n")] = 0;
	model_comm(thread->comm, comm);
}

/* All of @map's keys, at most @room; malloc'ed. */
static int *list_keys(int map, size_t room, size_t *nr)
{
	int *keys = calloc(room, sizeof(*keys)), *before = NULL, key;

	*nr = 0;
	while (keys && *nr < room && bpf_map_get_next_key(map, before, &key) == 0) {
		keys[*nr] = key;
		before = &keys[(*nr)++];
	}
	return keys;
}

/* What is left in @map of @session, whose values begin with theirs: none may stay. */
static void forget(int map, size_t room, uint32_t session)
{
	union {
		uint32_t session;
		struct thread_sums thread;
		struct process_sums process;
	} sums;
	size_t nr;
	int *keys = list_keys(map, room, &nr);

	for (size_t i = 0; i < nr; i++)
		if (!bpf_map_lookup_elem(map, &keys[i], &sums) && sums.session == session)
			bpf_map_delete_elem(map, &keys[i]);
	free(keys);
}

static void forget_session(struct probes *p, uint32_t session)
{
	forget(bpf_map__fd(p->maps.threads), MAX_THREADS, session);
	forget(bpf_map__fd(p->maps.processes), MAX_PROCESSES, session);
}

static void collect_threads(int map, struct checkpoint *c)
{
	struct thread_sums sums;
	size_t nr;
	int *keys = list_keys(map, MAX_THREADS, &nr);

	for (size_t i = 0; i < nr; i++) {
		if (bpf_map_lookup_elem(map, &keys[i], &sums) || sums.session != c->session)
			continue;
		add_born(c, keys[i], &sums);
		bpf_map_delete_elem(map, &keys[i]);
	}
	free(keys);
}

static void collect_processes(int map, struct checkpoint *c)
{
	for (size_t i = 0; i < c->nr_processes; i++) {
		struct process_sums sums;

		if (bpf_map_lookup_elem(map, &c->processes[i].pid, &sums) ||
		    sums.session != c->session)
			continue;
		c->processes[i].sums = sums;
		bpf_map_delete_elem(map, &c->processes[i].pid);
	}
}

void collect(struct tracer *t, struct checkpoint *c)
{
	struct probes *p = t->probes;

	/* the time since its end counts, too: first what goes on */
	for (size_t i = 0; i < c->nr_threads; i++)
		read_account(&c->threads[i]);
	collect_threads(bpf_map__fd(p->maps.threads), c);
	collect_processes(bpf_map__fd(p->maps.processes), c);
	/* of those whose records had no room */
	forget_session(p, c->session);
	if (bpf_map_delete_elem(bpf_map__fd(p->maps.sessions), &c->session) == 0)
		__atomic_sub_fetch(&p->bss->windows, 1, __ATOMIC_RELAXED);
	tracer_cost(t, &c->cost);
	c->collected = true;
}

/* The records of its beginning or end had no room: what is left of it must not stay. */
void collect_lost(struct tracer *t)
{
	int map = bpf_map__fd(t->probes->maps.sessions);
	uint32_t key, *before = NULL, over;

	while (bpf_map_get_next_key(map, before, &key) == 0) {
		struct checkpoint *c = model_find(t->model, key);

		before = NULL;
		if (bpf_map_lookup_elem(map, &key, &over) || !over) {
			before = &key;
		} else if (c) {
			if (!c->end_ns)
				c->end_ns = c->thaw.end ? c->thaw.end : c->freeze.begin;
			before = &key;
		} else if (bpf_map_delete_elem(map, &key) == 0) {
			forget_session(t->probes, key);
			__atomic_sub_fetch(&t->probes->bss->windows, 1, __ATOMIC_RELAXED);
		}
	}
}
