// SPDX-License-Identifier: GPL-2.0-or-later
/* The notes of a core: uapi/xckpt_image.h turned into plain tables, checked. */
#include "core_notes.h"
#include "report.h"
#include "xckpt.h"

#include <elf.h>
#include <string.h>

/* x86-64's struct elf_prstatus: the only members read of it */
#define PRSTATUS_SIZE 336
#define PRSTATUS_REGS 112
#define FXSAVE_SIZE 512
#define XSAVE_HEADER_END 576
#define AT_ENTRY_WORDS 2
#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204
#endif
#define REGS_SIZE (27 * 8)
#define END_OF(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

_Static_assert(sizeof(struct x86_regs) == REGS_SIZE, "user_regs_struct");
_Static_assert(sizeof(struct xckpt_note_thread) == 280, "struct xckpt_note_thread");

int notes_damaged(const struct notes *n, const char *what)
{
	return fail("%s: %s is damaged: %s (dump again, or copy the image again)", n->at->action,
		    n->at->name, what);
}

/* For the types of XCKPT notes only, which count from 1. */
static uint32_t type_bit(uint32_t type)
{
	return 1u << (type & 31);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

int take_struct(const struct notes *n, const struct note *note, void *to, size_t size, size_t min)
{
	size_t len = note->size < 4 ? 0 : get32(note->desc);

	if (len < min || len > note->size)
		return notes_damaged(n, "a note has an impossible size");
	memset(to, 0, size);
	memcpy(to, note->desc, len < size ? len : size);
	return 0;
}

int take_string(const struct notes *n, const struct note *note, uint32_t off, const char **to)
{
	*to = "";
	if (!off)
		return 0;
	if (off >= note->size || !memchr(note->desc + off, 0, note->size - off))
		return notes_damaged(n, "a string exceeds its note");
	*to = (const char *)note->desc + off;
	return 0;
}

static int take_process(struct notes *n, const struct note *note)
{
	struct xckpt_note_process *info = &n->p->info;

	if (take_struct(n, note, info, sizeof(*info),
			END_OF(struct xckpt_note_process, stop_signal)) ||
	    take_string(n, note, info->exe_off, &n->p->exe) ||
	    take_string(n, note, info->cwd_off, &n->p->cwd) ||
	    take_string(n, note, info->root_off, &n->p->root) ||
	    take_groups(n, note, info->groups_off, info->nr_groups, &n->p->groups))
		return -1;
	n->p->nr_groups = info->nr_groups;
	info->comm[sizeof(info->comm) - 1] = 0;
	if (info->pid <= 0)
		return notes_damaged(n, "a pid is not positive");
	return 0;
}

static int take_mm(struct notes *n, const struct note *note)
{
	return take_struct(n, note, &n->p->mm, sizeof(n->p->mm),
			   END_OF(struct xckpt_note_mm, vdso));
}

static int take_auxv(struct notes *n, const struct note *note)
{
	uint64_t *auxv;
	size_t words = note->size / 8;

	auxv = arena_alloc(n->arena, words + AT_ENTRY_WORDS, 8);
	if (!auxv)
		return -1;
	memcpy(auxv, note->desc, words * 8);
	for (size_t i = 0; i + 1 < words; i += AT_ENTRY_WORDS) {
		if (auxv[i] == AT_NULL) {
			n->p->auxv = auxv;
			n->p->nr_auxv = i + AT_ENTRY_WORDS;
			return 0;
		}
	}
	return notes_damaged(n, "the auxiliary vector has no end");
}

/* Everything a thread must have told before the next one, or the end, comes. */
static int finish_thread(struct notes *n)
{
	if (!n->thread) {
		n->process_seen = n->seen;
		return 0;
	}
	if (!n->thread->xstate)
		return notes_damaged(n, "a thread has no floating point registers");
	if (!(n->seen & (type_bit(XCKPT_NT_THREAD))))
		return notes_damaged(n, "a thread has no XCKPT THREAD note");
	n->process_seen |= n->seen;
	return 0;
}

static int take_prstatus(struct notes *n, const struct note *note)
{
	if (note->size < PRSTATUS_SIZE)
		return notes_damaged(n, "NT_PRSTATUS is too short");
	if (finish_thread(n))
		return -1;
	n->seen = 0;
	n->thread = &n->p->threads[n->p->nr_threads++];
	memcpy(&n->thread->regs, note->desc + PRSTATUS_REGS, REGS_SIZE);
	return 0;
}

static int take_fpregs(struct notes *n, const struct note *note)
{
	size_t min = note->type == NT_PRFPREG ? FXSAVE_SIZE : XSAVE_HEADER_END;

	if (!n->thread)
		return notes_damaged(n, "floating point registers of no thread");
	if (note->size < min)
		return notes_damaged(n, "floating point registers are too short");
	if (note->type == NT_PRFPREG && n->thread->xstate)
		return 0; /* NT_X86_XSTATE has them too */
	n->thread->xstate = note->desc;
	n->thread->xstate_size = note->size;
	return 0;
}

/* The kernel has it of those only who asked for one. */
static int take_shadow_stack(struct notes *n, const struct note *note)
{
	(void)note;
	if (n->thread)
		n->thread->shadow_stack = true;
	return 0;
}

static int take_thread(struct notes *n, const struct note *note)
{
	struct xckpt_note_thread *info;

	if (!n->thread)
		return notes_damaged(n, "an XCKPT THREAD note of no thread");
	info = &n->thread->info;
	if (take_struct(n, note, info, sizeof(*info), END_OF(struct xckpt_note_thread, comm)))
		return -1;
	info->comm[sizeof(info->comm) - 1] = 0;
	if (info->tid <= 0)
		return notes_damaged(n, "a thread id is not positive");
	if (info->state > XCKPT_TASK_VFORK && info->state != XCKPT_TASK_ASLEEP)
		return notes_damaged(n, "a thread in an impossible state");
	n->thread->tid = info->tid;
	return 0;
}

static const struct {
	const char *name;
	uint32_t type;
	int (*take)(struct notes *n, const struct note *note);
} takers[] = {
	{ "CORE", NT_AUXV, take_auxv },
	{ "CORE", NT_PRSTATUS, take_prstatus },
	{ "CORE", NT_PRFPREG, take_fpregs },
	{ "LINUX", NT_X86_XSTATE, take_fpregs },
	{ "LINUX", NT_X86_SHSTK, take_shadow_stack },
	{ XCKPT_NOTE_NAME, XCKPT_NT_PROCESS, take_process },
	{ XCKPT_NOTE_NAME, XCKPT_NT_MM, take_mm },
	{ XCKPT_NOTE_NAME, XCKPT_NT_VMA, take_vma },
	{ XCKPT_NOTE_NAME, XCKPT_NT_GUARD, take_guard },
	{ XCKPT_NOTE_NAME, XCKPT_NT_SIGACTION, take_sigaction },
	{ XCKPT_NOTE_NAME, XCKPT_NT_TIMER, take_timer },
	{ XCKPT_NOTE_NAME, XCKPT_NT_SEM_UNDO, take_undo },
	{ XCKPT_NOTE_NAME, XCKPT_NT_SIGPENDING, take_sigpending },
	{ XCKPT_NOTE_NAME, XCKPT_NT_FILE, take_file },
	{ XCKPT_NOTE_NAME, XCKPT_NT_RING, take_ring },
	{ XCKPT_NOTE_NAME, XCKPT_NT_THREAD, take_thread },
	{ XCKPT_NOTE_NAME, XCKPT_NT_CREDS, take_creds },
};

static bool note_is(const struct note *note, const char *name, uint32_t type)
{
	size_t len = strlen(name) + 1;

	return note->type == type && note->name_size == len && memcmp(note->name, name, len) == 0;
}

/* There may be one for each thread. */
static bool is_of_thread(uint32_t type)
{
	return type == XCKPT_NT_THREAD || type == XCKPT_NT_SIGPENDING || type == XCKPT_NT_CREDS;
}

static int take_note(struct notes *n, const struct note *note)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		uint32_t bit = type_bit(note->type);

		if (!note_is(note, takers[i].name, takers[i].type))
			continue;
		if (strcmp(takers[i].name, XCKPT_NOTE_NAME) == 0) {
			if ((n->seen & bit) ||
			    ((n->process_seen & bit) && !is_of_thread(note->type)))
				return notes_damaged(n, "a note stands twice");
			n->seen |= bit;
		}
		return takers[i].take(n, note);
	}
	return 0; /* somebody else's, or of a later version */
}

/* The note at @*pos; 1 when there is one, 0 at the end, -1 when it is cut off. */
static int next_note(const uint8_t *notes, size_t size, size_t *pos, struct note *note)
{
	size_t left = size - *pos, name, desc;

	if (!left)
		return 0;
	if (left < 12)
		return -1;
	note->name_size = get32(notes + *pos);
	note->size = get32(notes + *pos + 4);
	note->type = get32(notes + *pos + 8);
	name = (note->name_size + 3) & ~(size_t)3;
	desc = (note->size + 3) & ~(size_t)3;
	if (name > left - 12 || desc > left - 12 - name)
		return -1;
	note->name = (const char *)notes + *pos + 12;
	note->desc = notes + *pos + 12 + name;
	*pos += 12 + name + desc;
	return 1;
}

static int check_complete(const struct notes *n)
{
	static const struct {
		uint32_t type;
		const char *missing;
	} needed[] = {
		{ XCKPT_NT_MM, "it has no XCKPT MM note" },
		{ XCKPT_NT_VMA, "it has no XCKPT VMA note" },
		{ XCKPT_NT_SIGACTION, "it has no XCKPT SIGACTION note" },
		{ XCKPT_NT_FILE, "it has no XCKPT FILE note" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(n->process_seen & (type_bit(needed[i].type))))
			return notes_damaged(n, needed[i].missing);
	if (n->process_seen & type_bit(XCKPT_NT_TIMER) &&
	    n->p->nr_timers != n->p->info.nr_posix_timers)
		return notes_damaged(n, "timers are missing");
	if (!n->p->auxv)
		return notes_damaged(n, "it has no auxiliary vector");
	return check_guards(n);
}

int core_read_notes(const struct core_place *at, struct arena *arena, const uint8_t *notes,
		    size_t size, struct image_process *p, struct core_files *files)
{
	struct notes n = { .at = at, .arena = arena, .p = p, .files = files };
	size_t nr_threads = 0, pos;
	bool ours = false;
	struct note note;
	int more;

	for (pos = 0; (more = next_note(notes, size, &pos, &note)) > 0;) {
		nr_threads += note_is(&note, "CORE", NT_PRSTATUS);
		ours |= note_is(&note, XCKPT_NOTE_NAME, XCKPT_NT_PROCESS);
	}
	if (more < 0)
		return notes_damaged(&n, "a note exceeds the notes");
	if (!ours)
		return fail("%s: %s is a core, but not one that xckpt wrote", at->action, at->name);
	if (!nr_threads)
		return notes_damaged(&n, "it has no threads");
	p->exe = p->cwd = p->root = "";
	p->threads = arena_alloc(arena, nr_threads, sizeof(*p->threads));
	if (!p->threads)
		return -1;
	for (pos = 0; next_note(notes, size, &pos, &note) > 0;)
		if (take_note(&n, &note))
			return -1;
	if (finish_thread(&n))
		return -1;
	return check_complete(&n);
}
