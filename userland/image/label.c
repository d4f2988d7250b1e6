// SPDX-License-Identifier: GPL-2.0-or-later
#include "label.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *label_read(int pid, char buf[LABEL_ROOM])
{
	char path[64] = "/proc/thread-self/attr/current";
	ssize_t n = -1;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/attr/current", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, buf, LABEL_ROOM - 1);
		close(fd);
	}
	buf[n > 0 ? n : 0] = 0;
	buf[strcspn(buf, "\n")] = 0; /* AppArmor ends it so, SELinux with a NUL */
	return buf;
}
