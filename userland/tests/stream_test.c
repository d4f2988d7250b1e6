// SPDX-License-Identifier: GPL-2.0-or-later
/* Images through a tar stream, and streams that are none. */
#include "common.h"
#include "stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIB ((uint64_t)1 << 40)

/* Entries that are left in the folder where streams are unpacked. */
static int left_behind(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static char *receive_at(int fd, const char *tmp)
{
	if (lseek(fd, 0, SEEK_SET))
		err(1, "lseek");
	return image_receive(fd, tmp);
}

static int make_stream(const char *dir)
{
	static const char *const names[] = { "42.core", "group.json" };
	int out = memfd_create("stream", 0);
	struct stream *s = stream_begin(out, "cannot write", 0);

	for (int i = 0; i < 2; i++) {
		char path[512];
		struct checksum_copy c = { .name = names[i], .out_fd = -1 };
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		c.in_fd = open(path, O_RDONLY);
		fstat(c.in_fd, &st);
		c.size = (uint64_t)st.st_size;
		if (stream_add_copies(s, &c, 1, 3))
			errx(1, "stream_add_copies");
		free(c.blocks);
		close(c.in_fd);
	}
	if (stream_end(s))
		errx(1, "stream_end");
	return out;
}

static void test_round_trip(const char *tmp)
{
	/* 1 TiB of hole between two pages, all of it in the file */
	static const struct spec_segment segments[] = {
		{ 0x400000, 0x402000, 0x2000, XCKPT_VMA_ANON, 3, "[heap]", 0, 0x2000 },
		{ 0x10000000000, 0x10000000000 + TIB, TIB, XCKPT_VMA_ANON, 3, NULL, TIB / 2,
		  TIB / 2 + 0x10000 },
		{ 0x70000000000, 0x70000002000, 0x2000, XCKPT_VMA_ANON, 3, NULL, 0x1000, 0x2000 },
	};
	struct spec spec = plain_spec;
	const char *dir = in_scratch("sparse");
	char *got, path[512];
	struct image *img;
	struct stat st;
	int out;

	spec.segments = segments;
	spec.nr_segments = 3;
	image_make(dir, &spec);
	out = make_stream(dir);
	fstat(out, &st);
	check(st.st_size < 200000, "a stream of %jd bytes for 1 TiB", (intmax_t)st.st_size);
	got = receive_at(out, tmp);
	if (!check(got != NULL, "it is received"))
		return;
	stat(got, &st);
	check((st.st_mode & 07777) == 0700, "with mode 0700");
	snprintf(path, sizeof(path), "%s/42.core", got);
	stat(path, &st);
	check((st.st_mode & 07777) == 0600 && st.st_blocks < 1000, "sparse again");
	img = image_open(got);
	check(img && image_verify(img, VERIFY_ALL, 2, 0, NULL) == 0, "and it verifies");
	image_close(img);
	check(image_remove(got) == 0 && left_behind(tmp) == 0, "and it can be removed");
	free(got);
	close(out);
}

static void test_truncated(const char *tmp)
{
	static const struct spec_segment segments[] = {
		{ 0x400000, 0x404000, 0x4000, XCKPT_VMA_ANON, 3, "[heap]", 0, 0x2000 }
	};
	struct spec spec = plain_spec;
	int out, part = memfd_create("part", 0), good = 0, silent = 0, tries = 0;
	const char *dir = in_scratch("small");
	struct stat st;
	char *bytes, *end;

	spec.segments = segments;
	spec.nr_segments = 1;
	image_make(dir, &spec);
	out = make_stream(dir);
	fstat(out, &st);
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, out, 0);
	/* what follows the manifest's last byte is padding */
	end = memrchr(bytes, '}', (size_t)st.st_size);
	for (off_t len = 0; len <= end - bytes; len += 61, tries++) {
		char *got;

		if (ftruncate(part, 0) || pwrite(part, bytes, (size_t)len, 0) != len)
			err(1, "pwrite");
		quiet_begin();
		got = receive_at(part, tmp);
		good += got != NULL;
		silent += !quiet_end()[0];
		free(got);
	}
	check(good == 0 && silent == 0, "a stream cut at each of %d places is an error", tries);
	check(left_behind(tmp) == 0, "and leaves nothing");
	munmap(bytes, (size_t)st.st_size);
	close(out);
	close(part);
}

static void test_hostile(const char *tmp)
{
	static const struct {
		const char *name, *link;
		unsigned int type;
		const char *message;
	} cases[] = {
		{ "/etc/passwd", NULL, AE_IFREG, "not part of an image" },
		{ "../42.core", NULL, AE_IFREG, "not part of an image" },
		{ "files/../../x", NULL, AE_IFREG, "not part of an image" },
		{ "x/42.core", NULL, AE_IFREG, "not part of an image" },
		{ ".bashrc", NULL, AE_IFREG, "not part of an image" },
		{ "files/..", NULL, AE_IFREG, "not part of an image" },
		{ "42.core", "/etc/passwd", AE_IFLNK, "is a link" },
		{ "files", "/tmp", AE_IFLNK, "is a link" },
		{ "42.core", NULL, AE_IFCHR, "not a regular file" },
		{ "42.core", NULL, AE_IFIFO, "not a regular file" },
		{ "42.core", NULL, AE_IFDIR, "not part of an image" },
		{ "files", NULL, AE_IFREG, "not part of an image" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int out = memfd_create("stream", 0);
		struct archive *a = archive_write_new();
		struct archive_entry *e = archive_entry_new();
		const char *said;
		char *got;

		archive_write_set_format_pax(a);
		archive_write_open_fd(a, out);
		archive_entry_set_pathname(e, cases[i].name);
		archive_entry_set_filetype(e, cases[i].type);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_size(e, 0);
		if (cases[i].link)
			archive_entry_set_symlink(e, cases[i].link);
		archive_write_header(a, e);
		archive_entry_free(e);
		archive_write_close(a);
		archive_write_free(a);
		quiet_begin();
		got = receive_at(out, tmp);
		said = quiet_end();
		check(!got && strstr(said, cases[i].message), "%s: %s", cases[i].name, said);
		close(out);
	}
	check(left_behind(tmp) == 0, "hostile streams leave nothing");
}

static void test_write_error(void)
{
	const char *dir = in_scratch("sparse");
	char path[512], junk[65536] = "";
	struct checksum_copy c = { .name = "42.core", .out_fd = -1 };
	int full = open("/dev/full", O_WRONLY), ret;
	struct stream *s = stream_begin(full, "cannot write to standard output", 0);
	const char *said;

	snprintf(path, sizeof(path), "%s/42.core", dir);
	c.in_fd = open(path, O_RDONLY);
	c.size = TIB;
	quiet_begin();
	ret = stream_add_copies(s, &c, 1, 2);
	for (int i = 0; i < 64 && !ret; i++)
		ret = stream_add(s, "files/pipe-1", junk, sizeof(junk));
	if (ret)
		stream_abort(s);
	else
		ret = stream_end(s);
	said = quiet_end();
	check(ret == -1 && strstr(said, "cannot write to standard output: No space left"),
	      "a full disk: %s", said);
	free(c.blocks);
	close(c.in_fd);
	close(full);
}

int main(void)
{
	const char *tmp = in_scratch("tmp");

	mkdir(tmp, 0700);
	test_round_trip(tmp);
	test_truncated(tmp);
	test_hostile(tmp);
	test_write_error();
	return check_end();
}
