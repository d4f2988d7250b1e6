// SPDX-License-Identifier: GPL-2.0-or-later
/* The vDSO that this kernel gives to who runs natively: as qemu-resume has it. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vdso.h"

#ifdef __x86_64__
/* Whoever has one already is refused: so it does nothing, and tells whether it could. */
static bool can_be_mapped(void)
{
	return syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, 0) < 0 && errno == EEXIST;
}

/* "[vvar]" and whatever else comes right before "[vdso]" */
static bool measure(struct vdso_own *own)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long long start, end, last = 0;
	char line[512];

	while (maps && !own->len && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%llx-%llx", &start, &end) != 2)
			continue;
		if (start == (uintptr_t)own->image)
			own->len = end - start;
		else if (strstr(line, " [vvar"))
			own->data = (start == last ? own->data : 0) + (end - start);
		last = end;
	}
	if (maps)
		fclose(maps);
	return own->len;
}
#endif

bool vdso_own(struct vdso_own *own)
{
	*own = (struct vdso_own){ 0 };
#ifdef __x86_64__
	own->image = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	return own->image && can_be_mapped() && measure(own);
#else
	return false;
#endif
}
