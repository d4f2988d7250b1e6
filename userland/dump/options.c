// SPDX-License-Identifier: GPL-2.0-or-later
#include "dump.h"
#include "number.h"
#include "report.h"
#include "version.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: xckpt-dump -p PID... | --pgrp N | --session N | --cgroup DIR\n"
	"                  -o DIR|- [OPTION]...\n"
	"Freeze a group of processes at one instant and write an image of it.\n"
	"\n"
	"  -p, --pid PID        a process with all its descendants; may be given\n"
	"                       several times, for one group of several trees\n"
	"      --pgrp N         the process group N\n"
	"      --session N      the session N\n"
	"      --cgroup DIR     a cgroup, by its directory, with all cgroups below it\n"
	"  -o, --output DIR     the image, a directory that does not exist yet;\n"
	"                       - writes a tar stream to standard output\n"
	"      --kill           kill the processes once the image is complete\n"
	"      --leave-stopped  leave them stopped, as by SIGSTOP\n"
	"      --mode MODE      how threads are treated that sleep in a system call:\n"
	"                       auto (default), soft or strict; see xckpt-dump(1)\n"
	"      --thin           leave out what program files and libraries hold\n"
	"      --with-files     pack the regular files that the group has open or mapped for\n"
	"                       writing, for another machine or to roll back\n"
	"      --timeout MS     how long freezing may take, in milliseconds\n"
	"                       (1 to 600000, default 5000)\n"
	"      --jobs N         threads that read memory (1 to 1024, default: one for\n"
	"                       each processor)\n"
	"      --force          --kill even when the image cannot be resumed\n"
	"  -q, --quiet          neither warnings, progress nor summary\n"
	"      --help           this text\n"
	"      --version        the version\n"
	"\n"
	"By default the processes go on running. xckpt-dump(1) tells more.\n";

enum {
	OPT_PGRP = 256,
	OPT_SESSION,
	OPT_CGROUP,
	OPT_KILL,
	OPT_LEAVE_STOPPED,
	OPT_MODE,
	OPT_THIN,
	OPT_WITH_FILES,
	OPT_TIMEOUT,
	OPT_JOBS,
	OPT_FORCE,
	OPT_HELP,
	OPT_VERSION
};

static const struct option longs[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "pgrp", required_argument, NULL, OPT_PGRP },
	{ "session", required_argument, NULL, OPT_SESSION },
	{ "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "output", required_argument, NULL, 'o' },
	{ "kill", no_argument, NULL, OPT_KILL },
	{ "leave-stopped", no_argument, NULL, OPT_LEAVE_STOPPED },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "thin", no_argument, NULL, OPT_THIN },
	{ "with-files", no_argument, NULL, OPT_WITH_FILES },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

#define EXIT_USAGE 2

static int usage(void)
{
	fprintf(stderr, "Try 'xckpt-dump --help'.\n");
	return EXIT_USAGE + 1;
}

/* There is one target; only of trees it may have several. */
static int take_target(struct options *opt, enum xckpt_target target)
{
	if (opt->has_target && (opt->target != target || target != XCKPT_TARGET_TREE))
		return fail("only one of -p, --pgrp, --session and --cgroup can be given, and only "
			    "-p several times");
	opt->has_target = true;
	opt->target = target;
	return 0;
}

static int add_pid(struct options *opt, const char *text)
{
	long pid = parse_number("the pid", text, 1, INT_MAX);
	int *more;

	if (pid < 0 || take_target(opt, XCKPT_TARGET_TREE))
		return -1;
	for (size_t i = 0; i < opt->nr_pids; i++)
		if (opt->pids[i] == pid)
			return 0;
	if (opt->nr_pids == XCKPT_TARGET_FDS_MAX)
		return fail("no more than %d pids can be given", XCKPT_TARGET_FDS_MAX);
	more = reallocarray(opt->pids, opt->nr_pids + 1, sizeof(*more));
	if (!more)
		return fail("cannot keep the pids: out of memory");
	opt->pids = more;
	opt->pids[opt->nr_pids++] = (int)pid;
	return 0;
}

static int take_id(struct options *opt, enum xckpt_target target, const char *what)
{
	long id = parse_number(what, optarg, 1, INT_MAX);

	opt->id = (int)id;
	return id < 0 ? -1 : take_target(opt, target);
}

static int take_mode(struct options *opt)
{
	static const char *const names[] = { [XCKPT_MODE_AUTO] = "auto",
					     [XCKPT_MODE_SOFT] = "soft",
					     [XCKPT_MODE_STRICT] = "strict" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(optarg, names[i]) == 0) {
			opt->mode = i;
			return 0;
		}
	}
	return fail("the mode must be auto, soft or strict, not '%s'", optarg);
}

static long take_number(const char *what, long max, unsigned int *to)
{
	long n = parse_number(what, optarg, 1, max);

	*to = (unsigned int)n;
	return n;
}

/* Those with a value: 0, or -1 after one line on stderr. */
static long take_value(int c, struct options *opt)
{
	switch (c) {
	case 'p':
		return add_pid(opt, optarg);
	case OPT_PGRP:
		return take_id(opt, XCKPT_TARGET_PGRP, "the process group");
	case OPT_SESSION:
		return take_id(opt, XCKPT_TARGET_SESSION, "the session");
	case OPT_CGROUP:
		opt->cgroup = optarg;
		return take_target(opt, XCKPT_TARGET_CGROUP);
	case OPT_MODE:
		return take_mode(opt);
	case OPT_TIMEOUT:
		return take_number("the timeout", XCKPT_TIMEOUT_MAX_MS, &opt->timeout_ms);
	case OPT_JOBS:
		return take_number("the number of jobs", MAX_JOBS, &opt->jobs);
	default:
		opt->output = optarg;
		return 0;
	}
}

static int take_option(int c, struct options *opt)
{
	switch (c) {
	case 'q':
		opt->quiet = true;
		break;
	case OPT_KILL:
		opt->kill = true;
		break;
	case OPT_LEAVE_STOPPED:
		opt->leave_stopped = true;
		break;
	case OPT_THIN:
		opt->thin = true;
		break;
	case OPT_WITH_FILES:
		opt->with_files = true;
		break;
	case OPT_FORCE:
		opt->force = true;
		break;
	case OPT_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS + 1;
	case OPT_VERSION:
		puts("xckpt-dump " XCKPT_VERSION);
		return EXIT_SUCCESS + 1;
	case '?':
		return usage();
	default:
		return take_value(c, opt) < 0 ? usage() : 0;
	}
	return 0;
}

static int check(const struct options *opt)
{
	if (!opt->has_target)
		return fail("no process given (-p PID, --pgrp N, --session N or --cgroup DIR)");
	if (!opt->output || !opt->output[0])
		return fail("no image given (-o DIR, or -o - for a stream)");
	if (opt->kill && opt->leave_stopped)
		return fail("--kill and --leave-stopped exclude each other");
	if ((opt->kill || opt->leave_stopped) && opt->mode == XCKPT_MODE_SOFT)
		return fail("--%s freezes strictly, it cannot have --mode soft",
			    opt->kill ? "kill" : "leave-stopped");
	return 0;
}

int parse_options(int argc, char **argv, struct options *opt)
{
	int c, ret;

	memset(opt, 0, sizeof(*opt));
	opt->timeout_ms = XCKPT_TIMEOUT_DEFAULT_MS;
	opt->jobs = nr_cpus();
	while ((c = getopt_long(argc, argv, "p:o:q", longs, NULL)) != -1) {
		ret = take_option(c, opt);
		if (ret)
			return ret;
	}
	if (optind < argc) {
		fail("unexpected argument '%s'", argv[optind]);
		return usage();
	}
	return check(opt) ? usage() : 0;
}
