// SPDX-License-Identifier: GPL-2.0-or-later
/* Freeze and capture until no thread moved between the two. */
#include "dump.h"
#include "interrupt.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ATTEMPTS 3
#define READING_ATTEMPTS 6

/* Who is killed or left stopped must not run on before the image is complete. */
static bool stays_frozen(const struct dump *d)
{
	return d->opt.kill || d->opt.leave_stopped;
}

/* Or its memory is read while it stands still. */
static bool is_cloned(const struct dump *d)
{
	return !stays_frozen(d) && !d->is_near;
}

bool snapshot_outlives(const struct dump *d)
{
	return !stays_frozen(d) && !d->snapshot.out_nr_uncloned;
}

/* Who has ended is still to be described: somebody may wait for it when all go on. */
static bool has_ended(const struct dump *d)
{
	for (size_t i = 0; i < d->nr_tasks; i++)
		if (!has_registers(d->tasks[i].state))
			return true;
	return false;
}

/* What can only be read while all stand still, and the module does not know of. */
static bool must_stay(const struct dump *d)
{
	return has_ended(d) || d->opt.with_files;
}

/* 0; 1: threads moved; -1 after one line on stderr */
static int capture_group(struct dump *d)
{
	int error;

	d->snapshot = (struct xckpt_snapshot){
		.size = sizeof(d->snapshot),
		.flags = (d->opt.thin ? XCKPT_SNAPSHOT_THIN : 0) |
			 (is_cloned(d) ? 0 : XCKPT_SNAPSHOT_FROZEN) |
			 (must_stay(d) ? 0 : XCKPT_SNAPSHOT_THAW),
	};
	/* nothing that can wait comes before this: the group stands still */
	error = session_command(d, XCKPT_IOCTL_SNAPSHOT, &d->snapshot);
	if (!error && d->snapshot.out_thawed)
		session_thawed(d);
	if (!error || error == EAGAIN)
		return error ? 1 : 0;
	if (error == ECANCELED)
		return -1;
	if (error == ETIMEDOUT)
		return fail("cannot capture %s: threads that were woken did not stop again in time "
			    "(try again, or with a longer --timeout)",
			    d->name);
	if (error == E2BIG)
		return fail("cannot capture %s: a process has more than an image can tell of "
			    "(1048576 guard regions, 512 MiB of other facts)",
			    d->name);
	return fail("cannot capture %s: %s", d->name,
		    error == ESRCH ? "it has ended" : strerror(error));
}

/* The module counts what anybody made; which of it the group might use is seen here. */
static int find_sysv(struct dump *d)
{
	int found = d->snapshot.out_nr_stateful ? sysv_is_there(d) : 0;

	d->sysv = found > 0;
	return found < 0 ? -1 : 0;
}

/*
 * Who is left asleep may be woken at any time, and what must be read while
 * frozen takes its time: it would be for nothing.
 */
static bool would_be_disturbed(const struct dump *d, bool reads_long)
{
	return reads_long && d->opt.mode == XCKPT_MODE_AUTO && d->mode != XCKPT_MODE_STRICT &&
	       d->freeze.out_nr_asleep;
}

static int attempt(struct dump *d, uint32_t mode)
{
	int ret;

	if (session_freeze(d, mode) || session_tasks(d) || find_mounts(d) || find_front(d))
		return -1;
	ret = capture_group(d);
	if (!ret && find_sysv(d))
		return -1;
	/* files are opened once only: somebody may watch them */
	if (!ret && would_be_disturbed(d, d->snapshot.out_nr_uncloned || d->opt.with_files)) {
		if (session_thaw(d, 0))
			return -1;
		return attempt(d, XCKPT_MODE_STRICT);
	}
	return ret;
}

/* Time for programs to read what is on its way between them: longer with each attempt. */
static void let_read(int attempt)
{
	const struct timespec nap = { 0, 10000000l << attempt };

	nanosleep(&nap, NULL);
}

int snapshot_take(struct dump *d)
{
	uint32_t mode = stays_frozen(d) ? XCKPT_MODE_STRICT : d->opt.mode;

	limits_find(d);
	d->is_near = limits_are_near();
	for (int i = 0; i < (d->unread ? READING_ATTEMPTS : ATTEMPTS); i++) {
		int ret = attempt(d, mode);

		d->unread = NULL;
		if (!ret) {
			ret = capture_frozen(d);
			if (!ret && would_be_disturbed(d, d->nr_contents))
				ret = 1;
			if (ret > 0 && !d->unread && d->opt.mode == XCKPT_MODE_AUTO)
				mode = XCKPT_MODE_STRICT;
		}
		if (ret <= 0)
			return ret;
		if (session_thaw(d, 0) || interrupted)
			return -1;
		capture_forget(d);
		if (d->unread)
			let_read(i);
	}
	if (d->unread)
		return fail("cannot dump %s: %s", d->name, d->unread);
	return fail("cannot dump %s: threads of it were woken or killed in each of %d attempts "
		    "(dump again when nobody sends it signals or traces it)",
		    d->name, ATTEMPTS);
}

const char *snapshot_remark(const struct dump *d, char *buf)
{
	static const char *const why[] = {
		[XCKPT_UNCLONED_NONE] = "its memory could not be cloned",
		[XCKPT_UNCLONED_UFFD] = "it uses userfaultfd",
		[XCKPT_UNCLONED_MEMORY] = "there was no memory for a clone of it",
		[XCKPT_UNCLONED_DEVICE] = "it uses asynchronous I/O",
		[XCKPT_UNCLONED_LIMIT] = "the system had no room for another process",
	};
	const struct xckpt_snapshot *s = &d->snapshot;
	const char *reason = why[XCKPT_UNCLONED_NONE];
	char others[32] = " was", limit[128];

	if (limits_held()) {
		snprintf(buf, 256, "; held while it was read (%s)", limits_reason(limit));
		return buf;
	}
	if (!s->out_nr_uncloned)
		return "";
	if (s->out_uncloned == XCKPT_UNCLONED_ASKED)
		reason = d->opt.kill		? "as --kill needs it"
			 : d->opt.leave_stopped ? "as --leave-stopped needs it"
						: limits_reason(limit);
	else if (s->out_uncloned < sizeof(why) / sizeof(why[0]))
		reason = why[s->out_uncloned];
	if (s->out_nr_uncloned > 1)
		snprintf(others, sizeof(others), " and %u other%s were", s->out_nr_uncloned - 1,
			 s->out_nr_uncloned > 2 ? "s" : "");
	snprintf(buf, 256, "; pid %d%s read while frozen (%s)", s->out_uncloned_pid, others,
		 reason);
	return buf;
}
