// SPDX-License-Identifier: GPL-2.0-or-later
/* Files whose contents go into the image, because no path will give them back. */
#include "dump.h"
#include "pseudo.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* bytes of all of them together */
#define SMALL ((uint64_t)16 << 20)

static bool is_written(const struct open_file *f)
{
	return f->kind == FILE_REGULAR && !(f->flags & X86_O_PATH) && f->flags & X86_O_ACCMODE;
}

/* Is @f, which is open as @fd, shared memory with a name? */
static bool is_shm(const struct open_file *f, int fd)
{
	struct statfs fs;

	return f->kind == FILE_REGULAR && strncmp(f->path, "/dev/shm/", 9) == 0 &&
	       fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static struct content *same_content(const struct dump *d, const struct open_file *f)
{
	for (size_t i = 0; i < d->nr_contents; i++)
		if (d->contents[i].file && d->contents[i].file->dev == f->dev &&
		    d->contents[i].file->ino == f->ino)
			return &d->contents[i];
	return NULL;
}

int add_content(struct dump *d, struct content c)
{
	struct content *more =
		arena_grow(&d->priv.arena, d->contents, d->nr_contents, sizeof(*more));

	if (!more || !c.name) {
		close(c.fd);
		return -1;
	}
	d->contents = more;
	d->contents[d->nr_contents++] = c;
	return 0;
}

/* Several descriptions of one file have the same contents. */
static int add_file(struct dump *d, struct open_file *f, int fd, bool borrowed)
{
	struct content *same = same_content(d, f);

	if (same) {
		f->data = same->file->data;
		f->data_size = same->file->data_size;
		close(fd);
		return 0;
	}
	f->data = arena_printf(&d->priv.arena, MANIFEST_FILES "/file-%u", f->id);
	f->data_size = f->size;
	return add_content(d, (struct content){ f->data, f->size, fd, f->path, f, borrowed });
}

static int open_failed(const char *path)
{
	if (errno == EBUSY)
		return fail("cannot read %s, which goes into the image: somebody has a write lease "
			    "on it, which that would break (dump again when it is over)",
			    path);
	return fail("cannot read %s, which goes into the image: %s", path, strerror(errno));
}

static bool is_readable(const struct open_file *f)
{
	return !(f->flags & (X86_O_PATH | X86_O_DIRECT)) &&
	       (f->flags & X86_O_ACCMODE) != X86_O_WRONLY;
}

/*
 * To open it breaks a write lease that the group has, and is an event for whoever watches
 * it: then rather by the group's own description, though no holes can be found by that.
 */
static int open_content(const struct dump *d, const struct open_file *f, bool *borrowed)
{
	bool gently = has_write_lease(d, f->dev, f->ino) || (d->watches && !is_nameless(f));
	int fd = gently && is_readable(f) ? holder_duplicate(d, f) : -1;

	*borrowed = fd >= 0;
	return fd >= 0 ? fd : holder_reopen(d, f);
}

static int consider(struct dump *d, struct open_file *f)
{
	bool nameless = is_nameless(f), packed = d->opt.with_files && is_written(f);
	bool borrowed;
	int fd;

	if (!nameless && !packed && strncmp(f->path, "/dev/shm/", 9) != 0)
		return 0;
	if (f->kind != FILE_REGULAR && f->kind != FILE_MEMFD)
		return 0;
	/* what is mapped as a whole is in a core */
	if (nameless && (!f->size || image_whole_mapping(&d->img, f)))
		return 0;
	fd = open_content(d, f, &borrowed);
	if (fd < 0) /* without its contents a nameless one is told of as not resumable */
		return nameless ? 0 : open_failed(f->path);
	if (nameless || (packed && !is_pseudo_file(fd)) || is_shm(f, fd))
		return add_file(d, f, fd, borrowed);
	close(fd);
	return 0;
}

/* What is to be known of one without a name, beside its contents. */
static int look_at_nameless(struct dump *d, struct open_file *f)
{
	int fd = holder_look(d, f), seals;
	struct statfs fs;

	if (fd < 0)
		return 0; /* nor can its contents be read */
	seals = f->kind == FILE_MEMFD ? fcntl(fd, F_GET_SEALS) : 0;
	f->seals = seals > 0 ? (uint32_t)seals : 0;
	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		f->page_shift = (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize);
	close(fd);
	return 0;
}

static struct open_file *find_file(const struct dump *d, size_t nr, uint64_t dev, uint64_t ino)
{
	for (size_t i = 0; i < nr; i++)
		if (d->img.files[i].dev == dev && d->img.files[i].ino == ino)
			return &d->img.files[i];
	return NULL;
}

/* A file that is mapped to be shared, and written, and that the image shall have. */
static bool wants_mapping(const struct dump *d, const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE && s->vma.flags & XCKPT_VMA_SHARED &&
	       !(s->vma.flags & XCKPT_VMA_DELETED) && s->path[0] == '/' && !is_aio_ring(s) &&
	       (strncmp(s->path, "/dev/shm/", 9) == 0 ||
		(d->opt.with_files && s->vma.flags & XCKPT_VMA_MAYWRITE));
}

/* A description without a descriptor, of the file that is mapped and that has @st. */
static struct open_file *describe_mapping(struct dump *d, const struct segment *s,
					  const struct stat *st)
{
	struct open_file *f = &d->img.files[d->img.nr_files++];

	d->priv.manifest.nr_files = d->img.nr_files;
	*f = (struct open_file){
		.id = d->img.nr_files > 1 ? f[-1].id + 1 : 1,
		.kind = FILE_REGULAR,
		.path = s->path,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.dev = s->vma.dev,
		.ino = s->vma.ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec,
	};
	return f;
}

static int open_mapping(const struct dump *d, const struct image_process *p,
			const struct segment *s)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", live_tid(d, p),
		 (unsigned long long)s->start, (unsigned long long)s->end);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* It may have no descriptor any more. */
static int consider_mapping(struct dump *d, const struct image_process *p, const struct segment *s)
{
	bool borrowed = false;
	struct open_file *f;
	struct stat st;
	int fd;

	if (!wants_mapping(d, s))
		return 0;
	f = find_file(d, d->img.nr_files, s->vma.dev, s->vma.ino);
	if (f && f->data)
		return 0;
	fd = f && d->holders[f - d->img.files].process ? open_content(d, f, &borrowed)
						       : open_mapping(d, p, s);
	if (fd < 0 || fstat(fd, &st))
		return open_failed(s->path);
	if (f) /* it is open, too, but not to be written to */
		return add_file(d, f, fd, borrowed);
	f = describe_mapping(d, s, &st);
	if (d->opt.with_files || is_shm(f, fd))
		return add_file(d, f, fd, false);
	close(fd);
	d->priv.manifest.nr_files = --d->img.nr_files;
	return 0;
}

/* Do these views of one object, in order, show all of it? */
static bool are_whole(const struct view *views, size_t nr)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct segment *s = views[i].segment;

		if (s->vma.pgoff > seen)
			return false;
		if (s->vma.pgoff + (s->end - s->start) > seen)
			seen = s->vma.pgoff + (s->end - s->start);
	}
	return seen >= views[0].segment->vma.file_size;
}

/* A mapping that was made smaller can grow again, and has then what it had. */
static int consider_object(struct dump *d, const struct view *views, size_t nr)
{
	const struct segment *s = views[0].segment;
	struct open_file *f;
	struct stat st;
	int fd, seals;

	if (s->vma.kind != XCKPT_VMA_SHMEM || are_whole(views, nr) ||
	    find_file(d, d->img.nr_files, s->vma.dev, s->vma.ino))
		return 0;
	fd = open_mapping(d, views[0].process, s);
	if (fd < 0 || fstat(fd, &st))
		return open_failed(s->path);
	f = describe_mapping(d, s, &st);
	f->kind = FILE_MEMFD;
	seals = fcntl(fd, F_GET_SEALS);
	f->seals = seals > 0 ? (uint32_t)seals : 0;
	return add_file(d, f, fd, false);
}

static int consider_objects(struct dump *d)
{
	size_t i, first, nr;
	struct view *views = image_views(&d->img, &nr);
	int ret = 0;

	if (!views)
		return fail("cannot look at shared memory: %s", strerror(errno));
	for (first = 0; first < nr && !ret; first = i) {
		for (i = first; i < nr && !image_compare_objects(&views[first].segment->vma,
								 &views[i].segment->vma);
		     i++)
			;
		ret = consider_object(d, views + first, i - first);
	}
	free(views);
	return ret;
}

static bool are_small(const struct dump *d)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < d->nr_contents && bytes <= SMALL; i++)
		bytes += d->contents[i].size;
	return bytes <= SMALL;
}

static int read_small(struct dump *d, const struct content *c)
{
	struct buffer b = { .name = c->name, .size = c->size };
	struct buffer *more;
	size_t got = 0;

	b.data = arena_alloc(&d->priv.arena, b.size, 1);
	more = arena_grow(&d->priv.arena, d->buffers, d->nr_buffers, sizeof(b));
	if (!b.data || !more)
		return -1;
	d->buffers = more;
	while (got < b.size) {
		ssize_t n = pread(c->fd, (char *)b.data + got, b.size - got, (off_t)got);

		if (n <= 0) {
			if (n)
				return open_failed(c->path);
			return fail(
				"cannot read %s, which goes into the image: somebody has cut it "
				"meanwhile (dump again)",
				c->path);
		}
		got += (size_t)n;
	}
	d->buffers[d->nr_buffers++] = b;
	return 0;
}

/* Little is read at once; for more the group has to stand still while it is written. */
static int read_all_small(struct dump *d)
{
	if (!are_small(d))
		return 0;
	for (size_t i = 0; i < d->nr_contents; i++)
		if (read_small(d, &d->contents[i]))
			return -1;
	if (check_contents(d))
		return -1;
	close_contents(d);
	return 0;
}

int capture_contents(struct dump *d)
{
	size_t nr = d->img.nr_files;

	for (size_t i = 0; i < nr; i++) {
		struct open_file *f = &d->img.files[i];

		if (!d->holders[i].process)
			continue;
		if ((is_nameless(f) && look_at_nameless(d, f)) || consider(d, f))
			return -1;
	}
	for (size_t i = 0; i < d->img.nr_processes; i++)
		for (size_t j = 0; j < d->img.processes[i].nr_segments; j++)
			if (consider_mapping(d, &d->img.processes[i],
					     &d->img.processes[i].segments[j]))
				return -1;
	return consider_objects(d) ? -1 : read_all_small(d);
}

void close_contents(struct dump *d)
{
	for (size_t i = 0; i < d->nr_contents; i++)
		if (d->contents[i].fd >= 0)
			close(d->contents[i].fd);
	d->nr_contents = 0;
}
