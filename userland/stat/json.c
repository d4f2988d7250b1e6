// SPDX-License-Identifier: GPL-2.0-or-later
/* The report as JSON: one object a line. Times are in nanoseconds, sizes in bytes. */
#include "report.h"
#include "stat.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void put(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* From the begin of the checkpoint on; what was not seen is null. */
static json_t *json_span(const struct checkpoint *c, const struct span *span)
{
	json_t *object;

	if (!span->begin || !span->end)
		return json_null();
	object = json_object();
	json_object_set_new(object, "begin_ns",
			    json_integer((json_int_t)(span->begin - c->freeze.begin)));
	put(object, "ns", span_ns(span));
	return object;
}

static json_t *json_memory(const uint64_t *bytes)
{
	json_t *object = json_object();

	for (int kind = 0; kind < NR_KINDS; kind++) {
		json_t *one = json_object();

		put(one, "bytes", bytes[kind]);
		put(one, "pages", bytes[kind] / 4096);
		json_object_set_new(object, kind_names[kind], one);
	}
	return object;
}

static json_t *json_histogram(const struct sums *sums)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < NR_BUCKETS; i++) {
		json_t *one;

		if (!sums->histogram[i])
			continue;
		one = json_object();
		put(one, "from_us", i ? 1ull << (i - 1) : 0);
		put(one, "below_us", 1ull << i);
		put(one, "threads", sums->histogram[i]);
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *json_held(const struct sums *sums)
{
	json_t *object = json_object();

	put(object, "threads", sums->nr_held);
	put(object, "sum_ns", sums->held_ns);
	put(object, "median_ns", sums->held_median_ns);
	put(object, "max_ns", sums->held_max_ns);
	json_object_set_new(object, "histogram", json_histogram(sums));
	return object;
}

static json_t *json_restarts(const struct sums *sums)
{
	json_t *object = json_object();

	put(object, "again", sums->restarts[RESTART_AGAIN]);
	put(object, "go_on", sums->restarts[RESTART_BLOCK]);
	put(object, "cut", sums->restarts[RESTART_CUT]);
	return object;
}

static json_t *json_cow(const struct sums *sums)
{
	json_t *object = json_object();

	put(object, "faults", sums->cow);
	put(object, "ns", sums->cow_ns);
	put(object, "max_ns", sums->cow_max_ns);
	put(object, "huge_splits", sums->huge);
	put(object, "huge_ns", sums->huge_ns);
	return object;
}

static json_t *json_run_queue(const struct sums *sums)
{
	json_t *object = json_object();

	put(object, "thaw_ns", sums->thaw_delay_ns);
	put(object, "thaw_max_ns", sums->thaw_delay_max_ns);
	put(object, "after_ns", sums->run_delay_ns);
	put(object, "switches", sums->switches);
	return object;
}

static json_t *json_reads(const struct checkpoint *c, const struct sums *sums)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", json_span(c, &sums->copy));
	put(object, "reads", sums->reads);
	put(object, "bytes", sums->read_bytes);
	put(object, "kernel_ns", sums->read_ns);
	return object;
}

/* What is the same for a process and for all. */
static void put_sums(json_t *object, const struct checkpoint *c, const struct sums *sums)
{
	put(object, "nr_threads", sums->threads);
	put(object, "parked", sums->parked);
	put(object, "asleep", sums->asleep);
	put(object, "stopped", sums->stopped);
	put(object, "vfork", sums->vfork);
	put(object, "woken", sums->woken);
	json_object_set_new(object, "restarts", json_restarts(sums));
	json_object_set_new(object, "held", json_held(sums));
	put(object, "capture_ns", sums->capture_ns);
	put(object, "clone_ns", sums->clone_ns);
	put(object, "clone_pages", sums->clone_pages);
	json_object_set_new(object, "memory", json_memory(sums->bytes));
	json_object_set_new(object, "copy", json_reads(c, sums));
	json_object_set_new(object, "cow", json_cow(sums));
	json_object_set_new(object, "run_queue", json_run_queue(sums));
}

static json_t *json_threads(const struct checkpoint *c, int pid)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->nr_threads; i++) {
		const struct stat_thread *t = &c->threads[i];
		json_t *one;
		char doing[64];

		if (t->pid != pid)
			continue;
		one = json_object();
		put(one, "tid", (uint64_t)t->tid);
		put_text(one, "comm", t->comm);
		put_text(one, "was", thread_doing(t, doing, sizeof(doing)));
		put_text(one, "call", restart_name(thread_restart(t)));
		json_object_set_new(one, "held", json_span(c, &t->held));
		put(one, "thaw_delay_ns",
		    t->held.end && t->thawed.delay_ns > t->frozen.delay_ns
			    ? t->thawed.delay_ns - t->frozen.delay_ns
			    : 0);
		put(one, "cow", t->sums.cow);
		put(one, "cow_ns", t->sums.cow_ns);
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *json_processes(const struct checkpoint *c)
{
	json_t *array = json_array();

	for (size_t i = 0; i < c->nr_processes; i++) {
		const struct stat_process *p = &c->processes[i];
		json_t *one = json_object();
		struct sums sums;

		sum_up(c, p->pid, &sums);
		put(one, "pid", (uint64_t)p->pid);
		put_text(one, "comm", p->comm);
		json_object_set_new(one, "capture", json_span(c, &p->capture));
		json_object_set_new(one, "clone", json_span(c, &p->clone));
		put_sums(one, c, &sums);
		json_object_set_new(one, "threads", json_threads(c, p->pid));
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *json_cost(const struct own_cost *cost)
{
	json_t *object = json_object();

	put(object, "runs", cost->runs);
	put(object, "ns", cost->ns);
	put(object, "cpu_ns", cost->cpu_ns);
	put_text(object, "probes", cost->types ? "tp_btf" : "tp");
	json_object_set_new(object, "fault_times", json_boolean(cost->fault_times));
	put(object, "dropped_records", cost->dropped_records);
	put(object, "dropped_sums", cost->dropped_sums);
	put(object, "missed_runs", cost->missed_runs);
	return object;
}

static json_t *json_freeze(const struct checkpoint *c)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", json_span(c, &c->freeze));
	put(object, "latency_ns", c->latency_ns);
	put(object, "skew_ns", c->skew_ns);
	put_text(object, "mode", mode_name(c->mode));
	put(object, "scans", c->nr_rounds);
	put(object, "attempts", c->attempts);
	put(object, "earlier_ns", c->earlier_ns);
	json_object_set_new(object, "error",
			    c->freeze_err ? json_string(strerror(-c->freeze_err)) : json_null());
	return object;
}

static json_t *json_snapshot(const struct checkpoint *c)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", json_span(c, &c->snapshot));
	put(object, "attempts", c->nr_captures);
	put(object, "uncloned", c->nr_uncloned);
	put(object, "copied_bytes", c->copied_bytes);
	json_object_set_new(object, "error",
			    c->snapshot_err ? json_string(strerror(-c->snapshot_err))
					    : json_null());
	return object;
}

static json_t *json_dumper(const struct checkpoint *c)
{
	json_t *object = json_object();

	put(object, "pid", (uint64_t)c->holder);
	put_text(object, "comm", c->comm);
	json_object_set_new(object, "cpu_ns",
			    c->cpu_end ? json_integer((json_int_t)(c->cpu_end - c->cpu_begin))
				       : json_null());
	return object;
}

int print_json(FILE *to, const struct checkpoint *c, const struct own_cost *cost)
{
	json_t *root = json_object();
	struct span held = { c->freeze.begin, c->thaw.end };
	struct sums sums;
	char *text;

	sum_up(c, 0, &sums);
	put(root, "pid", (uint64_t)c->root);
	put(root, "begin_ns", c->freeze.begin);
	put(root, "ns", c->end_ns > c->freeze.begin ? c->end_ns - c->freeze.begin : 0);
	json_object_set_new(root, "dumper", json_dumper(c));
	json_object_set_new(root, "freeze", json_freeze(c));
	json_object_set_new(root, "snapshot", json_snapshot(c));
	json_object_set_new(root, "thaw", json_span(c, &c->thaw));
	put(root, "group_held_ns", span_ns(&held));
	put(root, "nr_processes", sums.processes);
	put_sums(root, c, &sums);
	json_object_set_new(root, "processes", json_processes(c));
	json_object_set_new(root, "overhead", json_cost(cost));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	if (!text)
		return fail("cannot write the report: out of memory");
	fprintf(to, "%s\n", text);
	free(text);
	return 0;
}
