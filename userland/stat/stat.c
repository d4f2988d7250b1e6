// SPDX-License-Identifier: GPL-2.0-or-later
/* xckpt-stat: what a checkpoint costs. */
#include "interrupt.h"
#include "report.h"
#include "stat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_OWN 125 /* with a command: it was not the command that failed */
#define EXIT_NO_EXEC 126
#define EXIT_NO_COMMAND 127

#define IDLE_MS 200
#define SETTLING_MS 5
#define SETTLE_NS 500000000 /* threads that have not run by then are not waited for */

struct run {
	struct options opt;
	struct model model;
	struct tracer tracer;
	FILE *to;
	pid_t child; /* the command's */
	int gate; /* when it is closed the command starts */
	int child_fd, target_fd;
	int status; /* the command's, as wait(2) has it */
	bool child_ended, target_ended, passed;
	unsigned int reported;
	char *svg_tmp;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* In the child: wait until the probes are there, or xckpt-stat has given up. */
static _Noreturn void run_command(char **command, int gate)
{
	char go;

	if (read(gate, &go, 1) != 1)
		_exit(EXIT_OWN);
	close(gate);
	execvp(command[0], command);
	fail("cannot run %s: %s", command[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NO_COMMAND : EXIT_NO_EXEC);
}

/* The command's pid is needed before the probes are loaded. */
static int prepare_command(struct run *run)
{
	int gate[2];

	if (pipe2(gate, O_CLOEXEC))
		return fail("cannot start %s: %s", run->opt.command[0], strerror(errno));
	run->child = fork();
	if (run->child < 0)
		return fail("cannot start %s: %s", run->opt.command[0], strerror(errno));
	if (!run->child) {
		close(gate[1]);
		run_command(run->opt.command, gate[0]);
	}
	close(gate[0]);
	run->gate = gate[1];
	run->child_fd = open_pidfd(run->child);
	if (run->child_fd < 0)
		return fail("cannot wait for %s: %s", run->opt.command[0], strerror(errno));
	return 0;
}

static int open_output(struct run *run)
{
	run->to = run->opt.command ? stderr : stdout;
	if (!run->opt.output)
		return 0;
	run->to = fopen(run->opt.output, "we");
	if (!run->to)
		return fail("cannot write %s: %s", run->opt.output, strerror(errno));
	return 0;
}

static int open_target(struct run *run)
{
	if (!run->opt.pid || run->opt.command)
		return 0;
	run->target_fd = open_pidfd(run->opt.pid);
	/* of a thread there is none: nobody tells when it ends */
	if (run->target_fd < 0 && errno != EINVAL && errno != ENOENT)
		return fail("cannot look at pid %d: %s", run->opt.pid, strerror(errno));
	return 0;
}

static int start(struct run *run)
{
	if (check_system(&run->opt) || open_target(run))
		return -1;
	if (run->opt.command && prepare_command(run))
		return -1;
	/* a report that is there stays until there can be another one */
	if (tracer_attach(&run->tracer, &run->opt, run->child) || open_output(run))
		return -1;
	if (!run->opt.command) {
		fprintf(stderr, "xckpt-stat: waiting for a checkpoint\n");
		return 0;
	}
	if (write(run->gate, "", 1) != 1)
		return fail("cannot start %s: %s", run->opt.command[0], strerror(errno));
	close(run->gate);
	run->gate = -1;
	return 0;
}

/* Complete or not there at all. */
static int report_svg(struct run *run, const struct checkpoint *c)
{
	FILE *to;
	int bad;

	if (!run->svg_tmp && asprintf(&run->svg_tmp, "%s.%d.tmp", run->opt.svg, getpid()) < 0)
		return fail("cannot write %s: out of memory", run->opt.svg);
	to = fopen(run->svg_tmp, "we");
	if (!to)
		return fail("cannot write %s: %s", run->opt.svg, strerror(errno));
	print_svg(to, c);
	bad = ferror(to);
	if (fclose(to) || bad || rename(run->svg_tmp, run->opt.svg)) {
		fail("cannot write %s: %s", run->opt.svg, strerror(errno));
		unlink(run->svg_tmp);
		return -1;
	}
	return 0;
}

static int report_one(struct run *run, const struct checkpoint *c)
{
	if (run->opt.json) {
		if (print_json(run->to, c, &c->cost))
			return -1;
	} else {
		if (run->reported)
			fputc('\n', run->to);
		print_text(run->to, c, &c->cost, run->opt.threads);
	}
	if (fflush(run->to) || ferror(run->to))
		return fail("cannot write %s: %s", run->opt.output ? run->opt.output : "the report",
			    strerror(errno));
	run->reported++;
	return run->opt.svg ? report_svg(run, c) : 0;
}

/* What is complete is reported, or what is asked for of it. */
static int report_complete(struct run *run)
{
	int ret = 0;

	for (size_t i = 0; i < run->model.nr && !ret;) {
		struct checkpoint *c = &run->model.list[i];

		if (!c->collected) {
			i++;
			continue;
		}
		if (!run->opt.pid || checkpoint_has(c, run->opt.pid))
			ret = report_one(run, c);
		checkpoint_forget(&run->model, c);
	}
	return ret;
}

static void collect_complete(struct run *run)
{
	for (size_t i = 0; i < run->model.nr; i++) {
		struct checkpoint *c = &run->model.list[i];

		if (!c->collected && c->end_ns &&
		    (checkpoint_settled(c) || now_ns() > c->end_ns + SETTLE_NS))
			collect(&run->tracer, c);
	}
}

static size_t nr_open(const struct run *run)
{
	size_t nr = 0;

	for (size_t i = 0; i < run->model.nr; i++)
		nr += !run->model.list[i].collected;
	return nr;
}

static bool is_settling(const struct run *run)
{
	for (size_t i = 0; i < run->model.nr; i++)
		if (!run->model.list[i].collected && run->model.list[i].end_ns)
			return true;
	return false;
}

/* The terminal's own signals go to the command as well; of others it would not hear. */
static void pass_signal(struct run *run)
{
	if (run->child_ended || run->passed || !interrupted || interrupted == SIGINT ||
	    interrupted == SIGQUIT)
		return;
	run->passed = true;
	kill(run->child, interrupted);
}

static int look(struct run *run)
{
	struct pollfd fds[] = {
		{ .fd = tracer_fd(&run->tracer), .events = POLLIN },
		{ .fd = run->child_ended ? -1 : run->child_fd, .events = POLLIN },
		{ .fd = run->target_ended ? -1 : run->target_fd, .events = POLLIN },
	};
	int n = poll(fds, 3, is_settling(run) || run->child_ended ? SETTLING_MS : IDLE_MS);

	if (n > 0 && fds[1].revents && waitpid(run->child, &run->status, 0) == run->child)
		run->child_ended = true;
	if (run->opt.command)
		pass_signal(run);
	if (n > 0 && fds[1].revents && run->child_ended)
		interrupted = 0; /* that was for the command; what comes now is for us */
	if (n > 0 && fds[2].revents)
		run->target_ended = true;
	if (tracer_consume(&run->tracer))
		return -1;
	if (n == 0)
		collect_lost(&run->tracer);
	collect_complete(run);
	return 0;
}

/* A command's checkpoints are told of when it has said all that it has to say. */
static bool may_report(const struct run *run)
{
	return !run->opt.command || run->opt.watch || (run->child_ended && !nr_open(run));
}

static bool is_over(const struct run *run)
{
	if (run->opt.command) /* a session may outlive it, in somebody else's hands */
		return run->child_ended && (interrupted || !nr_open(run));
	if (interrupted || (run->reported && !run->opt.watch))
		return true;
	return run->target_ended && !nr_open(run);
}

static int watch(struct run *run)
{
	do {
		if (look(run) || (may_report(run) && report_complete(run)))
			return -1;
	} while (!is_over(run));
	if (run->reported || interrupted)
		return 0;
	if (run->opt.command) {
		if (!run->status)
			fail("no checkpoint was taken by %s", run->opt.command[0]);
		return 0;
	}
	return fail("pid %d has ended without a checkpoint", run->opt.pid);
}

static void clean_up(struct run *run)
{
	/* a command that did not start yet never does */
	if (run->gate >= 0)
		close(run->gate);
	if (run->child > 0 && !run->child_ended)
		waitpid(run->child, &run->status, 0);
	tracer_detach(&run->tracer);
	model_free(&run->model);
	free(run->svg_tmp);
	if (run->to && run->opt.output && fclose(run->to))
		fail("cannot write %s: %s", run->opt.output, strerror(errno));
}

static int command_status(const struct run *run)
{
	return WIFSIGNALED(run->status) ? 128 + WTERMSIG(run->status) : WEXITSTATUS(run->status);
}

int main(int argc, char **argv)
{
	struct run run = { .gate = -1, .child_fd = -1, .target_fd = -1 };
	int ret;

	report_tool = "xckpt-stat";
	ret = parse_options(argc, argv, &run.opt);
	if (ret)
		return ret - 1;
	run.tracer.model = &run.model;
	ret = start(&run);
	interrupt_catch();
	if (!ret)
		ret = watch(&run);
	clean_up(&run);
	if (run.opt.command)
		return ret ? EXIT_OWN : command_status(&run);
	if (!run.reported && !run.opt.watch && !ret)
		interrupt_release();
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
