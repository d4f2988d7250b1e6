/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that becomes the program. */
#ifndef LAUNCH_EXEC_H
#define LAUNCH_EXEC_H

#include "launch.h"

struct launch_files {
	int restorer, restart;
	int exe; /* the program's own, or -1; in the child only */
	int elf; /* in the child only: the restart ELF, where an engine opens it by its number, or
		    -1 */
	const char *cover; /* where the restart ELF is to be seen, or "" */
	char *made; /* what cover_prepare() made for that */
	unsigned int failures; /* tries that came to nothing: what they told was told */
};

/* Put everything in its place and run the engine; returns after one line on stderr. */
int launch_exec(struct launch_files *files, const struct process_plan *plan,
		const struct slots *slots, const struct world *world, int status);

#endif
