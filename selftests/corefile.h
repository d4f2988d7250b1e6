/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a core of /dev/xckpt holds, read with nothing but pread(). */
#ifndef COREFILE_H
#define COREFILE_H

#include <elf.h>
#include <sys/procfs.h>
#include <sys/stat.h>

#include "session.h"
#include "xckpt_image.h"

static struct {
	int fd;
	Elf64_Ehdr eh;
	Elf64_Phdr *ph;
	char *notes;
	size_t notes_size;
} core;

static inline void read_at(void *to, size_t size, uint64_t at)
{
	ASSERT(pread(core.fd, to, size, (off_t)at) == (ssize_t)size);
}

/* Reads the head of @fd into @core; what was there before is given up. */
static inline void core_load(int fd)
{
	size_t size;

	ASSERT(fd >= 0);
	free(core.ph);
	free(core.notes);
	core.fd = fd;
	read_at(&core.eh, sizeof(core.eh), 0);
	size = core.eh.e_phnum * sizeof(*core.ph);
	core.ph = malloc(size);
	read_at(core.ph, size, core.eh.e_phoff);
	ASSERT(core.ph[0].p_type == PT_NOTE);
	core.notes_size = core.ph[0].p_filesz;
	core.notes = malloc(core.notes_size);
	read_at(core.notes, core.notes_size, core.ph[0].p_offset);
}

/* The note at @at, which goes on to the next one; NULL behind the last. */
static inline const Elf64_Nhdr *next_note(size_t *at)
{
	const Elf64_Nhdr *nh = (const void *)(core.notes + *at);

	if (*at + sizeof(*nh) > core.notes_size)
		return NULL;
	*at += sizeof(*nh) + ((nh->n_namesz + 3u) & ~3u) + ((nh->n_descsz + 3u) & ~3u);
	return nh;
}

static inline const void *note_desc(const Elf64_Nhdr *nh)
{
	return (const char *)(nh + 1) + ((nh->n_namesz + 3u) & ~3u);
}

/* The n-th note of a type: its description, or NULL. */
static inline const void *note(uint32_t type, unsigned int n, size_t *size)
{
	const Elf64_Nhdr *nh;
	size_t at = 0;

	while ((nh = next_note(&at)))
		if (nh->n_type == type && n-- == 0) {
			*size = nh->n_descsz;
			return note_desc(nh);
		}
	return NULL;
}

/* A note of one thread: those between its NT_PRSTATUS and the next. */
static inline const void *thread_note(pid_t tid, uint32_t type, size_t *size)
{
	const Elf64_Nhdr *nh;
	pid_t now = 0;
	size_t at = 0;

	while ((nh = next_note(&at))) {
		if (nh->n_type == NT_PRSTATUS)
			now = ((const struct elf_prstatus *)note_desc(nh))->pr_pid;
		if (now == tid && nh->n_type == type) {
			*size = nh->n_descsz;
			return note_desc(nh);
		}
	}
	return NULL;
}

static inline const struct user_regs_struct *thread_regs(pid_t tid)
{
	const struct elf_prstatus *status;
	size_t size;

	status = thread_note(tid, NT_PRSTATUS, &size);
	ASSERT(status && size == sizeof(*status));
	return (const void *)status->pr_reg;
}

static inline const struct xckpt_note_thread *thread_extra(pid_t tid)
{
	const struct xckpt_note_thread *extra;
	size_t size;

	extra = thread_note(tid, XCKPT_NT_THREAD, &size);
	ASSERT(extra && size >= sizeof(*extra));
	return extra;
}

/* The mapping that begins at @start, or NULL. */
static inline const struct xckpt_vma *vma_at(uint64_t start)
{
	const struct xckpt_note_table *table;
	const struct xckpt_vma *vma;
	size_t size;

	table = note(XCKPT_NT_VMA, 0, &size);
	ASSERT(table);
	vma = (const void *)((const char *)table + table->entries_off);
	for (uint32_t i = 0; i < table->nr_entries; i++)
		if (vma[i].start == start)
			return &vma[i];
	return NULL;
}

static inline const Elf64_Phdr *segment_of(uint64_t addr)
{
	for (int i = 1; i < core.eh.e_phnum; i++)
		if (addr >= core.ph[i].p_vaddr && addr < core.ph[i].p_vaddr + core.ph[i].p_memsz)
			return &core.ph[i];
	return NULL;
}

/* Memory of the process at @addr, all of it in one segment. */
static inline void core_memory(void *to, size_t size, uint64_t addr)
{
	const Elf64_Phdr *ph = segment_of(addr);
	size_t have;

	ASSERT(ph && addr + size <= ph->p_vaddr + ph->p_memsz);
	memset(to, 0, size);
	have = addr - ph->p_vaddr < ph->p_filesz ? ph->p_filesz - (addr - ph->p_vaddr) : 0;
	if (have)
		read_at(to, have < size ? have : size, ph->p_offset + addr - ph->p_vaddr);
}

#endif
