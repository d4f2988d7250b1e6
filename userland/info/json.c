// SPDX-License-Identifier: GPL-2.0-or-later
/* The facts of text.c for machines. Strings are escaped as in group.json. */
#include "info.h"
#include "manifest_json.h"
#include "report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *text(const char *s)
{
	char *escaped = manifest_escape(s);
	json_t *o = escaped ? json_string(escaped) : NULL;

	free(escaped);
	return o;
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *address(uint64_t v)
{
	return json_sprintf("0x%" PRIx64, v);
}

static json_t *threads(const struct image_process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->nr_threads; i++) {
		const struct image_thread *t = &p->threads[i];
		char where[512], call[64];
		const char *in = thread_syscall(t, call, sizeof(call));
		json_t *o =
			json_pack("{s:i, s:o, s:s, s:o, s:o, s:o}", "tid", t->tid, "comm",
				  text(t->info.comm), "state", task_state_name(t->info.state),
				  "rip", address(t->regs.rip), "rsp", address(t->regs.rsp), "where",
				  text(where_is(p, t->regs.rip, where, sizeof(where))));

		if (in) {
			json_object_set_new(o, "syscall", json_string(in));
			json_object_set_new(o, "syscall_number", number(t->regs.orig_rax));
		}
		if (t->info.tracer)
			json_object_set_new(o, "tracer", json_integer(t->info.tracer));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *memory(const struct image_process *p)
{
	struct memory_sum sums[NR_VMA_KINDS];
	json_t *o = json_object();

	sum_memory(p, sums);
	for (unsigned int k = 0; k < NR_VMA_KINDS; k++)
		if (sums[k].mappings)
			json_object_set_new(o, vma_kind_name(k),
					    json_pack("{s:o, s:o, s:o}", "mappings",
						      number(sums[k].mappings), "mapped",
						      number(sums[k].mapped), "stored",
						      number(sums[k].stored)));
	return o;
}

static json_t *guards(const struct segment *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->nr_guards; i++)
		json_array_append_new(array,
				      json_pack("{s:o, s:o}", "start", address(s->guards[i].start),
						"end", address(s->guards[i].end)));
	return array;
}

static json_t *mappings(const struct image_process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];
		json_t *o = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "start",
				      address(s->start), "end", address(s->end), "kind",
				      vma_kind_name(s->vma.kind), "flags", address(s->vma.flags),
				      "file_offset", number(s->vma.pgoff), "core_bytes",
				      number(s->borrowed ? 0 : s->filesz), "path", text(s->path));

		if (s->borrowed) {
			json_object_set_new(o, "held_by", json_string(s->holder->core_name));
			json_object_set_new(o, "held_bytes", number(s->filesz));
		}
		if (s->nr_guards)
			json_object_set_new(o, "guards", guards(s));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *fds(const struct image_process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->nr_fds; i++) {
		const struct open_file *f = p->fds[i].file;
		json_t *o = json_pack(
			"{s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "fd", p->fds[i].fd, "file",
			number(f->id), "kind", file_kind_name(f->kind), "path", text(f->path),
			"flags", number(f->flags), "pos", number(f->pos), "size", number(f->size),
			"cloexec", p->fds[i].cloexec, "deleted", f->deleted);

		if (f->kind == FILE_PIPE) {
			json_object_set_new(o, "inside", json_boolean(f->inside));
			json_object_set_new(o, "capacity", number(f->capacity));
			json_object_set_new(o, "data_size", number(f->data_size));
			if (f->nr_packets)
				json_object_set_new(o, "packets", manifest_format_packets(f));
		}
		if (f->kind == FILE_ANON_INODE)
			json_object_set_new(o, "event", manifest_format_event(&f->event));
		if (f->terminal)
			json_object_set_new(o, "terminal", manifest_format_terminal(f->terminal));
		if (f->master)
			json_object_set_new(o, "master", number(f->master));
		if (f->nr_locks)
			json_object_set_new(o, "locks", manifest_format_locks(f));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *timers(const struct image_process *p)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < 3; i++)
		if (p->info.itimer[i].value_ns)
			json_array_append_new(
				array,
				json_pack("{s:s, s:o, s:o}", "itimer", itimer_name(i), "value_ns",
					  number(p->info.itimer[i].value_ns), "interval_ns",
					  number(p->info.itimer[i].interval_ns)));
	return array;
}

static json_t *posix_timers(const struct image_process *p)
{
	json_t *array = json_array();
	char clock[64];

	for (size_t i = 0; i < p->nr_timers; i++) {
		const struct xckpt_timer *t = &p->timers[i];
		json_t *o = json_pack(
			"{s:i, s:i, s:s, s:s, s:i, s:o, s:o, s:o, s:i}", "id", t->id, "clock",
			t->clock, "clock_name", clock_name(t->clock, clock, sizeof(clock)),
			"notify", notify_name(t), "signal", (int)t->signo, "value",
			address(t->sigev_value), "value_ns", number(t->value_ns), "interval_ns",
			number(t->interval_ns), "overrun", (int)t->overrun);

		if (t->notify == SIGEV_THREAD_ID)
			json_object_set_new(o, "tid", json_integer(t->tid));
		if (t->flags & XCKPT_TIMER_DATED)
			json_object_set_new(o, "date_ns", number(t->date_ns));
		json_array_append_new(array, o);
	}
	return array;
}

static json_t *sem_undo(const struct image_process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->nr_undo; i++)
		json_array_append_new(array,
				      json_pack("{s:i, s:i, s:i}", "id", p->undo[i].id, "number",
						p->undo[i].number, "adjust", p->undo[i].adjust));
	return array;
}

static json_t *signals(const struct image_process *p)
{
	json_t *array = json_array();
	char name[32];

	for (int i = 0; i < 64; i++) {
		const struct xckpt_sigaction *sa = &p->sigaction[i];

		if (!sa->handler)
			continue;
		json_array_append_new(
			array, json_pack("{s:i, s:s, s:b, s:o, s:o, s:o}", "signal", i + 1, "name",
					 signal_name(i + 1, name, sizeof(name)), "ignored",
					 sa->handler == 1, "handler", address(sa->handler), "flags",
					 address(sa->flags), "mask", address(sa->mask)));
	}
	return array;
}

static json_t *pending(const struct image_process *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->nr_pending; i++)
		json_array_append_new(array, json_integer(image_signal(p->pending, i)));
	return array;
}

static json_t *process(const struct image_process *p)
{
	char name[32];
	json_t *o =
		json_pack("{s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:i, s:i}", "pid", p->info.pid,
			  "ppid", p->info.ppid, "pgid", p->info.pgid, "sid", p->info.sid, "comm",
			  text(p->info.comm), "exe", text(p->exe), "cwd", text(p->cwd), "root",
			  text(p->root), "uid", (int)p->info.uid, "gid", (int)p->info.gid);

	if (p->mounts)
		json_object_set_new(o, "mounts", json_integer(p->mounts));
	if (p->label)
		json_object_set_new(o, "label", text(p->label));
	if (p->info.stop_signal) {
		json_object_set_new(
			o, "stopped_by",
			json_string(signal_name((int)p->info.stop_signal, name, sizeof(name))));
		json_object_set_new(o, "parent_told",
				    json_boolean(p->info.flags & XCKPT_PROCESS_STOP_TOLD));
	}
	json_object_set_new(o, "threads", threads(p));
	json_object_set_new(o, "memory", memory(p));
	json_object_set_new(o, "mappings", mappings(p));
	json_object_set_new(o, "fds", fds(p));
	json_object_set_new(o, "timers", timers(p));
	json_object_set_new(o, "posix_timers", posix_timers(p));
	json_object_set_new(o, "sem_undo", sem_undo(p));
	json_object_set_new(o, "signals", signals(p));
	json_object_set_new(o, "pending", pending(p));
	return o;
}

static void add_unsupported(void *ctx, int pid, const char *object, const char *why)
{
	json_array_append_new(ctx, json_pack("{s:i, s:o, s:o}", "pid", pid, "object", text(object),
					     "why", text(why)));
}

static void add_manifest(json_t *o, const struct manifest *m)
{
	json_object_set_new(o, "version", json_integer(m->version));
	json_object_set_new(o, "mode", json_string(m->thin ? "thin" : "self-contained"));
	json_object_set_new(o, "tool", text(m->tool));
	json_object_set_new(o, "kernel", text(m->kernel));
	json_object_set_new(o, "machine", text(m->machine));
	json_object_set_new(o, "cpu",
			    json_pack("{s:o, s:o, s:o, s:o}", "vendor", text(m->cpu_vendor),
				      "model", text(m->cpu_model), "flags", text(m->cpu_flags),
				      "xfeatures", address(m->xfeatures)));
	json_object_set_new(o, "realtime_ns", json_integer(m->clocks.realtime_ns));
	json_object_set_new(o, "root", json_integer(m->root_pid));
	if (m->front)
		json_object_set_new(o, "front", manifest_format_front(m->front));
}

int print_json(const struct info *info)
{
	const struct image *img = info->img;
	json_t *o = json_object(), *processes = json_array(), *zombies = json_array();
	json_t *unsupported = json_array();
	char *out;

	json_object_set_new(o, "image", text(img->name));
	if (info->manifest)
		add_manifest(o, image_manifest(img));
	for (size_t i = 0; i < img->nr_processes; i++)
		if (!info->only || info->only == &img->processes[i])
			json_array_append_new(processes, process(&img->processes[i]));
	for (size_t i = 0; i < img->nr_zombies && !info->only; i++)
		json_array_append_new(zombies,
				      json_pack("{s:i, s:i, s:o, s:i}", "pid", img->zombies[i].pid,
						"ppid", img->zombies[i].ppid, "comm",
						text(img->zombies[i].comm), "exit_code",
						img->zombies[i].exit_code));
	image_unsupported(img, add_unsupported, unsupported);
	json_object_set_new(o, "verified", json_boolean(info->verified));
	json_object_set_new(o, "processes", processes);
	json_object_set_new(o, "ended", zombies);
	if (has_sysv(&img->sysv) && !info->only)
		json_object_set_new(o, "sysv", manifest_format_sysv(&img->sysv));
	json_object_set_new(o, "unsupported", unsupported);
	out = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	if (!out)
		return fail("cannot show %s: out of memory", img->name);
	puts(out);
	free(out);
	return 0;
}
