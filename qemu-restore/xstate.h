/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector and floating point registers: from the image's XSAVE area to one the engine loads. */
#ifndef XSTATE_H
#define XSTATE_H

#include <stddef.h>
#include <stdint.h>

#include "engine.h"
#include "image.h"

#define XSTATE_ROOM 16384 /* no area is longer */

struct xstate {
	uint8_t area[XSTATE_ROOM]; /* as rt_sigreturn and XRSTOR want it */
	size_t len;
	uint64_t mask; /* for XRSTOR; 0: FXRSTOR */
	uint64_t live; /* components in the area that are not in their initial state */
	uint64_t lost; /* components that are live and that the engine lacks */
	uint64_t unknown; /* live somewhere in an area of unknown layout */
};

/*
 * Lay @len bytes of NT_X86_XSTATE (or 512 of NT_PRFPREG) out for @engine.
 * Components in their initial state are dropped where the engine lacks them.
 * Where @img does not tell how its areas are laid out, their size must.
 */
void xstate_convert(const uint8_t *note, size_t len, const struct image *img,
		    const struct engine *engine, struct xstate *out);

/* "AVX-512", "ZMM_Hi256": what a component belongs to, and its own name */
const char *xstate_family(unsigned int component);
const char *xstate_name(unsigned int component);

#endif
