// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The vDSO reads its data pages, which are another machine's: they become zeroes,
 * clock mode "none", with which clock_gettime() goes to the kernel even from the
 * middle. Entries that would believe the zeroes (time, getcpu ...) are replaced.
 */
#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "blobs.h"
#include "vdso.h"

#define CALL_ALIGN 16

#define CALL(nr)                                                                                   \
	{                                                                                          \
		0xb8, (nr)&0xff, (nr) >> 8, 0, 0, 0x0f, 0x05, 0xc3                                 \
	} /* mov nr,%eax; syscall; ret */

static const struct {
	const char *name;
	uint8_t len, code[20];
} functions[] = {
	{ "clock_gettime", 8, CALL(228) },
	{ "gettimeofday", 8, CALL(96) },
	{ "time", 8, CALL(201) },
	{ "getcpu", 8, CALL(309) },
	{ "clock_getres", 8, CALL(229) },
	/*
	 * getrandom(buf, len, flags, state, state_len): the first three are the
	 * system call's. With state_len ~0 a C library asks for the size of its
	 * state: ENOSYS makes it use the system call.
	 *   cmp $-1,%r8; je 1f; mov $318,%eax; syscall; ret; 1: mov $-ENOSYS,%eax; ...
	 */
	{ "getrandom",
	  20,
	  { 0x49, 0x83, 0xf8, 0xff, 0x74, 0x08, 0xb8, 0x3e, 0x01, 0x00,
	    0x00, 0x0f, 0x05, 0xc3, 0x6a, 0xda, 0x58, 0xc3, 0x90, 0x90 } }, /* push $-38; pop %rax;
									       ret */
};

#define RANDOM (sizeof(functions) / sizeof(functions[0]) - 1) /* the last one */

struct vdso {
	uint8_t *image;
	size_t len;
	uint64_t base; /* virtual address of the first byte */
	uint64_t symtab, strtab, strsz;
	uint64_t nr_symbols;
};

static bool inside(const struct vdso *v, uint64_t offset, uint64_t len)
{
	return offset <= v->len && len <= v->len - offset;
}

static uint32_t get32(const struct vdso *v, uint64_t offset)
{
	uint32_t x = 0;

	if (inside(v, offset, sizeof(x)))
		memcpy(&x, v->image + offset, sizeof(x));
	return x;
}

/* The highest symbol that DT_GNU_HASH reaches, plus one. */
static uint64_t gnu_hash_symbols(const struct vdso *v, uint64_t hash)
{
	uint32_t nr_buckets = get32(v, hash), first = get32(v, hash + 4),
		 words = get32(v, hash + 8);
	uint64_t buckets = hash + 16 + 8ull * words, chains = buckets + 4ull * nr_buckets;
	uint64_t i, last = 0;

	if (!inside(v, buckets, 4ull * nr_buckets))
		return 0;
	for (i = 0; i < nr_buckets; i++)
		if (get32(v, buckets + 4 * i) > last)
			last = get32(v, buckets + 4 * i);
	if (last < first)
		return 0;
	while (inside(v, chains + 4 * (last - first), 4) &&
	       !(get32(v, chains + 4 * (last - first)) & 1))
		last++;
	return last + 1;
}

static bool read_dynamic(struct vdso *v, uint64_t offset, uint64_t len)
{
	uint64_t hash = 0, gnu_hash = 0;
	Elf64_Dyn dyn;

	if (!inside(v, offset, len))
		return false;
	for (; len >= sizeof(dyn); offset += sizeof(dyn), len -= sizeof(dyn)) {
		memcpy(&dyn, v->image + offset, sizeof(dyn));
		if (dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag == DT_SYMTAB)
			v->symtab = dyn.d_un.d_ptr - v->base;
		else if (dyn.d_tag == DT_STRTAB)
			v->strtab = dyn.d_un.d_ptr - v->base;
		else if (dyn.d_tag == DT_STRSZ)
			v->strsz = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_HASH)
			hash = dyn.d_un.d_ptr - v->base;
		else if (dyn.d_tag == DT_GNU_HASH)
			gnu_hash = dyn.d_un.d_ptr - v->base;
	}
	if (hash)
		v->nr_symbols = get32(v, hash + 4);
	else if (gnu_hash)
		v->nr_symbols = gnu_hash_symbols(v, gnu_hash);
	return v->symtab && v->strtab && inside(v, v->strtab, v->strsz) && v->strsz &&
	       v->nr_symbols && v->nr_symbols < v->len / sizeof(Elf64_Sym) + 1 &&
	       inside(v, v->symtab, v->nr_symbols * sizeof(Elf64_Sym));
}

static bool vdso_open(struct vdso *v)
{
	bool have_load = false;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int i, pass;

	if (v->len < sizeof(eh))
		return false;
	memcpy(&eh, v->image, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(ph) ||
	    !inside(v, eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(ph)))
		return false;
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < eh.e_phnum; i++) {
			memcpy(&ph, v->image + eh.e_phoff + i * sizeof(ph), sizeof(ph));
			if (!pass && ph.p_type == PT_LOAD && !have_load) {
				v->base = ph.p_vaddr - ph.p_offset;
				have_load = true;
			} else if (pass && ph.p_type == PT_DYNAMIC) {
				return read_dynamic(v, ph.p_offset, ph.p_filesz);
			}
		}
	return false;
}

static int function_of(const struct vdso *v, const Elf64_Sym *sym)
{
	const char *name = (const char *)v->image + v->strtab + sym->st_name;
	size_t i;

	if (sym->st_name >= v->strsz || !memchr(name, 0, v->strsz - sym->st_name))
		return -1;
	if (!strncmp(name, "__vdso_", 7))
		name += 7;
	for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strcmp(name, functions[i].name))
			return i;
	return -1;
}

static bool is_busy(uint64_t offset, uint64_t len, const uint64_t *busy, size_t nr_busy)
{
	size_t i;

	for (i = 0; i < nr_busy; i++)
		if (busy[i] > offset && busy[i] < offset + len)
			return true;
	return false;
}

/* The functions from @first on. */
static int patch(uint8_t *image, size_t len, int first, const uint64_t *busy, size_t nr_busy)
{
	struct vdso v = { .image = image, .len = len };
	int patched = 0;
	uint64_t i;

	if (!vdso_open(&v))
		return -1;
	for (i = 0; i < v.nr_symbols; i++) {
		uint64_t offset;
		Elf64_Sym sym;
		int f;

		memcpy(&sym, image + v.symtab + i * sizeof(sym), sizeof(sym));
		if (ELF64_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF)
			continue;
		f = function_of(&v, &sym);
		offset = sym.st_value - v.base;
		/* never over the tables that are being read */
		if (f < first || !inside(&v, offset, functions[f].len) ||
		    sym.st_size < functions[f].len ||
		    offset < v.symtab + v.nr_symbols * sizeof(sym))
			continue;
		if (is_busy(offset, functions[f].len, busy, nr_busy))
			continue;
		memcpy(image + offset, functions[f].code, functions[f].len);
		patched++;
	}
	return patched;
}

int vdso_patch(uint8_t *image, size_t len, const uint64_t *busy, size_t nr_busy)
{
	return patch(image, len, 0, busy, nr_busy);
}

int vdso_patch_random(uint8_t *image, size_t len)
{
	return patch(image, len, RANDOM, NULL, 0);
}

/* Not over an old function: a signal handler may be about to return into one. */
uint64_t vdso_add_call(uint8_t *image, size_t len)
{
	size_t size = blob_call_end - blob_call, i;
	uint64_t offset = len < size ? 0 : (len - size) & ~(uint64_t)(CALL_ALIGN - 1);

	for (i = offset; i < len; i++)
		if (image[i])
			return 0;
	if (offset)
		memcpy(image + offset, blob_call, size);
	return offset;
}

uint64_t vdso_find_call(const uint8_t *image, size_t len)
{
	size_t size = blob_call_end - blob_call, offset;

	for (offset = CALL_ALIGN; offset < len && size <= len - offset; offset += CALL_ALIGN)
		if (!memcmp(image + offset, blob_call, size))
			return offset;
	return 0;
}
