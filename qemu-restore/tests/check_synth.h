/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program to be checked, made up, and what is told of it. */
#ifndef CHECK_SYNTH_H
#define CHECK_SYNTH_H

#include "check.h"
#include "synth.h"
#include "tap.h"

#define CORE "/img/42.core"

static struct synth s;
static bool told[4096];
static struct check c;
static struct plan *plan;
static char *cores[] = { CORE, CORE };

static inline void begin(enum engine_kind kind)
{
	synth_init(&s, kind);
	synth_program(&s);
	memset(told, 0, sizeof(told));
	s.host.cap_permitted = s.host.cap_bset = 0x1ffffffffff;
	s.p.info.cap_permitted = s.p.info.cap_effective = s.p.info.cap_bset = 0x1ffffffffff;
	s.p.info.umask = 022;
	strcpy(s.p.info.comm, "prog");
}

/* When the image is what the test wants. */
static inline void look(void)
{
	plan = plan_make(&s.img, &s.engine, &s.host);
	c = (struct check){ .plan = plan,
			    .process = plan->processes,
			    .image = &s.p,
			    .told = told,
			    .cores = cores,
			    .mem = -1 };
}

static inline void end(void)
{
	check_objects_end(&c);
	free(c.text.bytes);
	plan_free(plan);
}

/* What is wrong is told in these words. */
static inline bool differs(int ret, const char *text)
{
	bool good = ret == -1 && !strcmp(c.difference, text);

	if (!good)
		printf("# %d: \"%s\"\n", ret, c.difference);
	return good;
}

#endif
