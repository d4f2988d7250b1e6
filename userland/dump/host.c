// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine a dump is taken on, and the files a thin image refers to. */
#include "build_id.h"
#include "dump.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#define XSTATE_MAX 63u /* components that XCR0 can have */

static const char *cpu_value(struct dump *d, const char *line, const char *key)
{
	const char *colon = strchr(line, ':');
	size_t len = strlen(key);

	if (strncmp(line, key, len) != 0 || !colon || line[len + strspn(line + len, " \t")] != ':')
		return NULL;
	colon++;
	return arena_strdup(&d->priv.arena, colon + strspn(colon, " "));
}

/* The first processor stands for all. */
static void describe_cpu(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	m->cpu_vendor = m->cpu_model = m->cpu_flags = "";
	while (f && (n = getline(&line, &room, f)) > 1) {
		const char *value;

		line[n - 1] = 0;
		if ((value = cpu_value(d, line, "vendor_id")))
			m->cpu_vendor = value;
		else if ((value = cpu_value(d, line, "model name")))
			m->cpu_model = value;
		else if ((value = cpu_value(d, line, "flags")))
			m->cpu_flags = value;
	}
	free(line);
	if (f)
		fclose(f);
}

/*
 * Offsets differ between makers of CPUs, so the image tells its own. The cores
 * have the areas in the standard format, whatever the kernel itself uses.
 */
static int describe_xstate(struct dump *d)
{
#ifdef __x86_64__
	struct manifest *m = &d->priv.manifest;
	unsigned int size, offset, ecx, edx;

	m->xstate = arena_alloc(&d->priv.arena, XSTATE_MAX, sizeof(*m->xstate));
	if (!m->xstate)
		return -1;
	for (uint32_t i = 2; i < XSTATE_MAX; i++)
		if (d->xfeatures >> i & 1 &&
		    __get_cpuid_count(0xd, i, &size, &offset, &ecx, &edx) && size && offset)
			m->xstate[m->nr_xstate++] = (struct image_component){ i, offset, size };
#endif
	return 0;
}

int describe_host(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;
	struct utsname host;

	if (uname(&host))
		return fail("cannot tell the kernel's version: %s", strerror(errno));
	m->kernel = arena_printf(&d->priv.arena, "%s %s", host.release, host.version);
	m->machine = arena_strdup(&d->priv.arena, host.machine);
	if (!m->kernel || !m->machine)
		return -1;
	describe_cpu(d);
	return describe_xstate(d);
}

/* Whether @fd is the file that @s maps, by all that a resume will look at. */
static bool is_mapped_file(int fd, const struct segment *s)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == s->vma.file_size &&
	       (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == s->vma.file_mtime_ns;
}

/* @path opened for reading if it is that file; what else it may be is left alone. */
static int open_if_mapped(const char *path, const struct segment *s)
{
	int at = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char again[64];

	if (at < 0)
		return -1;
	if (is_mapped_file(at, s)) {
		snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
		fd = open(again, O_RDONLY | O_CLOEXEC);
	}
	close(at);
	return fd;
}

/*
 * The process may have unmapped it since, and its name may lead elsewhere: a
 * build-id is told only of a file that is surely the one.
 */
static int add_mapped(struct dump *d, const struct image_process *p, const struct segment *s)
{
	struct manifest *m = &d->priv.manifest;
	struct manifest_mapped *f = &m->mapped[m->nr_mapped++];
	char path[96], id[BUILD_ID_ROOM];
	bool leased;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, p->outer_pid,
		 s->start, s->end);
	leased = has_write_lease(d, s->vma.dev, s->vma.ino); /* to open it would break that */
	fd = leased ? -1 : open_if_mapped(path, s);
	if (fd < 0 && !leased)
		fd = open_if_mapped(s->path, s);
	f->path = s->path;
	f->size = s->vma.file_size;
	f->mtime_ns = s->vma.file_mtime_ns;
	f->build_id = "";
	if (fd < 0)
		return 0;
	build_id_read(fd, id);
	close(fd);
	f->build_id = arena_strdup(&d->priv.arena, id);
	return f->build_id ? 0 : -1;
}

/* Every file once, however often it is mapped. */
int describe_mapped(struct dump *d)
{
	struct manifest *m = &d->priv.manifest;
	const struct segment **seen;
	size_t total = 0;

	for (size_t i = 0; i < d->img.nr_processes; i++)
		total += d->img.processes[i].nr_segments;
	m->mapped = arena_alloc(&d->priv.arena, total, sizeof(*m->mapped));
	seen = arena_alloc(&d->priv.arena, total, sizeof(*seen));
	if (!m->mapped || !seen)
		return -1;
	for (size_t i = 0; i < d->img.nr_processes; i++) {
		const struct image_process *p = &d->img.processes[i];

		for (size_t j = 0; j < p->nr_segments; j++) {
			const struct segment *s = &p->segments[j];
			size_t k = 0;

			if (s->vma.kind != XCKPT_VMA_FILE)
				continue;
			while (k < m->nr_mapped &&
			       (seen[k]->vma.dev != s->vma.dev || seen[k]->vma.ino != s->vma.ino))
				k++;
			if (k < m->nr_mapped)
				continue;
			seen[m->nr_mapped] = s;
			if (add_mapped(d, p, s))
				return -1;
		}
	}
	return 0;
}
