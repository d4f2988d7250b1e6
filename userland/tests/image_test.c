// SPDX-License-Identifier: GPL-2.0-or-later
/* Images: the manifest, checksums. */
#include "build_id.h"
#include "checksum.h"
#include "common.h"
#include "image_priv.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)

static char *read_manifest(const char *dir)
{
	static char text[1 << 16];
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/group.json", dir);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	return text;
}

static void write_manifest(const char *dir, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/group.json", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

/* Opening must fail with these words. */
static void expect_error(const char *path, const char *words)
{
	struct image *img;
	const char *said;

	quiet_begin();
	img = image_open(path);
	said = quiet_end();
	check(!img && strstr(said, words) && strchr(said, '\n') == strrchr(said, '\n'),
	      "\"%s\": %s", words, said);
	image_close(img);
}

static void test_open(const char *dir)
{
	char core[300];
	struct image *img = image_open(dir);

	if (!check(img != NULL, "open a directory"))
		return;
	check(img->nr_processes == 1 && img->nr_files == 4 && img->version == 1 && !img->thin &&
		      strcmp(img->processes[0].core_name, "42.core") == 0 &&
		      img->processes[0].fds[3].file == &img->files[3] && img->files[3].id == 9,
	      "its tables");
	check(img->nr_xstate == 2 && img->xstate[1].component == 9 &&
		      img->xstate[1].offset == 2432 && img->xstate[1].size == 8,
	      "the layout of vector state");
	image_close(img);
	snprintf(core, sizeof(core), "%s/42.core", dir);
	img = image_open(core);
	check(img != NULL, "open a core in it");
	image_close(img);
	snprintf(core, sizeof(core), "%s/43.core", dir);
	if (symlink("42.core", core))
		err(1, "symlink");
	expect_error(core, "does not know it");
	unlink(core);
	expect_error(in_scratch("nothing"), "No such file");
	expect_error("/dev/null", "neither an image's directory");
}

/* A file that was mapped, and then linked to its name, as sem_open(3) does. */
static void test_lost_names(void)
{
	struct open_file file = { .id = 1, .path = "/dev/shm/sem.name", .dev = 5, .ino = 6 };
	struct segment segments[] = {
		{ .path = "/dev/shm/sem.made (deleted)",
		  .vma = { .kind = XCKPT_VMA_FILE, .dev = 5, .ino = 6 } },
		{ .path = "/dev/shm/sem.gone (deleted)",
		  .vma = { .kind = XCKPT_VMA_FILE,
			   .flags = XCKPT_VMA_DELETED,
			   .dev = 5,
			   .ino = 6 } },
		{ .path = "/dev/shm/other (deleted)",
		  .vma = { .kind = XCKPT_VMA_FILE, .dev = 5, .ino = 7 } },
	};
	struct image_process p = { .segments = segments, .nr_segments = 3 };
	struct image img = { .processes = &p, .nr_processes = 1, .files = &file, .nr_files = 1 };

	image_find_names(&img);
	check(segments[0].path == file.path, "a mapping has the name that its file has");
	check(segments[1].path != file.path && segments[2].path != file.path,
	      "not where it has none, or another file has it");
}

static void replace(const char *dir, const char *good, const char *from, const char *to)
{
	char text[1 << 16];
	const char *at = strstr(good, from);

	if (!at)
		errx(1, "no %s in the manifest", from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	write_manifest(dir, text);
}

static void test_manifest(const char *dir)
{
	char *good = strdup(read_manifest(dir)), *text = strdup(good);
	char path[512];

	replace(dir, good, "\"version\": 1", "\"version\": 7");
	expect_error(dir, "format version 7");
	replace(dir, good, "\"format\": \"xckpt\"", "\"format\": \"other\"");
	expect_error(dir, "not the manifest of an image");
	replace(dir, good, "\"root\": 42", "\"root\": 43");
	expect_error(dir, "group.json is damaged: checksum mismatch");
	replace(dir, good, "{", "[");
	expect_error(dir, "group.json is damaged: line");
	for (size_t len = 0; len < strlen(good); len += 97) {
		struct image *img;

		text[len] = 0;
		write_manifest(dir, text);
		text[len] = good[len];
		quiet_begin();
		img = image_open(dir);
		if (img || !quiet_end()[0])
			check(false, "a manifest of %zu bytes", len);
	}
	snprintf(path, sizeof(path), "%s/group.json", dir);
	unlink(path);
	expect_error(dir, "group.json is missing");
	write_manifest(dir, good);
	free(text);
	free(good);
}

static void poke(const char *dir, uint64_t offset)
{
	char path[512], byte;
	int fd;

	snprintf(path, sizeof(path), "%s/42.core", dir);
	fd = open(path, O_RDWR);
	if (pread(fd, &byte, 1, (off_t)offset) != 1)
		err(1, "%s", path);
	byte ^= 0x10;
	if (pwrite(fd, &byte, 1, (off_t)offset) != 1)
		err(1, "%s", path);
	close(fd);
}

static void expect_verify(const char *dir, uint64_t lazy, int ret, uint64_t left, const char *words)
{
	struct image *img = image_open(dir);
	uint64_t got_left = 0;
	const char *said;
	int got;

	quiet_begin();
	got = image_verify(img, VERIFY_ALL, 3, lazy, &got_left);
	said = quiet_end();
	check(img && got == ret && got_left == left && strstr(said, words),
	      "verify from %ju: %d, %ju left, '%s'", (uintmax_t)lazy, got, (uintmax_t)got_left,
	      said);
	image_close(img);
}

static void test_verify(const char *dir)
{
	/* 42.core: head, 2 pages, 1 MiB heap, 64 MiB of a clean file, of it 4 to 60 */
	uint64_t size, big = MIB + 0x2000;
	struct bytes head = core_head(&plain_spec, &size);
	char path[512];
	struct stat st;

	big += (head.len + 4095) & ~4095ul;
	free(head.data);
	snprintf(path, sizeof(path), "%s/42.core", dir);
	expect_verify(dir, 0, 0, 0, "");
	/* block 0 has other data, block 1 is checked, 2 and 3 are left, 4 is empty */
	expect_verify(dir, 1, 0, 32 * MIB, "");
	poke(dir, big + 50 * MIB);
	expect_verify(dir, 0, -1, 0, "42.core is damaged: checksum mismatch at offset 50331648");
	poke(dir, big + 50 * MIB);
	poke(dir, big - MIB + 0x3000); /* the heap's */
	expect_error(dir, "checksum mismatch at offset 0");
	poke(dir, big - MIB + 0x3000);
	poke(dir, big + 63 * MIB + MIB / 2); /* a hole's */
	expect_verify(dir, 0, -1, 0, "checksum mismatch at offset 67108864");
	poke(dir, big + 63 * MIB + MIB / 2);
	expect_verify(dir, 0, 0, 0, ""); /* a stored zero page is as good as a hole */
	poke(dir, 0x70);
	expect_error(dir, "damaged");
	poke(dir, 0x70);
	stat(path, &st);
	if (truncate(path, st.st_size - 1))
		err(1, "truncate");
	expect_error(dir, "42.core is truncated");
	if (truncate(path, st.st_size + 1))
		err(1, "truncate");
	expect_error(dir, "42.core is damaged: it has");
	unlink(path);
	expect_error(dir, "42.core is missing");
}

static void sum_of(int fd, uint64_t size, unsigned int jobs, struct checksum_copy *c)
{
	*c = (struct checksum_copy){ .in_fd = fd, .out_fd = -1, .size = size };
	if (checksum_copy_all(c, 1, jobs))
		errx(1, "checksum_copy_all");
}

static void test_holes(void)
{
	int sparse = memfd_create("a", 0), full = open(in_scratch("full"), O_RDWR | O_CREAT, 0600);
	int copy = memfd_create("c", 0);
	uint64_t size = 40 * MIB + 100;
	struct checksum_copy a, b, c;
	char page[4096], *zeros = calloc(1, MIB);
	struct stat st;

	memset(page, 7, sizeof(page));
	for (uint64_t at = 0; at < size; at += MIB)
		if (pwrite(full, zeros, size - at < MIB ? size - at : MIB, (off_t)at) < 0)
			err(1, "pwrite");
	for (int i = 0; i < 2; i++) {
		int fd = i ? full : sparse;

		if (ftruncate(fd, (off_t)size) || pwrite(fd, page, 4096, 20 * (off_t)MIB) != 4096 ||
		    pwrite(fd, page, 50, (off_t)size - 50) != 50)
			err(1, "pwrite");
	}
	sum_of(sparse, size, 1, &a);
	sum_of(full, size, 4, &b);
	check(a.nr_blocks == 2 && a.blocks[0].offset == 16 * MIB && a.blocks[1].offset == 32 * MIB,
	      "blocks with contents");
	check(b.nr_blocks == 2 && memcmp(a.blocks, b.blocks, 2 * sizeof(*a.blocks)) == 0,
	      "checksums do not depend on holes");
	c = (struct checksum_copy){ .in_fd = full, .out_fd = copy, .size = size };
	if (ftruncate(copy, (off_t)size))
		err(1, "ftruncate");
	check(!checksum_copy_all(&c, 1, 2) && c.nr_blocks == 2 &&
		      c.blocks[1].hash == a.blocks[1].hash,
	      "copy");
	fstat(copy, &st);
	check(st.st_blocks <= 32, "zero pages are not stored: %jd blocks", (intmax_t)st.st_blocks);
	free(a.blocks);
	free(b.blocks);
	sum_of(copy, size, 2, &a);
	check(a.nr_blocks == 2 && memcmp(a.blocks, c.blocks, 2 * sizeof(*a.blocks)) == 0,
	      "the copy's checksums");
	free(a.blocks);
	free(c.blocks);
	free(zeros);
}

static void test_escape(void)
{
	static const char *const names[] = {
		"/plain",	 "/50%",  "/\xff\xfe",	       "/\xc3\xa9",
		"/\xed\xa0\x80", "/a\nb", "/\xf0\x9f\x98\x80", "/\xc3"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *text = manifest_escape(names[i]), *back = manifest_unescape(text);

		check(strcmp(back, names[i]) == 0, "escape %zu: %s", i, i == 5 ? "newline" : text);
		free(text);
		free(back);
	}
	check(!manifest_unescape("%0") && !manifest_unescape("%00") && !manifest_unescape("%zz"),
	      "broken escapes");
	check(manifest_name_ok("42.core") && manifest_name_ok("files/pipe-7") &&
		      !manifest_name_ok("files/../x") && !manifest_name_ok("files/.x") &&
		      !manifest_name_ok("042.core") && !manifest_name_ok("/42.core") &&
		      !manifest_name_ok("files/a/b") && !manifest_name_ok("files/"),
	      "names");
}

static void test_build_id(void)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		Elf64_Nhdr nh;
		char name[4];
		unsigned char id[4];
	} elf = { .eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_DYN,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(elf.eh),
			  .e_ehsize = sizeof(elf.eh),
			  .e_phentsize = sizeof(elf.ph),
			  .e_phnum = 1 },
		  .ph = { .p_type = PT_NOTE,
			  .p_offset = offsetof(typeof(elf), nh),
			  .p_filesz = 20,
			  .p_align = 4 },
		  .nh = { 4, 4, NT_GNU_BUILD_ID },
		  .name = "GNU",
		  .id = { 0xc0, 0xff, 0xee, 1 } };
	int fd = memfd_create("elf", MFD_CLOEXEC);
	char id[BUILD_ID_ROOM];

	for (uint32_t len = 0; len < offsetof(typeof(elf), id) + sizeof(elf.id); len += 7) {
		if (ftruncate(fd, 0) || pwrite(fd, &elf, len, 0) != (ssize_t)len)
			err(1, "memfd");
		build_id_read(fd, id);
		if (id[0])
			check(false, "a build-id in %u bytes", len);
	}
	if (pwrite(fd, &elf, sizeof(elf), 0) != sizeof(elf))
		err(1, "memfd");
	build_id_read(fd, id);
	check(strcmp(id, "c0ffee01") == 0, "a build-id: %s", id);
	elf.nh.n_descsz = UINT32_MAX;
	if (pwrite(fd, &elf, sizeof(elf), 0) != sizeof(elf))
		err(1, "memfd");
	build_id_read(fd, id);
	check(!id[0], "none where it does not fit");
	elf.nh.n_descsz = 4;
	elf.ph.p_filesz = 2 << 20;
	if (pwrite(fd, &elf, sizeof(elf), 0) != sizeof(elf) || ftruncate(fd, 4 << 20))
		err(1, "memfd");
	build_id_read(fd, id);
	check(!id[0], "none among more notes than a build has");
	elf.ph.p_filesz = sizeof(elf) - offsetof(typeof(elf), nh);
	elf.eh.e_shoff = 1 << 20;
	if (pwrite(fd, &elf, sizeof(elf), 0) != sizeof(elf))
		err(1, "memfd");
	build_id_read(fd, id);
	check(!id[0], "none where sections tell how many they are");
	close(fd);
}

int main(void)
{
	char *dir = in_scratch("img");

	image_make(dir, &plain_spec);
	test_open(dir);
	test_lost_names();
	test_manifest(dir);
	test_verify(dir);
	test_holes();
	test_escape();
	test_build_id();
	return check_end();
}
