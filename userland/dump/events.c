// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What anonymous inodes hold: eventfd, timerfd, signalfd, epoll, inotify, pidfd.
 * /proc/PID/fdinfo shows nearly all of it while the group is frozen; proc(5). Of an
 * io_uring the module tells.
 */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static enum event_kind kind_of(const char *path)
{
	static const struct {
		const char *name;
		enum event_kind kind;
	} kinds[] = {
		{ "[eventfd]", EVENT_COUNTER },	 { "[timerfd]", EVENT_TIMER },
		{ "[signalfd]", EVENT_SIGNALS }, { "[eventpoll]", EVENT_POLL },
		{ "inotify", EVENT_WATCHES },	 { "pidfd:", EVENT_PROCESS },
		{ "[pidfd]", EVENT_PROCESS },	 { "[io_uring]", EVENT_RING },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(path, kinds[i].name))
			return kinds[i].kind;
	return EVENT_UNKNOWN;
}

static uint64_t to_ns(const char *text)
{
	uint64_t s, ns;

	return sscanf(text, " (%" SCNu64 ", %" SCNu64 ")", &s, &ns) == 2 ? s * 1000000000 + ns : 0;
}

/* The text behind "@key:" in @line, or NULL. */
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 && line[len] == ':' ? line + len + 1 : NULL;
}

/* A process by its number for the dumper; 0: none of the group. */
static int inner_pid(const struct dump *d, int pid)
{
	for (size_t i = 0; i < d->img.nr_processes; i++)
		if (d->img.processes[i].outer_pid == pid)
			return d->img.processes[i].info.pid;
	for (size_t i = 0; i < d->img.nr_zombies; i++)
		if (d->img.zombies[i].outer_pid == pid)
			return d->img.zombies[i].pid;
	return 0;
}

/* tfd: 5 events: 19 data: 5 pos:0 ino:2f9c sdev:e */
static int take_entry(struct dump *d, struct event_state *e, const char *line)
{
	/* in the order of the lines, until its file is known */
	struct poll_entry entry = { .file = (uint32_t)e->nr_entries };
	struct poll_entry *more;

	if (sscanf(line, "tfd: %d events: %" SCNx32 " data: %" SCNx64, &entry.fd, &entry.events,
		   &entry.data) != 3)
		return 0;
	more = arena_grow(&d->priv.arena, e->entries, e->nr_entries, sizeof(entry));
	if (!more)
		return -1;
	e->entries = more;
	e->entries[e->nr_entries++] = entry;
	return 0;
}

static int take_watch(struct dump *d, const struct holder *h, struct event_state *e,
		      const char *line)
{
	struct inotify_watch watch = { 0 };
	struct inotify_watch *more;
	bool link = false;

	if (sscanf(line, "inotify wd:%x ino:%*x sdev:%*x mask:%" SCNx32, (unsigned int *)&watch.wd,
		   &watch.mask) != 2)
		return 0;
	watch.path = watch_path(d, h, line, &link);
	/* a link that is watched itself: nobody shows that it was not to be followed */
	if (link)
		watch.mask |= IN_DONT_FOLLOW;
	more = arena_grow(&d->priv.arena, e->watches, e->nr_watches, sizeof(watch));
	if (!more)
		return -1;
	e->watches = more;
	e->watches[e->nr_watches++] = watch;
	return 0;
}

static int take_line(struct dump *d, const struct holder *h, struct event_state *e,
		     const char *line)
{
	const char *v;

	switch (e->kind) {
	case EVENT_COUNTER:
		if ((v = value_of(line, "eventfd-count")))
			e->count = strtoull(v, NULL, 16);
		else if ((v = value_of(line, "eventfd-semaphore")))
			e->semaphore = atoi(v);
		break;
	case EVENT_TIMER:
		if ((v = value_of(line, "clockid")))
			e->clock = atoi(v);
		else if ((v = value_of(line, "ticks")))
			e->count = strtoull(v, NULL, 10);
		else if ((v = value_of(line, "settime flags")))
			e->settime_flags = (uint32_t)strtoul(v, NULL, 8);
		else if ((v = value_of(line, "it_value")))
			e->value_ns = to_ns(v);
		else if ((v = value_of(line, "it_interval")))
			e->interval_ns = to_ns(v);
		break;
	case EVENT_SIGNALS:
		if ((v = value_of(line, "sigmask")))
			e->mask = strtoull(v, NULL, 16);
		break;
	case EVENT_POLL:
		return take_entry(d, e, line);
	case EVENT_WATCHES:
		return take_watch(d, h, e, line);
	case EVENT_PROCESS:
		if ((v = value_of(line, "Pid")))
			e->pid = atoi(v) > 0 ? inner_pid(d, atoi(v)) : atoi(v);
		break;
	default:
		break;
	}
	return 0;
}

static int read_info(struct dump *d, const struct holder *h, struct open_file *f)
{
	FILE *info = holder_info(h);
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	if (!info)
		return fail("cannot tell what %s of pid %d (fd %d) is: %s", f->path,
			    h->process->info.pid, h->fd, strerror(errno));
	while (!ret && getline(&line, &room, info) > 0)
		ret = take_line(d, h, &f->event, line);
	free(line);
	fclose(info);
	return ret;
}

static void count_events(const struct dump *d, struct open_file *f)
{
	int fd = holder_duplicate(d, f), bytes = 0;

	/* of a process whose first thread has ended nobody can: then there may be some */
	if (fd < 0 || ioctl(fd, FIONREAD, &bytes))
		bytes = 1;
	f->event.unread = (uint64_t)bytes;
	if (fd >= 0)
		close(fd);
}

/* Events that wait in a queue can neither be looked at nor put back. */
void count_unread(struct dump *d)
{
	d->watches = false;
	for (size_t i = 0; i < d->img.nr_files; i++) {
		struct open_file *f = &d->img.files[i];

		if (f->kind != FILE_ANON_INODE || !d->holders[i].process ||
		    kind_of(f->path) != EVENT_WATCHES)
			continue;
		d->watches = true;
		count_events(d, f);
	}
}

static int compare_watches(const void *a, const void *b)
{
	const struct inotify_watch *x = a, *y = b;

	return x->wd < y->wd ? -1 : x->wd > y->wd;
}

static const struct process_fd *find_fd(const struct image_process *p, int fd)
{
	size_t low = 0, high = p->nr_fds;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (p->fds[mid].fd == fd)
			return &p->fds[mid];
		if (p->fds[mid].fd < fd)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* Is the @nth of @poll's entries that were added as @fd the file of @other? See kcmp(2). */
static bool is_entry_of(const struct holder *poll, int fd, unsigned int nth,
			const struct holder *other)
{
	struct kcmp_epoll_slot slot = { (uint32_t)poll->fd, (uint32_t)fd, nth };

	return syscall(SYS_kcmp, other->tid, poll->tid, KCMP_EPOLL_TFD, other->fd, &slot) == 0;
}

/*
 * The description that an entry is about. Nearly always it is still what the fd is
 * in a process that has the epoll instance; but it may be only elsewhere.
 */
static uint32_t file_of_entry(const struct dump *d, const struct holder *poll, int fd,
			      unsigned int nth)
{
	const struct process_fd *found = find_fd(poll->process, fd);

	if (found) {
		struct holder h = { poll->process, poll->tid, fd };

		if (is_entry_of(poll, fd, nth, &h))
			return found->file->id;
	}
	for (size_t i = 0; i < d->img.nr_files; i++)
		if (d->holders[i].process && is_entry_of(poll, fd, nth, &d->holders[i]))
			return d->img.files[i].id;
	return 0;
}

static void find_entries(const struct dump *d, const struct holder *poll, struct event_state *e)
{
	unsigned int nth = 0;

	/* kcmp() counts those of one number in the order in which they are listed */
	for (size_t i = 0; i < e->nr_entries; i++) {
		nth = i && e->entries[i].fd == e->entries[i - 1].fd ? nth + 1 : 0;
		e->entries[i].file = file_of_entry(d, poll, e->entries[i].fd, nth);
	}
}

static int compare_entries(const void *a, const void *b)
{
	const struct poll_entry *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	return x->file < y->file ? -1 : x->file > y->file;
}

/* Since the freeze time has gone on, for timers and for clocks: what was left then? */
static void add_elapsed(const struct dump *d, struct event_state *e)
{
	const struct xckpt_freeze *then = &d->freeze;
	struct timespec now;

	if (!e->value_ns || clock_gettime(CLOCK_REALTIME, &now))
		return;
	if (e->clock == CLOCK_REALTIME || e->clock == CLOCK_REALTIME_ALARM)
		e->value_ns += (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec -
			       then->out_realtime_ns;
	else /* by our own clock: the group may have a time namespace */
		e->value_ns += now_ns() - d->froze_at_ns - then->out_latency_ns;
}

static int capture_event(struct dump *d, const struct holder *h, struct open_file *f)
{
	struct event_state *e = &f->event;

	e->kind = kind_of(f->path);
	e->semaphore = f->state & XCKPT_FILE_SEMAPHORE;
	/* one that the module does not know of is of no kind that is known */
	if (e->kind == EVENT_RING && !e->ring.sq_entries)
		e->kind = EVENT_UNKNOWN;
	if (!e->kind || e->kind == EVENT_RING)
		return 0;
	if (read_info(d, h, f))
		return -1;
	if (e->kind == EVENT_TIMER)
		add_elapsed(d, e);
	if (e->kind == EVENT_POLL) {
		if (e->nr_entries)
			qsort(e->entries, e->nr_entries, sizeof(*e->entries), compare_entries);
		find_entries(d, h, e);
	} else if (e->kind == EVENT_WATCHES) {
		if (e->nr_watches)
			qsort(e->watches, e->nr_watches, sizeof(*e->watches), compare_watches);
	}
	return 0;
}

/* Somebody may be told of it whenever a file becomes ready, and not only once until it is read. */
static bool has_edges(const struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_files; i++) {
		const struct event_state *e = &d->img.files[i].event;

		if (e->kind == EVENT_RING)
			return true;
		for (size_t j = 0; j < e->nr_entries; j++)
			if (e->entries[j].events & EPOLLET)
				return true;
	}
	return false;
}

/* Those since the freeze are still to come. */
static void undo_expirations(struct event_state *e)
{
	uint64_t more = e->value_ns ? (e->value_ns - 1) / e->interval_ns : 0;

	if (more > e->count)
		more = e->count;
	e->count -= more;
	e->value_ns -= more * e->interval_ns;
}

/*
 * A timer that repeats stands when it has expired, and is shown as expired once: by how
 * often it would have been is reckoned, and it goes on, when it is read or somebody asks
 * what is left.
 */
static int count_expirations(struct dump *d, const struct holder *h, struct open_file *f)
{
	struct itimerspec left;
	int fd = holder_duplicate(d, f);

	/* of a process whose first thread has ended nobody can ask: then it is once */
	if (fd < 0)
		return 0;
	if (timerfd_gettime(fd, &left) || read_info(d, h, f)) {
		close(fd);
		return fail("cannot tell how often %s of pid %d (fd %d) has expired: %s", f->path,
			    h->process->info.pid, h->fd, strerror(errno));
	}
	close(fd);
	add_elapsed(d, &f->event);
	undo_expirations(&f->event);
	return 0;
}

/* Where they live on, who waits for an edge would notice that a timer goes on. */
static int ask_timers(struct dump *d)
{
	if (!d->opt.kill && has_edges(d))
		return 0;
	for (size_t i = 0; i < d->img.nr_files; i++) {
		const struct event_state *e = &d->img.files[i].event;

		if (e->kind == EVENT_TIMER && e->count && e->interval_ns && !e->value_ns &&
		    count_expirations(d, &d->holders[i], &d->img.files[i]))
			return -1;
	}
	return 0;
}

int capture_events(struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_files; i++)
		if (d->img.files[i].kind == FILE_ANON_INODE && d->holders[i].process &&
		    capture_event(d, &d->holders[i], &d->img.files[i]))
			return -1;
	return ask_timers(d);
}
