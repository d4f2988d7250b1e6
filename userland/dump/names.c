// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that lost the name they were made by, and have another in the same folder: so
 * sem_open(3) makes a semaphore, and others what shall appear all at once.
 */
#include "dump.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The entry of @dir that is the file @ino, or NULL. */
static const char *find_entry(DIR *dir, uint64_t ino)
{
	const struct dirent *entry;
	struct stat st;

	while ((entry = readdir(dir)))
		if (entry->d_ino == ino &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == ino && S_ISREG(st.st_mode))
			return entry->d_name;
	return NULL;
}

/* @dev is in the kernel's new_encode_dev() form. */
static bool is_on(int fd, uint64_t dev)
{
	struct stat st;

	return fstat(fd, &st) == 0 && major(st.st_dev) == (dev >> 8 & 0xfff) &&
	       minor(st.st_dev) == ((dev & 0xff) | (dev >> 12 & ~0xffull));
}

/* What @path leads to has no name in its folder any more: it stays as it is. */
static int look_for_name(struct dump *d, const char **path, uint64_t dev, uint64_t ino)
{
	const char *name, *slash = strrchr(*path, '/');
	int len = (int)(slash - *path), ret = 0;
	char *folder = arena_printf(&d->priv.arena, "%.*s/", len, *path);
	DIR *dir;

	if (!folder)
		return -1;
	dir = opendir(folder);
	if (!dir)
		return 0;
	name = is_on(dirfd(dir), dev) ? find_entry(dir, ino) : NULL;
	if (name) {
		*path = arena_printf(&d->priv.arena, "%s%s", folder, name);
		ret = *path ? 0 : -1;
	}
	closedir(dir);
	return ret;
}

static int name_mappings(struct dump *d, struct image_process *p)
{
	for (size_t i = 0; i < p->nr_segments; i++) {
		struct segment *s = &p->segments[i];

		if (has_lost_name(s) && look_for_name(d, &s->path, s->vma.dev, s->vma.ino))
			return -1;
	}
	return 0;
}

int find_names(struct dump *d)
{
	for (size_t i = 0; i < d->img.nr_files; i++) {
		struct open_file *f = &d->img.files[i];

		if (f->kind != FILE_REGULAR || !f->unlinked)
			continue;
		if (look_for_name(d, &f->path, f->dev, f->ino))
			return -1;
		f->unlinked = is_path_removed(f->path);
	}
	for (size_t i = 0; i < d->img.nr_processes; i++)
		if (name_mappings(d, &d->img.processes[i]))
			return -1;
	return 0;
}
