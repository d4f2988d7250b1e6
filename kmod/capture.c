// SPDX-License-Identifier: GPL-2.0-only
/* Order of the notes (uapi/xckpt_image.h), and the ELF header before them. */
#include <linux/dcache.h>
#include <linux/elf.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "capture.h"
#include "task.h"

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

static void capture_threads(struct capture *capture)
{
	struct task_struct *leader = capture->leader;
	struct member *member;
	bool first;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		list_for_each_entry(member, &capture->group->members, node) {
			first = member->task == leader;
			if (first != !pass || !same_thread_group(member->task, leader) ||
			    !member_held(READ_ONCE(member->state)))
				continue;
			capture_thread(capture, member->task, thread_state(member->state));
		}
	}
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

int capture_process(struct core *core, struct task_struct *leader, struct mm_struct *mm, bool thin)
{
	struct capture *capture;
	int ret;

	capture = kvzalloc(sizeof(*capture), GFP_KERNEL_ACCOUNT);
	if (!capture)
		return -ENOMEM;
	capture->group = core->group;
	capture->leader = leader;
	capture->mm = mm;
	capture->core = core;
	capture->thin = thin;

	capture_identity(capture);
	ret = capture_layout(capture);
	if (ret)
		goto out;
	capture_signals(capture);
	capture_pending(&capture->notes, leader, true);
	capture_files(capture);
	capture_threads(capture);
	ret = capture->notes.err;
	if (!ret)
		ret = build_head(core, &capture->notes);
out:
	notes_free(&capture->notes);
	kvfree(capture);
	return ret;
}
