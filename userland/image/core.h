/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One ELF core with the notes of uapi/xckpt_image.h, checked once. */
#ifndef XCKPT_CORE_H
#define XCKPT_CORE_H

#include "arena.h"
#include "image.h"

/* For messages: "cannot use /x/img" and "42.core". */
struct core_place {
	const char *action;
	const char *name;
};

/* What the core itself tells about open files; image_open() has the manifest's. */
struct core_files {
	struct open_file *files;
	size_t nr_files;
};

/*
 * Read and check the core open as @fd. Whatever @p and @files point to is in
 * @arena; @fd becomes @p->core_fd and stays the caller's to close on failure.
 * Returns 0, or -1 after one line on stderr.
 */
int core_read(int fd, const struct core_place *at, struct arena *arena, struct image_process *p,
	      struct core_files *files);

/* The notes, already in memory; used by core_read(). */
int core_read_notes(const struct core_place *at, struct arena *arena, const uint8_t *notes,
		    size_t size, struct image_process *p, struct core_files *files);

/* Kinds of open files, and their names in the manifest. */
enum file_kind file_kind_of(const char *path, uint32_t mode, uint64_t rdev);
const char *file_kind_name(enum file_kind kind);
int file_kind_parse(const char *name, enum file_kind *kind);
const char *event_kind_name(enum event_kind kind); /* "eventfd" ... */
const char *lock_kind_name(enum lock_kind kind); /* "flock" ... */

#endif
