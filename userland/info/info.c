// SPDX-License-Identifier: GPL-2.0-or-later
/* xckpt-info: what is in an image. */
#include "info.h"
#include "interrupt.h"
#include "report.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] = "Usage: xckpt-info [--json] [--verify] DIR|PID.core|-\n"
			   "Tell what is in an image that xckpt-dump wrote; - reads a tar stream.\n"
			   "\n"
			   "      --json     the same as JSON\n"
			   "      --verify   compare all contents with their checksums first\n"
			   "      --help     this text\n"
			   "      --version  the version\n"
			   "\n"
			   "xckpt-info(1) tells more.\n";

#define EXIT_USAGE 2

struct request {
	bool json, verify;
	const char *path;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Is it a core with no manifest beside it? */
static bool is_lone_core(const char *path)
{
	struct stat st;
	char *manifest;
	bool lone;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return false;
	if (asprintf(&manifest, "%.*s" MANIFEST_NAME, (int)(base_name(path) - path), path) < 0)
		return false;
	lone = access(manifest, F_OK) != 0 && errno == ENOENT;
	free(manifest);
	return lone;
}

static int show(const struct request *req, const struct info *info)
{
	if (req->json) {
		if (print_json(info))
			return -1;
	} else {
		print_text(info);
	}
	if (fflush(stdout) || ferror(stdout)) {
		if (interrupted || errno == EPIPE)
			return -1; /* nobody wants to know any more */
		return fail("cannot write to standard output: %s", strerror(errno));
	}
	return 0;
}

/* What a core tells by itself. */
static int show_core(const struct request *req)
{
	struct image_priv priv = { .action = "" };
	struct image_process p;
	struct image img = {
		.dir_fd = -1, .name = req->path, .processes = &p, .nr_processes = 1, .priv = &priv
	};
	struct info info = { .img = &img };
	struct core_place at;
	struct core_files files;
	int fd = open(req->path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return fail("cannot open %s: %s", req->path, strerror(errno));
	at.action = "cannot show it";
	at.name = req->path;
	ret = core_read(fd, &at, &priv.arena, &p, &files);
	if (!ret && req->verify)
		ret = fail("cannot verify %s: " MANIFEST_NAME " with the checksums is missing",
			   req->path);
	if (!ret && data_map_make(&p.data, fd, p.core_size))
		ret = fail("cannot read %s: %s", req->path, strerror(errno));
	if (!ret) {
		ret = show(req, &info);
		data_map_free(&p.data);
	}
	arena_free(&priv.arena);
	close(fd);
	return ret;
}

static int show_image(const struct request *req, const char *path)
{
	struct image *img = image_open(path);
	struct info info = { .img = img, .manifest = true };
	int ret = 0;

	if (!img)
		return -1;
	for (size_t i = 0; i < img->nr_processes; i++)
		if (strcmp(img->processes[i].core_name, base_name(path)) == 0)
			info.only = &img->processes[i];
	if (req->verify)
		ret = image_verify(img, VERIFY_ALL, nr_cpus(), 0, NULL);
	info.verified = req->verify && !ret;
	if (!ret)
		ret = show(req, &info);
	image_close(img);
	return ret;
}

static int show_stream(const struct request *req)
{
	char *dir;
	int ret;

	if (isatty(STDIN_FILENO))
		return fail("cannot read an image from standard input: it is a terminal");
	/* from before there is something to remove until it is */
	interrupt_catch();
	dir = image_receive(STDIN_FILENO, getenv("TMPDIR"));
	ret = dir ? show_image(req, dir) : -1;
	if (dir && image_remove(dir))
		ret = fail("cannot remove %s: %s", dir, strerror(errno));
	free(dir);
	interrupt_release();
	return ret;
}

static int usage(void)
{
	fprintf(stderr, "Try 'xckpt-info --help'.\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "verify", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct request req = { 0 };
	int c, ret;

	report_tool = "xckpt-info";
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			req.json = true;
			break;
		case 'v':
			req.verify = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("xckpt-info " XCKPT_VERSION);
			return EXIT_SUCCESS;
		default:
			return usage();
		}
	}
	if (optind + 1 != argc) {
		fail(optind < argc ? "one image at a time" : "no image given");
		return usage();
	}
	req.path = argv[optind];
	if (strcmp(req.path, "-") == 0)
		ret = show_stream(&req);
	else
		ret = is_lone_core(req.path) ? show_core(&req) : show_image(&req, req.path);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
