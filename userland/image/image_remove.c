// SPDX-License-Identifier: GPL-2.0-or-later
/* Take an image away, and never anything that could not be part of one. */
#include "image_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int remove_entries(int dir_fd, const char *prefix)
{
	/* a description of its own: the caller's position stays as it is */
	int fd = openat(dir_fd, prefix[0] ? prefix : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while ((entry = readdir(dir))) {
		char name[sizeof(entry->d_name) + 16];

		snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "/" : "", entry->d_name);
		if (!manifest_name_ok(name) || strcmp(name, MANIFEST_FILES) == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0))
			ret = -1;
	}
	closedir(dir);
	return ret;
}

int image_remove_contents(int dir_fd)
{
	int ret = remove_entries(dir_fd, MANIFEST_FILES);

	if (unlinkat(dir_fd, MANIFEST_FILES, AT_REMOVEDIR) && errno != ENOENT)
		ret = -1;
	if (remove_entries(dir_fd, ""))
		ret = -1;
	return ret;
}

int image_remove(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int ret;

	if (fd < 0)
		return -1;
	ret = image_remove_contents(fd);
	close(fd);
	return rmdir(path) ? -1 : ret;
}
