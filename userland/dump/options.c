// SPDX-License-Identifier: GPL-2.0-or-later
#include "dump.h"
#include "report.h"
#include "version.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: xckpt-dump -p PID -o DIR|- [OPTION]...\n"
	"Freeze a process with all its descendants and write an image of it.\n"
	"\n"
	"  -p, --pid PID        the process\n"
	"  -o, --output DIR     the image, a directory that does not exist yet;\n"
	"                       - writes a tar stream to standard output\n"
	"      --kill           kill the processes once the image is complete\n"
	"      --leave-stopped  leave them stopped, as by SIGSTOP\n"
	"      --thin           leave out what program files and libraries hold\n"
	"      --timeout MS     how long freezing may take, in milliseconds\n"
	"                       (1 to 600000, default 5000)\n"
	"      --force          --kill even when the image cannot be resumed\n"
	"  -q, --quiet          neither warnings, progress nor summary\n"
	"      --help           this text\n"
	"      --version        the version\n"
	"\n"
	"By default the processes go on running. xckpt-dump(1) tells more.\n";

enum { OPT_KILL = 256, OPT_LEAVE_STOPPED, OPT_THIN, OPT_TIMEOUT, OPT_FORCE, OPT_HELP, OPT_VERSION };

static const struct option longs[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "output", required_argument, NULL, 'o' },
	{ "kill", no_argument, NULL, OPT_KILL },
	{ "leave-stopped", no_argument, NULL, OPT_LEAVE_STOPPED },
	{ "thin", no_argument, NULL, OPT_THIN },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

#define EXIT_USAGE 2

/* A number from @min to @max, or -1 after one line on stderr. */
static long number(const char *what, const char *text, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		return fail("%s must be a number from %ld to %ld, not '%s'", what, min, max, text);
	return n;
}

static int usage(void)
{
	fprintf(stderr, "Try 'xckpt-dump --help'.\n");
	return EXIT_USAGE + 1;
}

static int take_option(int c, struct options *opt)
{
	long n = 0;

	switch (c) {
	case 'p':
		n = number("the pid", optarg, 1, INT_MAX);
		opt->pid = (int)n;
		break;
	case 'o':
		opt->output = optarg;
		break;
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
	case OPT_FORCE:
		opt->force = true;
		break;
	case OPT_TIMEOUT:
		n = number("the timeout", optarg, 1, XCKPT_TIMEOUT_MAX_MS);
		opt->timeout_ms = (unsigned int)n;
		break;
	case OPT_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS + 1;
	case OPT_VERSION:
		puts("xckpt-dump " XCKPT_VERSION);
		return EXIT_SUCCESS + 1;
	default:
		return usage();
	}
	return n < 0 ? usage() : 0;
}

static int check(const struct options *opt)
{
	if (!opt->pid)
		return fail("no process given (-p PID)");
	if (!opt->output || !opt->output[0])
		return fail("no image given (-o DIR, or -o - for a stream)");
	if (opt->kill && opt->leave_stopped)
		return fail("--kill and --leave-stopped exclude each other");
	return 0;
}

int parse_options(int argc, char **argv, struct options *opt)
{
	int c, ret;

	memset(opt, 0, sizeof(*opt));
	opt->timeout_ms = XCKPT_TIMEOUT_DEFAULT_MS;
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
