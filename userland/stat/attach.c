// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The probes in the kernel. Nothing is pinned and every one hangs on a descriptor:
 * they go when this process does, in whatever way.
 */
#include "report.h"
#include "stat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "probes.skel.h"

static char first_warning[512];

/* libbpf has a lot to say; the first of it that is no good goes into our own line. */
static int keep_warning(enum libbpf_print_level level, const char *format, va_list ap)
{
	if (getenv("XCKPT_STAT_VERBOSE"))
		return vfprintf(stderr, format, ap);
	if (level == LIBBPF_WARN && !first_warning[0])
		vsnprintf(first_warning, sizeof(first_warning), format, ap);
	return 0;
}

static int attach_failed(const char *what, int err)
{
	first_warning[strcspn(first_warning, "\n")] = 0;
	return fail("cannot %s: %s (%s%sXCKPT_STAT_VERBOSE=1 shows more)", what, strerror(-err),
		    first_warning, first_warning[0] ? "; " : "");
}

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/* Which of the probes that do the same fit this kernel and module? */
static void choose_probes(struct tracer *t)
{
	struct probes *p = t->probes;

	t->types = module_has_types();
	bpf_program__set_autoload(p->progs.park_begin, !t->types);
	bpf_program__set_autoload(p->progs.park_end, !t->types);
	bpf_program__set_autoload(p->progs.core_begin, !t->types);
	bpf_program__set_autoload(p->progs.core_end, !t->types);
	bpf_program__set_autoload(p->progs.park_begin_btf, t->types);
	bpf_program__set_autoload(p->progs.park_end_btf, t->types);
	bpf_program__set_autoload(p->progs.core_begin_btf, t->types);
	bpf_program__set_autoload(p->progs.core_end_btf, t->types);

	t->fault_times = kernel_has_function("do_wp_page");
	bpf_program__set_autoload(p->progs.cow_begin, t->fault_times);
	bpf_program__set_autoload(p->progs.cow_end, t->fault_times);
	bpf_program__set_autoload(p->progs.cow_count, !t->fault_times);
	if (!t->fault_times || !kernel_has_function("do_huge_pmd_wp_page")) {
		bpf_program__set_autoload(p->progs.huge_begin, false);
		bpf_program__set_autoload(p->progs.huge_end, false);
	}
}

static int attach_one(struct bpf_program *prog, struct bpf_link **link)
{
	char what[128];

	*link = bpf_program__attach(prog);
	if (*link)
		return 0;
	snprintf(what, sizeof(what), "attach the probe %s", bpf_program__section_name(prog));
	return attach_failed(what, -errno);
}

/* A checkpoint is looked at from its beginning or not at all: that probe is the last one. */
static int attach_all(struct probes *p)
{
	struct bpf_object_skeleton *s = p->skeleton;

	for (int i = 0; i < s->prog_cnt; i++) {
		if (*s->progs[i].prog == p->progs.freeze_begin ||
		    !bpf_program__autoload(*s->progs[i].prog))
			continue;
		if (attach_one(*s->progs[i].prog, s->progs[i].link))
			return -1;
	}
	return attach_one(p->progs.freeze_begin, &p->links.freeze_begin);
}

static int take_record(void *ctx, void *data, size_t size)
{
	struct tracer *t = ctx;
	struct record record = { 0 };

	/* a record is as long as its kind needs */
	memcpy(&record, data, size < sizeof(record) ? size : sizeof(record));
	if (model_take(t->model, &record))
		t->out_of_memory = true;
	return 0;
}

static int open_and_load(struct tracer *t, const struct options *opt, pid_t command)
{
	int err;

	t->probes = probes__open();
	if (!t->probes)
		return attach_failed("open the probes", -errno);
	t->probes->rodata->command = command;
	t->probes->rodata->ring_bytes = opt->buffer_kib << 10;
	bpf_map__set_max_entries(t->probes->maps.ring, opt->buffer_kib << 10);
	choose_probes(t);
	err = probes__load(t->probes);
	if (err)
		return attach_failed("load the probes", err);
	t->ring = ring_buffer__new(bpf_map__fd(t->probes->maps.ring), take_record, t, NULL);
	if (!t->ring)
		return attach_failed("read what the probes tell", -errno);
	return 0;
}

int tracer_attach(struct tracer *t, const struct options *opt, pid_t command)
{
	struct own_cost none;

	libbpf_set_print(keep_warning);
	if (open_and_load(t, opt, command) || attach_all(t->probes))
		return -1;
	tracer_cost(t, &none);
	return 0;
}

void tracer_detach(struct tracer *t)
{
	ring_buffer__free(t->ring);
	probes__destroy(t->probes);
}

int tracer_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int tracer_consume(struct tracer *t)
{
	int n = ring_buffer__consume(t->ring);

	if (n < 0)
		return attach_failed("read what the probes tell", n);
	if (t->out_of_memory)
		return fail("cannot keep what the probes tell: out of memory");
	return 0;
}

/* All since they were loaded. */
static void total_cost(const struct tracer *t, struct own_cost *cost)
{
	struct bpf_object_skeleton *s = t->probes->skeleton;
	struct rusage usage;

	*cost = (struct own_cost){ .types = t->types, .fault_times = t->fault_times };
	for (int i = 0; i < s->prog_cnt; i++) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);
		int fd = bpf_program__fd(*s->progs[i].prog);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		cost->missed_runs += info.recursion_misses;
	}
	cost->runs = t->probes->bss->own_runs;
	cost->ns = t->probes->bss->own_ns;
	cost->dropped_records = t->probes->bss->dropped_records;
	cost->dropped_sums = t->probes->bss->dropped_sums;
	getrusage(RUSAGE_SELF, &usage);
	cost->cpu_ns =
		((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
		((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

void tracer_cost(struct tracer *t, struct own_cost *cost)
{
	struct own_cost now;

	total_cost(t, &now);
	*cost = now;
	cost->runs -= t->before.runs;
	cost->ns -= t->before.ns;
	cost->cpu_ns -= t->before.cpu_ns;
	cost->missed_runs -= t->before.missed_runs;
	cost->dropped_records -= t->before.dropped_records;
	cost->dropped_sums -= t->before.dropped_sums;
	t->before = now;
}
