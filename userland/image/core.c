// SPDX-License-Identifier: GPL-2.0-or-later
/* The ELF side of a core: header, program headers, where everything lies. */
#include "core.h"
#include "checksum.h"
#include "report.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are little-endian");
_Static_assert(sizeof(void *) == 8, "addresses of an image need 64 bits");

/* No x86-64 process has user addresses beyond 57-bit paging's lower half. */
#define ADDRESS_LIMIT ((uint64_t)1 << 56)
/* 100000 threads with all of AMX are 1.2 GB; beyond that somebody plays tricks. */
#define NOTES_LIMIT ((uint64_t)2 << 30)

static int damaged(const struct core_place *at, const char *what)
{
	return fail("%s: %s is damaged: %s (dump again, or copy the image again)", at->action,
		    at->name, what);
}

static int truncated(const struct core_place *at, uint64_t size, uint64_t needed)
{
	return fail("%s: %s is truncated: it has %" PRIu64 " bytes and needs %" PRIu64
		    " (copy the image again)",
		    at->action, at->name, size, needed);
}

static const char *machine_name(unsigned int machine)
{
	static const struct {
		unsigned int machine;
		const char *name;
	} names[] = {
		{ EM_AARCH64, "aarch64" }, { EM_386, "i386" },	  { EM_ARM, "arm" },
		{ EM_RISCV, "riscv" },	   { EM_PPC64, "ppc64" }, { EM_S390, "s390x" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "another machine";
}

/* Read fully; a short read is a truncated file. */
static int read_part(int fd, const struct core_place *at, void *buf, size_t len, uint64_t offset)
{
	ssize_t n = read_at(fd, buf, len, offset);

	if (n < 0)
		return fail("%s: cannot read %s: %s", at->action, at->name, strerror(errno));
	return (size_t)n == len ? 0 : truncated(at, offset + (size_t)n, offset + len);
}

/* Everything that can be told from the first 64 bytes. */
static int check_header(int fd, const struct core_place *at, uint64_t size, Elf64_Ehdr *eh)
{
	memset(eh, 0, sizeof(*eh));
	if (size >= SELFMAG && read_part(fd, at, eh->e_ident, SELFMAG, 0))
		return -1;
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 && size >= SELFMAG)
		return fail("%s: %s is not an ELF core", at->action, at->name);
	if (size < sizeof(*eh))
		return truncated(at, size, sizeof(*eh));
	if (read_part(fd, at, eh, sizeof(*eh), 0))
		return -1;
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return fail("%s: %s is a core of a big-endian machine, not of x86-64", at->action,
			    at->name);
	if (eh->e_machine != EM_X86_64)
		return fail("%s: %s is a core of %s, not of x86-64", at->action, at->name,
			    machine_name(eh->e_machine));
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return fail("%s: %s is a core of a 32-bit program (only 64-bit ones are supported)",
			    at->action, at->name);
	if (eh->e_type != ET_CORE)
		return fail("%s: %s is an ELF file but no core", at->action, at->name);
	if (eh->e_ident[EI_VERSION] != EV_CURRENT || eh->e_version != EV_CURRENT)
		return damaged(at, "unknown ELF version");
	if (eh->e_ehsize != sizeof(Elf64_Ehdr) || eh->e_phentsize != sizeof(Elf64_Phdr))
		return damaged(at, "wrong size of an ELF header");
	/* libelf makes room for as many as a section that is none may tell */
	if (eh->e_shoff && !eh->e_shnum)
		return damaged(at, "more section headers than a core has");
	if (eh->e_phnum == PN_XNUM) {
		if (eh->e_shentsize != sizeof(Elf64_Shdr) || eh->e_shoff < sizeof(*eh))
			return damaged(at, "no section header to count the program headers");
		if (eh->e_shoff > size || size - eh->e_shoff < sizeof(Elf64_Shdr))
			return truncated(at, size, eh->e_shoff + sizeof(Elf64_Shdr));
	}
	return 0;
}

/* A PT_LOAD becomes a segment; its mapping's facts come from the VMA note later. */
static int add_segment(const struct core_place *at, const GElf_Phdr *ph, uint64_t size,
		       uint64_t *data_end, struct image_process *p)
{
	struct segment *s = &p->segments[p->nr_segments];
	uint64_t last = p->nr_segments ? s[-1].end : 0;

	if (ph->p_vaddr % IMAGE_PAGE_SIZE || ph->p_memsz % IMAGE_PAGE_SIZE ||
	    ph->p_offset % IMAGE_PAGE_SIZE || ph->p_filesz % IMAGE_PAGE_SIZE)
		return damaged(at, "a segment is not page-aligned");
	if (!ph->p_memsz || ph->p_memsz > ADDRESS_LIMIT || ph->p_vaddr > ADDRESS_LIMIT ||
	    ph->p_vaddr + ph->p_memsz > ADDRESS_LIMIT)
		return damaged(at, "a segment lies outside user addresses");
	if (ph->p_vaddr < last)
		return damaged(at, "segments overlap or are not in address order");
	if (ph->p_filesz > ph->p_memsz)
		return damaged(at, "a segment is larger in the file than in memory");
	if (ph->p_filesz) {
		if (ph->p_offset < *data_end || ph->p_offset > (uint64_t)INT64_MAX - ph->p_filesz)
			return damaged(at, "segments overlap in the file");
		*data_end = ph->p_offset + ph->p_filesz;
		if (*data_end > size)
			return truncated(at, size, *data_end);
		s->offset = ph->p_offset;
	}
	s->start = ph->p_vaddr;
	s->end = ph->p_vaddr + ph->p_memsz;
	s->holder = p;
	s->filesz = ph->p_filesz;
	s->path = "";
	p->nr_segments++;
	return 0;
}

static int read_program_headers(Elf *elf, const struct core_place *at, struct arena *arena,
				uint64_t size, struct image_process *p, GElf_Phdr *note)
{
	uint64_t data_end;
	size_t nr = 0;
	GElf_Ehdr eh;
	GElf_Phdr ph;

	if (!gelf_getehdr(elf, &eh) || elf_getphdrnum(elf, &nr))
		return damaged(at, elf_errmsg(-1));
	if (eh.e_phoff < sizeof(Elf64_Ehdr) || eh.e_phoff % 8)
		return damaged(at, "program headers in an impossible place");
	if (eh.e_phoff > size || nr > (size - eh.e_phoff) / sizeof(Elf64_Phdr))
		return truncated(at, size, eh.e_phoff + nr * sizeof(Elf64_Phdr));
	if (!nr || !gelf_getphdr(elf, 0, note) || note->p_type != PT_NOTE)
		return damaged(at, "its first program header is not PT_NOTE");
	if (note->p_offset < eh.e_phoff + nr * sizeof(Elf64_Phdr) || note->p_offset % 4 ||
	    note->p_filesz > NOTES_LIMIT)
		return damaged(at, "notes in an impossible place");
	if (note->p_offset > size || note->p_filesz > size - note->p_offset)
		return truncated(at, size, note->p_offset + note->p_filesz);

	p->segments = arena_alloc(arena, nr, sizeof(*p->segments));
	if (!p->segments)
		return -1;
	data_end = note->p_offset + note->p_filesz;
	for (size_t i = 1; i < nr; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph))
			return damaged(at, elf_errmsg(-1));
		if (ph.p_type != PT_LOAD)
			return damaged(at, "a program header is neither PT_NOTE nor PT_LOAD");
		if (add_segment(at, &ph, size, &data_end, p))
			return -1;
	}
	return 0;
}

int core_read(int fd, const struct core_place *at, struct arena *arena, struct image_process *p,
	      struct core_files *files)
{
	Elf64_Ehdr header;
	GElf_Phdr note;
	uint8_t *notes;
	struct stat st;
	Elf *elf;
	int err;

	memset(p, 0, sizeof(*p));
	memset(files, 0, sizeof(*files));
	if (fstat(fd, &st))
		return fail("%s: cannot stat %s: %s", at->action, at->name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail("%s: %s is not a regular file", at->action, at->name);
	p->core_fd = fd;
	p->core_size = (uint64_t)st.st_size;
	p->core_name = at->name;
	if (check_header(fd, at, p->core_size, &header))
		return -1;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return damaged(at, elf_errmsg(-1));
	err = read_program_headers(elf, at, arena, p->core_size, p, &note);
	elf_end(elf);
	if (err)
		return -1;

	notes = arena_alloc(arena, note.p_filesz, 1);
	if (!notes || read_part(fd, at, notes, note.p_filesz, note.p_offset))
		return -1;
	return core_read_notes(at, arena, notes, note.p_filesz, p, files);
}
