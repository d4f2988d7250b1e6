// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "report.h"
#include "version.h"

#define EXIT_USAGE 2
#define FD_MAX (1l << 20)

static const char help[] =
	"usage: qemu-resume [OPTION]... DIR|PID.core|-\n"
	"Make the processes of a checkpoint run again, in the foreground.\n"
	"\n"
	"  --engine NAME    native (x86-64 only), qemu, or auto: native where possible\n"
	"  --qemu PATH      the QEMU user-mode emulator to run it with\n"
	"  --fd N=PATH      open PATH as descriptor N of the first process that has one\n"
	"  --map OLD=NEW    files that were in the folder OLD are in NEW\n"
	"  --allow-changed  take files as they are, though they have changed since\n"
	"  --replace-files  put files that were packed with the image (xckpt-dump\n"
	"                   --with-files) in the place of others that are there\n"
	"  --print-plan     show what would be done, and do nothing\n"
	"  --force          go on where the engine cannot give all that the image has\n"
	"  --help           show this help\n"
	"  --version        show the version\n"
	"\n"
	"The image is a directory, one PID.core in it, or - for a stream on stdin.\n"
	"The exit status is the program's; 125: it could not be resumed; 2: usage.\n";

static const struct option long_options[] = { { "engine", required_argument, NULL, 'e' },
					      { "qemu", required_argument, NULL, 'q' },
					      { "fd", required_argument, NULL, 'f' },
					      { "print-plan", no_argument, NULL, 'p' },
					      { "map", required_argument, NULL, 'M' },
					      { "force", no_argument, NULL, 'F' },
					      { "allow-changed", no_argument, NULL, 'A' },
					      { "replace-files", no_argument, NULL, 'R' },
					      { "help", no_argument, NULL, 'h' },
					      { "version", no_argument, NULL, 'V' },
					      { NULL, 0, NULL, 0 } };

static int usage(const char *what, const char *arg)
{
	fail("%s%s%s (try --help)", what, arg ? ": " : "", arg ? arg : "");
	return EXIT_USAGE;
}

/* It is opened, and looked at again, from other folders than this one. */
static const char *absolute(const char *path)
{
	char *dir = *path == '/' ? NULL : get_current_dir_name(), *joined = NULL;

	if (dir && asprintf(&joined, "%s/%s", dir, path) < 0)
		joined = NULL;
	free(dir);
	return *path == '/' ? path : joined;
}

static int add_override(struct options *o, const char *arg)
{
	char *end;
	long fd;

	errno = 0;
	fd = strtol(arg, &end, 10);
	if (end == arg || *end != '=' || !end[1] || errno || fd < 0 || fd >= FD_MAX)
		return usage("--fd wants NUMBER=PATH", arg);
	if ((size_t)fd >= o->nr_override) {
		const char **grown = realloc(o->override, (fd + 1) * sizeof(*grown));

		if (!grown)
			return usage("out of memory", NULL);
		memset(grown + o->nr_override, 0, (fd + 1 - o->nr_override) * sizeof(*grown));
		o->override = grown;
		o->nr_override = fd + 1;
	}
	o->override[fd] = absolute(end + 1);
	return o->override[fd] ? -1 : usage("--fd: no path of the current folder", arg);
}

static int add_map(struct options *o, char *arg)
{
	struct path_map *grown = realloc(o->maps, (o->nr_maps + 1) * sizeof(*grown));
	char *to = strchr(arg, '=');

	if (!grown)
		return usage("out of memory", NULL);
	o->maps = grown;
	if (*arg != '/' || !to || to[1] != '/')
		return usage("--map wants OLD=NEW, both of them absolute paths", arg);
	*to = 0;
	o->maps[o->nr_maps++] = (struct path_map){ arg, to + 1 };
	return -1;
}

static int set_engine(struct options *o, const char *arg)
{
	static const char *const names[] = {
		[ENGINE_AUTO] = "auto", [ENGINE_NATIVE] = "native", [ENGINE_QEMU] = "qemu"
	};
	int i;

	for (i = 0; i < 3; i++)
		if (!strcmp(arg, names[i])) {
			o->engine = i;
			return -1;
		}
	return usage("--engine is one of auto, native, qemu", arg);
}

int options_parse(struct options *o, int argc, char **argv)
{
	int c, ret = -1;

	memset(o, 0, sizeof(*o));
	opterr = 0;
	while (ret < 0 && (c = getopt_long(argc, argv, "hV", long_options, NULL)) >= 0) {
		switch (c) {
		case 'e':
			ret = set_engine(o, optarg);
			break;
		case 'q':
			o->qemu = optarg;
			break;
		case 'f':
			ret = add_override(o, optarg);
			break;
		case 'p':
			o->print_plan = true;
			break;
		case 'M':
			ret = add_map(o, optarg);
			break;
		case 'A':
			o->allow_changed = true;
			break;
		case 'R':
			o->replace_files = true;
			break;
		case 'F':
			o->force = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'V':
			printf("qemu-resume %s\n", XCKPT_VERSION);
			return 0;
		default:
			return usage("bad option", argv[optind - 1]);
		}
	}
	if (ret >= 0)
		return ret;
	if (optind + 1 != argc)
		return usage(optind < argc ? "one image at a time" : "no image given", NULL);
	o->image = argv[optind];
	o->from_stdin = !strcmp(o->image, "-");
	return -1;
}
