/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program with open files, made up, and the plan of it. */
#ifndef FILES_SYNTH_H
#define FILES_SYNTH_H

#include "synth.h"
#include "tap.h"

static struct synth s;

static inline struct open_file *file(enum file_kind kind, const char *path, int fd)
{
	struct open_file *f = synth_file(&s, kind, path, X86_O_RDWR);

	if (fd >= 0)
		synth_fd(&s, fd, f, false);
	return f;
}

static inline struct plan *make(void)
{
	return plan_make(&s.img, &s.engine, &s.host);
}

static inline void begin(void)
{
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
}

#endif
