// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare mappings. Natively they must be those of the image and the room for the
 * stack to grow, beside the hole where the restorer is; only how the kernel cuts them
 * into pieces is its own affair. Under an engine its own mappings lie among them, so
 * what can be said is that all of the program's are there.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A range of addresses that is one and the same thing. */
struct span {
	uint64_t start, end;
	uint32_t prot; /* X86_PROT_* */
	bool shared;
	uint64_t offset; /* in the file */
	uint64_t id; /* tells files of the same name from each other */
	uint64_t dev; /* of a file that was found: of which it is the inode */
	const struct xckpt_vma *memory; /* the image's mapping of a memory object, or NULL */
	const char *file; /* "": anonymous; ANY_FILE */
	int len; /* of its name */
};

struct spans {
	struct span *all;
	size_t nr, room;
};

/* shared memory has a file, but what its name is does not matter */
static const char any_file[] = "shared memory";
/* and that of a System V segment has its id */
static const char sysv_file[] = "System V shared memory";

static bool continues(const struct span *a, const struct span *b)
{
	return a->end == b->start && a->prot == b->prot && a->shared == b->shared &&
	       a->len == b->len && !memcmp(a->file, b->file, a->len) &&
	       (!a->len || (a->id == b->id && a->offset + (a->end - a->start) == b->offset));
}

static void add(struct spans *s, const struct span *span)
{
	if (span->start >= span->end)
		return;
	if (s->nr && continues(&s->all[s->nr - 1], span)) {
		s->all[s->nr - 1].end = span->end;
		return;
	}
	if (s->nr == s->room) {
		s->room = s->room * 2 + 64;
		s->all = plan_must(realloc(s->all, s->room * sizeof(*s->all)));
	}
	s->all[s->nr++] = *span;
}

/* What of @span lies from @start to @end. */
static struct span part(const struct span *span, uint64_t start, uint64_t end)
{
	struct span p = *span;

	if (p.start < start) {
		p.offset += start - p.start;
		p.start = start;
	}
	if (p.end > end)
		p.end = end;
	return p;
}

/* What becomes of @s, or of a part of it, but that guard regions may be closed instead. */
static void add_guarded(const struct check *c, struct spans *want, const struct segment *s,
			const struct span *span)
{
	uint64_t at = span->start;
	struct span piece;
	size_t i;

	for (i = 0; i < s->nr_guards; i++) {
		const struct xckpt_guard *g = &s->guards[i];

		if (!plan_is_closed(c->process, s, g))
			continue;
		piece = part(span, at, g->start);
		add(want, &piece);
		piece = part(span, g->start, g->end);
		piece.prot = 0;
		add(want, &piece);
		at = at < g->end ? g->end : at;
	}
	piece = part(span, at, span->end);
	add(want, &piece);
}

static struct span from(const struct segment *s, const char *file, uint64_t offset)
{
	return (struct span){ .start = s->start,
			      .end = s->end,
			      .prot = s->vma.flags &
				      (X86_PROT_READ | X86_PROT_WRITE | X86_PROT_EXEC),
			      .offset = offset,
			      .file = file,
			      .len = (int)strlen(file) };
}

/* What a core has of it, and the rest is anonymous. */
static void expect_from_core(const struct check *c, const struct segment *s, struct spans *want)
{
	const char *core = c->cores[s->holder - c->plan->img->processes];
	struct span whole = from(s, core, s->offset), rest = from(s, "", 0);

	whole.shared = s->vma.flags & XCKPT_VMA_SHARED;
	whole.end = rest.start = s->start + s->filesz;
	add_guarded(c, want, s, &whole);
	add_guarded(c, want, s, &rest);
}

/* What plan_memory.c makes of the image's mappings. */
static void expect(const struct check *c, const struct segment *s, struct spans *want)
{
	struct span span;
	bool memory;

	if (s->vma.kind == XCKPT_VMA_FILE && plan_is_from_core(c->process, s)) {
		expect_from_core(c, s, want);
		return;
	}
	memory = is_shared_memory(s) || plan_memory_slot(c->plan, s) >= 0;
	if (s->vma.kind == XCKPT_VMA_RING)
		span = from(s, s->path, s->vma.pgoff);
	else if (s->vma.kind == XCKPT_VMA_FILE && !memory)
		span = from(s, plan_path(c->process->group, s->path), s->vma.pgoff);
	else if (is_sysv_memory(s))
		span = from(s, sysv_file, s->vma.pgoff);
	else
		span = from(s, memory ? any_file : "", s->vma.pgoff);
	span.shared = s->vma.flags & XCKPT_VMA_SHARED;
	span.id = memory || is_sysv_memory(s) ? s->vma.ino : 0;
	span.memory = memory ? &s->vma : NULL;
	/* the kernel makes a file for each mapping of huge pages */
	if (!span.shared && plan_huge_shift(c->plan, s->vma.page_shift)) {
		span = from(s, any_file, 0);
		span.id = s->start;
	}
	add_guarded(c, want, s, &span);
}

static void expect_all(const struct check *c, struct spans *want)
{
	const struct image_process *p = c->image;
	uint64_t floor = 0;
	size_t i;

	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		if (plan_is_skipped(c->process, s))
			continue;
		if (s->vma.flags & XCKPT_VMA_STACK) {
			struct span room = { .start = plan_stack_bottom(c->process, s, floor),
					     .end = s->start,
					     .prot = X86_PROT_READ | X86_PROT_WRITE,
					     .file = "" };

			add(want, &room);
		}
		expect(c, s, want);
		floor = s->end;
	}
}

/* A line of maps: "start-end rwxp offset dev:dev inode   name"; returns where the next one is. */
static const char *parse(const char *line, struct span *span)
{
	size_t len = strcspn(line, "\n");
	char prot[5] = "";
	unsigned long long start = 0, end = 0, offset = 0, dev = 0, inode = 0;
	char *at;
	int i;

	*span = (struct span){ .file = "" };
	start = strtoull(line, &at, 16);
	end = strtoull(at + (*at == '-'), &at, 16);
	for (i = 0; i < 4 && at[i] && at[i + 1] > ' '; i++)
		prot[i] = at[i + 1];
	offset = strtoull(at + 1 + i, &at, 16);
	dev = strtoull(at, &at, 16) << 32;
	dev |= strtoull(at + (*at == ':'), &at, 16);
	inode = strtoull(at, &at, 10);
	at += strspn(at, " ");
	*span = (struct span){ .start = start,
			       .end = end,
			       .prot = (prot[0] == 'r' ? X86_PROT_READ : 0) |
				       (prot[1] == 'w' ? X86_PROT_WRITE : 0) |
				       (prot[2] == 'x' ? X86_PROT_EXEC : 0),
			       .shared = prot[3] == 's',
			       .offset = offset,
			       .id = inode,
			       .dev = dev,
			       .file = at,
			       .len = line + len > at ? (int)(line + len - at) : 0 };
	if (span->len && *at == '[')
		span->len = 0;
	return line + len + !!line[len];
}

/* Add what of @span is not in the hole. */
static void add_outside(struct spans *found, const struct span *span, uint64_t start, uint64_t end)
{
	struct span below = *span, above = *span;

	if (below.end > start)
		below.end = start;
	if (above.start < end) {
		above.offset += end - above.start;
		above.start = end;
	}
	add(found, &below);
	add(found, &above);
}

static void find_all(const struct check *c, const char *maps, struct spans *found)
{
	uint64_t hole = c->process->hole, hole_end = hole + c->process->hole_size;
	struct span span;

	while (*maps) {
		maps = parse(maps, &span);
		if (span.end <= X86_TOP_5)
			add_outside(found, &span, hole, hole_end);
	}
}

static bool is_same_segment(const struct span *found, const struct span *want)
{
	return found->id == want->id && found->len > 5 && !memcmp(found->file, "/SYSV", 5);
}

static bool is_same_file(const struct check *c, const struct span *found, const struct span *want)
{
	char path[PATH_MAX], expected[PATH_MAX], *real;
	size_t root = strlen(c->root);
	bool same;

	if (want->file == sysv_file)
		return is_same_segment(found, want);
	if (!found->len != !want->len || (want->file == any_file && found->len))
		return !found->len == !want->len;
	if (found->len == want->len && !memcmp(found->file, want->file, want->len))
		return true;
	snprintf(expected, sizeof(expected), "%.*s", want->len, want->file);
	snprintf(path, sizeof(path), "%.*s", found->len, found->file);
	if (root && !strncmp(path, c->root, root) && !strcmp(path + root, expected))
		return true;
	real = realpath(expected, NULL);
	same = real && !strcmp(real, path);
	free(real);
	return same;
}

static bool is_same(const struct check *c, const struct span *found, const struct span *want)
{
	return found->start == want->start && found->end == want->end &&
	       found->prot == want->prot && found->shared == want->shared &&
	       is_same_file(c, found, want) && (!want->len || found->offset == want->offset);
}

static void span_text(const struct span *s, char *text, size_t room)
{
	snprintf(text, room, "%llx-%llx %c%c%c%c %llx %.*s", (unsigned long long)s->start,
		 (unsigned long long)s->end, s->prot & X86_PROT_READ ? 'r' : '-',
		 s->prot & X86_PROT_WRITE ? 'w' : '-', s->prot & X86_PROT_EXEC ? 'x' : '-',
		 s->shared ? 's' : 'p', s->len ? (unsigned long long)s->offset : 0,
		 s->len ? (s->len < 300 ? s->len : 300) : 9, s->len ? s->file : "anonymous");
}

static int differ(struct check *c, const struct span *found, const struct span *want)
{
	char a[400] = "not there", b[400] = "not there", object[64];
	const struct span *first = found ? found : want;

	if (found && want && want->start < found->start)
		first = want;
	if (found && found->start <= first->start)
		span_text(found, a, sizeof(a));
	if (want && want->start <= first->start)
		span_text(want, b, sizeof(b));
	snprintf(object, sizeof(object), "the mapping at %#llx", (unsigned long long)first->start);
	return check_differs(c, object, a, b);
}

static int compare(struct check *c, const struct spans *found, const struct spans *want)
{
	size_t i;

	for (i = 0; i < found->nr || i < want->nr; i++) {
		const struct span *f = i < found->nr ? &found->all[i] : NULL;
		const struct span *w = i < want->nr ? &want->all[i] : NULL;

		if (!f || !w || !is_same(c, f, w))
			return differ(c, f, w);
		if (w->memory && check_object(c, w->memory, w->start, f->dev, f->id))
			return -1;
	}
	return 0;
}

/* Is all of @want there, readable where it is so for the program, shared where it is shared? */
static int covered(struct check *c, const struct spans *found, const struct spans *want)
{
	size_t i, j = 0, k;

	for (i = 0; i < want->nr; i++) {
		const struct span *w = &want->all[i];
		uint64_t at = w->start;

		while (j < found->nr && found->all[j].end <= at)
			j++;
		for (k = j; at < w->end; k++) {
			const struct span *f = k < found->nr ? &found->all[k] : NULL;

			if (!f || f->start > at)
				return differ(c, NULL, w);
			if ((w->prot & ~f->prot & X86_PROT_READ) || f->shared != w->shared ||
			    (w->file == sysv_file &&
			     (!is_same_segment(f, w) ||
			      f->offset - w->offset != f->start - w->start)))
				return differ(c, f, w);
			if (w->memory && check_object(c, w->memory, w->start, f->dev, f->id))
				return -1;
			at = f->end;
		}
	}
	return 0;
}

int check_maps(struct check *c, const char *maps)
{
	struct spans found = { 0 }, want = { 0 };
	int ret = 0;

	find_all(c, maps, &found);
	expect_all(c, &want);
	if (check_natively(c))
		ret = compare(c, &found, &want);
	else if (c->mem >= 0)
		ret = covered(c, &found, &want);
	free(found.all);
	free(want.all);
	return ret;
}
