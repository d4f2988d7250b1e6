/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of a printed plan as it grows; what has no room in it is cut off. */
#ifndef PLAN_TEXT_H
#define PLAN_TEXT_H

#include <stddef.h>

#include "plan.h"

struct text {
	char s[4096 + 512];
	size_t len;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A string of the image's, without its control characters. */
void text_path(struct text *t, const char *path);
/* What the launcher does: plan_print_launch.c */
void text_launcher(struct text *t, const struct plan *plan, const struct plan_op *op);

#endif
