/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xckpt-stat: the module's trace events and the kernel's own tell the probes
 * (probes.bpf.c), those tell this program in records (event.h), of which events.c makes
 * a model (model.h) that the reports are of.
 *
 *   options -> check -> attach -> events -> collect -> text, json, svg
 */
#ifndef XCKPT_STAT_H
#define XCKPT_STAT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "model.h"

struct options {
	int pid; /* 0: whatever is dumped */
	const char *output; /* NULL: standard output, or standard error beside a command */
	const char *svg;
	bool json, watch, threads;
	unsigned int buffer_kib;
	char **command; /* NULL: none */
};

/* 0; else what main() is to return, plus one. */
int parse_options(int argc, char **argv, struct options *opt);

/* check.c: can it work here? 0, or -1 after one line on stderr. */
int check_system(const struct options *opt);
bool module_has_types(void);
/* The events of the module whose folder in tracefs is @dir. */
int check_events(const char *dir);

/* attach.c */
struct probes;
struct ring_buffer;
struct tracer {
	struct probes *probes;
	struct ring_buffer *ring;
	struct model *model;
	bool out_of_memory;
	struct own_cost before; /* what was known at the last report */
	bool types, fault_times;
};
/* @command: pid whose checkpoints count, with its descendants'; 0: all. */
int tracer_attach(struct tracer *t, const struct options *opt, pid_t command);
void tracer_detach(struct tracer *t);
int tracer_fd(const struct tracer *t);
/* Take what there is. */
int tracer_consume(struct tracer *t);
/* Since the last call. */
void tracer_cost(struct tracer *t, struct own_cost *cost);

/* collect.c: what is not in records: sums of the probes, the scheduler's accounts. */
void collect(struct tracer *t, struct checkpoint *c);
void collect_lost(struct tracer *t);

/* Reports. They return -1 after one line on stderr. */
void print_text(FILE *to, const struct checkpoint *c, const struct own_cost *cost, bool threads);
int print_json(FILE *to, const struct checkpoint *c, const struct own_cost *cost);
void print_svg(FILE *to, const struct checkpoint *c);

/* ../info/syscalls.c: NULL when it has none */
const char *syscall_name(uint64_t nr);

#endif
