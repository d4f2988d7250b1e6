// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that goes on while its snapshot is read may write to all of its memory, and
 * every page then exists twice. Where its memory cgroups, or the machine, have no room
 * for that, the kernel would kill it; so what room is left is looked at, and when that
 * becomes little the group stands still until all has been read.
 */
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_MS 5
/* Little is a 1/LITTLE_PART of a limit, within these bounds: several threads write some
 * megabytes within a tick. */
#define LITTLE_PART 8
#define LITTLE_MIN (32ull << 20)
#define LITTLE_MAX (256ull << 20)

/* A cgroup with a limit. */
struct limit {
	char *dir; /* "": the machine */
	uint64_t max; /* bytes */
};

static struct {
	struct limit *all;
	size_t nr;
	char *mount; /* of cgroup2, or NULL */
	int session; /* the one that holds the group, or -1 */
	struct limit *near; /* the one that was found to be so */
	uint64_t held_at_ns;
	pthread_t thread;
	bool running;
	int end; /* tells it */
	const struct dump *d;
} limits = { .session = -1, .end = -1 };

/* The number in file @name of @dir; @none if there is none, as where it says "max". */
static uint64_t read_number(const char *dir, const char *name, uint64_t none)
{
	char path[PATH_MAX], text[32] = "", *end;
	uint64_t value;
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return none;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return none;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	value = strtoull(text, &end, 10);
	return n <= 0 || end == text ? none : value;
}

/* The sum of what follows @keys in a file of lines "KEY VALUE"; NULL ends the keys. */
static uint64_t sum_of(const char *path, const char *const *keys)
{
	FILE *file = fopen(path, "re");
	char key[64];
	uint64_t value, sum = 0;

	while (file && fscanf(file, "%63s %" SCNu64 "%*[^\n]", key, &value) == 2)
		for (const char *const *k = keys; *k; k++)
			if (!strcmp(*k, key))
				sum += value;
	if (file)
		fclose(file);
	return sum;
}

static uint64_t little_of(uint64_t max)
{
	uint64_t little = max / LITTLE_PART;

	return little < LITTLE_MIN ? LITTLE_MIN : little > LITTLE_MAX ? LITTLE_MAX : little;
}

static uint64_t kib(const char *const *keys)
{
	return sum_of("/proc/meminfo", keys) << 10;
}

static uint64_t free_swap(void)
{
	return kib((const char *const[]){ "SwapFree:", NULL });
}

static bool is_little_here(const struct limit *l)
{
	return kib((const char *const[]){ "MemAvailable:", "SwapFree:", NULL }) < little_of(l->max);
}

/* What a cgroup has of files, and of caches, makes room when that is needed. */
static bool is_little_in(const struct limit *l)
{
	static const char *const reclaimed[] = { "active_file", "inactive_file", "slab_reclaimable",
						 NULL };
	uint64_t used = read_number(l->dir, "memory.current", 0), little = little_of(l->max);
	uint64_t room = l->max > used ? l->max - used : 0, swap, most;
	char path[PATH_MAX];

	if (room >= little)
		return false;
	snprintf(path, sizeof(path), "%.4000s/memory.stat", l->dir);
	room += sum_of(path, reclaimed);
	if (room >= little)
		return false;
	swap = free_swap();
	most = read_number(l->dir, "memory.swap.max", UINT64_MAX);
	used = read_number(l->dir, "memory.swap.current", 0);
	most = most > used ? most - used : 0;
	return room + (swap < most ? swap : most) < little;
}

bool limits_are_near(void)
{
	for (size_t i = 0; i < limits.nr; i++) {
		struct limit *l = &limits.all[i];

		if (l->dir[0] ? is_little_in(l) : is_little_here(l)) {
			limits.near = l;
			return true;
		}
	}
	return false;
}

static void add_limit(const char *dir, uint64_t max)
{
	struct limit *more;
	char *copy;

	for (size_t i = 0; i < limits.nr; i++)
		if (!strcmp(limits.all[i].dir, dir))
			return;
	more = realloc(limits.all, (limits.nr + 1) * sizeof(*more));
	if (more)
		limits.all = more;
	copy = strdup(dir);
	if (more && copy)
		limits.all[limits.nr++] = (struct limit){ copy, max };
	else
		free(copy);
}

/* Those of a cgroup's directory, which begins with the mount, and of those above it. */
static void add_cgroup(const char *dir)
{
	char path[PATH_MAX], *slash;
	size_t top = strlen(limits.mount);

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return;
	while (strlen(path) > top) {
		uint64_t max = read_number(path, "memory.max", 0);

		if (max)
			add_limit(path, max);
		slash = strrchr(path, '/');
		if (!slash)
			return;
		*slash = 0;
	}
}

/* "/x", of the line "0::/x"; NULL: none that can be seen from here. */
static void add_process(int pid)
{
	char path[PATH_MAX], *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = limits.mount ? fopen(path, "re") : NULL;
	while (file && (len = getline(&line, &room, file)) > 0) {
		if (strncmp(line, "0::/", 4) != 0 || strncmp(line, "0::/..", 6) == 0)
			continue;
		if (line[len - 1] == '\n')
			line[len - 1] = 0;
		if (snprintf(path, sizeof(path), "%s%s", limits.mount, line + 3) <
		    (int)sizeof(path))
			add_cgroup(path);
	}
	free(line);
	if (file)
		fclose(file);
}

/* Where the whole tree of cgroup2 is mounted. */
static void find_mount(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, root[PATH_MAX], place[PATH_MAX];
	size_t room = 0;

	while (file && !limits.mount && getline(&line, &room, file) > 0)
		if (strstr(line, " - cgroup2 ") &&
		    sscanf(line, "%*d %*d %*s %4095s %4095s", root, place) == 2 &&
		    !strcmp(root, "/"))
			limits.mount = strdup(place);
	free(line);
	if (file)
		fclose(file);
}

void limits_find(struct dump *d)
{
	char link[32], dir[PATH_MAX];
	ssize_t n;

	limits.d = d;
	add_limit("", kib((const char *const[]){ "MemTotal:", NULL }));
	find_mount();
	for (size_t i = 0; i < d->opt.nr_pids; i++)
		add_process(d->opt.pids[i]);
	if (d->opt.target == XCKPT_TARGET_PGRP || d->opt.target == XCKPT_TARGET_SESSION)
		add_process(d->opt.id);
	if (d->opt.target == XCKPT_TARGET_CGROUP && limits.mount) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", d->fds[0]);
		n = readlink(link, dir, sizeof(dir) - 1);
		dir[n > 0 ? n : 0] = 0;
		if (!strncmp(dir, limits.mount, strlen(limits.mount)))
			add_cgroup(dir);
	}
}

/* Who holds others must not be stopped itself, whichever of its threads would be told. */
static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
#define NR_STOPS (sizeof(stops) / sizeof(stops[0]))
static struct sigaction before_hold[NR_STOPS];

static void ignore_stops(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < NR_STOPS; i++)
		sigaction(stops[i], &ignore, &before_hold[i]);
}

static void heed_stops(void)
{
	for (size_t i = 0; i < NR_STOPS; i++)
		sigaction(stops[i], &before_hold[i], NULL);
}

/* With a session of its own: that of the snapshot has let the group go on. */
static void hold(void)
{
	int session = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);
	struct xckpt_freeze arg = session_freeze_args(limits.d, limits.d->opt.mode);

	ignore_stops();
	if (session >= 0 && !ioctl(session, XCKPT_IOCTL_FREEZE, &arg)) {
		limits.held_at_ns = now_ns();
		limits.session = session;
		return;
	}
	heed_stops();
	if (session >= 0) /* another try follows */
		close(session);
}

static void *watch(void *arg)
{
	struct pollfd end = { .fd = limits.end, .events = POLLIN };

	(void)arg;
	while (limits.session < 0 && poll(&end, 1, TICK_MS) == 0)
		if (limits_are_near())
			hold();
	return NULL;
}

void limits_watch(struct dump *d)
{
	sigset_t all, before;

	for (size_t i = 0; i < d->img.nr_processes; i++)
		add_process(d->img.processes[i].outer_pid);
	limits.end = eventfd(0, EFD_CLOEXEC);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	limits.running = limits.end >= 0 && pthread_create(&limits.thread, NULL, watch, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void limits_end(struct dump *d)
{
	if (limits.running) {
		eventfd_write(limits.end, 1);
		pthread_join(limits.thread, NULL);
		limits.running = false;
	}
	if (limits.session >= 0) {
		close(limits.session); /* thaws */
		limits.session = -1;
		heed_stops();
		d->frozen_ns += now_ns() - limits.held_at_ns;
	}
}

void limits_forget(struct dump *d)
{
	limits_end(d);
	if (limits.end >= 0)
		close(limits.end);
	limits.end = -1;
	for (size_t i = 0; i < limits.nr; i++)
		free(limits.all[i].dir);
	free(limits.all);
	free(limits.mount);
	limits.all = NULL;
	limits.mount = NULL;
	limits.nr = 0;
}

bool limits_held(void)
{
	return limits.held_at_ns;
}

const char *limits_reason(char *buf)
{
	const struct limit *l = limits.near;
	char max[32];

	snprintf(buf, 128, "%.64s has little left of its %s", l->dir[0] ? l->dir : "the machine",
		 human_bytes(l->max, max));
	return buf;
}
