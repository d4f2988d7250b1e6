// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mount namespaces: a path is recorded as the process has it, and leads elsewhere where
 * other things are mounted. Only that counts: what qemu-resume runs has a namespace of
 * its own, with a /proc of its own, and all else as there is.
 */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Namespaces in which the same is mounted at the same places. */
struct mounts {
	dev_t dev; /* of the first one */
	ino_t ino;
	char **lines; /* "98:0 /mnt1 /mnt2": file system, its folder and the place; sorted */
	size_t nr;
	int number; /* 0: as xckpt-dump has it */
	const char *differs; /* a place where xckpt-dump has something else */
};

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ... - ext3 /dev/root rw", cut; NULL: of no interest */
static char *cut_line(char *line)
{
	char *start = line, *end;

	if (strstr(line, " - proc "))
		return NULL;
	for (int i = 0; i < 2 && start; i++)
		start = strchr(start, ' ') ? strchr(start, ' ') + 1 : NULL;
	end = start;
	for (int i = 0; i < 3 && end; i++)
		end = strchr(end + 1, ' ');
	if (!end)
		return NULL;
	*end = 0;
	return start;
}

static char *place_of(char *line)
{
	return strrchr(line, ' ') + 1;
}

/* Who is below another root sees what is mounted there, and by other names. */
static bool cut_root(char *line, const char *root)
{
	char *place = place_of(line);
	size_t len = strlen(root);

	if (len <= 1)
		return true;
	if (strncmp(place, root, len) != 0 || (place[len] && place[len] != '/'))
		return false;
	if (place[len])
		memmove(place, place + len, strlen(place + len) + 1);
	else
		strcpy(place, "/");
	return true;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is mounted for who is told by @path; with @root, as from there. 1: that is gone. */
static int list_mounts(struct dump *d, const char *path, const char *root, struct mounts *m)
{
	FILE *f = fopen(path, "re");
	char *line = NULL, **more;
	size_t room = 0;
	int ret = 0;

	if (!f)
		return 1;
	while (!ret && getline(&line, &room, f) > 0) {
		char *cut = cut_line(line);

		if (!cut || !cut_root(cut, root))
			continue;
		more = arena_grow(&d->priv.arena, m->lines, m->nr, sizeof(*m->lines));
		cut = arena_strdup(&d->priv.arena, cut);
		if (more)
			m->lines = more;
		if (more && cut)
			m->lines[m->nr++] = cut;
		else
			ret = -1;
	}
	free(line);
	fclose(f);
	if (m->nr)
		qsort(m->lines, m->nr, sizeof(*m->lines), compare_lines);
	return ret;
}

/* The topmost place where one has what the other has not; NULL: there is none. */
static const char *difference(const struct mounts *x, const struct mounts *y)
{
	const char *found = NULL;
	size_t i = 0, j = 0;

	while (i < x->nr || j < y->nr) {
		int order = i == x->nr ? 1 : j == y->nr ? -1 : strcmp(x->lines[i], y->lines[j]);
		char *place = place_of(order > 0 ? y->lines[j] : x->lines[i]);

		if (order && (!found || strlen(place) < strlen(found)))
			found = place;
		i += order <= 0;
		j += order >= 0;
	}
	return found;
}

static int add_mounts(struct dump *d, const struct mounts *m)
{
	struct mounts *more = arena_grow(&d->priv.arena, d->mounts, d->nr_mounts, sizeof(*m));

	if (!more)
		return -1;
	d->mounts = more;
	d->mounts[d->nr_mounts++] = *m;
	return 0;
}

/* Which of the known ones are like that of @tid, whose namespace is @st; or a new one. */
static int compare_mounts(struct dump *d, int pid, int tid, const struct stat *st, int *number)
{
	struct mounts own = { 0 }, m = { .dev = st->st_dev, .ino = st->st_ino };
	char path[96], root[4096];
	ssize_t n;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/root", pid, tid);
	n = readlink(path, root, sizeof(root) - 1);
	root[n > 0 ? n : 0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mountinfo", pid, tid);
	ret = list_mounts(d, path, "", &m);
	if (!ret)
		ret = list_mounts(d, "/proc/thread-self/mountinfo", root, &own);
	if (ret)
		return ret < 0 ? -1 : 0;
	m.differs = difference(&own, &m);
	for (size_t i = 0; m.differs && i < d->nr_mounts; i++) {
		m.number = d->mounts[i].number > m.number ? d->mounts[i].number : m.number;
		if (!d->mounts[i].differs || difference(&d->mounts[i], &m))
			continue;
		*number = d->mounts[i].number;
		return 0;
	}
	*number = m.number = m.differs ? m.number + 1 : 0;
	return add_mounts(d, &m);
}

bool shares_mounts(int pid, int tid)
{
	struct stat own, st;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/mnt", pid, tid);
	return stat(path, &st) || stat("/proc/thread-self/ns/mnt", &own) ||
	       (st.st_dev == own.st_dev && st.st_ino == own.st_ino);
}

/* By the number of its namespace, or of one like it; @own is the dumper's. */
static int find_namespace(struct dump *d, int pid, int tid, const struct stat *own, int *number)
{
	struct stat st;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/mnt", pid, tid);
	if (stat(path, &st) || (st.st_dev == own->st_dev && st.st_ino == own->st_ino))
		return 0;
	for (size_t i = 0; i < d->nr_mounts; i++)
		if (d->mounts[i].dev == st.st_dev && d->mounts[i].ino == st.st_ino) {
			*number = d->mounts[i].number;
			return 0;
		}
	return compare_mounts(d, pid, tid, &st, number);
}

int find_mounts(struct dump *d)
{
	struct stat own;

	d->mounts = NULL;
	d->nr_mounts = 0;
	d->mounts_of = arena_alloc(&d->priv.arena, d->nr_tasks, sizeof(*d->mounts_of));
	if (!d->mounts_of)
		return -1;
	if (stat("/proc/thread-self/ns/mnt", &own))
		return 0;
	for (size_t i = 0; i < d->nr_tasks;) {
		size_t first = i, live = d->nr_tasks;

		for (; i < d->nr_tasks && d->tasks[i].pid == d->tasks[first].pid; i++)
			if (live == d->nr_tasks && has_registers(d->tasks[i].state))
				live = i;
		if (live < d->nr_tasks && find_namespace(d, d->tasks[live].pid, d->tasks[live].tid,
							 &own, &d->mounts_of[first]))
			return -1;
	}
	return 0;
}

static const char *place_that_differs(const struct dump *d, int number)
{
	for (size_t i = 0; i < d->nr_mounts; i++)
		if (d->mounts[i].number == number && d->mounts[i].differs)
			return d->mounts[i].differs;
	return "something";
}

int judge_mounts(const struct dump *d)
{
	const struct manifest *m = &d->priv.manifest;
	const struct manifest_process *first = m->processes, *p, *end = first + m->nr_processes;

	while (!first->core) /* one lives, or there is no image */
		first++;
	for (p = first; p < end; p++) {
		int other = p->mounts ? p->mounts : first->mounts;

		if (!p->core || p->mounts == first->mounts)
			continue;
		if (d->opt.kill && !d->opt.force)
			return fail(
				"cannot kill %s after the dump: pid %d (%s) has not mounted at %s "
				"what pid %d has, and both are resumed in one mount namespace "
				"(dump without --kill, or with --force)",
				d->name, p->pid, p->comm, place_that_differs(d, other), first->pid);
		if (!d->opt.quiet)
			warn("pid %d (%s) has not mounted at %s what pid %d has: both are resumed "
			     "in one mount namespace",
			     p->pid, p->comm, place_that_differs(d, other), first->pid);
		return 0;
	}
	if (first->mounts && !d->opt.quiet)
		warn("pid %d (%s) is in a mount namespace where %s is not what it is here: resume "
		     "it where its paths lead to the same (nsenter --mount, or a like container)",
		     first->pid, first->comm, place_that_differs(d, first->mounts));
	return 0;
}
