// SPDX-License-Identifier: GPL-2.0-or-later
/* Notes that are tables: mappings, signals, timers, open files. */
#include "core_notes.h"
#include "report.h"

#include <signal.h>
#include <string.h>

#define NR_SIGNALS 64

_Static_assert(sizeof(struct xckpt_vma) == 80, "struct xckpt_vma");
_Static_assert(sizeof(struct xckpt_guard) == 16, "struct xckpt_guard");
_Static_assert(sizeof(struct xckpt_sigaction) == 32, "struct xckpt_sigaction");
_Static_assert(sizeof(struct xckpt_timer) == 64, "struct xckpt_timer");
_Static_assert(sizeof(struct xckpt_file) == 104, "struct xckpt_file");
_Static_assert(sizeof(struct xckpt_fd) == 16, "struct xckpt_fd");
_Static_assert(sizeof(struct xckpt_ring) == 48, "struct xckpt_ring");

/* Entry @i of a table whose entries the writer made @entry_size bytes long. */
static void take_entry(const struct note *note, uint32_t off, uint32_t entry_size, size_t i,
		       void *to, size_t size)
{
	memset(to, 0, size);
	memcpy(to, note->desc + off + i * entry_size, entry_size < size ? entry_size : size);
}

static int check_table(const struct notes *n, const struct note *note, uint32_t off,
		       uint32_t entry_size, uint32_t nr, size_t min)
{
	if (!nr)
		return 0;
	if (entry_size < min || off > note->size || nr > (note->size - off) / entry_size)
		return notes_damaged(n, "a table exceeds its note");
	return 0;
}

/* Huge pages are whole ones; and only they have a size. */
static bool is_aligned(const struct xckpt_vma *vma)
{
	if (!vma->page_shift)
		return true;
	if (vma->kind != XCKPT_VMA_HUGETLB || vma->page_shift <= 12 || vma->page_shift > 40)
		return false;
	return !((vma->start | vma->end | vma->pgoff) & ((1ull << vma->page_shift) - 1));
}

/* A place in a file that there can be: what is compared and added further on is below 2^63. */
static bool is_in_file(const struct segment *s)
{
	return !is_view(s) || (s->vma.pgoff % IMAGE_PAGE_SIZE == 0 &&
			       s->vma.pgoff <= INT64_MAX - (s->end - s->start));
}

int take_vma(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;
	struct image_process *p = n->p;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_vma, pkey)))
		return -1;
	if (head.nr_entries != p->nr_segments)
		return notes_damaged(n, "mappings and segments differ in number");
	for (size_t i = 0; i < p->nr_segments; i++) {
		struct segment *s = &p->segments[i];

		take_entry(note, head.entries_off, head.entry_size, i, &s->vma, sizeof(s->vma));
		if (s->vma.start != s->start || s->vma.end != s->end)
			return notes_damaged(n, "a mapping and its segment differ");
		if (s->vma.kind > XCKPT_VMA_RING)
			return notes_damaged(n, "a mapping of an unknown kind");
		if (!is_aligned(&s->vma))
			return notes_damaged(n, "a mapping of parts of huge pages");
		if (!is_in_file(s))
			return notes_damaged(n, "a mapping of an impossible part of a file");
		if (take_string(n, note, s->vma.path_off, &s->path))
			return -1;
	}
	return 0;
}

/* The segment that has all of @g, from @i on; NULL: there is none. */
static struct segment *guarded_segment(struct image_process *p, size_t *i,
				       const struct xckpt_guard *g)
{
	struct segment *s;

	while (*i < p->nr_segments && p->segments[*i].end <= g->start)
		++*i;
	s = &p->segments[*i];
	return *i < p->nr_segments && s->start <= g->start && g->end <= s->end ? s : NULL;
}

int take_guard(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;
	struct image_process *p = n->p;
	struct xckpt_guard *guards;
	size_t at = 0;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_guard, end)))
		return -1;
	guards = arena_alloc(n->arena, head.nr_entries, sizeof(*guards));
	if (!guards)
		return -1;
	for (size_t i = 0; i < head.nr_entries; i++) {
		struct xckpt_guard *g = &guards[i];
		struct segment *s;

		take_entry(note, head.entries_off, head.entry_size, i, g, sizeof(*g));
		if (g->start >= g->end || (g->start | g->end) % IMAGE_PAGE_SIZE)
			return notes_damaged(n, "a guard region is not of pages");
		if (i && g->start < g[-1].end)
			return notes_damaged(n, "guard regions are not in order");
		s = guarded_segment(p, &at, g);
		if (!s)
			return notes_damaged(n, "a guard region is not in a mapping");
		if (!s->nr_guards++)
			s->guards = g;
	}
	p->guards = guards;
	p->nr_guards = head.nr_entries;
	return 0;
}

int check_guards(const struct notes *n)
{
	for (size_t i = 0; i < n->p->nr_segments; i++) {
		const struct segment *s = &n->p->segments[i];

		if (s->nr_guards &&
		    (s->vma.kind == XCKPT_VMA_HUGETLB || s->vma.kind >= XCKPT_VMA_VDSO))
			return notes_damaged(n, "a guard region in memory that can have none");
	}
	return 0;
}

int take_sigaction(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_sigaction, mask)))
		return -1;
	if (head.nr_entries != NR_SIGNALS)
		return notes_damaged(n, "the table of signal handlers has not 64 entries");
	for (size_t i = 0; i < NR_SIGNALS; i++)
		take_entry(note, head.entries_off, head.entry_size, i, &n->p->sigaction[i],
			   sizeof(n->p->sigaction[i]));
	return 0;
}

static const char *timer_fault(const struct xckpt_timer *t, const struct xckpt_timer *before)
{
	if (t->id < 0 || (before && t->id <= before->id))
		return "timers are not in order";
	if (t->notify != SIGEV_SIGNAL && t->notify != SIGEV_NONE && t->notify != SIGEV_THREAD &&
	    t->notify != SIGEV_THREAD_ID)
		return "a timer tells in an impossible way";
	if (t->notify != SIGEV_NONE && (t->signo < 1 || t->signo > NR_SIGNALS))
		return "a timer's signal has an impossible number";
	if (t->notify == SIGEV_THREAD_ID && !(t->flags & XCKPT_TIMER_TARGET_GONE) && t->tid <= 0)
		return "a timer is for an impossible thread";
	if (t->interval_ns > INT64_MAX || t->value_ns > INT64_MAX || t->date_ns > INT64_MAX ||
	    t->overrun > INT32_MAX)
		return "a timer has an impossible time";
	return NULL;
}

int take_timer(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;
	struct xckpt_timer *timers;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_timer, __reserved)))
		return -1;
	timers = arena_alloc(n->arena, head.nr_entries, sizeof(*timers));
	if (!timers)
		return -1;
	for (size_t i = 0; i < head.nr_entries; i++) {
		const char *fault;

		take_entry(note, head.entries_off, head.entry_size, i, &timers[i],
			   sizeof(timers[i]));
		fault = timer_fault(&timers[i], i ? &timers[i - 1] : NULL);
		if (fault)
			return notes_damaged(n, fault);
	}
	n->p->timers = timers;
	n->p->nr_timers = head.nr_entries;
	return 0;
}

/* That the semaphores are there is checked when all of the image is known. */
int take_undo(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;
	struct xckpt_sem_undo *undo;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_sem_undo, adjust)))
		return -1;
	undo = arena_alloc(n->arena, head.nr_entries, sizeof(*undo));
	if (!undo)
		return -1;
	for (size_t i = 0; i < head.nr_entries; i++) {
		take_entry(note, head.entries_off, head.entry_size, i, &undo[i], sizeof(undo[i]));
		if (undo[i].id < 0 || !undo[i].adjust)
			return notes_damaged(n, "SEM_UNDO has an impossible entry");
		if (i && (undo[i].id < undo[i - 1].id ||
			  (undo[i].id == undo[i - 1].id && undo[i].number <= undo[i - 1].number)))
			return notes_damaged(n, "SEM_UNDO is not in order");
	}
	n->p->undo = undo;
	n->p->nr_undo = head.nr_entries;
	return 0;
}

int take_sigpending(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			XCKPT_SIGINFO_SIZE))
		return -1;
	/* siginfo_t never grows, so the entries can be used where they are */
	if (head.nr_entries && head.entry_size != XCKPT_SIGINFO_SIZE)
		return notes_damaged(n, "a pending signal has an impossible size");
	for (size_t i = 0; i < head.nr_entries; i++) {
		uint32_t signo;

		memcpy(&signo, note->desc + head.entries_off + i * XCKPT_SIGINFO_SIZE,
		       sizeof(signo));
		if (signo < 1 || signo > NR_SIGNALS)
			return notes_damaged(n, "a pending signal has an impossible number");
	}
	if (n->thread) {
		n->thread->pending = head.nr_entries ? note->desc + head.entries_off : NULL;
		n->thread->nr_pending = head.nr_entries;
	} else {
		n->p->pending = head.nr_entries ? note->desc + head.entries_off : NULL;
		n->p->nr_pending = head.nr_entries;
	}
	return 0;
}

/* What has a name; of other things the count of links tells nothing. */
static bool can_be_removed(const struct open_file *f)
{
	return f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY || f->kind == FILE_DEVICE ||
	       f->kind == FILE_FIFO || (f->kind == FILE_OTHER && f->path[0] == '/');
}

/* Some files are regular ones for all but those who made them. */
static enum file_kind kind_of(const char *path, const struct xckpt_file *raw)
{
	if (raw->state & XCKPT_FILE_QUEUE)
		return FILE_QUEUE;
	if (raw->state & XCKPT_FILE_SECRET)
		return FILE_SECRET;
	return file_kind_of(path, raw->mode, raw->rdev);
}

static int take_open_files(struct notes *n, const struct note *note,
			   const struct xckpt_note_file *head)
{
	struct open_file *files = arena_alloc(n->arena, head->nr_files, sizeof(*files));

	if (!files)
		return -1;
	for (size_t i = 0; i < head->nr_files; i++) {
		struct open_file *f = &files[i];
		struct xckpt_file raw;

		take_entry(note, head->files_off, head->file_size, i, &raw, sizeof(raw));
		if (!raw.id)
			return notes_damaged(n, "an open file has no id");
		if (take_string(n, note, raw.path_off, &f->path))
			return -1;
		f->id = raw.id;
		f->flags = raw.flags;
		f->mode = raw.mode;
		f->kind = kind_of(f->path, &raw);
		f->pos = raw.pos;
		f->dev = raw.dev;
		f->ino = raw.ino;
		f->uid = raw.uid;
		f->gid = raw.gid;
		f->rdev = raw.rdev;
		f->size = raw.file_size;
		f->readers = raw.readers;
		f->writers = raw.writers;
		f->mtime_ns = raw.file_mtime_ns;
		f->state = raw.state;
		f->owner = raw.owner;
		f->owner_type = raw.owner_type;
		f->owner_signal = raw.owner_signal;
		f->deleted = !raw.nlink && can_be_removed(f);
		f->unlinked = raw.state & XCKPT_FILE_UNLINKED && raw.nlink && f->path[0] == '/';
	}
	n->files->files = files;
	n->files->nr_files = head->nr_files;
	return 0;
}

int take_file(struct notes *n, const struct note *note)
{
	struct xckpt_note_file head;
	struct image_process *p = n->p;

	if (take_struct(n, note, &head, sizeof(head), END_OF(struct xckpt_note_file, __reserved)) ||
	    check_table(n, note, head.files_off, head.file_size, head.nr_files,
			END_OF(struct xckpt_file, readers)) ||
	    check_table(n, note, head.fds_off, head.fd_size, head.nr_fds,
			END_OF(struct xckpt_fd, __reserved)) ||
	    take_open_files(n, note, &head))
		return -1;
	p->fds = arena_alloc(n->arena, head.nr_fds, sizeof(*p->fds));
	if (!p->fds)
		return -1;
	for (size_t i = 0; i < head.nr_fds; i++) {
		struct xckpt_fd raw;

		take_entry(note, head.fds_off, head.fd_size, i, &raw, sizeof(raw));
		if (raw.fd < 0 || raw.file >= head.nr_files)
			return notes_damaged(n, "a file descriptor leads nowhere");
		if (i && raw.fd <= p->fds[i - 1].fd)
			return notes_damaged(n, "file descriptors are not in order");
		p->fds[i].fd = raw.fd;
		p->fds[i].cloexec = raw.flags & XCKPT_FD_CLOEXEC;
		p->fds[i].file = &n->files->files[raw.file];
	}
	p->nr_fds = head.nr_fds;
	return 0;
}

/* It stands behind XCKPT_NT_FILE, and tells more of files there. */
int take_ring(struct notes *n, const struct note *note)
{
	struct xckpt_note_table head;
	size_t at = 0;

	if (take_struct(n, note, &head, sizeof(head),
			END_OF(struct xckpt_note_table, entries_off)) ||
	    check_table(n, note, head.entries_off, head.entry_size, head.nr_entries,
			END_OF(struct xckpt_ring, __reserved)))
		return -1;
	for (size_t i = 0; i < head.nr_entries; i++) {
		struct xckpt_ring ring;

		take_entry(note, head.entries_off, head.entry_size, i, &ring, sizeof(ring));
		while (at < n->files->nr_files && n->files->files[at].id != ring.file)
			at++;
		if (at == n->files->nr_files)
			return notes_damaged(n, "an io_uring is of no open file");
		n->files->files[at].event.ring = ring;
	}
	return 0;
}
