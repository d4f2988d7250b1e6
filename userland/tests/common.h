/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TAP, and synthetic cores and images to read. */
#ifndef XCKPT_TEST_COMMON_H
#define XCKPT_TEST_COMMON_H

#include "core.h"
#include "image_priv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line "ok N - ..." or "not ok N - ..."; returns @good. */
bool check(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The plan and the exit status. */
int check_end(void);

/* What stderr got while it was caught; ended by the next quiet_begin(). */
void quiet_begin(void);
const char *quiet_end(void);

struct spec_segment {
	uint64_t start, end, filesz;
	uint32_t kind, flags;
	const char *path;
	uint64_t data_from, data_to; /* bytes of the contents that are not zero */
	uint64_t pgoff;
	uint64_t ino, file_size; /* 0: made up, none */
	int64_t mtime_ns;
};

struct spec {
	int pid, ppid;
	unsigned int nr_threads;
	uint32_t state; /* enum xckpt_task_state, of all threads */
	unsigned int machine; /* 0: x86-64 */
	bool xnum; /* count of program headers in section header 0 */
	const struct spec_segment *segments;
	size_t nr_segments;
	const struct xckpt_file *files; /* path_off is an index into @paths */
	const char *const *paths;
	size_t nr_files; /* descriptor n leads to file n */
	uint32_t process_flags, nr_posix_timers;
	const struct xckpt_timer *timers;
	size_t nr_timers; /* 0: no note of them */
	uint32_t timer_size, timers_told; /* what its head says; 0: the truth */
	const struct xckpt_sem_undo *undo;
	size_t nr_undo; /* 0: no note of them */
	const struct xckpt_guard *guards;
	size_t nr_guards; /* 0: no note of them */
	const struct sysv_ipc *sysv; /* of the manifest, or NULL */
	bool shadow_stack; /* every thread has one */
};

extern const struct spec plain_spec;

struct bytes {
	uint8_t *data;
	size_t len, room;
};
void put_bytes(struct bytes *b, const void *data, size_t len);

/* ELF headers and notes; @size becomes that of the whole file. */
struct bytes core_head(const struct spec *spec, uint64_t *size);
/* All of the core at the beginning of @fd, sparse. */
void core_write(int fd, const struct spec *spec);

/* An image with one core in the new directory @dir. */
void image_make(const char *dir, const struct spec *spec);
/* A new directory to work in, gone at exit. */
const char *scratch(void);
char *in_scratch(const char *name);

#endif
