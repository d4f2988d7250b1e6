// SPDX-License-Identifier: GPL-2.0-or-later
#include "number.h"
#include "report.h"
#include "stat.h"
#include "version.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"Usage: xckpt-stat [OPTION]... [-p PID] [--watch]\n"
	"       xckpt-stat [OPTION]... [-p PID] -- COMMAND [ARGUMENT]...\n"
	"Tell what a checkpoint costs: the next one, each one (--watch), or those that\n"
	"COMMAND takes.\n"
	"\n"
	"  -p, --pid PID      only checkpoints that this process or thread is part of\n"
	"      --watch        report each checkpoint, until ^C or the end of PID or COMMAND\n"
	"  -o, --output FILE  the report (default: standard output; with a COMMAND standard\n"
	"                     error)\n"
	"      --json         as JSON, one line for each checkpoint\n"
	"      --svg FILE     a timeline of the last checkpoint too, one lane for each thread\n"
	"      --threads      each thread by itself, however many there are\n"
	"      --buffer KIB   room for what the probes tell (4 to 1048576, a power of 2;\n"
	"                     default 4096)\n"
	"      --help         this text\n"
	"      --version      the version\n"
	"\n"
	"With a COMMAND the status is COMMAND's. xckpt-stat(1) tells more.\n";

enum { OPT_WATCH = 256, OPT_JSON, OPT_SVG, OPT_THREADS, OPT_BUFFER, OPT_HELP, OPT_VERSION };

static const struct option longs[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "threads", no_argument, NULL, OPT_THREADS },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

#define EXIT_USAGE 2
#define BUFFER_MAX_KIB 1048576

static int usage(void)
{
	fprintf(stderr, "Try 'xckpt-stat --help'.\n");
	return EXIT_USAGE + 1;
}

static long take_buffer(struct options *opt)
{
	long kib = parse_number("the buffer", optarg, 4, BUFFER_MAX_KIB);

	if (kib > 0 && (kib & (kib - 1)))
		return fail("the buffer must be a power of 2, not '%s'", optarg);
	opt->buffer_kib = (unsigned int)kib;
	return kib;
}

/* Those with a value: negative after one line on stderr. */
static long take_value(int c, struct options *opt)
{
	switch (c) {
	case 'p':
		return opt->pid = (int)parse_number("the pid", optarg, 1, INT_MAX);
	case OPT_BUFFER:
		return take_buffer(opt);
	case OPT_SVG:
		opt->svg = optarg;
		return 0;
	default:
		opt->output = optarg;
		return 0;
	}
}

static int take_option(int c, struct options *opt)
{
	switch (c) {
	case OPT_WATCH:
		opt->watch = true;
		break;
	case OPT_JSON:
		opt->json = true;
		break;
	case OPT_THREADS:
		opt->threads = true;
		break;
	case OPT_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS + 1;
	case OPT_VERSION:
		puts("xckpt-stat " XCKPT_VERSION);
		return EXIT_SUCCESS + 1;
	case '?':
		return usage();
	default:
		return take_value(c, opt) < 0 ? usage() : 0;
	}
	return 0;
}

int parse_options(int argc, char **argv, struct options *opt)
{
	int c, ret;

	memset(opt, 0, sizeof(*opt));
	opt->buffer_kib = 4096;
	/* what follows the command's name is the command's */
	while ((c = getopt_long(argc, argv, "+p:o:", longs, NULL)) != -1) {
		ret = take_option(c, opt);
		if (ret)
			return ret;
	}
	if (optind < argc) {
		opt->command = argv + optind;
	} else if (strcmp(argv[argc - 1], "--") == 0) {
		fail("no command given after --");
		return usage();
	}
	return 0;
}
