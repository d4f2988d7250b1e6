// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_pause CONTROL idle MS | fork | run COMMAND...
 *
 * What the victim behind CONTROL (see bench_memory.c) sees of this: nothing, for
 * MS milliseconds; a fork() of its own; COMMAND. Every page was written to just
 * before. Prints members of a JSON object, in nanoseconds:
 *   gap_ns      for how long a thread of the victim could not run: the longest
 *               time that overlaps the freeze as the module's trace events tell
 *               it. Where they tell of none, the longest of all.
 *   longest_ns  the longest of all, the noise of the machine with it
 *   total_ns    of COMMAND, or of fork()
 *   freeze_ns, clone_ns ... of the stages, as the trace events tell; held_ns, from
 *               the beginning of the freeze to the end of the thaw
 * A spinning thread of the victim rests once a freeze is over, and at a fork(): it is there for the
 * measurement alone, and would take a processor from COMMAND.
 */
#include <poll.h>
#include <spawn.h>

#include "bench.h"

#define TRACING "/sys/kernel/tracing/"

extern char **environ;

static struct control *control;

static void ask(enum request what)
{
	__atomic_store_n(&control->request, what, __ATOMIC_RELEASE);
	futex(&control->request, FUTEX_WAKE, INT_MAX);
	while (__atomic_load_n(&control->request, __ATOMIC_ACQUIRE) == what)
		futex(&control->request, FUTEX_WAIT, what);
}

/* A gap is noted once its thread runs again: with writers, that takes its time. */
static void let_all_run(void)
{
	nap_ms(control->nr_watches > 1 ? 500 : 100);
}

/* Each from its first beginning to its last end. */
static struct stage {
	const char *name;
	struct gap time;
} stages[] = { { "freeze" }, { "snapshot" }, { "clone" }, { "capture" }, { "thaw" } };
#define NR_STAGES (sizeof(stages) / sizeof(stages[0]))
#define FREEZE 0
#define SNAPSHOT 1
#define THAW (NR_STAGES - 1)

static int events;

static void set_tracing(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err(1, "cannot set %s", path);
	close(fd);
}

static void start_tracing(void)
{
	char path[64];

	set_tracing("trace_clock", "mono");
	for (size_t i = 0; i < NR_STAGES; i++) {
		snprintf(path, sizeof(path), "events/xckpt/%s_begin/enable", stages[i].name);
		set_tracing(path, "1");
		snprintf(path, sizeof(path), "events/xckpt/%s_end/enable", stages[i].name);
		set_tracing(path, "1");
	}
	set_tracing("trace", "");
	events = open(TRACING "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (events < 0)
		err(1, "cannot read trace events");
}

/* "  task-pid  [cpu] flags  seconds.micros: event: what it tells" */
static void note_event(const char *line)
{
	unsigned long long s, us, at;
	const char *clock;
	char name[32], *end;

	for (clock = strstr(line, ": "); clock && clock > line && clock[-1] != ' '; clock--)
		;
	if (!clock || sscanf(clock, "%llu.%llu: %31[a-z_]:", &s, &us, name) != 3)
		return;
	at = s * 1000000000 + us * 1000;
	end = strrchr(name, '_');
	if (!end)
		return;
	*end++ = '\0';
	for (struct stage *stage = stages; stage < stages + NR_STAGES; stage++) {
		if (strcmp(stage->name, name))
			continue;
		if (strcmp(end, "begin"))
			stage->time.to = at;
		else if (!stage->time.from)
			stage->time.from = at;
	}
	if (stages[THAW].time.to)
		__atomic_store_n(&control->rest, 1, __ATOMIC_RELEASE);
}

static void note_events(void)
{
	static char text[65536];
	ssize_t n = read(events, text, sizeof(text) - 1);
	char *at = text, *line;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		err(1, "cannot read trace events");
	text[n < 0 ? 0 : n] = '\0';
	while ((line = strsep(&at, "\n")))
		note_event(line);
}

static uint64_t longest_gap(void)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < control->nr_watches; i++)
		if (control->watches[i].longest_ns > longest)
			longest = control->watches[i].longest_ns;
	return longest;
}

/* None long enough to be noted: they say no more than that it was a short one. */
static uint64_t longest_gap_during(struct gap time)
{
	uint64_t longest = 1000000;

	for (uint32_t i = 0; i < control->nr_watches; i++) {
		const struct watch *w = &control->watches[i];
		uint64_t nr = w->nr < MAX_GAPS ? w->nr : MAX_GAPS;

		if (w->nr > nr && w->gaps[nr - 1].to < time.to)
			errx(1, "more gaps than there is room for");
		for (uint64_t n = 0; n < nr; n++) {
			const struct gap *gap = &w->gaps[n];

			if (gap->to > time.from && gap->from < time.to &&
			    gap->to - gap->from > longest)
				longest = gap->to - gap->from;
		}
	}
	return longest;
}

static void run(char **argv)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = events, .events = POLLIN } };
	pid_t pid;
	int status;

	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		err(1, "cannot start %s", argv[0]);
	p[0].fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (!(p[0].revents & POLLIN)) {
		if (poll(p, 2, -1) > 0 && p[1].revents)
			note_events();
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s failed with status 0x%x", argv[0], status);
}

/* Every page is written to, then a new measurement begins. */
static void prepare(uint32_t rest)
{
	ask(TOUCH);
	start_tracing();
	__atomic_store_n(&control->rest, rest, __ATOMIC_RELEASE);
	futex(&control->rest, FUTEX_WAKE, INT_MAX);
	__atomic_fetch_add(&control->reset, 1, __ATOMIC_RELEASE);
	let_all_run();
}

static void print_stages(void)
{
	for (struct stage *stage = stages; stage < stages + NR_STAGES; stage++)
		printf(",\"%s_ns\":%llu", stage->name,
		       (unsigned long long)(stage->time.to - stage->time.from));
	printf(",\"held_ns\":%llu",
	       (unsigned long long)(stages[THAW].time.to - stages[FREEZE].time.from));
}

static void print(uint64_t gap, uint64_t total)
{
	printf("\"gap_ns\":%llu,\"longest_ns\":%llu,\"total_ns\":%llu", (unsigned long long)gap,
	       (unsigned long long)longest_gap(), (unsigned long long)total);
}

/* Each thread was parked for all of the snapshot: less would be a wrong measurement. */
static void check(uint64_t gap)
{
	const struct gap *snapshot = &stages[SNAPSHOT].time;

	if (gap < snapshot->to - snapshot->from)
		errx(1, "a gap of %llu ns around a snapshot of %llu ns", (unsigned long long)gap,
		     (unsigned long long)(snapshot->to - snapshot->from));
}

static void measure(int argc, char **argv)
{
	struct gap all = { .from = now_ns() }, held;
	uint64_t gap;

	if (!strcmp(argv[0], "fork"))
		ask(FORK);
	else if (!strcmp(argv[0], "run") && argc > 1)
		run(argv + 1);
	else
		nap_ms(argc > 1 ? atol(argv[1]) : 1000);
	all.to = now_ns();
	let_all_run();
	note_events();
	held = (struct gap){ stages[FREEZE].time.from, stages[THAW].time.to };
	if (!strcmp(argv[0], "fork"))
		held = all = control->fork;
	gap = held.to ? longest_gap_during(held) : longest_gap();
	check(gap);
	print(gap, all.to - all.from);
	if (stages[THAW].time.to)
		print_stages();
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: bench_pause CONTROL idle MS | fork | run COMMAND...");
	control = map_control(argv[1]);
	/* beside the spinning thread, fork() would have to wait for a processor */
	prepare(!strcmp(argv[2], "fork"));
	measure(argc - 2, argv + 2);
	return 0;
}
