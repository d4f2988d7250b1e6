// SPDX-License-Identifier: GPL-2.0-or-later
/* What tells one build of a program or library from another. */
#include "build_id.h"
#include "checksum.h"

#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool find_note(Elf_Data *data, char *hex)
{
	size_t pos = 0, name, desc;
	GElf_Nhdr nh;

	while (data && (pos = gelf_getnote(data, pos, &nh, &name, &desc)) > 0) {
		const unsigned char *id = (const unsigned char *)data->d_buf + desc;

		if (nh.n_type != NT_GNU_BUILD_ID || nh.n_namesz != 4 ||
		    memcmp((char *)data->d_buf + name, "GNU", 4) != 0 || nh.n_descsz > BUILD_ID_MAX)
			continue;
		for (size_t i = 0; i < nh.n_descsz; i++)
			snprintf(hex + 2 * i, 3, "%02x", id[i]);
		return true;
	}
	return false;
}

/* A file that anybody may have made: no room is made for more than a build has. */
#define NOTES_MAX ((uint64_t)1 << 20)

/* More sections than its header has room for would be as many as it likes to tell. */
static bool is_credible(int fd)
{
	Elf64_Ehdr eh;
	const Elf32_Ehdr *small = (const Elf32_Ehdr *)&eh;

	if (read_at(fd, &eh, sizeof(eh), 0) != sizeof(eh) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	if (eh.e_ident[EI_CLASS] == ELFCLASS64)
		return eh.e_phnum != PN_XNUM && (eh.e_shnum || !eh.e_shoff);
	return small->e_phnum != PN_XNUM && (small->e_shnum || !small->e_shoff);
}

void build_id_read(int fd, char hex[BUILD_ID_ROOM])
{
	bool found = false;
	size_t nr = 0;
	GElf_Phdr ph;
	Elf *elf;

	hex[0] = 0;
	if (!is_credible(fd))
		return;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &nr) == 0)
		for (size_t i = 0; i < nr && !found; i++)
			if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE &&
			    ph.p_filesz <= NOTES_MAX)
				found = find_note(elf_getdata_rawchunk(elf, (int64_t)ph.p_offset,
								       ph.p_filesz, ELF_T_NHDR),
						  hex);
	elf_end(elf);
}
