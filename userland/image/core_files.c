// SPDX-License-Identifier: GPL-2.0-or-later
/* What an open file is, told from its path, mode and device number. */
#include "core.h"

#include <string.h>
#include <sys/stat.h>

static const char *const kind_names[] = {
	[FILE_REGULAR] = "regular",
	[FILE_DIRECTORY] = "directory",
	[FILE_DEVICE] = "device",
	[FILE_TTY] = "tty",
	[FILE_PIPE] = "pipe",
	[FILE_FIFO] = "fifo",
	[FILE_SOCKET] = "socket",
	[FILE_MEMFD] = "memfd",
	[FILE_ANON_INODE] = "anon-inode",
	[FILE_QUEUE] = "queue",
	[FILE_SECRET] = "secret",
	[FILE_OTHER] = "other",
};

#define NR_KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* @rdev is in the kernel's new_encode_dev() form. */
static bool is_tty(uint64_t rdev)
{
	uint64_t major = (rdev >> 8) & 0xfff;
	uint64_t minor = (rdev & 0xff) | ((rdev >> 12) & ~(uint64_t)0xff);

	switch (major) {
	case 4: /* consoles and ttyS */
	case 188: /* ttyUSB */
	case 204: /* low-density serial ports */
	case 229: /* hvc */
		return true;
	case 5: /* /dev/tty, /dev/console; /dev/ptmx is a device */
		return minor != 2;
	default:
		return major >= 136 && major <= 143; /* pts */
	}
}

enum file_kind file_kind_of(const char *path, uint32_t mode, uint64_t rdev)
{
	if (starts_with(path, "anon_inode:") || starts_with(path, "pidfd:"))
		return FILE_ANON_INODE;
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return starts_with(path, "pipe:[") ? FILE_PIPE : FILE_FIFO;
	case S_IFSOCK:
		return FILE_SOCKET;
	case S_IFCHR:
		return is_tty(rdev) ? FILE_TTY : FILE_DEVICE;
	case S_IFBLK:
		return FILE_DEVICE;
	case S_IFDIR:
		return path[0] == '/' ? FILE_DIRECTORY : FILE_OTHER;
	case S_IFREG:
		if (starts_with(path, "/memfd:"))
			return FILE_MEMFD;
		return path[0] == '/' ? FILE_REGULAR : FILE_OTHER;
	default:
		return starts_with(path, "socket:[") ? FILE_SOCKET : FILE_OTHER;
	}
}

const char *file_kind_name(enum file_kind kind)
{
	return (size_t)kind < NR_KINDS ? kind_names[kind] : "other";
}

int file_kind_parse(const char *name, enum file_kind *kind)
{
	for (size_t i = 0; i < NR_KINDS; i++) {
		if (strcmp(kind_names[i], name) == 0) {
			*kind = (enum file_kind)i;
			return 0;
		}
	}
	return -1;
}
