/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader: a process of qemu-resume's own, with as many threads as there are
 * processors, that reads the image's cores. It compares them with their checksums and,
 * in the same go, writes what is memory of the program into its processes, from
 * outside: no engine has to do it, and it is read once.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "plan.h"

struct loader {
	const struct plan *plan;
	pid_t pid; /* -1: there is none */
	int requests, replies; /* our ends of pipes */
};

/* Start it, while processes can still be made outside of the program's namespaces. */
int loader_begin(struct loader *loader, const struct plan *plan);
/*
 * Compare the cores with their checksums; of file-backed contents, which the program
 * may never touch, only the first ones. All return 0, or -1 after one line on stderr.
 */
int loader_check(struct loader *loader);
/*
 * As well, and fill the memory of the plan's processes, @pids, which wait at
 * RECORD_LOAD. *@loaded: it was possible, with all of them.
 */
int loader_load(struct loader *loader, const pid_t *pids, bool *loaded);
/* Let it check the rest and end: with a status that is not 0, and a line, if that is damaged. */
void loader_release(struct loader *loader);
void loader_end(struct loader *loader);

#endif
