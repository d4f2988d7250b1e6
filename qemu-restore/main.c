// SPDX-License-Identifier: GPL-2.0-or-later
/* qemu-resume: make the process of an image run again, here, in the foreground. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "launch.h"
#include "options.h"
#include "report.h"
#include "space.h"

#define VERIFY_FIRST (64ull << 20) /* bytes of clean contents that are checked before the start */

struct objections {
	const struct options *options;
	int refused;
};

static void object(void *ctx, int pid, const char *what, const char *why)
{
	struct objections *o = ctx;
	unsigned int fd;

	/* what the user gives in its place need not be resumed */
	if (sscanf(what, "fd %u", &fd) == 1 && fd < o->options->nr_override &&
	    o->options->override[fd])
		return;
	fail("cannot resume pid %d: %s%s%s", pid, what, *what ? ": " : "", why);
	o->refused = 1;
}

static int check_image(const struct image *img, const struct options *options)
{
	struct objections o = { .options = options };

	if (img->nr_processes != 1)
		return fail("cannot resume %s: it has %zu processes; this version resumes one "
			    "(checkpoint a process without children)",
			    img->name, img->nr_processes);
	image_unsupported(img, object, &o);
	return o.refused ? -1 : 0;
}

static void look_around(struct plan_host *host, const struct options *options,
			const struct image_process *p)
{
	struct stat st;
	int i;

	memset(host, 0, sizeof(*host));
	host->root = !geteuid();
	host->uid = getuid();
	host->gid = getgid();
	host->address_top = space_top();
	host->stdin_taken = options->from_stdin;
	host->exe_exists =
		*p->exe && !stat(p->exe, &st) && S_ISREG(st.st_mode) && st.st_mode & 0111;
	host->override = options->override;
	host->nr_override = options->nr_override;
	for (i = 0; i < 3; i++)
		host->tty[i] = isatty(i);
	for (i = 0; i < XCKPT_NR_RLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit(i, &limit))
			continue;
		host->rlimit[i].cur = limit.rlim_cur == RLIM_INFINITY ? ~0ull : limit.rlim_cur;
		host->rlimit[i].max = limit.rlim_max == RLIM_INFINITY ? ~0ull : limit.rlim_max;
	}
}

/* Returns -1 if one of the plan's complaints stands. */
static int tell_issues(const struct plan *plan, bool force)
{
	int ret = 0;
	size_t i;

	for (i = 0; i < plan->nr_issues; i++) {
		const struct issue *issue = &plan->issues[i];

		if (issue->warning) {
			warn("%s", issue->text);
		} else if (issue->forceable && force) {
			warn("forced: %s", issue->text);
		} else {
			/* "... (REMEDY)" */
			fail("%.*s%s", (int)strlen(issue->text) - 1, issue->text,
			     issue->forceable ? ", or --force to go on without)" : ")");
			ret = -1;
		}
	}
	if (*plan->process->exe && !plan->host->exe_exists)
		warn("%s is not on this machine: the program will not find itself by "
		     "/proc/self/exe",
		     plan->process->exe);
	return ret;
}

/* A process that checks the rest of the image once the program runs. */
static pid_t fork_verifier(struct image *img, int *go)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		close(fds[1]);
		if (nice(19) == -1)
			errno = 0;
		if (read(fds[0], &c, 1) != 1)
			_exit(0);
		_exit(image_verify(img, 1, 0, NULL) ? 1 : 0);
	}
	close(fds[0]);
	*go = fds[1];
	return pid;
}

static int run(struct plan *plan, struct image *img, const struct options *options)
{
	struct slots slots = { 0 };
	struct launched l = { 0 };
	int go = -1, ret = -1;
	uint64_t left = 0;
	pid_t verifier = -1;

	front_prepare();
	if (image_verify(img, sysconf(_SC_NPROCESSORS_ONLN), VERIFY_FIRST, &left))
		return RECORD_EXIT_FAILURE;
	if (left && (verifier = fork_verifier(img, &go)) < 0)
		return fail("cannot check the image: %s", strerror(errno)), RECORD_EXIT_FAILURE;
	if (!slots_make_room(plan) && !slots_open(&slots, plan))
		ret = launch(&l, plan, &slots);
	if (slots.fd)
		slots_close(&slots);
	if (options->received)
		image_remove(options->received);
	if (ret || launch_go(&l))
		return RECORD_EXIT_FAILURE;
	return front(&l, plan, go, verifier);
}

static int resume(struct options *options)
{
	struct engine engine;
	struct plan_host host;
	struct plan *plan;
	struct image *img;
	int ret = RECORD_EXIT_FAILURE;

	img = image_open(options->image);
	if (!img)
		return ret;
	if (!check_image(img, options) && !engine_open(&engine, options->engine, options->qemu)) {
		look_around(&host, options, &img->processes[0]);
		plan = plan_make(img, &engine, &host);
		if (options->print_plan)
			plan_print(plan);
		fflush(stdout);
		if (!tell_issues(plan, options->force))
			ret = options->print_plan ? 0 : run(plan, img, options);
		plan_free(plan);
	}
	image_close(img);
	return ret;
}

int main(int argc, char **argv)
{
	struct options options;
	const char *tmpdir = getenv("TMPDIR");
	int fd, ret;

	report_tool = "qemu-resume";
	/* 0, 1 and 2 exist: nothing that is opened may take their place */
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < 3)
		;
	if (fd >= 0)
		close(fd);
	ret = options_parse(&options, argc, argv);
	if (ret >= 0)
		return ret;
	if (options.from_stdin) {
		options.received = image_receive(0, tmpdir && *tmpdir ? tmpdir : "/tmp");
		if (!options.received)
			return RECORD_EXIT_FAILURE;
		options.image = options.received;
	}
	ret = resume(&options);
	if (options.received)
		image_remove(options.received);
	return ret;
}
