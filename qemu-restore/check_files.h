/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the check of all descriptors keeps from one process to the next. */
#ifndef CHECK_FILES_H
#define CHECK_FILES_H

#include <sys/stat.h>

#include "check.h"

/* An open file description, where it was met first. */
struct met {
	int pid, fd;
	uint64_t dev, ino; /* of what it leads to */
};

struct check_files {
	const struct plan *plan;
	const struct plan_op **makers; /* by slot */
	struct met *met; /* as img->files */
	const char *path; /* what @there is about, or NULL */
	struct statx there;
};

#endif
