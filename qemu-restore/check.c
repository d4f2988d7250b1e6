// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The self-check as a whole: a process of its own in the program's namespaces, where
 * pids and paths are those of the image, looks at one process after the other.
 *
 * Not seen from outside, and therefore not compared: vector state and most registers,
 * which are loaded when a thread leaves the restorer; timers, which are set after the
 * check; securebits, dumpable, subreapers, what set_tid_address(2) and rseq(2) were
 * told. What is in memory would take as long as restoring it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "report.h"

#define CHUNK 65536

bool check_told(const struct check *c, enum op_kind kind, uint32_t nr, int arg, uint64_t value)
{
	const struct process_plan *p = c->process;
	size_t i;

	for (i = p->first_op; i < p->first_op + p->nr_ops; i++) {
		const struct plan_op *op = &c->plan->ops[i];

		if (c->told[i] && op->kind == kind && op->nr == nr &&
		    (!c->tid || op->tid == c->tid) && (arg < 0 || op->arg[arg] == value))
			return true;
	}
	return false;
}

int check_unless_told(const struct check *c, int ret, uint32_t nr, int arg, uint64_t value)
{
	return ret && check_told(c, OP_SYSCALL, nr, arg, value) ? 0 : ret;
}

int check_differs(struct check *c, const char *object, const char *found, const char *expected)
{
	char thread[32] = "";

	if (c->tid)
		snprintf(thread, sizeof(thread), "thread %d: ", c->tid);
	snprintf(c->difference, sizeof(c->difference), "%s%s is %s, it was %s", thread, object,
		 *found ? found : "empty", *expected ? expected : "empty");
	return -1;
}

int check_text(struct check *c, const char *object, const char *found, const char *expected)
{
	return strcmp(found, expected) ? check_differs(c, object, found, expected) : 0;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
int check_number(struct check *c, const char *object, const char *form, uint64_t found,
		 uint64_t expected)
{
	char a[32], b[32];

	if (found == expected)
		return 0;
	snprintf(a, sizeof(a), form, (unsigned long long)found);
	snprintf(b, sizeof(b), form, (unsigned long long)expected);
	return check_differs(c, object, a, b);
}
#pragma GCC diagnostic pop

int check_unreadable(struct check *c, const char *name)
{
	if (errno == ENOENT || errno == ESRCH)
		return check_differs(c, name, "not there", "there");
	if (!c->blind)
		warn("pid %d: cannot check all of it: %s: %s", c->image->info.pid, name,
		     strerror(errno));
	c->blind = true;
	return 0;
}

int check_read(struct check *c, const char *fmt, ...)
{
	char name[64], path[96];
	struct buffer *b = &c->text;
	va_list ap;
	ssize_t n;
	int fd;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "/proc/%d/%s", c->image->info.pid, name);
	b->len = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return check_unreadable(c, path);
	/* what is one record comes in one piece; maps are many */
	do {
		if (b->room - b->len <= CHUNK) {
			b->room = b->room * 2 + 2 * CHUNK;
			b->bytes = plan_must(realloc(b->bytes, b->room));
		}
		n = read(fd, b->bytes + b->len, CHUNK);
		b->len += n > 0 ? n : 0;
	} while (n == CHUNK || (n > 0 && (!strcmp(name, "maps") || !strcmp(name, "smaps"))));
	close(fd);
	b->bytes[b->len] = 0;
	return n < 0 ? check_unreadable(c, path) : 1;
}

int check_link(struct check *c, char *to, size_t room, const char *name)
{
	char path[96];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", c->image->info.pid, name);
	n = readlink(path, to, room - 1);
	if (n < 0)
		return check_unreadable(c, path);
	to[n] = 0;
	return 1;
}

bool check_same_path(const struct check *c, const char *path, const char *link,
		     const char *expected)
{
	size_t root = strlen(c->root);
	struct stat a, b;

	if (root && !strncmp(path, c->root, root) && !strcmp(path + root, expected))
		return true;
	return !strcmp(path, expected) || (!stat(link, &a) && !stat(expected, &b) &&
					   a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

/* One that ended and was not waited for. */
static int check_ended(struct check *c, const struct birth *birth)
{
	struct image_process ended = { .info.pid = birth->pid };
	int seen;

	c->image = &ended;
	seen = check_read(c, "stat");
	return seen > 0 ? check_zombie(c, birth, (const char *)c->text.bytes) : seen;
}

static void name_cores(struct check *c)
{
	const struct image *img = c->plan->img;
	char self[32], path[PATH_MAX];
	size_t i;
	ssize_t n;

	c->cores = plan_must(calloc(img->nr_processes, sizeof(*c->cores)));
	for (i = 0; i < img->nr_processes; i++) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", img->processes[i].core_fd);
		n = readlink(self, path, sizeof(path) - 1);
		path[n > 0 ? n : 0] = 0;
		c->cores[i] = plan_must(strdup(path));
	}
}

static int check_all(struct check *c)
{
	const struct plan *plan = c->plan;
	struct check_files *files = check_files_begin(plan);
	unsigned int i;
	int ret = 0;

	name_cores(c);
	for (i = 0; i < plan->nr_births && !ret; i++) {
		const struct birth *b = &plan->births[i];

		c->tid = 0;
		c->blind = false;
		if (b->kind == BIRTH_LIVES) {
			c->process = &plan->processes[b->process];
			c->image = c->process->process;
			ret = check_process(c, b, files);
		} else if (b->kind == BIRTH_ENDS) {
			ret = check_ended(c, b);
		}
		if (ret)
			fail("cannot resume pid %d: %s (self-check: nothing of the program has run)",
			     b->pid, c->difference);
	}
	check_objects_end(c);
	if (!ret && (check_files_end(c, files) || check_terminals(c) || check_sysv(c)))
		ret = fail("cannot resume %s: %s (self-check: nothing of the program has run)",
			   plan->img->name, c->difference);
	return ret;
}

int check(const struct launched *l, const struct plan *plan, const struct slots *slots)
{
	struct check c = { .plan = plan, .told = l->told, .slots = slots };
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(world_enter(&l->world, c.root) || check_all(&c) ? RECORD_EXIT_FAILURE : 0);
	if (pid < 0)
		return fail("cannot check what was restored: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? -1 : 0;
	return fail("cannot check what was restored: killed by signal %d", WTERMSIG(status));
}
