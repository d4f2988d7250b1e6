/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image's vDSO, made to ask the kernel for everything, or replaced by the kernel's own. */
#ifndef VDSO_H
#define VDSO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Overwrite the entry of each function that @image (a vDSO of @len bytes, not
 * trusted) exports with the system call of that name. A function whose
 * overwritten bytes @busy (@nr_busy offsets, where threads stand) lies in is left
 * as it is. Returns how many were overwritten, or -1 if it is no vDSO.
 */
int vdso_patch(uint8_t *image, size_t len, const uint64_t *busy, size_t nr_busy);
int vdso_patch_random(uint8_t *image, size_t len); /* getrandom() only; where no thread stands */

/*
 * Put call.S into what is unused at the end of @image; vdso_find_call() finds it
 * there again. Both return its offset, or 0 if it is not there.
 */
uint64_t vdso_add_call(uint8_t *image, size_t len);
uint64_t vdso_find_call(const uint8_t *image, size_t len);

#define ARCH_MAP_VDSO_64 0x2003

struct vdso_own {
	const uint8_t *image;
	size_t len;
	size_t data; /* bytes right before it, which it reads */
};
/* Can the kernel's own be had by ARCH_MAP_VDSO_64? Then what it is. */
bool vdso_own(struct vdso_own *own);

#endif
