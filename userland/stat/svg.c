// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A timeline: lanes for the dumper, for what is done with each process, and for each
 * thread. Its first part, until all run again, is a thousand times shorter than what
 * follows and what everybody wants to see: where it would get lost, it has a scale of
 * its own.
 */
#include "stat.h"

#include <inttypes.h>

#define LEFT 250
#define WIDTH 1000
#define RIGHT 40
#define TOP 78
#define LANE 18
#define BAR_HEIGHT 12
#define TICKS 5
#define FIRST_PART 0.65 /* of the width, when it has a scale of its own */

enum stage {
	STAGE_FREEZE,
	STAGE_SNAPSHOT,
	STAGE_THAW,
	STAGE_COPY,
	STAGE_CAPTURE,
	STAGE_CLONE,
	STAGE_RUNS,
	STAGE_RESTS,
	STAGE_HELD,
	STAGE_WAITS,
	NR_STAGES
};

static const struct {
	const char *name, *colour;
} stages[NR_STAGES] = {
	[STAGE_FREEZE] = { "freeze", "#c0392b" },
	[STAGE_SNAPSHOT] = { "snapshot", "#8e44ad" },
	[STAGE_THAW] = { "thaw", "#27ae60" },
	[STAGE_COPY] = { "copy", "#2980b9" },
	[STAGE_CAPTURE] = { "capture", "#16a085" },
	[STAGE_CLONE] = { "clone", "#d4ac0d" },
	[STAGE_RUNS] = { "runs", "#c8e6c9" },
	[STAGE_RESTS] = { "asleep or stopped by itself", "#d5dbdb" },
	[STAGE_HELD] = { "held", "#e57373" },
	[STAGE_WAITS] = { "waits for a processor", "#ffb74d" },
};

struct picture {
	FILE *to;
	uint64_t begin, middle, end; /* the scale changes at @middle, unless that is @end */
	unsigned int lane;
};

static double position(const struct picture *p, uint64_t ns)
{
	double first = p->middle < p->end ? FIRST_PART * WIDTH : WIDTH;

	ns = ns < p->begin ? p->begin : ns > p->end ? p->end : ns;
	if (ns <= p->middle)
		return LEFT + first * (double)(ns - p->begin) / (double)(p->middle - p->begin);
	return LEFT + first +
	       (WIDTH - first) * (double)(ns - p->middle) / (double)(p->end - p->middle);
}

static void text(FILE *to, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", to);
		else if (*s == '<')
			fputs("&lt;", to);
		else if (*s == '>')
			fputs("&gt;", to);
		else
			fputc(*s, to);
	}
}

static void bar(const struct picture *p, enum stage stage, uint64_t from, uint64_t until)
{
	double x = position(p, from), width = position(p, until) - x;

	if (!from || until <= from)
		return;
	/* what took no time to speak of is seen all the same */
	fprintf(p->to,
		"<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\">"
		"<title>%s: %.3f ms, from %.3f ms on</title></rect>\n",
		x, TOP + p->lane * LANE, width < 0.5 ? 0.5 : width, BAR_HEIGHT,
		stages[stage].colour, stages[stage].name, (double)(until - from) / 1e6,
		from > p->begin ? (double)(from - p->begin) / 1e6 : 0.0);
}

static void lane_begin(const struct picture *p, const char *kind, int id, const char *comm)
{
	fprintf(p->to, "<g class=\"%s\"><text x=\"4\" y=\"%u\">%s %d ", kind,
		TOP + p->lane * LANE + BAR_HEIGHT - 2, kind, id);
	text(p->to, comm);
	fprintf(p->to, "</text>\n");
}

static void lane_end(struct picture *p)
{
	fprintf(p->to, "</g>\n");
	p->lane++;
}

static void draw_dumper(struct picture *p, const struct checkpoint *c, const struct sums *sums)
{
	lane_begin(p, "dumper", c->holder, c->comm);
	bar(p, STAGE_FREEZE, c->freeze.begin, c->freeze.end);
	bar(p, STAGE_COPY, sums->copy.begin, sums->copy.end);
	bar(p, STAGE_SNAPSHOT, c->snapshot.begin, c->snapshot.end);
	bar(p, STAGE_THAW, c->thaw.begin, c->thaw.end);
	lane_end(p);
}

static void draw_process(struct picture *p, const struct stat_process *process)
{
	lane_begin(p, "process", process->pid, process->comm);
	bar(p, STAGE_COPY, process->sums.first_ns, process->sums.last_ns);
	bar(p, STAGE_CAPTURE, process->capture.begin, process->capture.end);
	bar(p, STAGE_CLONE, process->clone.begin, process->clone.end);
	lane_end(p);
}

static void draw_thread(struct picture *p, const struct stat_thread *t)
{
	enum stage by_itself = t->state == THREAD_PARKED && !t->slept ? STAGE_RUNS : STAGE_RESTS;
	uint64_t delay = t->thawed.delay_ns > t->frozen.delay_ns
				 ? t->thawed.delay_ns - t->frozen.delay_ns
				 : 0;
	uint64_t until = t->held.end ? t->held.end : p->end;
	uint64_t woken = t->held.end && delay < span_ns(&t->held) ? until - delay : until;
	char doing[64];

	lane_begin(p, "thread", t->tid, t->comm);
	fprintf(p->to, "<title>");
	text(p->to, thread_doing(t, doing, sizeof(doing)));
	fprintf(p->to, "</title>\n");
	if (!t->state) {
		/* it was born at a time that nobody told */
	} else if (!t->held.begin) {
		bar(p, by_itself, p->begin, p->end);
	} else {
		bar(p, by_itself, p->begin, t->held.begin);
		bar(p, STAGE_HELD, t->held.begin, woken);
		bar(p, STAGE_WAITS, woken, until);
		bar(p, by_itself, until, p->end);
	}
	lane_end(p);
}

static void draw_legend(const struct picture *p)
{
	double x = 4;

	for (int i = 0; i < NR_STAGES; i++) {
		fprintf(p->to,
			"<rect x=\"%.0f\" y=\"28\" width=\"12\" height=\"12\" fill=\"%s\"/>"
			"<text x=\"%.0f\" y=\"38\">%s</text>\n",
			x, stages[i].colour, x + 16, stages[i].name);
		for (const char *s = stages[i].name; *s; s++)
			x += 6.6;
		x += 30;
	}
}

static void draw_tick(const struct picture *p, uint64_t ns, unsigned int bottom)
{
	double x = position(p, ns);

	fprintf(p->to,
		"<line x1=\"%.2f\" y1=\"%d\" x2=\"%.2f\" y2=\"%u\" stroke=\"#bbb\"/>"
		"<text x=\"%.2f\" y=\"%d\" text-anchor=\"middle\">%.3g ms</text>\n",
		x, TOP - 10, x, bottom, x, TOP - 14, (double)(ns - p->begin) / 1e6);
}

static void draw_axis(const struct picture *p, unsigned int bottom)
{
	uint64_t first = p->middle - p->begin, second = p->end - p->middle;

	for (unsigned int i = 0; i <= TICKS; i++)
		draw_tick(p, p->begin + first * i / TICKS, bottom);
	for (unsigned int i = 1; second && i <= 2; i++)
		draw_tick(p, p->middle + second * i / 2, bottom);
	if (second)
		fprintf(p->to,
			"<line x1=\"%.2f\" y1=\"%d\" x2=\"%.2f\" y2=\"%u\" stroke=\"black\" "
			"stroke-dasharray=\"4 3\"><title>another scale from here on</title></line>\n",
			position(p, p->middle), TOP - 10, position(p, p->middle), bottom);
}

/* Until the last thread runs again, if that is much less than all of it. */
static void scale(struct picture *p, const struct checkpoint *c, const struct sums *sums)
{
	p->begin = c->freeze.begin;
	p->middle = c->thaw.end > c->freeze.end ? c->thaw.end : c->freeze.end;
	for (size_t i = 0; i < c->nr_threads; i++)
		if (c->threads[i].held.end > p->middle)
			p->middle = c->threads[i].held.end;
	if (p->middle <= p->begin)
		p->middle = p->begin + 1;
	p->end = c->end_ns > sums->copy.end ? c->end_ns : sums->copy.end;
	if (p->end < p->middle)
		p->end = p->middle;
	/* it is seen well enough as it is */
	if (p->end - p->begin < 3 * (p->middle - p->begin))
		p->middle = p->end;
}

void print_svg(FILE *to, const struct checkpoint *c)
{
	struct picture p = { .to = to };
	unsigned int height = TOP + (unsigned int)(1 + c->nr_processes + c->nr_threads) * LANE;
	struct sums sums;

	sum_up(c, 0, &sums);
	scale(&p, c, &sums);
	fprintf(to,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"font-family=\"sans-serif\" font-size=\"11\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"4\" y=\"16\" font-size=\"14\">checkpoint of ",
		LEFT + WIDTH + RIGHT, height + 10);
	if (c->root)
		fprintf(to, "pid %d (", c->root);
	else
		fprintf(to, "a group (");
	text(to, c->nr_processes ? c->processes[0].comm : "?");
	fprintf(to, "): frozen in %.3f ms, threads held: %u, for up to %.3f ms</text>\n",
		(double)c->latency_ns / 1e6, sums.nr_held, (double)sums.held_max_ns / 1e6);
	draw_legend(&p);
	draw_axis(&p, height);
	draw_dumper(&p, c, &sums);
	for (size_t i = 0; i < c->nr_processes; i++)
		draw_process(&p, &c->processes[i]);
	for (size_t i = 0; i < c->nr_threads; i++)
		draw_thread(&p, &c->threads[i]);
	fprintf(to, "</svg>\n");
}
