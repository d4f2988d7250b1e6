/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine: what runs x86-64 code here, and what it can do. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "probe/probe.h"

enum engine_kind {
	ENGINE_AUTO,
	ENGINE_NATIVE,
	ENGINE_QEMU,
};

struct engine {
	enum engine_kind kind;
	const char *path; /* of qemu-x86_64; NULL natively */
	const char *name; /* for messages */
	struct probe_result can;
	uint64_t xfeatures; /* state components that it restores */
};

/*
 * Find the engine (@qemu: as the user named it, or NULL) and ask it what it can
 * do by running the probe. Returns 0, or -1 after one line on stderr.
 */
int engine_open(struct engine *engine, enum engine_kind kind, const char *qemu);

/* Options between the engine's path and the program's; NULL-terminated. */
extern const char *const engine_qemu_options[];

#endif
