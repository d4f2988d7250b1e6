/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest, NAME/group.json: what belongs to the group and not to one
 * process. JSON in UTF-8; 64-bit values beyond 2^63 - 1 appear as negative.
 *
 * Paths and names are bytes, JSON strings are Unicode: in every string that
 * came from the kernel a byte that is part of no valid UTF-8 sequence stands as
 * %XX (two upper case hex digits), and so does '%' itself. Nothing else is
 * escaped, so ordinary paths read as they are.
 */
#ifndef XCKPT_MANIFEST_H
#define XCKPT_MANIFEST_H

#include "arena.h"
#include "checksum.h"
#include "image.h"

#define MANIFEST_NAME "group.json"
#define MANIFEST_FORMAT "xckpt"
/* where contents without a path are */
#define MANIFEST_FILES "files"

struct manifest_file {
	const char *name; /* "42.core", "files/pipe-7" */
	uint64_t size;
	struct checksum_block *blocks; /* ascending */
	size_t nr_blocks;
};

struct manifest_fd {
	int fd;
	uint32_t file; /* id */
	bool cloexec;
};

struct manifest_process {
	int pid, ppid, pgid, sid;
	const char *comm;
	const char *state; /* "parked", "asleep", "stopped", "vfork", "zombie" */
	const char *core; /* NULL: a zombie */
	int exit_code; /* of a zombie, as wait(2) gives it */
	int mounts; /* whose number is the same have the same mounted; 0: as xckpt-dump has */
	const char *label; /* as struct image_process.label */
	int *threads;
	size_t nr_threads;
	struct manifest_fd *fds;
	size_t nr_fds;
};

/* A file that a thin image needs beside it. */
struct manifest_mapped {
	const char *path;
	uint64_t size;
	int64_t mtime_ns;
	const char *build_id; /* hex, "" when it has none */
};

struct manifest_unsupported {
	int pid;
	const char *object, *why;
};

struct manifest {
	unsigned int version;
	bool thin;
	const char *tool, *kernel, *machine;
	const char *cpu_vendor, *cpu_model, *cpu_flags; /* flags: separated by blanks */
	uint64_t xfeatures;
	struct image_component *xstate; /* where XSAVE puts what; none: not known */
	size_t nr_xstate;
	struct image_clocks clocks;
	int root_pid;
	struct manifest_process *processes;
	size_t nr_processes;
	struct open_file *files;
	size_t nr_files;
	struct sysv_ipc sysv;
	struct terminal *front; /* as struct image.front */
	struct manifest_mapped *mapped;
	size_t nr_mapped;
	struct manifest_unsupported *unsupported;
	size_t nr_unsupported;
	struct manifest_file *sums;
	size_t nr_sums;
};

/* The text with its own checksum, malloc'ed, or NULL after one line on stderr. */
#define MANIFEST_MAX_SIZE ((size_t)256 << 20)
char *manifest_format(const struct manifest *m, size_t *len);

/*
 * Read and check group.json in @dir_fd; all of @m is in @arena. @action is for
 * messages: "cannot use /x/img". Returns 0, or -1 after one line on stderr.
 */
int manifest_read(int dir_fd, const char *action, struct arena *arena, struct manifest *m);

/* Is it a name that an image may hold: group.json, PID.core, files, files/NAME? */
bool manifest_name_ok(const char *name);
bool manifest_core_name_ok(const char *name);

/* The escaping described above; both malloc'ed, NULL: no memory, or not valid. */
char *manifest_escape(const char *bytes);
char *manifest_unescape(const char *text);

#endif
