// SPDX-License-Identifier: GPL-2.0-or-later
/* struct manifest to JSON. manifest.c reads it back. */
#include "core.h"
#include "manifest_json.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_bytes(const char *s)
{
	char *text = manifest_escape(s ? s : "");
	json_t *string = text ? json_string(text) : NULL;

	free(text);
	return string;
}

json_t *json_number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *hex(const char *fmt, uint64_t v)
{
	return json_sprintf(fmt, v);
}

/* Words separated by blanks as an array of strings. */
static json_t *words(const char *s)
{
	json_t *array = json_array();

	while (s && *s) {
		size_t len = strcspn(s, " ");

		if (len && json_array_append_new(array, json_stringn(s, len)))
			break;
		s += len + strspn(s + len, " ");
	}
	return array;
}

static json_t *format_xstate(const struct manifest *m)
{
	json_t *array = json_array();

	for (size_t i = 0; i < m->nr_xstate; i++)
		json_array_append_new(array,
				      json_pack("[I, I, I]", (json_int_t)m->xstate[i].component,
						(json_int_t)m->xstate[i].offset,
						(json_int_t)m->xstate[i].size));
	return array;
}

static json_t *format_process(const struct manifest_process *p)
{
	json_t *o =
		json_pack("{s:i, s:i, s:i, s:i, s:o, s:s}", "pid", p->pid, "ppid", p->ppid, "pgid",
			  p->pgid, "sid", p->sid, "comm", json_bytes(p->comm), "state", p->state);
	json_t *threads = json_array(), *fds = json_array();

	if (!p->core) {
		json_object_set_new(o, "exit_code", json_integer(p->exit_code));
		json_decref(threads);
		json_decref(fds);
		return o;
	}
	json_object_set_new(o, "core", json_string(p->core));
	if (p->mounts)
		json_object_set_new(o, "mounts", json_integer(p->mounts));
	if (p->label)
		json_object_set_new(o, "label", json_bytes(p->label));
	for (size_t i = 0; i < p->nr_threads; i++)
		json_array_append_new(threads, json_integer(p->threads[i]));
	for (size_t i = 0; i < p->nr_fds; i++)
		json_array_append_new(fds, json_pack("{s:i, s:I, s:b}", "fd", p->fds[i].fd, "file",
						     (json_int_t)p->fds[i].file, "cloexec",
						     p->fds[i].cloexec));
	json_object_set_new(o, "threads", threads);
	json_object_set_new(o, "fds", fds);
	return o;
}

static json_t *format_sums(const struct manifest *m)
{
	json_t *files = json_array();

	for (size_t i = 0; i < m->nr_sums; i++) {
		const struct manifest_file *f = &m->sums[i];
		json_t *blocks = json_array();

		for (size_t j = 0; j < f->nr_blocks; j++)
			json_array_append_new(blocks,
					      json_pack("[o, o]", json_number(f->blocks[j].offset),
							hex("%016" PRIx64, f->blocks[j].hash)));
		json_array_append_new(files, json_pack("{s:s, s:o, s:o}", "name", f->name, "size",
						       json_number(f->size), "blocks", blocks));
	}
	return json_pack("{s:s, s:I, s:o}", "algorithm", "xxh64-nonzero-pages", "block_size",
			 (json_int_t)CHECKSUM_BLOCK, "files", files);
}

static json_t *format_tables(const struct manifest *m, json_t *o)
{
	json_t *processes = json_array(), *files = json_array();
	json_t *mapped = json_array(), *unsupported = json_array();

	for (size_t i = 0; i < m->nr_processes; i++)
		json_array_append_new(processes, format_process(&m->processes[i]));
	for (size_t i = 0; i < m->nr_files; i++)
		json_array_append_new(files, manifest_format_file(&m->files[i]));
	for (size_t i = 0; i < m->nr_mapped; i++) {
		const struct manifest_mapped *f = &m->mapped[i];

		json_array_append_new(mapped,
				      json_pack("{s:o, s:o, s:I, s:s}", "path", json_bytes(f->path),
						"size", json_number(f->size), "mtime_ns",
						(json_int_t)f->mtime_ns, "build_id", f->build_id));
	}
	for (size_t i = 0; i < m->nr_unsupported; i++) {
		const struct manifest_unsupported *u = &m->unsupported[i];

		json_array_append_new(unsupported,
				      json_pack("{s:i, s:o, s:o}", "pid", u->pid, "object",
						json_bytes(u->object), "why", json_bytes(u->why)));
	}
	json_object_set_new(o, "processes", processes);
	json_object_set_new(o, "files", files);
	if (has_sysv(&m->sysv))
		json_object_set_new(o, "sysv", manifest_format_sysv(&m->sysv));
	if (m->front)
		json_object_set_new(o, "front", manifest_format_front(m->front));
	if (m->thin)
		json_object_set_new(o, "mapped_files", mapped);
	else
		json_decref(mapped);
	json_object_set_new(o, "unsupported", unsupported);
	json_object_set_new(o, "checksums", format_sums(m));
	return o;
}

/* Stable text, so that readers of it come to the same checksum. */
static int add_checksum(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return -1;
	json_object_set_new(o, "checksum", hex("%016" PRIx64, checksum_buffer(text, strlen(text))));
	free(text);
	return 0;
}

char *manifest_format(const struct manifest *m, size_t *len)
{
	char *text = NULL;
	json_t *o;

	o = json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:i, s:{s:o, s:o, s:o, s:o, s:o},"
		      " s:{s:I, s:I, s:I}, s:i}",
		      "format", MANIFEST_FORMAT, "version", (int)m->version, "mode",
		      m->thin ? "thin" : "self-contained", "tool", json_bytes(m->tool), "kernel",
		      json_bytes(m->kernel), "machine", json_bytes(m->machine), "page_size",
		      (int)IMAGE_PAGE_SIZE, "cpu", "vendor", json_bytes(m->cpu_vendor), "model",
		      json_bytes(m->cpu_model), "flags", words(m->cpu_flags), "xfeatures",
		      hex("0x%" PRIx64, m->xfeatures), "xstate", format_xstate(m), "clocks",
		      "realtime_ns", (json_int_t)m->clocks.realtime_ns, "monotonic_ns",
		      (json_int_t)m->clocks.monotonic_ns, "boottime_ns",
		      (json_int_t)m->clocks.boottime_ns, "root", m->root_pid);
	if (o && format_tables(m, o) && add_checksum(o) == 0)
		text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	if (!text) {
		fail("cannot write the manifest: out of memory");
		return NULL;
	}
	*len = strlen(text);
	if (*len > MANIFEST_MAX_SIZE) {
		fail("cannot write the manifest: %zu bytes, and no reader takes more than %llu "
		     "(the group has too many objects)",
		     *len, (unsigned long long)MANIFEST_MAX_SIZE);
		free(text);
		return NULL;
	}
	return text;
}
