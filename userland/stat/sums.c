// SPDX-License-Identifier: GPL-2.0-or-later
/* What the reports tell, added up; and names for it. */
#include "model.h"
#include "stat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own errors for calls that are made again; no header of user space has them. */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

const char *const kind_names[NR_KINDS] = { "anonymous", "file",	 "shared",
					   "hugetlb",	"other", "untouched" };

enum restart thread_restart(const struct stat_thread *thread)
{
	if (thread->state != THREAD_PARKED || thread->nr < 0)
		return RESTART_NONE;
	if (thread->cut)
		return RESTART_CUT;
	switch (-thread->ret) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		return RESTART_AGAIN;
	case ERESTART_RESTARTBLOCK:
		return RESTART_BLOCK;
	}
	return RESTART_NONE;
}

const char *restart_name(enum restart restart)
{
	static const char *const names[NR_RESTARTS] = { "none", "made again", "goes on",
							"finished" };

	return names[restart];
}

const char *mode_name(uint32_t mode)
{
	static const char *const names[] = { "auto", "soft", "strict" };

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "?";
}

const char *thread_doing(const struct stat_thread *thread, char *buf, size_t size)
{
	const char *name = thread->nr >= 0 ? syscall_name((uint64_t)thread->nr) : NULL;
	const char *how = "in";
	char number[32];

	snprintf(number, sizeof(number), "system call %lld", (long long)thread->nr);
	switch (thread->state) {
	case 0:
		return "not yet born";
	case THREAD_STOPPED:
		return "stopped";
	case THREAD_CGROUP:
		return "frozen by its cgroup";
	case THREAD_VFORK:
		return "waiting in vfork";
	case THREAD_ASLEEP:
		how = "asleep in";
		break;
	default:
		if (thread->slept)
			how = "asleep in";
		else if (thread->nr >= 0 && thread_restart(thread) == RESTART_NONE)
			how = "leaving";
	}
	if (thread->nr >= 0)
		snprintf(buf, size, "%s %s", how, name ? name : number);
	else
		snprintf(buf, size, "%s",
			 thread->state == THREAD_ASLEEP || thread->slept ? "asleep in a page fault"
									 : "in user mode");
	return buf;
}

static unsigned int bucket(uint64_t ns)
{
	uint64_t us = ns / 1000;
	unsigned int n = 0;

	while (us && n < NR_BUCKETS - 1) {
		us >>= 1;
		n++;
	}
	return n;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void add_held(uint64_t ns, struct sums *sums, uint64_t *list)
{
	if (list)
		list[sums->nr_held] = ns;
	sums->nr_held++;
	sums->held_ns += ns;
	if (ns > sums->held_max_ns)
		sums->held_max_ns = ns;
	sums->histogram[bucket(ns)]++;
}

/* Accounts are of a life: what is later is larger, unless it was not read. */
static uint64_t since(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static void add_delay(const struct stat_thread *thread, struct sums *sums)
{
	const struct account *from = &thread->frozen;
	uint64_t delay;

	if (thread->held.end) {
		delay = since(from->delay_ns, thread->thawed.delay_ns);
		sums->thaw_delay_ns += delay;
		if (delay > sums->thaw_delay_max_ns)
			sums->thaw_delay_max_ns = delay;
		from = &thread->thawed;
	}
	sums->run_delay_ns += since(from->delay_ns, thread->ended.delay_ns);
	sums->switches += since(thread->frozen.switches, thread->ended.switches);
}

static void add_thread(const struct stat_thread *thread, struct sums *sums, uint64_t *list)
{
	sums->threads += thread->state != 0;
	sums->born += thread->state == 0;
	sums->parked += thread->state == THREAD_PARKED;
	sums->asleep += thread->state == THREAD_ASLEEP;
	sums->stopped += thread->state == THREAD_STOPPED || thread->state == THREAD_CGROUP;
	sums->vfork += thread->state == THREAD_VFORK;
	sums->woken += thread->woken;
	sums->restarts[thread_restart(thread)]++;
	if (span_ns(&thread->held))
		add_held(span_ns(&thread->held), sums, list);
	add_delay(thread, sums);
	sums->cow += thread->sums.cow;
	sums->cow_ns += thread->sums.cow_ns;
	if (thread->sums.cow_max_ns > sums->cow_max_ns)
		sums->cow_max_ns = thread->sums.cow_max_ns;
	sums->huge += thread->sums.huge;
	sums->huge_ns += thread->sums.huge_ns;
}

static void add_process(const struct stat_process *process, struct sums *sums)
{
	sums->processes++;
	for (int kind = 0; kind < NR_KINDS; kind++)
		sums->bytes[kind] += process->bytes[kind];
	sums->capture_ns += span_ns(&process->capture);
	sums->clone_ns += span_ns(&process->clone);
	sums->clone_pages += process->clone_pages;
	sums->reads += process->sums.reads;
	sums->read_bytes += process->sums.bytes;
	sums->read_ns += process->sums.read_ns;
	if (process->sums.first_ns &&
	    (!sums->copy.begin || process->sums.first_ns < sums->copy.begin))
		sums->copy.begin = process->sums.first_ns;
	if (process->sums.last_ns > sums->copy.end)
		sums->copy.end = process->sums.last_ns;
}

void sum_up(const struct checkpoint *c, int pid, struct sums *sums)
{
	uint64_t *list = calloc(c->nr_threads + 1, sizeof(*list));

	memset(sums, 0, sizeof(*sums));
	for (size_t i = 0; i < c->nr_threads; i++)
		if (!pid || c->threads[i].pid == pid)
			add_thread(&c->threads[i], sums, list);
	for (size_t i = 0; i < c->nr_processes; i++)
		if (!pid || c->processes[i].pid == pid)
			add_process(&c->processes[i], sums);
	if (list && sums->nr_held) {
		qsort(list, sums->nr_held, sizeof(*list), ascending);
		sums->held_median_ns = list[sums->nr_held / 2];
	}
	free(list);
}
