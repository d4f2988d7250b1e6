// SPDX-License-Identifier: GPL-2.0-or-later
/* The report as a person reads it. */
#include "stat.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define BAR 40
#define LISTED_THREADS 40 /* more of them are told of by number only */

struct text {
	char buf[32];
};

/* struct text: so that several fit into one call */
static struct text ms(uint64_t ns)
{
	struct text t;

	if (ns < 1000000000u)
		snprintf(t.buf, sizeof(t.buf), "%.3f ms", (double)ns / 1e6);
	else
		snprintf(t.buf, sizeof(t.buf), "%.3f s", (double)ns / 1e9);
	return t;
}

static struct text bytes(uint64_t n)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)n;
	unsigned int unit = 0;
	struct text t;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(t.buf, sizeof(t.buf), unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return t;
}

static const char *plural(uint64_t n, const char *many)
{
	return n == 1 ? "" : many;
}

static void print_head(FILE *to, const struct checkpoint *c, const struct sums *sums)
{
	const char *comm = c->nr_processes ? c->processes[0].comm : "?";

	if (c->root)
		fprintf(to, "checkpoint of pid %d (%s)", c->root, comm);
	else
		fprintf(to, "checkpoint of a group (%s)", comm);
	fprintf(to, " by %s, pid %d: %u process%s, %u thread%s, %s\n", c->comm, c->holder,
		sums->processes, plural(sums->processes, "es"), sums->threads,
		plural(sums->threads, "s"),
		c->end_ns ? ms(c->end_ns - c->freeze.begin).buf : "not over");
}

static void print_freeze(FILE *to, const struct checkpoint *c, const struct sums *sums)
{
	if (c->freeze_err) {
		fprintf(to, "  freeze      failed after %s: %s\n", ms(span_ns(&c->freeze)).buf,
			strerror(-c->freeze_err));
		return;
	}
	fprintf(to, "  freeze      latency %s, skew %s, mode %s, %u scan%s\n",
		ms(c->latency_ns).buf, ms(c->skew_ns).buf, mode_name(c->mode), c->nr_rounds,
		plural(c->nr_rounds, "s"));
	if (c->attempts > 1)
		fprintf(to, "              the %u. attempt; those before held it for %s\n",
			c->attempts, ms(c->earlier_ns).buf);
	fprintf(to, "  threads     %u parked, %u left asleep, %u stopped, %u in vfork",
		sums->parked, sums->asleep, sums->stopped, sums->vfork);
	if (sums->woken)
		fprintf(to, "; %u woken meanwhile", sums->woken);
	fprintf(to, "\n  calls       %u made again, %u go on, %u cut short and finished\n",
		sums->restarts[RESTART_AGAIN], sums->restarts[RESTART_BLOCK],
		sums->restarts[RESTART_CUT]);
}

static void print_phases(FILE *to, const struct checkpoint *c, const struct sums *sums)
{
	if (span_ns(&c->snapshot)) {
		fprintf(to, "  snapshot    %s", ms(span_ns(&c->snapshot)).buf);
		if (c->snapshot_err)
			fprintf(to, ", failed: %s", strerror(-c->snapshot_err));
		fprintf(to, "; capture %s, clone %s (%" PRIu64 " pages), copied at once %s\n",
			ms(sums->capture_ns).buf, ms(sums->clone_ns).buf, sums->clone_pages,
			bytes(c->copied_bytes).buf);
		if (c->nr_uncloned)
			fprintf(to, "              %u process%s not cloned: read while frozen\n",
				c->nr_uncloned, plural(c->nr_uncloned, "es"));
	}
	if (c->thaw.end)
		fprintf(to,
			"  held        %s from the freeze's begin until all were let go, "
			"thaw %s\n",
			ms(c->thaw.end - c->freeze.begin).buf, ms(span_ns(&c->thaw)).buf);
	fprintf(to, "  copy        %s; %" PRIu64 " reads, %s, %s in the kernel\n",
		ms(span_ns(&sums->copy)).buf, sums->reads, bytes(sums->read_bytes).buf,
		ms(sums->read_ns).buf);
}

static void print_memory(FILE *to, const struct sums *sums)
{
	const char *comma = "";

	fprintf(to, "  memory      ");
	for (int kind = 0; kind < NR_KINDS; kind++) {
		if (!sums->bytes[kind])
			continue;
		fprintf(to, "%s%s %s (%" PRIu64 " pages)", comma, kind_names[kind],
			bytes(sums->bytes[kind]).buf, sums->bytes[kind] / PAGE);
		comma = ", ";
	}
	fprintf(to, "%s\n", comma[0] ? "" : "not looked at");
}

static void print_after(FILE *to, const struct checkpoint *c, const struct sums *sums,
			const struct own_cost *cost)
{
	fprintf(to, "  COW faults  %" PRIu64 " after the thaw", sums->cow);
	if (cost->fault_times)
		fprintf(to, ", %s in sum, longest %s; %" PRIu64 " huge page%s split, %s",
			ms(sums->cow_ns).buf, ms(sums->cow_max_ns).buf, sums->huge,
			plural(sums->huge, "s"), ms(sums->huge_ns).buf);
	fprintf(to,
		"\n  run queue   waited for a processor %s at the thaw (longest %s), %s after "
		"it; %" PRIu64 " context switch%s\n",
		ms(sums->thaw_delay_ns).buf, ms(sums->thaw_delay_max_ns).buf,
		ms(sums->run_delay_ns).buf, sums->switches, plural(sums->switches, "es"));
	if (c->cpu_end)
		fprintf(to, "  dumper      %s of processor time, beside %s for the clones\n",
			ms(c->cpu_end - c->cpu_begin).buf, ms(sums->clone_ns).buf);
}

static void print_cost(FILE *to, const struct checkpoint *c, const struct own_cost *cost)
{
	uint64_t all = c->end_ns > c->freeze.begin ? c->end_ns - c->freeze.begin : 0;

	fprintf(to, "  xckpt-stat  its probes ran %" PRIu64 " times, %s", cost->runs,
		ms(cost->ns).buf);
	if (all)
		fprintf(to, " (%.2f %% of the checkpoint)", 100 * (double)cost->ns / (double)all);
	fprintf(to,
		"; itself %s; dropped %" PRIu64 " records, %" PRIu64 " sums, %" PRIu64 " runs\n",
		ms(cost->cpu_ns).buf, cost->dropped_records, cost->dropped_sums, cost->missed_runs);
	if (cost->dropped_records || cost->dropped_sums || cost->missed_runs)
		fprintf(to, "              what was dropped is missing above: give a larger "
			    "--buffer\n");
}

/* "256 us", "1 ms": powers of two of a microsecond */
static struct text bound(unsigned int n)
{
	struct text t;

	if (n < 10)
		snprintf(t.buf, sizeof(t.buf), "%u us", 1u << n);
	else
		snprintf(t.buf, sizeof(t.buf), "%.4g ms", (double)(1ull << n) / 1000);
	return t;
}

static void print_histogram(FILE *to, const struct sums *sums)
{
	unsigned int first = NR_BUCKETS, last = 0, most = 1;

	if (!sums->nr_held)
		return;
	fprintf(to, "\n  could not run: %u thread%s, median %s, longest %s\n", sums->nr_held,
		plural(sums->nr_held, "s"), ms(sums->held_median_ns).buf,
		ms(sums->held_max_ns).buf);
	for (unsigned int i = 0; i < NR_BUCKETS; i++) {
		if (!sums->histogram[i])
			continue;
		first = i < first ? i : first;
		last = i;
		most = sums->histogram[i] > most ? sums->histogram[i] : most;
	}
	for (unsigned int i = first; i <= last; i++)
		fprintf(to, "  %10s - %-10s |%-*.*s| %u\n", i ? bound(i - 1).buf : "0",
			bound(i).buf, BAR, (int)(sums->histogram[i] * BAR / most),
			"****************************************", sums->histogram[i]);
}

static void print_processes(FILE *to, const struct checkpoint *c)
{
	if (c->nr_processes < 2)
		return;
	fprintf(to, "\n  %7s %-15s %7s %11s %11s %11s %11s %11s %7s %11s\n", "PID", "NAME",
		"THREADS", "HELD", "CAPTURE", "CLONE", "MEMORY", "READ", "COW", "COW TIME");
	for (size_t i = 0; i < c->nr_processes; i++) {
		const struct stat_process *p = &c->processes[i];
		uint64_t memory = 0;
		struct sums sums;

		sum_up(c, p->pid, &sums);
		for (int kind = 0; kind < KIND_UNTOUCHED; kind++)
			memory += p->bytes[kind];
		fprintf(to, "  %7d %-15s %7u %11s %11s %11s %11s %11s %7" PRIu64 " %11s\n", p->pid,
			p->comm, sums.threads, ms(sums.held_max_ns).buf, ms(sums.capture_ns).buf,
			ms(sums.clone_ns).buf, bytes(memory).buf, bytes(sums.read_bytes).buf,
			sums.cow, ms(sums.cow_ns).buf);
	}
}

static void print_each_thread(FILE *to, const struct checkpoint *c)
{
	fprintf(to, "\n  %7s %7s %-15s %-27s %-10s %11s %11s %7s\n", "PID", "TID", "NAME", "WAS",
		"CALL", "HELD", "RUN QUEUE", "COW");
	for (size_t i = 0; i < c->nr_threads; i++) {
		const struct stat_thread *t = &c->threads[i];
		enum restart restart = thread_restart(t);
		uint64_t delay = 0;
		char doing[64];

		if (t->held.end && t->thawed.delay_ns > t->frozen.delay_ns)
			delay = t->thawed.delay_ns - t->frozen.delay_ns;
		fprintf(to, "  %7d %7d %-15s %-27s %-10s %11s %11s %7" PRIu64 "\n", t->pid, t->tid,
			t->comm, thread_doing(t, doing, sizeof(doing)),
			restart ? restart_name(restart) : "", ms(span_ns(&t->held)).buf,
			ms(delay).buf, (uint64_t)t->sums.cow);
	}
}

struct doing {
	char text[80];
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct doing *)a)->text, ((const struct doing *)b)->text);
}

static void print_thread_groups(FILE *to, const struct checkpoint *c)
{
	struct doing *list = calloc(c->nr_threads, sizeof(*list));
	size_t same = 1;

	if (!list)
		return;
	for (size_t i = 0; i < c->nr_threads; i++) {
		enum restart restart = thread_restart(&c->threads[i]);
		char buf[64];

		snprintf(list[i].text, sizeof(list[i].text), "%.40s%s%.20s",
			 thread_doing(&c->threads[i], buf, sizeof(buf)), restart ? ", call " : "",
			 restart ? restart_name(restart) : "");
	}
	qsort(list, c->nr_threads, sizeof(*list), by_text);
	fprintf(to, "\n  %7s  WAS (--threads lists each)\n", "THREADS");
	for (size_t i = 0; i < c->nr_threads; i++, same++) {
		if (i + 1 < c->nr_threads && by_text(&list[i], &list[i + 1]) == 0)
			continue;
		fprintf(to, "  %7zu  %s\n", same, list[i].text);
		same = 0;
	}
	free(list);
}

void print_text(FILE *to, const struct checkpoint *c, const struct own_cost *cost, bool threads)
{
	struct sums sums;

	sum_up(c, 0, &sums);
	print_head(to, c, &sums);
	print_freeze(to, c, &sums);
	if (!c->freeze_err) {
		print_phases(to, c, &sums);
		print_memory(to, &sums);
		print_after(to, c, &sums, cost);
	}
	print_cost(to, c, cost);
	print_histogram(to, &sums);
	print_processes(to, c);
	if (c->nr_threads && (threads || c->nr_threads <= LISTED_THREADS))
		print_each_thread(to, c);
	else if (c->nr_threads)
		print_thread_groups(to, c);
}
