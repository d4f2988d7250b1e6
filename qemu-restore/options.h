/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "plan.h"

struct options {
	enum engine_kind engine;
	const char *qemu;
	const char *image;
	bool print_plan, force, from_stdin, allow_changed, replace_files;
	struct path_map *maps; /* --map OLD=NEW */
	size_t nr_maps;
	const char **override; /* --fd N=PATH, by N */
	size_t nr_override;
	char *received; /* the directory that the image from stdin is in */
};

/* Returns -1 to go on, or the status to exit with. */
int options_parse(struct options *o, int argc, char **argv);

#endif
