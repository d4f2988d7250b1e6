// SPDX-License-Identifier: GPL-2.0-or-later
/* xckpt-stat without its probes: records as they would tell them, and what is reported. */
#include "common.h"
#include "../stat/stat.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS 1000000ull
#define START (1000 * MS)

static struct model model;

static void take(struct record r, uint32_t type, uint64_t ms)
{
	r.type = type;
	r.ns = START + ms * MS;
	r.session = 7;
	if (model_take(&model, &r))
		exit(1);
}

static void take_thread(int pid, int tid, uint32_t state, int64_t nr, int64_t ret, uint64_t parked,
			const char *comm)
{
	struct record r = { .freeze_thread = { .pid = pid,
					       .tid = tid,
					       .state = state,
					       .nr = nr,
					       .ret = ret,
					       .delay_ns = 100 * MS,
					       .switches = 10 } };

	r.freeze_thread.parked_ns = parked ? START + parked * MS : 0;
	r.freeze_thread.cut = strcmp(comm, "cut") == 0;
	snprintf(r.freeze_thread.comm, sizeof(r.freeze_thread.comm), "%s", comm);
	take(r, RECORD_freeze_thread, 4);
}

/* Two processes, six threads; one that was asleep is woken while the group is frozen. */
static struct checkpoint *make_checkpoint(void)
{
	struct record holder = { .holder = 99, .cpu_ns = 5 * MS, .comm = "xckpt-dump" };
	struct checkpoint *c;

	holder.freeze_begin.pid = 42;
	take(holder, RECORD_freeze_begin, 0);
	take_thread(42, 42, THREAD_PARKED, -1, 0, 1, "a<b>&\"\001z\377");
	take_thread(42, 43, THREAD_PARKED, SYS_nanosleep, -516, 2, "sleeper");
	take_thread(42, 44, THREAD_ASLEEP, SYS_poll, -38, 0, "poller");
	take_thread(50, 50, THREAD_PARKED, SYS_read, -512, 3, "child");
	take_thread(50, 51, THREAD_PARKED, SYS_write, 17, 3, "cut");
	take_thread(50, 52, THREAD_STOPPED, SYS_pause, -514, 0, "stopped");
	take((struct record){ .freeze_end = { .latency_ns = 3 * MS, .skew_ns = 2 * MS } },
	     RECORD_freeze_end, 5);
	take((struct record){ .capture_begin = { 42 } }, RECORD_capture_begin, 6);
	take((struct record){ .clone_begin = { 42, 300 } }, RECORD_clone_begin, 6);
	take((struct record){ .park_begin = { 42, 44, 7, 100 * MS, 11 } }, RECORD_park_begin, 7);
	take((struct record){ .clone_end = { 42, 0, 300 } }, RECORD_clone_end, 8);
	take((struct record){ .capture_end = { 42, 5, 0, 0 } }, RECORD_capture_end, 9);
	take((struct record){ .thaw_begin = { 42, 6, 7 } }, RECORD_thaw_begin, 10);
	take((struct record){ .thaw_end = { 42, 6, 7 } }, RECORD_thaw_end, 11);
	take((struct record){ .core_found = { .pid = 42, .anon = 8192, .untouched = 4096 } },
	     RECORD_core_found, 12);
	holder.cpu_ns = 25 * MS;
	take(holder, RECORD_session_end, 100);
	c = model_find(&model, 7);
	check(c && !checkpoint_settled(c), "threads that did not run yet are waited for");
	for (int tid = 42; tid <= 51; tid++)
		if (tid <= 44 || tid >= 50)
			take((struct record){ .park_end = { tid < 50 ? 42 : 50, tid, 7,
							    101 * MS + MS / 2, 12 } },
			     RECORD_park_end, 13);
	check(checkpoint_settled(c), "and when they have, all is known");
	return c;
}

static void test_sums(struct checkpoint *c)
{
	struct sums all, one;
	char buf[64];

	c->threads[0].sums = (struct thread_sums){ .cow = 3, .cow_ns = 300, .cow_max_ns = 200 };
	c->threads[0].ended = (struct account){ 110 * MS, 15 };
	sum_up(c, 0, &all);
	sum_up(c, 50, &one);
	check(all.threads == 6 && all.processes == 2 && one.threads == 3 && one.processes == 1,
	      "threads and processes, of all and of one");
	check(all.parked == 4 && all.asleep == 1 && all.stopped == 1 && all.woken == 1,
	      "how they stood still");
	check(all.restarts[RESTART_AGAIN] == 1 && all.restarts[RESTART_BLOCK] == 1 &&
		      all.restarts[RESTART_CUT] == 1,
	      "restarts: what stopped by itself has none");
	check(all.nr_held == 5 && all.held_max_ns == 12 * MS && all.held_median_ns == 10 * MS,
	      "held: from parking until they ran, one since it was woken");
	check(all.histogram[13] == 1 && all.histogram[14] == 4, "histogram: powers of two");
	check(all.thaw_delay_ns == 5 * (MS + MS / 2) && all.thaw_delay_max_ns == MS + MS / 2,
	      "run queue: at the thaw");
	check(all.run_delay_ns == 8 * MS + MS / 2 && all.switches == 5,
	      "run queue: after it, where it was read");
	check(all.clone_ns == 2 * MS && all.capture_ns == 3 * MS && all.bytes[KIND_ANON] == 8192,
	      "stages and memory");
	check(all.cow == 3 && all.cow_max_ns == 200 && !one.cow, "faults are their process's");
	check(!strcmp(thread_doing(&c->threads[0], buf, sizeof(buf)), "in user mode") &&
		      !strcmp(thread_doing(&c->threads[2], buf, sizeof(buf)), "asleep in poll") &&
		      !strcmp(thread_doing(&c->threads[5], buf, sizeof(buf)), "stopped"),
	      "what they were doing");
}

static const struct own_cost cost = {
	.runs = 8, .ns = 50000, .dropped_records = 2, .fault_times = true
};

static char *report(const struct checkpoint *c, int kind)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (kind == 0)
		print_text(to, c, &cost, false);
	else if (kind == 1)
		print_json(to, c, &cost);
	else
		print_svg(to, c);
	fclose(to);
	return text;
}

static void test_text(const struct checkpoint *c)
{
	char *text = report(c, 0);

	check(strstr(text,
		     "checkpoint of pid 42 (a<b>&\"?z?) by xckpt-dump, pid 99: 2 processes, 6 "
		     "threads, 100.000 ms\n"),
	      "text: its head, without what steers a terminal");
	check(strstr(text, "latency 3.000 ms, skew 2.000 ms"), "text: the freeze");
	check(strstr(text, "dropped 2 records") && strstr(text, "larger --buffer"),
	      "text: drops, and what helps");
	check(strstr(text, "20.000 ms of processor time"), "text: the dumper");
	check(strstr(text, "median 10.000 ms, longest 12.000 ms"), "text: the histogram");
	check(strstr(text, "asleep in poll") && strstr(text, "goes on"), "text: each thread");
	free(text);
}

static void test_json(const struct checkpoint *c)
{
	char *text = report(c, 1);
	json_t *root = json_loads(text, 0, NULL), *process, *threads;

	check(root && strchr(text, '\n') == text + strlen(text) - 1, "json: one line, valid");
	process = json_array_get(json_object_get(root, "processes"), 0);
	threads = json_object_get(process, "threads");
	check(json_array_size(threads) == 3 &&
		      json_integer_value(json_object_get(process, "pid")) == 42,
	      "json: processes and their threads");
	check(json_integer_value(json_object_get(root, "group_held_ns")) == 11 * (json_int_t)MS,
	      "json: how long the group was held");
	check(json_is_null(json_object_get(json_object_get(root, "snapshot"), "time")),
	      "json: what was not seen is null");
	json_decref(root);
	free(text);
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

static void test_svg(const struct checkpoint *c)
{
	char *text = report(c, 2);

	check(count(text, "<g class=\"thread\"") == 6 && count(text, "<g class=\"process\"") == 2,
	      "svg: a lane for each thread and process");
	check(count(text, "<g ") == count(text, "</g>") && strstr(text, "a&lt;b&gt;&amp;"),
	      "svg: names cannot end an element");
	check(!strstr(text, "=\"-") && !strstr(text, "=\"nan"), "svg: no bar runs backwards");
	free(text);
}

/* Nothing but the beginning was seen. */
static void test_torn(void)
{
	struct record r = { .type = RECORD_freeze_begin, .ns = START, .session = 8 };
	struct checkpoint *c;
	char *text;

	model_take(&model, &r);
	c = model_find(&model, 8);
	for (int kind = 0; kind < 3; kind++) {
		text = report(c, kind);
		check(text[0] && !strstr(text, "nan") && !strstr(text, "inf"),
		      "a checkpoint of which only the beginning is known: report %d", kind);
		free(text);
	}
	r = (struct record){ .type = RECORD_park_end, .ns = START, .session = 123 };
	check(model_take(&model, &r) == 0 && !model_find(&model, 123),
	      "one of which the beginning is not known is passed over");
}

static void put_format(const char *dir, const char *event, const char *fields)
{
	char path[4200];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%s", dir, event);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/format", dir, event);
	to = fopen(path, "w");
	fprintf(to,
		"name: %s\nID: 7\nformat:\n"
		"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n%s",
		event, fields);
	fclose(to);
}

/* The first event that is looked at decides: of the others there is none. */
static void test_formats(void)
{
	static const char good[] =
		"\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
		"\tfield:unsigned int nr_threads;\toffset:12;\tsize:4;\tsigned:0;\n"
		"\tfield:u32 session;\toffset:16;\tsize:4;\tsigned:0;\n";
	static const char moved[] =
		"\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
		"\tfield:unsigned int nr_threads;\toffset:16;\tsize:4;\tsigned:0;\n"
		"\tfield:u32 session;\toffset:20;\tsize:4;\tsigned:0;\n";
	const char *dir = scratch();
	const char *said;

	quiet_begin();
	put_format(dir, "freeze_begin", moved);
	check_events(dir);
	said = quiet_end();
	check(strstr(said, "event freeze_begin: its field nr_threads is not as"),
	      "an event that is another: %s", said);
	quiet_begin();
	put_format(dir, "freeze_begin", good);
	check_events(dir);
	said = quiet_end();
	check(strstr(said, "event freeze_thread: ") && strstr(said, "No such file"),
	      "an event that is not there: %s", said);
}

int main(void)
{
	struct checkpoint *c = make_checkpoint();

	test_sums(c);
	test_text(c);
	test_json(c);
	test_svg(c);
	test_torn();
	test_formats();
	model_free(&model);
	return check_end();
}
