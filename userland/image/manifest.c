// SPDX-License-Identifier: GPL-2.0-or-later
/* JSON to struct manifest; the text may be anybody's. */
#include "core.h"
#include "manifest_json.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* of a state component's place in an XSAVE area */
#define XSAVE_HEADER_END 576
#define XSAVE_LIMIT (1 << 20)

/* An entry of a table takes no more than so many times the bytes of its text. */
#define ROOM_FACTOR 16
#define ROOM_MIN ((size_t)64 << 10)

void manifest_bad(struct reading *r, const char *key, const char *what)
{
	if (!r->bad)
		fail("%s: " MANIFEST_NAME " is damaged: \"%s\" %s (copy the image again)",
		     r->action, key, what);
	r->bad = true;
}

int64_t get_int(struct reading *r, const json_t *o, const char *key, int64_t min, int64_t max)
{
	const json_t *v = json_object_get(o, key);
	int64_t i = json_integer_value(v);

	if (!json_is_integer(v))
		manifest_bad(r, key, "is missing or no number");
	else if (i < min || i > max)
		manifest_bad(r, key, "is out of range");
	else
		return i;
	return min;
}

uint64_t get_u64(struct reading *r, const json_t *o, const char *key)
{
	return (uint64_t)get_int(r, o, key, INT64_MIN, INT64_MAX);
}

uint32_t get_u32(struct reading *r, const json_t *o, const char *key)
{
	return (uint32_t)get_int(r, o, key, 0, UINT32_MAX);
}

static int get_pid(struct reading *r, const json_t *o, const char *key, int min)
{
	return (int)get_int(r, o, key, min, INT32_MAX);
}

bool get_bool(struct reading *r, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_boolean(v))
		manifest_bad(r, key, "is missing or neither true nor false");
	return json_is_true(v);
}

static const char *unescape(struct reading *r, const char *key, const json_t *v)
{
	const char *copy = NULL;
	char *raw = NULL;

	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		manifest_bad(r, key, "is missing or no string");
	else if (!(raw = manifest_unescape(json_string_value(v))))
		manifest_bad(r, key, "has a broken %XX");
	else if (!(copy = arena_strdup(r->arena, raw)))
		r->bad = true;
	free(raw);
	return copy ? copy : "";
}

const char *get_string(struct reading *r, const json_t *o, const char *key)
{
	return unescape(r, key, json_object_get(o, key));
}

const char *get_data_name(struct reading *r, const json_t *o, const char *key)
{
	const char *name = get_string(r, o, key);

	if (!r->bad && (!manifest_name_ok(name) ||
			strncmp(name, MANIFEST_FILES "/", sizeof(MANIFEST_FILES)) != 0))
		manifest_bad(r, key, "is no name of a file of an image");
	return name;
}

static uint64_t get_hex(struct reading *r, const char *key, const json_t *v)
{
	const char *s = json_string_value(v);
	uint64_t value = 0;
	int end = 0;

	if (!s || sscanf(s, "%" SCNx64 "%n", &value, &end) != 1 || s[end])
		manifest_bad(r, key, "is no hexadecimal number");
	return value;
}

/* The array @key of @o and room for its entries. */
json_t *get_array(struct reading *r, const json_t *o, const char *key, size_t size, void *to,
		  size_t *nr)
{
	json_t *array = json_object_get(o, key);
	void *room;

	*nr = 0;
	if (!json_is_array(array)) {
		manifest_bad(r, key, "is missing or no array");
		return NULL;
	}
	if (json_array_size(array) > r->room / size) {
		manifest_bad(r, key, "has more entries than it tells of");
		return NULL;
	}
	r->room -= json_array_size(array) * size;
	room = arena_alloc(r->arena, json_array_size(array), size);
	if (!room) {
		r->bad = true;
		return NULL;
	}
	memcpy(to, &room, sizeof(room));
	*nr = json_array_size(array);
	return array;
}

static void read_process(struct reading *r, const json_t *o, struct manifest_process *p)
{
	const json_t *threads, *fds;

	p->pid = get_pid(r, o, "pid", 1);
	p->ppid = get_pid(r, o, "ppid", 0);
	p->pgid = get_pid(r, o, "pgid", 0);
	p->sid = get_pid(r, o, "sid", 0);
	p->comm = get_string(r, o, "comm");
	p->state = get_string(r, o, "state");
	if (!json_object_get(o, "core")) {
		p->exit_code = (int)get_int(r, o, "exit_code", INT32_MIN, INT32_MAX);
		return;
	}
	p->core = get_string(r, o, "core");
	if (!r->bad && !manifest_core_name_ok(p->core))
		manifest_bad(r, "core", "is no name of a core");
	/* not where it is that of xckpt-dump, nor in images of the first versions */
	if (json_object_get(o, "mounts"))
		p->mounts = (int)get_int(r, o, "mounts", 1, INT32_MAX);
	if (json_object_get(o, "label"))
		p->label = get_string(r, o, "label");
	threads = get_array(r, o, "threads", sizeof(*p->threads), &p->threads, &p->nr_threads);
	for (size_t i = 0; threads && i < p->nr_threads; i++)
		p->threads[i] = (int)json_integer_value(json_array_get(threads, i));
	fds = get_array(r, o, "fds", sizeof(*p->fds), &p->fds, &p->nr_fds);
	for (size_t i = 0; fds && i < p->nr_fds && !r->bad; i++) {
		const json_t *fd = json_array_get(fds, i);

		p->fds[i].fd = get_pid(r, fd, "fd", 0);
		p->fds[i].file = get_u32(r, fd, "file");
		p->fds[i].cloexec = get_bool(r, fd, "cloexec");
	}
}

static void read_sum(struct reading *r, const json_t *o, struct manifest_file *f)
{
	const json_t *blocks;

	f->name = get_string(r, o, "name");
	if (!r->bad && (!manifest_name_ok(f->name) || strcmp(f->name, MANIFEST_FILES) == 0))
		manifest_bad(r, "name", "is no name of a file of an image");
	f->size = (uint64_t)get_int(r, o, "size", 0, INT64_MAX);
	blocks = get_array(r, o, "blocks", sizeof(*f->blocks), &f->blocks, &f->nr_blocks);
	for (size_t i = 0; blocks && i < f->nr_blocks && !r->bad; i++) {
		const json_t *b = json_array_get(blocks, i);
		const json_t *offset = json_array_get(b, 0);

		f->blocks[i].offset = (uint64_t)json_integer_value(offset);
		f->blocks[i].hash = get_hex(r, "blocks", json_array_get(b, 1));
		if (!json_is_integer(offset) || f->blocks[i].offset % CHECKSUM_BLOCK ||
		    f->blocks[i].offset >= f->size ||
		    (i && f->blocks[i].offset <= f->blocks[i - 1].offset))
			manifest_bad(r, "blocks", "are not in order");
	}
}

static void read_checksums(struct reading *r, const json_t *o, struct manifest *m)
{
	const json_t *files, *sums = json_object_get(o, "checksums");

	if (!json_is_object(sums)) {
		manifest_bad(r, "checksums", "is missing");
		return;
	}
	if (strcmp(get_string(r, sums, "algorithm"), "xxh64-nonzero-pages") != 0 ||
	    get_int(r, sums, "block_size", 0, INT64_MAX) != (int64_t)CHECKSUM_BLOCK)
		manifest_bad(r, "checksums", "are of an unknown kind");
	files = get_array(r, sums, "files", sizeof(*m->sums), &m->sums, &m->nr_sums);
	for (size_t i = 0; files && i < m->nr_sums && !r->bad; i++)
		read_sum(r, json_array_get(files, i), &m->sums[i]);
}

/* [[component, offset, size], ...]; not in images of the first versions. */
static void read_xstate(struct reading *r, const json_t *cpu, struct manifest *m)
{
	const json_t *a;

	if (!json_object_get(cpu, "xstate"))
		return;
	a = get_array(r, cpu, "xstate", sizeof(*m->xstate), &m->xstate, &m->nr_xstate);
	for (size_t i = 0; a && i < m->nr_xstate && !r->bad; i++) {
		const json_t *entry = json_array_get(a, i);
		json_int_t v[3];

		for (size_t j = 0; j < 3; j++)
			v[j] = json_integer_value(json_array_get(entry, j));
		m->xstate[i] =
			(struct image_component){ (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2] };
		if (v[0] < 2 || v[0] > 62 || (i && v[0] <= m->xstate[i - 1].component) ||
		    v[1] < XSAVE_HEADER_END || v[1] > XSAVE_LIMIT || v[2] < 1 || v[2] > XSAVE_LIMIT)
			manifest_bad(r, "xstate", "is no list of state components");
	}
}

static void read_machine(struct reading *r, const json_t *o, struct manifest *m)
{
	const json_t *cpu = json_object_get(o, "cpu"), *clocks = json_object_get(o, "clocks");
	const json_t *flags = json_object_get(cpu, "flags");
	size_t i, len = 1;
	char *text;

	for (i = 0; i < json_array_size(flags); i++)
		len += json_string_length(json_array_get(flags, i)) + 1;
	m->cpu_flags = text = arena_alloc(r->arena, len, 1);
	if (!text) {
		r->bad = true;
		return;
	}
	for (i = 0; i < json_array_size(flags); i++) {
		const char *flag = json_string_value(json_array_get(flags, i));

		if (flag)
			text = stpcpy(stpcpy(text, i ? " " : ""), flag);
	}
	m->cpu_vendor = get_string(r, cpu, "vendor");
	m->cpu_model = get_string(r, cpu, "model");
	m->xfeatures = get_hex(r, "xfeatures", json_object_get(cpu, "xfeatures"));
	read_xstate(r, cpu, m);
	m->clocks.realtime_ns = (int64_t)get_u64(r, clocks, "realtime_ns");
	m->clocks.monotonic_ns = (int64_t)get_u64(r, clocks, "monotonic_ns");
	m->clocks.boottime_ns = (int64_t)get_u64(r, clocks, "boottime_ns");
}

static void read_tables(struct reading *r, const json_t *o, struct manifest *m)
{
	const json_t *a;

	a = get_array(r, o, "processes", sizeof(*m->processes), &m->processes, &m->nr_processes);
	for (size_t i = 0; a && i < m->nr_processes && !r->bad; i++)
		read_process(r, json_array_get(a, i), &m->processes[i]);
	a = get_array(r, o, "files", sizeof(*m->files), &m->files, &m->nr_files);
	for (size_t i = 0; a && i < m->nr_files && !r->bad; i++)
		manifest_read_file(r, json_array_get(a, i), &m->files[i]);
	/* not in images of the first versions, nor where there is none */
	if (json_object_get(o, "sysv") && !r->bad)
		manifest_read_sysv(r, json_object_get(o, "sysv"), &m->sysv);
	if (json_object_get(o, "front") && !r->bad)
		m->front = manifest_read_front(r, json_object_get(o, "front"));
	a = get_array(r, o, "unsupported", sizeof(*m->unsupported), &m->unsupported,
		      &m->nr_unsupported);
	for (size_t i = 0; a && i < m->nr_unsupported && !r->bad; i++) {
		m->unsupported[i].pid = get_pid(r, json_array_get(a, i), "pid", 0);
		m->unsupported[i].object = get_string(r, json_array_get(a, i), "object");
		m->unsupported[i].why = get_string(r, json_array_get(a, i), "why");
	}
	if (!m->thin || r->bad)
		return;
	a = get_array(r, o, "mapped_files", sizeof(*m->mapped), &m->mapped, &m->nr_mapped);
	for (size_t i = 0; a && i < m->nr_mapped && !r->bad; i++) {
		const json_t *f = json_array_get(a, i);

		m->mapped[i].path = get_string(r, f, "path");
		m->mapped[i].size = get_u64(r, f, "size");
		m->mapped[i].mtime_ns = (int64_t)get_u64(r, f, "mtime_ns");
		m->mapped[i].build_id = get_string(r, f, "build_id");
	}
}

/* The version comes first: another one may differ in everything else. */
static int check_version(struct reading *r, const json_t *o, struct manifest *m)
{
	const char *format = json_string_value(json_object_get(o, "format"));
	const json_t *version = json_object_get(o, "version");

	if (!format || strcmp(format, MANIFEST_FORMAT) != 0 || !json_is_integer(version))
		return fail("%s: " MANIFEST_NAME " is not the manifest of an image", r->action);
	if (json_integer_value(version) < 1 || json_integer_value(version) > IMAGE_FORMAT_VERSION)
		return fail("%s: the image has format version %" JSON_INTEGER_FORMAT
			    ", this program knows version %d (use a newer xckpt)",
			    r->action, json_integer_value(version), IMAGE_FORMAT_VERSION);
	m->version = (unsigned int)json_integer_value(version);
	return 0;
}

/* @o without its member "checksum" must have that checksum. */
static int check_checksum(struct reading *r, json_t *o)
{
	uint64_t sum = get_hex(r, "checksum", json_object_get(o, "checksum"));
	char *text;
	bool ok;

	if (r->bad)
		return -1;
	json_object_del(o, "checksum");
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return fail("%s: out of memory", r->action);
	ok = checksum_buffer(text, strlen(text)) == sum;
	/* nothing that is true takes more */
	r->room = ROOM_MIN + strlen(text) * ROOM_FACTOR;
	free(text);
	if (!ok)
		return fail("%s: " MANIFEST_NAME
			    " is damaged: checksum mismatch (copy the image again)",
			    r->action);
	return 0;
}

/* All of it at once: jansson reads a descriptor byte by byte. */
static char *read_text(int fd, size_t size)
{
	char *text = malloc(size + 1);
	ssize_t n = text ? read_at(fd, text, size, 0) : 0;

	if (!text || (n >= 0 && (size_t)n == size))
		return text;
	errno = n < 0 ? errno : EIO; /* it has become shorter */
	free(text);
	return NULL;
}

static json_t *parse(int dir_fd, const char *action)
{
	int fd = openat(dir_fd, MANIFEST_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	json_error_t error;
	struct stat st;
	json_t *o = NULL;
	char *text;

	if (fd < 0 && errno == ENOENT) {
		fail("%s: " MANIFEST_NAME
		     " is missing: not an image, or a dump that did not finish",
		     action);
		return NULL;
	}
	if (fd < 0 || fstat(fd, &st)) {
		fail("%s: cannot open " MANIFEST_NAME ": %s", action, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MANIFEST_MAX_SIZE) {
		fail("%s: " MANIFEST_NAME " is not a regular file of a credible size", action);
	} else {
		text = read_text(fd, (size_t)st.st_size);
		o = text ? json_loadb(text, (size_t)st.st_size, JSON_REJECT_DUPLICATES, &error)
			 : NULL;
		if (!text)
			fail("%s: cannot read " MANIFEST_NAME ": %s", action, strerror(errno));
		else if (!o)
			fail("%s: " MANIFEST_NAME " is damaged: line %d: %s (copy the image again)",
			     action, error.line, error.text);
		free(text);
	}
	if (fd >= 0)
		close(fd);
	return o;
}

int manifest_read(int dir_fd, const char *action, struct arena *arena, struct manifest *m)
{
	struct reading r = { .action = action, .arena = arena };
	json_t *o = parse(dir_fd, action);
	const char *mode;

	memset(m, 0, sizeof(*m));
	if (!o)
		return -1;
	if (check_version(&r, o, m) || check_checksum(&r, o)) {
		json_decref(o);
		return -1;
	}
	mode = get_string(&r, o, "mode");
	m->thin = strcmp(mode, "thin") == 0;
	if (!m->thin && strcmp(mode, "self-contained") != 0)
		manifest_bad(&r, "mode", "is unknown");
	if (get_int(&r, o, "page_size", 0, INT64_MAX) != IMAGE_PAGE_SIZE)
		manifest_bad(&r, "page_size", "is not 4096");
	m->tool = get_string(&r, o, "tool");
	m->kernel = get_string(&r, o, "kernel");
	m->machine = get_string(&r, o, "machine");
	m->root_pid = get_pid(&r, o, "root", 1);
	if (!r.bad)
		read_machine(&r, o, m);
	if (!r.bad)
		read_tables(&r, o, m);
	if (!r.bad)
		read_checksums(&r, o, m);
	json_decref(o);
	return r.bad ? -1 : 0;
}
