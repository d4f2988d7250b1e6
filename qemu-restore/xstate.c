// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "xstate.h"

#define FX_SIZE 512
#define HEADER 512 /* XSTATE_BV, XCOMP_BV */
#define HEADER_END 576
#define SW_BYTES 464 /* XCR0 in a core, the frame's description in a signal frame */
#define MXCSR 24
#define AVX_END 832
#define MAGIC1 0x46505853
#define MAGIC2 0x46505845
#define X87_SSE 3ull
#define AVX 4ull
#define PKRU 9
#define PKRU_LINUX_INIT 0x55555554 /* what Linux gives to a program that never asked */

/* Where components lie is the CPU's choice (CPUID 0xd); these two are in use. */
static const struct probe_component intel_layout[PROBE_COMPONENTS] = {
	[2] = { 576, 256 }, [3] = { 960, 64 },	 [4] = { 1024, 64 },
	[5] = { 1088, 64 }, [6] = { 1152, 512 }, [7] = { 1664, 1024 },
	[9] = { 2688, 8 },  [17] = { 2752, 64 }, [18] = { 2816, 8192 }
};
static const struct probe_component amd_layout[PROBE_COMPONENTS] = { [2] = { 576, 256 },
								     [5] = { 832, 64 },
								     [6] = { 896, 512 },
								     [7] = { 1408, 1024 },
								     [9] = { 2432, 8 } };

static const struct {
	const char *family, *name;
} names[PROBE_COMPONENTS] = { [0] = { "x87", "x87" },
			      [1] = { "SSE", "XMM" },
			      [2] = { "AVX", "YMM_Hi128" },
			      [3] = { "MPX", "BNDREGS" },
			      [4] = { "MPX", "BNDCSR" },
			      [5] = { "AVX-512", "opmask" },
			      [6] = { "AVX-512", "ZMM_Hi256" },
			      [7] = { "AVX-512", "Hi16_ZMM" },
			      [9] = { "protection key", "PKRU" },
			      [17] = { "AMX", "XTILECFG" },
			      [18] = { "AMX", "XTILEDATA" },
			      [19] = { "APX", "EGPR" } };

const char *xstate_family(unsigned int component)
{
	return component < PROBE_COMPONENTS && names[component].family ? names[component].family
								       : "extended";
}

const char *xstate_name(unsigned int component)
{
	return component < PROBE_COMPONENTS && names[component].name ? names[component].name
								     : "unnamed component";
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put(uint8_t *p, uint64_t v, size_t len)
{
	memcpy(p, &v, len);
}

static size_t layout_end(const struct probe_component *layout, uint64_t features)
{
	size_t end = HEADER_END;
	unsigned int i;

	for (i = 2; i < PROBE_COMPONENTS; i++)
		if (features >> i & 1 && layout[i].offset + layout[i].size > end)
			end = layout[i].offset + layout[i].size;
	return end;
}

static const struct probe_component *layout_told(const struct image *img)
{
	static struct probe_component layout[PROBE_COMPONENTS];
	size_t i;

	memset(layout, 0, sizeof(layout));
	for (i = 0; i < img->nr_xstate; i++)
		if (img->xstate[i].component < PROBE_COMPONENTS)
			layout[img->xstate[i].component] =
				(struct probe_component){ img->xstate[i].offset,
							  img->xstate[i].size };
	return layout;
}

/* For an image that does not tell: the size of the whole area and XCR0 give it away. */
static const struct probe_component *layout_guessed(const uint8_t *note, size_t len,
						    const struct engine *engine)
{
	uint64_t xcr0 = get64(note + SW_BYTES);

	if (len <= AVX_END)
		return intel_layout;
	if (xcr0 == engine->can.xcr0 && len == engine->can.xsave_size)
		return engine->can.component;
	if (len == layout_end(intel_layout, xcr0))
		return intel_layout;
	if (len == layout_end(amd_layout, xcr0) || len == 2440)
		return amd_layout;
	return NULL;
}

static int is_initial(unsigned int component, const uint8_t *p, size_t len)
{
	static const uint8_t zero[64];
	size_t i;

	if (component == PKRU && len >= 4 && (get64(p) & 0xffffffff) == PKRU_LINUX_INIT)
		return 1;
	for (i = 0; i < len; i += sizeof(zero))
		if (memcmp(p + i, zero, len - i < sizeof(zero) ? len - i : sizeof(zero)))
			return 0;
	return 1;
}

static void convert_component(unsigned int i, const uint8_t *note, size_t len,
			      const struct probe_component *from, const struct engine *engine,
			      struct xstate *out, uint64_t *bv)
{
	const struct probe_component *to = &engine->can.component[i];
	uint64_t bit = 1ull << i;

	if (!from || !from[i].size || (size_t)from[i].offset + from[i].size > len) {
		out->unknown |= bit;
		return;
	}
	if (engine->xfeatures & bit && to->size == from[i].size && to->offset >= HEADER_END &&
	    (size_t)to->offset + to->size <= XSTATE_ROOM - 64) {
		memcpy(out->area + to->offset, note + from[i].offset, to->size);
		*bv |= bit;
	} else if (!is_initial(i, note + from[i].offset, from[i].size)) {
		out->lost |= bit;
	}
}

/* What the kernel's sigreturn reads in the bytes that FXSAVE leaves to software. */
static void describe_frame(struct xstate *out, uint64_t features)
{
	uint8_t *sw = out->area + SW_BYTES;

	memset(sw, 0, FX_SIZE - SW_BYTES);
	put(sw, MAGIC1, 4);
	put(sw + 4, out->len + 4, 4);
	put(sw + 8, features, 8);
	put(sw + 16, out->len, 4);
	put(out->area + out->len, MAGIC2, 4);
	out->len += 4;
}

void xstate_convert(const uint8_t *note, size_t len, const struct image *img,
		    const struct engine *engine, struct xstate *out)
{
	const struct probe_component *from = NULL;
	uint64_t live = X87_SSE, bv;
	uint32_t mxcsr;
	unsigned int i;

	memset(out, 0, sizeof(*out));
	memcpy(out->area, note, FX_SIZE);
	memcpy(&mxcsr, note + MXCSR, sizeof(mxcsr));
	mxcsr &= engine->can.mxcsr_mask;
	memcpy(out->area + MXCSR, &mxcsr, sizeof(mxcsr));
	memset(out->area + SW_BYTES, 0, FX_SIZE - SW_BYTES);
	if (len >= HEADER_END) {
		live = get64(note + HEADER);
		from = img->nr_xstate ? layout_told(img) : layout_guessed(note, len, engine);
	}
	bv = live & X87_SSE;
	for (i = 2; i < 63; i++) {
		if (!(live >> i & 1))
			continue;
		if (i < PROBE_COMPONENTS)
			convert_component(i, note, len, from, engine, out, &bv);
		else
			out->unknown |= 1ull << i;
	}
	if (!(engine->can.flags & PROBE_XSAVE)) {
		out->len = FX_SIZE;
		return;
	}
	put(out->area + HEADER, bv, 8);
	out->live = bv;
	/*
	 * No more than the area holds: some processors touch the last byte of all that XRSTOR is
	 * asked for, live or not. The rest is as exec left it, and sigreturn makes it initial.
	 */
	out->mask = bv | (engine->xfeatures & (X87_SSE | AVX));
	out->len = layout_end(engine->can.component, out->mask);
	describe_frame(out, bv | X87_SSE);
}
