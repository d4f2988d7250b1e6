// SPDX-License-Identifier: GPL-2.0-or-later
/* A directory with a manifest and cores to struct image. */
#include "core.h"
#include "image_priv.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Open the directory of the image @path. When @path is a core in it, @core
 * becomes its name. Returns -1 after one line on stderr.
 */
static int open_dir(struct image_priv *priv, const char *path, const char **core)
{
	char *copy, *slash;
	struct stat st;
	int fd;

	if (stat(path, &st))
		return fail("%s: %s", priv->action, strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd >= 0 ? fd : fail("%s: %s", priv->action, strerror(errno));
	}
	copy = arena_strdup(&priv->arena, path);
	if (!copy)
		return -1;
	slash = strrchr(copy, '/');
	*core = slash ? slash + 1 : copy;
	if (!S_ISREG(st.st_mode) || !manifest_core_name_ok(*core))
		return fail("%s: it is neither an image's directory nor a PID.core in one",
			    priv->action);
	if (slash == copy) {
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		if (slash)
			*slash = 0;
		fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd >= 0 ? fd : fail("%s: %s", priv->action, strerror(errno));
}

/* From the core's own descriptions to the manifest's, which all processes share. */
static int link_files(struct image *img, struct image_priv *priv, struct image_process *p)
{
	for (size_t i = 0; i < p->nr_fds; i++) {
		p->fds[i].file = image_find_file(img, p->fds[i].file->id);
		if (!p->fds[i].file)
			return fail("%s: " MANIFEST_NAME
				    " is damaged: pid %d fd %d is an open file "
				    "that it does not have (copy the image again)",
				    priv->action, p->info.pid, p->fds[i].fd);
	}
	return 0;
}

static int open_process(struct image *img, struct image_priv *priv,
			const struct manifest_process *mp)
{
	struct image_process *p = &img->processes[img->nr_processes];
	struct core_place at = { .action = priv->action, .name = mp->core };
	struct core_files files;
	int fd;

	if (!image_find_sum(priv, mp->core))
		return fail("%s: " MANIFEST_NAME " is damaged: it has no checksums of %s",
			    priv->action, mp->core);
	fd = openat(img->dir_fd, mp->core, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fail("%s: cannot open %s: %s", priv->action, mp->core, strerror(errno));
	p->core_fd = fd;
	img->nr_processes++; /* image_close() closes it from here on */
	if (core_read(fd, &at, &priv->arena, p, &files))
		return -1;
	p->mounts = mp->mounts;
	p->label = mp->label;
	if (data_map_make(&p->data, fd, p->core_size))
		return fail("%s: cannot read %s: %s", priv->action, mp->core, strerror(errno));
	if (image_check_head(img, p))
		return -1;
	if (p->info.pid != mp->pid)
		return fail("%s: %s is not the core of pid %d but of pid %d", priv->action,
			    mp->core, mp->pid, p->info.pid);
	return link_files(img, priv, p);
}

static int open_processes(struct image *img, struct image_priv *priv)
{
	const struct manifest *m = &priv->manifest;

	img->processes = arena_alloc(&priv->arena, m->nr_processes, sizeof(*img->processes));
	img->zombies = arena_alloc(&priv->arena, m->nr_processes, sizeof(*img->zombies));
	if (!img->processes || !img->zombies)
		return -1;
	for (size_t i = 0; i < m->nr_processes; i++) {
		const struct manifest_process *mp = &m->processes[i];

		if (!mp->core)
			img->zombies[img->nr_zombies++] =
				(struct image_zombie){ mp->pid, mp->ppid,      mp->pgid,
						       mp->sid, mp->exit_code, mp->comm };
		else if (open_process(img, priv, mp))
			return -1;
	}
	if (!img->nr_processes)
		return fail("%s: there is no process in it", priv->action);
	return 0;
}

static int check_member(const struct image_priv *priv, const char *core)
{
	for (size_t i = 0; i < priv->manifest.nr_processes; i++) {
		const char *name = priv->manifest.processes[i].core;

		if (name && strcmp(name, core) == 0)
			return 0;
	}
	return fail("%s: the " MANIFEST_NAME " beside it does not know it", priv->action);
}

static int fill(struct image *img, struct image_priv *priv, const char *path)
{
	const struct manifest *m = &priv->manifest;
	const char *core = NULL;

	img->name = arena_strdup(&priv->arena, path);
	priv->action = arena_printf(&priv->arena, "cannot use %s", path);
	if (!img->name || !priv->action)
		return -1;
	img->dir_fd = open_dir(priv, path, &core);
	if (img->dir_fd < 0 ||
	    manifest_read(img->dir_fd, priv->action, &priv->arena, &priv->manifest))
		return -1;
	img->version = m->version;
	img->thin = m->thin;
	img->tool = m->tool;
	img->kernel = m->kernel;
	img->clocks = m->clocks;
	img->xfeatures = m->xfeatures;
	img->xstate = m->xstate;
	img->nr_xstate = m->nr_xstate;
	img->front = m->front;
	if (core && check_member(priv, core))
		return -1;
	if (image_check_files(img, priv) || open_processes(img, priv))
		return -1;
	image_find_names(img);
	return image_check_tree(img, priv) || image_check_sysv(img, priv) ||
			       image_check_terminals(img, priv) || image_find_contents(img, priv)
		       ? -1
		       : 0;
}

struct image *image_open(const char *path)
{
	struct image *img = calloc(1, sizeof(*img));
	struct image_priv *priv = calloc(1, sizeof(*priv));

	if (!img || !priv) {
		fail("cannot use %s: out of memory", path);
		free(img);
		free(priv);
		return NULL;
	}
	img->priv = priv;
	img->dir_fd = -1;
	if (fill(img, priv, path)) {
		image_close(img);
		return NULL;
	}
	return img;
}

void image_close(struct image *img)
{
	struct image_priv *priv;

	if (!img)
		return;
	priv = img->priv;
	for (size_t i = 0; i < img->nr_processes; i++) {
		close(img->processes[i].core_fd);
		data_map_free(&img->processes[i].data);
	}
	if (img->dir_fd >= 0)
		close(img->dir_fd);
	arena_free(&priv->arena);
	free(priv);
	free(img);
}

const char *image_build_id(const struct image *img, const struct segment *s)
{
	const struct manifest *m = image_manifest(img);

	for (size_t i = 0; i < m->nr_mapped; i++)
		if (m->mapped[i].size == s->vma.file_size &&
		    m->mapped[i].mtime_ns == s->vma.file_mtime_ns &&
		    strcmp(m->mapped[i].path, s->path) == 0)
			return m->mapped[i].build_id;
	return "";
}

const struct segment *image_find_segment(const struct image_process *p, uint64_t addr)
{
	size_t low = 0, high = p->nr_segments;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (addr >= p->segments[mid].end)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == p->nr_segments || addr < p->segments[low].start)
		return NULL;
	return &p->segments[low];
}

int image_read_memory(const struct image_process *p, uint64_t addr, void *buf, size_t len)
{
	char *to = buf;

	while (len) {
		const struct segment *s = image_find_segment(p, addr);
		uint64_t skip, part;

		if (!s)
			return -1;
		skip = addr - s->start;
		part = s->end - addr;
		if (part > len)
			part = len;
		if (skip < s->filesz) {
			ssize_t n;

			if (part > s->filesz - skip)
				part = s->filesz - skip;
			n = pread(s->holder->core_fd, to, part, (off_t)(s->offset + skip));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return -1;
			part = (uint64_t)n;
		} else {
			memset(to, 0, part);
		}
		to += part;
		addr += part;
		len -= part;
	}
	return 0;
}
