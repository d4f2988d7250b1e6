// SPDX-License-Identifier: GPL-2.0-only
/* Order of the notes (uapi/xckpt_image.h), and the ELF header before them. */
#include <linux/dcache.h>
#include <linux/elf.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "capture.h"
#include "task.h"
#include "trace.h"

const char *capture_path(struct capture *capture, const struct path *path)
{
	const char *name = d_path(path, capture->path, sizeof(capture->path));

	return IS_ERR(name) ? NULL : name;
}

u32 capture_table(struct notes *notes, u32 nr, u32 size)
{
	u32 offset = notes_offset(notes);

	if (!notes_add(notes, (size_t)nr * size) && !notes->err)
		notes->err = -ENOMEM;
	return offset;
}

static u32 thread_state(enum member_state state)
{
	switch (state) {
	case MEMBER_STOPPED:
		return XCKPT_TASK_STOPPED;
	case MEMBER_VFORK:
		return XCKPT_TASK_VFORK;
	case MEMBER_ASLEEP:
		return XCKPT_TASK_ASLEEP;
	default:
		return XCKPT_TASK_PARKED;
	}
}

struct held {
	struct task_struct *task; /* with a reference */
	u32 state;
	bool cut;
};

/* The held threads of the process, the leader first; returns how many. */
static unsigned int list_threads(struct capture *capture, struct held *list, unsigned int room)
{
	struct task_struct *task;
	struct member *member;
	unsigned int nr = 1;

	rcu_read_lock();
	spin_lock(&members_lock);
	for_each_thread(capture->leader, task) {
		struct held *held = &list[task == capture->leader ? 0 : nr];

		member = member_find(capture->group, task);
		if (!member || !member_held(member->state) || held == &list[room])
			continue;
		held->task = get_task_struct(task);
		held->state = thread_state(member->state);
		held->cut = member->state == MEMBER_PARKED && member->cut;
		nr += held != list;
	}
	spin_unlock(&members_lock);
	rcu_read_unlock();
	return nr;
}

static void capture_threads(struct capture *capture)
{
	unsigned int i, nr, room = READ_ONCE(capture->leader->signal->nr_threads) + 1;
	struct held *list = kvcalloc(room, sizeof(*list), GFP_KERNEL_ACCOUNT);

	if (!list) {
		capture->notes.err = capture->notes.err ?: -ENOMEM;
		return;
	}
	nr = list_threads(capture, list, room);
	for (i = 0; i < nr; i++) {
		if (!list[i].task)
			continue; /* killed */
		capture_thread(capture, list[i].task, list[i].state, list[i].cut);
		put_task_struct(list[i].task);
		cond_resched();
	}
	kvfree(list);
}

/* With too many segments for e_phnum their number stands in section header 0. */
static size_t head_size(const struct core *core)
{
	size_t size = sizeof(struct elf64_hdr);

	size += (core->nr_segments + 1) * sizeof(struct elf64_phdr);
	if (core->nr_segments + 1 >= PN_XNUM)
		size += sizeof(struct elf64_shdr);
	return size;
}

static void fill_elf_header(struct core *core, struct elf64_hdr *elf)
{
	unsigned int phnum = core->nr_segments + 1;
	struct elf64_shdr *section;

	memcpy(elf->e_ident, ELFMAG, SELFMAG);
	elf->e_ident[EI_CLASS] = ELFCLASS64;
	elf->e_ident[EI_DATA] = ELFDATA2LSB;
	elf->e_ident[EI_VERSION] = EV_CURRENT;
	elf->e_type = ET_CORE;
	elf->e_machine = EM_X86_64;
	elf->e_version = EV_CURRENT;
	elf->e_phoff = sizeof(*elf);
	elf->e_ehsize = sizeof(*elf);
	elf->e_phentsize = sizeof(struct elf64_phdr);
	elf->e_phnum = min_t(unsigned int, phnum, PN_XNUM);
	if (phnum >= PN_XNUM) {
		elf->e_shoff = sizeof(*elf) + phnum * sizeof(struct elf64_phdr);
		elf->e_shnum = 1;
		elf->e_shentsize = sizeof(*section);
		section = (void *)elf + elf->e_shoff;
		section->sh_info = phnum;
	}
}

/* Lay the file out: header, program headers, notes; then the segments, page-aligned. */
static int build_head(struct core *core, const struct notes *notes)
{
	size_t size = head_size(core);
	struct elf64_phdr *phdr;
	unsigned int i;
	loff_t offset;

	core->head_size = PAGE_ALIGN(size + notes->size);
	core->head = kvzalloc(core->head_size, GFP_KERNEL_ACCOUNT);
	if (!core->head)
		return -ENOMEM;
	fill_elf_header(core, core->head);
	memcpy(core->head + size, notes->data, notes->size);

	phdr = core->head + sizeof(struct elf64_hdr);
	phdr->p_type = PT_NOTE;
	phdr->p_offset = size;
	phdr->p_filesz = notes->size;
	phdr->p_align = 4;

	offset = core->head_size;
	for (i = 0; i < core->nr_segments; i++) {
		struct segment *segment = &core->segments[i];

		phdr++;
		segment->offset = offset;
		phdr->p_type = PT_LOAD;
		phdr->p_flags = segment->flags;
		phdr->p_offset = offset;
		phdr->p_vaddr = segment->start;
		phdr->p_filesz = segment->filesz;
		phdr->p_memsz = segment->end - segment->start;
		phdr->p_align = PAGE_SIZE;
		offset += segment->filesz;
	}
	core->size = offset;
	return 0;
}

struct capture *capture_begin(struct group *group, struct task_struct *leader, bool thin,
			      struct xarray *stores)
{
	struct capture *capture = kvzalloc(sizeof(*capture), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!capture)
		return ERR_PTR(-ENOMEM);
	capture->group = group;
	capture->leader = get_task_struct(leader);
	capture->thin = thin;
	capture->stores = stores;
	xa_init(&capture->rings);
	capture->core = core_alloc(group, leader);
	if (!capture->core)
		goto err;
	ret = -ESRCH;
	capture->mm = get_task_mm(leader);
	if (!capture->mm)
		goto err;
	mmgrab(capture->mm);
	capture->core->mm = capture->mm;
	trace_capture_begin(capture->core->pid);
	return capture;
err:
	capture_end(capture, ret);
	return ERR_PTR(ret);
}

int capture_memory(struct capture *capture)
{
	capture_identity(capture);
	return capture_layout(capture);
}

int capture_rest(struct capture *capture)
{
	capture_signals(capture);
	capture_timers(capture);
	capture_undo(capture);
	capture_pending(&capture->notes, capture->leader, true);
	capture_files(capture);
	capture_threads(capture);
	return capture->notes.err ?: build_head(capture->core, &capture->notes);
}

struct core *capture_end(struct capture *capture, int ret)
{
	struct core *core = capture->core;

	if (capture->mm) {
		trace_capture_end(core->pid, core->nr_segments, core->data_bytes, ret);
		mmput(capture->mm);
	}
	put_task_struct(capture->leader);
	extents_free(&capture->guards);
	capture_rings_forget(capture);
	notes_free(&capture->notes);
	kvfree(capture);
	if (!ret || !core)
		return core;
	core_put(core);
	return NULL;
}
