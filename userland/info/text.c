// SPDX-License-Identifier: GPL-2.0-or-later
/* An image as a person reads it. */
#include "info.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>

/* Names in an image may be made to steer a terminal. */
static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (int i = 0; i + 1 < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = '?';
	fputs(text, stdout);
	free(text);
}

static const char *bytes(uint64_t n, char *buf, size_t size)
{
	static const char units[] = "KMGTP";
	double value = (double)n;
	int unit = -1;

	while (value >= 1024 && unit < 4) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(buf, size, "%" PRIu64 " B", n);
	else
		snprintf(buf, size, "%.1f %ciB", value, units[unit]);
	return buf;
}

static void print_threads(const struct image_process *p)
{
	char where[512], call[64];

	say("  threads\n");
	for (size_t i = 0; i < p->nr_threads; i++) {
		const struct image_thread *t = &p->threads[i];
		const char *in = thread_syscall(t, call, sizeof(call));

		say("    %-8d %-16s %-8s at 0x%" PRIx64 " %s%s%s", t->tid, t->info.comm,
		    task_state_name(t->info.state), t->regs.rip,
		    where_is(p, t->regs.rip, where, sizeof(where)), in ? ", in " : "",
		    in ? in : "");
		if (t->info.tracer)
			say(", traced by %d", t->info.tracer);
		say("\n");
	}
}

static void print_memory(const struct image_process *p)
{
	struct memory_sum sums[NR_VMA_KINDS], all = { 0 };
	char a[32], b[32];

	sum_memory(p, sums);
	say("  memory       mappings       mapped       stored\n");
	for (unsigned int k = 0; k < NR_VMA_KINDS; k++) {
		if (!sums[k].mappings)
			continue;
		say("    %-10s %8" PRIu64 " %12s %12s\n", vma_kind_name(k), sums[k].mappings,
		    bytes(sums[k].mapped, a, sizeof(a)), bytes(sums[k].stored, b, sizeof(b)));
		all.mappings += sums[k].mappings;
		all.mapped += sums[k].mapped;
		all.stored += sums[k].stored;
	}
	say("    %-10s %8" PRIu64 " %12s %12s\n", "all", all.mappings,
	    bytes(all.mapped, a, sizeof(a)), bytes(all.stored, b, sizeof(b)));
	if (p->nr_guards)
		say("    guard regions: %zu, %s\n", p->nr_guards,
		    bytes(guarded_bytes(p), a, sizeof(a)));
}

/* Mappings that have the contents of others: which core has those. */
static void print_held(const struct image *img, const struct image_process *p)
{
	struct memory_sum *sums = calloc(img->nr_processes, sizeof(*sums));
	char buf[32];

	for (size_t i = 0; sums && i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		if (!s->borrowed)
			continue;
		sums[s->holder - img->processes].mappings++;
		sums[s->holder - img->processes].stored += s->filesz;
	}
	for (size_t i = 0; sums && i < img->nr_processes; i++)
		if (sums[i].mappings)
			say("    contents of %" PRIu64 " mapping%s, %s, are in %s\n",
			    sums[i].mappings, sums[i].mappings == 1 ? "" : "s",
			    bytes(sums[i].stored, buf, sizeof(buf)), img->processes[i].core_name);
	free(sums);
}

static void print_event(const struct open_file *f)
{
	const struct event_state *e = &f->event;

	switch (e->kind) {
	case EVENT_COUNTER:
		say(" counts %" PRIu64 "%s", e->count, e->semaphore ? ", a semaphore" : "");
		break;
	case EVENT_TIMER:
		say(" in %.3f s, every %.3f s, %" PRIu64 " not read", (double)e->value_ns / 1e9,
		    (double)e->interval_ns / 1e9, e->count);
		break;
	case EVENT_SIGNALS:
		say(" mask %016" PRIx64, e->mask);
		break;
	case EVENT_POLL:
		say(" waits for %zu", e->nr_entries);
		break;
	case EVENT_WATCHES:
		say(" watches %zu", e->nr_watches);
		break;
	case EVENT_PROCESS:
		if (e->pid > 0)
			say(" pid %d", e->pid);
		else
			say("%s", e->pid ? " of one that is gone" : " of one outside");
		break;
	case EVENT_RING:
		say(" for %" PRIu32 " requests, has taken %" PRIu32 " and told of %" PRIu32,
		    e->ring.sq_entries, e->ring.sq_head, e->ring.cq_tail);
		break;
	default:
		break;
	}
}

static void print_terminal(const struct image *img, const struct open_file *f)
{
	const struct terminal *t = f->terminal;

	if (t) {
		say(" of pseudo-terminal %u, %u lines of %u", t->index, t->rows, t->columns);
		if (t->session)
			say(", of session %d, group %d in the foreground", t->session,
			    t->foreground);
		say("%s%s%s%s", t->end ? ", an end of file typed" : "",
		    t->packet ? ", packet mode" : "",
		    t->exclusive || t->slave_exclusive ? ", exclusive" : "",
		    t->locked ? ", locked" : "");
	}
	if (f->master)
		say(" of pseudo-terminal %u", image_find_file(img, f->master)->terminal->index);
}

static void print_contents(const struct open_file *f)
{
	say(" inside, %" PRIu64 " bytes in it", f->data ? f->data_size : f->size);
	if (f->nr_packets)
		say(" as %zu packet%s", f->nr_packets, f->nr_packets == 1 ? "" : "s");
}

static void print_fds(const struct image *img, const struct image_process *p)
{
	char mode[8];

	if (!p->nr_fds)
		return;
	say("  files\n");
	for (size_t i = 0; i < p->nr_fds; i++) {
		const struct open_file *f = p->fds[i].file;

		say("    %4d  %-10s %-4s %s", p->fds[i].fd, file_kind_name(f->kind),
		    access_name(f, mode, sizeof(mode)), f->path);
		if (f->kind == FILE_REGULAR)
			say(" at %" PRIu64 " of %" PRIu64, f->pos, f->size);
		if (f->kind == FILE_PIPE && f->inside)
			print_contents(f);
		if (is_nameless(f) && f->data)
			say(" %" PRIu64 " bytes in the image", f->data_size);
		print_event(f);
		print_terminal(img, f);
		if (f->nr_locks)
			say(", %zu lock%s", f->nr_locks, f->nr_locks == 1 ? "" : "s");
		if (p->fds[i].cloexec)
			say(" close-on-exec");
		say("\n");
	}
}

static void print_posix_timer(const struct xckpt_timer *t)
{
	char clock[64], name[32];

	say("  timer        %d of %s, ", t->id, clock_name(t->clock, clock, sizeof(clock)));
	if (t->notify == SIGEV_NONE)
		say("no signal, ");
	else
		say("%s, ", signal_name((int)t->signo, name, sizeof(name)));
	if (t->notify == SIGEV_THREAD_ID)
		say("for thread %d, ", t->tid);
	if (t->value_ns)
		say("in %.6f s%s%s\n", (double)t->value_ns / 1e9, t->interval_ns ? ", repeats" : "",
		    t->flags & XCKPT_TIMER_DATED ? ", at a date" : "");
	else
		say("not armed\n");
}

static void print_timers(const struct image_process *p)
{
	for (unsigned int i = 0; i < 3; i++) {
		const struct xckpt_timer_value *v = &p->info.itimer[i];

		if (v->value_ns)
			say("  timer        %s, in %.6f s%s\n", itimer_name(i),
			    (double)v->value_ns / 1e9, v->interval_ns ? ", repeats" : "");
	}
	for (size_t i = 0; i < p->nr_timers; i++)
		print_posix_timer(&p->timers[i]);
	if (p->info.nr_posix_timers && !p->nr_timers)
		say("  timer        %u by timer_create\n", p->info.nr_posix_timers);
}

static void print_signals(const struct image_process *p)
{
	char name[32], where[512];

	for (int i = 0; i < 64; i++) {
		const struct xckpt_sigaction *sa = &p->sigaction[i];

		if (sa->handler == 1)
			say("  signal       %s ignored\n", signal_name(i + 1, name, sizeof(name)));
		else if (sa->handler)
			say("  signal       %s handled at %s\n",
			    signal_name(i + 1, name, sizeof(name)),
			    where_is(p, sa->handler, where, sizeof(where)));
	}
	for (size_t i = 0; i < p->nr_pending; i++)
		say("  signal       %s pending\n",
		    signal_name(image_signal(p->pending, i), name, sizeof(name)));
}

static void print_undo(const struct image_process *p)
{
	for (size_t i = 0; i < p->nr_undo; i++)
		say("  SEM_UNDO     %+d to semaphore %u of set %d\n", p->undo[i].adjust,
		    p->undo[i].number, p->undo[i].id);
}

static void print_stop(const struct image_process *p)
{
	char name[32];

	if (p->info.stop_signal)
		say("  stopped      by %s%s\n",
		    signal_name((int)p->info.stop_signal, name, sizeof(name)),
		    p->info.flags & XCKPT_PROCESS_STOP_TOLD ? "" : ", not yet told its parent");
}

/* 0 stands for one that the pid namespace of the image does not have. */
static const char *number(int pid, char buf[16])
{
	if (!pid)
		return "outside";
	snprintf(buf, 16, "%d", pid);
	return buf;
}

static void print_process(const struct image *img, const struct image_process *p)
{
	char parent[16], group[16], session[16];

	say("process %d (%s), parent %s, group %s, session %s\n", p->info.pid, p->info.comm,
	    number(p->info.ppid, parent), number(p->info.pgid, group),
	    number(p->info.sid, session));
	say("  program      %s\n", p->exe[0] ? p->exe : "?");
	say("  directory    %s\n", p->cwd[0] ? p->cwd : "?");
	if (p->mounts)
		say("  mounts       other than xckpt-dump's (%d)\n", p->mounts);
	if (p->label)
		say("  label        %s, other than xckpt-dump's\n", p->label);
	say("  user         %u, group %u\n", p->info.euid, p->info.egid);
	print_stop(p);
	print_threads(p);
	print_memory(p);
	print_held(img, p);
	print_fds(img, p);
	print_undo(p);
	print_timers(p);
	print_signals(p);
}

static void print_object(const char *kind, const struct sysv_object *o)
{
	say("System V %s %d, key 0x%08x, mode %04o, user %u, group %u", kind, o->id,
	    (unsigned int)o->key, o->mode, o->uid, o->gid);
}

static void print_sysv(const struct sysv_ipc *ipc)
{
	char size[32];

	for (size_t i = 0; i < ipc->nr_segments; i++) {
		const struct sysv_segment *s = &ipc->segments[i];

		print_object("segment", &s->object);
		say(", %s%s%s%s\n", bytes(s->size, size, sizeof(size)),
		    s->removed ? ", removed" : "", s->locked ? ", locked" : "",
		    s->data ? ", contents by themselves" : "");
	}
	for (size_t i = 0; i < ipc->nr_sets; i++) {
		print_object("semaphore set", &ipc->sets[i].object);
		say(", %zu semaphore%s\n", ipc->sets[i].nr, ipc->sets[i].nr == 1 ? "" : "s");
	}
	for (size_t i = 0; i < ipc->nr_queues; i++) {
		const struct sysv_queue *q = &ipc->queues[i];

		print_object("queue", &q->object);
		say(", %zu message%s, %" PRIu64 " bytes of %" PRIu64 "\n", q->nr,
		    q->nr == 1 ? "" : "s", q->data_size, q->room);
	}
}

static void print_unsupported(void *ctx, int pid, const char *object, const char *why)
{
	say("cannot be resumed: pid %d%s%s: %s\n", pid, object[0] ? " " : "", object, why);
}

static void print_image(const struct info *info)
{
	const struct manifest *m = image_manifest(info->img);
	time_t seconds = (time_t)(m->clocks.realtime_ns / 1000000000);
	char date[64] = "?", size[32];
	uint64_t total = 0;
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S %z", &tm);
	for (size_t i = 0; i < info->img->nr_processes; i++) {
		struct memory_sum sums[NR_VMA_KINDS];

		sum_memory(&info->img->processes[i], sums);
		for (unsigned int k = 0; k < NR_VMA_KINDS; k++)
			total += sums[k].stored;
	}
	say("image %s, %s, version %u, %s of memory%s\n", info->img->name,
	    m->thin ? "thin" : "self-contained", m->version, bytes(total, size, sizeof(size)),
	    info->verified ? ", contents verified" : "");
	say("  taken        %s by %s\n", date, m->tool);
	say("  kernel       %s, %s\n", m->kernel, m->machine);
	say("  cpu          %s (%s), xfeatures 0x%" PRIx64 "\n", m->cpu_model, m->cpu_vendor,
	    m->xfeatures);
	if (m->front)
		say("  terminal     %u lines of %u, %s, in the foreground of it\n", m->front->rows,
		    m->front->columns, m->front->lflag & ICANON ? "by lines" : "by keys");
}

void print_text(const struct info *info)
{
	const struct image *img = info->img;
	char parent[16];

	if (info->manifest)
		print_image(info);
	else
		say("core %s without its image: " MANIFEST_NAME " is missing\n", img->name);
	for (size_t i = 0; i < img->nr_processes; i++)
		if (!info->only || info->only == &img->processes[i])
			print_process(img, &img->processes[i]);
	for (size_t i = 0; i < img->nr_zombies && !info->only; i++)
		say("process %d (%s), parent %s, ended with status 0x%x\n", img->zombies[i].pid,
		    img->zombies[i].comm, number(img->zombies[i].ppid, parent),
		    img->zombies[i].exit_code);
	if (!info->only)
		print_sysv(&img->sysv);
	image_unsupported(img, print_unsupported, NULL);
}
