// SPDX-License-Identifier: GPL-2.0-or-later
/* Compare what a process has, thread by thread: which of its files in /proc tells what. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

#define PR_SET_TIMERSLACK 29
#define RLIMIT_NOFILE_X86 7

static int check_place(struct check *c, const char *object, const char *expected)
{
	char found[4200], link[64];
	int seen = check_link(c, found, sizeof(found), object);

	snprintf(link, sizeof(link), "/proc/%d/%s", c->image->info.pid, object);
	if (seen <= 0 || check_same_path(c, found, link, expected))
		return seen < 0 ? -1 : 0;
	return check_differs(c, object, found, expected);
}

/* One that was removed has been made, perhaps elsewhere, and removed. */
static int check_directory(struct check *c)
{
	const char *expected = plan_path(c->process->group, c->image->cwd);
	char found[4200];

	if (is_path_removed(expected) && check_link(c, found, sizeof(found), "cwd") > 0 &&
	    is_path_removed(found))
		return 0;
	return check_place(c, "cwd", expected);
}

/* Where the name cannot be shown, the launcher tells that and shows the restart ELF. */
static int check_exe(struct check *c)
{
	char found[4200];

	if (!check_natively(c) || !*c->image->exe)
		return 0;
	if (check_link(c, found, sizeof(found), "exe") > 0 && !strncmp(found, "/memfd:restart", 14))
		return 0;
	return check_place(c, "exe", c->image->exe);
}

static int check_auxv(struct check *c)
{
	size_t len = (c->image->nr_auxv < AUXV_MAX ? c->image->nr_auxv & ~(size_t)1 : AUXV_MAX) *
		     sizeof(uint64_t);
	int seen;

	if (!check_natively(c))
		return 0;
	seen = check_read(c, "auxv");
	if (seen <= 0)
		return seen;
	return c->text.len < len || memcmp(c->text.bytes, c->image->auxv, len)
		       ? check_differs(c, "auxv", "another", "that of the image")
		       : 0;
}

static int check_oom(struct check *c)
{
	int seen = check_read(c, "oom_score_adj"), want = c->image->info.oom_score_adj, ret;

	if (seen <= 0)
		return seen;
	ret = check_number(c, "oom_score_adj", "%lld",
			   strtoll((const char *)c->text.bytes, NULL, 10), want);
	return ret && check_told(c, OP_OOM, 0, -1, 0) ? 0 : ret;
}

static int check_personality(struct check *c)
{
	int seen = check_read(c, "personality"), ret;

	if (seen <= 0)
		return seen;
	ret = check_number(c, "personality", "%#llx",
			   strtoull((const char *)c->text.bytes, NULL, 16),
			   c->image->info.personality);
	return check_unless_told(c, ret, NR_PERSONALITY, -1, 0);
}

/* A QEMU keeps these three to itself. */
static bool is_engines_limit(const struct check *c, int i)
{
	return !check_natively(c) && (i == RLIMIT_AS || i == RLIMIT_DATA || i == RLIMIT_STACK);
}

static uint64_t limit_value(rlim_t value)
{
	return value == RLIM_INFINITY ? ~0ull : value;
}

static int check_limits(struct check *c)
{
	const struct xckpt_rlimit *want = c->image->info.rlimit;
	struct rlimit have;
	char object[32];
	int i, ret = 0;

	if (!want[RLIMIT_NOFILE_X86].max)
		return 0; /* the image does not tell */
	for (i = 0; i < XCKPT_NR_RLIMITS && !ret; i++) {
		if (is_engines_limit(c, i))
			continue;
		if (prlimit(c->image->info.pid, i, NULL, &have))
			return check_unreadable(c, "resource limits");
		snprintf(object, sizeof(object), "resource limit %d (soft)", i);
		ret = check_number(c, object, "%llu", limit_value(have.rlim_cur), want[i].cur);
		snprintf(object, sizeof(object), "resource limit %d (hard)", i);
		if (!ret)
			ret = check_number(c, object, "%llu", limit_value(have.rlim_max),
					   want[i].max);
		ret = check_unless_told(c, ret, NR_PRLIMIT64, 1, i);
	}
	return ret;
}

static int compare_tids(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Nobody but the image's, and an engine's own. */
static int check_tasks(struct check *c)
{
	const struct image_process *p = c->image;
	int *tids = plan_must(calloc(p->nr_threads + 1, sizeof(*tids))), ret = 0;
	char path[64], object[64];
	struct dirent *entry;
	size_t i, n = 0;
	DIR *dir;

	tids[n++] = p->info.pid; /* it is there until the others go, even if it had ended */
	for (i = 0; i < p->nr_threads; i++)
		if (p->threads[i].tid != p->info.pid)
			tids[n++] = p->threads[i].tid;
	qsort(tids, n, sizeof(*tids), compare_tids);
	snprintf(path, sizeof(path), "/proc/%d/task", p->info.pid);
	dir = opendir(path);
	if (!dir)
		ret = check_unreadable(c, path);
	while (dir && check_natively(c) && !ret && (entry = readdir(dir))) {
		int tid = atoi(entry->d_name);

		if (tid <= 0 || bsearch(&tid, tids, n, sizeof(tid), compare_tids))
			continue;
		snprintf(object, sizeof(object), "thread %d", tid);
		ret = check_differs(c, object, "there", "not there");
	}
	if (dir)
		closedir(dir);
	free(tids);
	return ret;
}

static int check_slack(struct check *c, const struct image_thread *t)
{
	uint32_t policy = t->info.policy;
	char path[64], text[32];
	ssize_t n = -1;
	int fd;

	/* who is scheduled in real time has none */
	if (!t->info.timer_slack_ns || (policy != SCHED_NORMAL && policy != SCHED_BATCH))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", t->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return 0; /* this kernel shows it to nobody else */
	text[n] = 0;
	return check_unless_told(c,
				 check_number(c, "timer slack", "%llu", strtoull(text, NULL, 10),
					      t->info.timer_slack_ns),
				 NR_PRCTL, 0, PR_SET_TIMERSLACK);
}

static int check_robust_list(struct check *c, const struct image_thread *t)
{
	uint64_t head = 0, len = 0;

	if (!check_natively(c) || syscall(SYS_get_robust_list, t->tid, &head, &len))
		return 0;
	return check_number(c, "robust list", "%#llx", head, t->info.robust_list);
}

static int check_thread(struct check *c, const struct image_thread *t)
{
	int seen;

	c->tid = t->tid;
	seen = check_read(c, "task/%d/status", t->tid);
	if (seen < 0 || (seen && check_status(c, t, (const char *)c->text.bytes)))
		return -1;
	seen = check_read(c, "task/%d/stat", t->tid);
	if (seen < 0 || (seen && check_stat(c, t, (const char *)c->text.bytes)))
		return -1;
	return check_slack(c, t) || check_robust_list(c, t) ? -1 : 0;
}

static int check_threads(struct check *c)
{
	size_t i;
	int ret = check_tasks(c);

	for (i = 0; i < c->image->nr_threads && !ret; i++)
		ret = check_thread(c, &c->image->threads[i]);
	c->tid = 0;
	return ret;
}

static int check_mappings(struct check *c)
{
	int seen = check_read(c, "maps");

	if (seen <= 0)
		return seen;
	if (check_maps(c, (const char *)c->text.bytes))
		return -1;
	if (!check_needs_smaps(c))
		return 0;
	seen = check_read(c, "smaps");
	return seen > 0 ? check_smaps(c, (const char *)c->text.bytes) : seen;
}

static int check_memory(struct check *c)
{
	int ret;

	c->mem = check_open_memory(c);
	ret = check_frames(c) || check_mappings(c) ? -1 : 0;
	if (c->mem >= 0)
		close(c->mem);
	return ret;
}

int check_process(struct check *c, const struct birth *birth, struct check_files *files)
{
	int seen = check_read(c, "stat");

	if (seen <= 0)
		return seen;
	if (check_ids(c, birth, (const char *)c->text.bytes) ||
	    check_control(c, (const char *)c->text.bytes) ||
	    (*c->image->root && strcmp(c->image->root, "/") &&
	     check_place(c, "root", plan_path(c->process->group, c->image->root))) ||
	    (*c->image->cwd && check_directory(c)) || check_exe(c) || check_auxv(c) ||
	    check_oom(c) || check_personality(c) || check_limits(c))
		return -1;
	return check_threads(c) || check_files(c, files) || check_memory(c) ? -1 : 0;
}
