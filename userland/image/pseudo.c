// SPDX-License-Identifier: GPL-2.0-or-later
#include "pseudo.h"

#include <linux/magic.h>
#include <stddef.h>
#include <sys/vfs.h>

bool is_pseudo_file(int fd)
{
	static const unsigned long magics[] = { PROC_SUPER_MAGIC,   SYSFS_MAGIC,
						DEBUGFS_MAGIC,	    TRACEFS_MAGIC,
						CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if ((unsigned long)fs.f_type == magics[i])
			return true;
	return false;
}
