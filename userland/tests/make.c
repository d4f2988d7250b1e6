// SPDX-License-Identifier: GPL-2.0-or-later
/* Cores and images as xckpt-dump would write them. */
#include "common.h"

#include "checksum.h"
#include "report.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void put_bytes(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->room) {
		b->room = (b->len + len) * 2;
		b->data = realloc(b->data, b->room);
		if (!b->data)
			err(1, "realloc");
	}
	if (data)
		memcpy(b->data + b->len, data, len);
	else
		memset(b->data + b->len, 0, len);
	b->len += len;
}

static void align(struct bytes *b, size_t to)
{
	put_bytes(b, NULL, (to - b->len % to) % to);
}

static void put_note(struct bytes *b, const char *name, uint32_t type, const void *desc, size_t len)
{
	Elf64_Nhdr nh = { (uint32_t)strlen(name) + 1, (uint32_t)len, type };

	put_bytes(b, &nh, sizeof(nh));
	put_bytes(b, name, nh.n_namesz);
	align(b, 4);
	put_bytes(b, desc, len);
	align(b, 4);
}

static void put_vma_note(struct bytes *b, const struct spec *spec)
{
	struct xckpt_note_table head = { sizeof(head), sizeof(struct xckpt_vma),
					 (uint32_t)spec->nr_segments, sizeof(head) };
	struct bytes desc = { 0 }, strings = { 0 };

	put_bytes(&desc, &head, sizeof(head));
	for (size_t i = 0; i < spec->nr_segments; i++) {
		const struct spec_segment *s = &spec->segments[i];
		struct xckpt_vma vma = { .start = s->start,
					 .end = s->end,
					 .flags = s->flags,
					 .kind = s->kind,
					 .pgoff = s->pgoff,
					 .file_size = s->file_size,
					 .file_mtime_ns = s->mtime_ns };

		if (s->path) {
			vma.path_off = (uint32_t)(sizeof(head) + spec->nr_segments * sizeof(vma) +
						  strings.len);
			put_bytes(&strings, s->path, strlen(s->path) + 1);
			vma.dev = 1;
			vma.ino = s->ino ? s->ino : i + 1;
		}
		put_bytes(&desc, &vma, sizeof(vma));
	}
	put_bytes(&desc, strings.data, strings.len);
	put_note(b, "XCKPT", XCKPT_NT_VMA, desc.data, desc.len);
	free(desc.data);
	free(strings.data);
}

static void put_file_note(struct bytes *b, const struct spec *spec)
{
	uint32_t nr = (uint32_t)spec->nr_files;
	struct xckpt_note_file head = {
		.size = sizeof(head),
		.file_size = sizeof(struct xckpt_file),
		.nr_files = nr,
		.files_off = sizeof(head),
		.fd_size = sizeof(struct xckpt_fd),
		.nr_fds = nr,
		.fds_off = (uint32_t)(sizeof(head) + nr * sizeof(struct xckpt_file)),
	};
	size_t strings_off = head.fds_off + nr * sizeof(struct xckpt_fd);
	struct bytes desc = { 0 }, strings = { 0 };

	put_bytes(&desc, &head, sizeof(head));
	for (uint32_t i = 0; i < nr; i++) {
		struct xckpt_file f = spec->files[i];
		const char *path = spec->paths[f.path_off];

		f.path_off = (uint32_t)(strings_off + strings.len);
		put_bytes(&strings, path, strlen(path) + 1);
		put_bytes(&desc, &f, sizeof(f));
	}
	for (uint32_t i = 0; i < nr; i++) {
		struct xckpt_fd fd = { .fd = (int)i, .file = i };

		put_bytes(&desc, &fd, sizeof(fd));
	}
	put_bytes(&desc, strings.data, strings.len);
	put_note(b, "XCKPT", XCKPT_NT_FILE, desc.data, desc.len);
	free(desc.data);
	free(strings.data);
}

static void put_timer_note(struct bytes *b, const struct spec *spec)
{
	struct xckpt_note_table head = { sizeof(head), sizeof(struct xckpt_timer),
					 (uint32_t)spec->nr_timers, sizeof(head) };
	struct bytes desc = { 0 };

	if (!spec->nr_timers)
		return;
	if (spec->timer_size)
		head.entry_size = spec->timer_size;
	if (spec->timers_told)
		head.nr_entries = spec->timers_told;
	put_bytes(&desc, &head, sizeof(head));
	put_bytes(&desc, spec->timers, spec->nr_timers * sizeof(*spec->timers));
	put_note(b, "XCKPT", XCKPT_NT_TIMER, desc.data, desc.len);
	free(desc.data);
}

static void put_undo_note(struct bytes *b, const struct spec *spec)
{
	struct xckpt_note_table head = { sizeof(head), sizeof(struct xckpt_sem_undo),
					 (uint32_t)spec->nr_undo, sizeof(head) };
	struct bytes desc = { 0 };

	if (!spec->nr_undo)
		return;
	put_bytes(&desc, &head, sizeof(head));
	put_bytes(&desc, spec->undo, spec->nr_undo * sizeof(*spec->undo));
	put_note(b, "XCKPT", XCKPT_NT_SEM_UNDO, desc.data, desc.len);
	free(desc.data);
}

static void put_guard_note(struct bytes *b, const struct spec *spec)
{
	struct xckpt_note_table head = { sizeof(head), sizeof(struct xckpt_guard),
					 (uint32_t)spec->nr_guards, sizeof(head) };
	struct bytes desc = { 0 };

	if (!spec->nr_guards)
		return;
	put_bytes(&desc, &head, sizeof(head));
	put_bytes(&desc, spec->guards, spec->nr_guards * sizeof(*spec->guards));
	put_note(b, "XCKPT", XCKPT_NT_GUARD, desc.data, desc.len);
	free(desc.data);
}

static void put_thread_notes(struct bytes *b, const struct spec *spec, unsigned int n)
{
	struct xckpt_note_thread info = { .size = sizeof(info),
					  .tid = spec->pid + (int)n,
					  .state = spec->state,
					  .flags = n ? 0 : XCKPT_THREAD_IN_SYSCALL,
					  .comm = "worker" };
	uint8_t prstatus[336] = { 0 }, fp[512] = { 0 }, xstate[832] = { 0 }, siginfo[128] = { 0 };
	uint64_t rip = 0x401010, orig_rax = n ? (uint64_t)-1 : 35;

	memcpy(prstatus + 32, &info.tid, 4);
	memcpy(prstatus + 112 + 16 * 8, &rip, 8);
	memcpy(prstatus + 112 + 15 * 8, &orig_rax, 8);
	put_note(b, "CORE", NT_PRSTATUS, prstatus, sizeof(prstatus));
	put_note(b, "CORE", NT_PRFPREG, fp, sizeof(fp));
	put_note(b, "LINUX", NT_X86_XSTATE, xstate, sizeof(xstate));
	if (spec->shadow_stack)
		put_note(b, "LINUX", 0x204, &info.tid, 8); /* NT_X86_SHSTK */
	put_note(b, "CORE", NT_SIGINFO, siginfo, sizeof(siginfo));
	put_note(b, "XCKPT", XCKPT_NT_THREAD, &info, sizeof(info));
	/* the second has another user and two groups of its own */
	if (n == 1) {
		struct {
			struct xckpt_note_creds info;
			uint32_t groups[2];
		} creds = { .info = { .size = sizeof(creds.info),
				      .flags = XCKPT_PROCESS_NO_NEW_PRIVS,
				      .uid = 7,
				      .cap_effective = 0x400,
				      .nr_groups = 2,
				      .groups_off = offsetof(typeof(creds), groups) },
			    .groups = { 4, 50 } };

		put_note(b, "XCKPT", XCKPT_NT_CREDS, &creds, sizeof(creds));
	}
}

static void put_notes(struct bytes *b, const struct spec *spec)
{
	struct {
		struct xckpt_note_process info;
		char exe[16], cwd[16];
	} process = { .info = { .size = sizeof(process.info),
				.flags = spec->process_flags,
				.pid = spec->pid,
				.ppid = spec->ppid,
				.nr_threads = spec->nr_threads,
				.nr_posix_timers = spec->nr_posix_timers,
				.comm = "victim",
				.exe_off = offsetof(typeof(process), exe),
				.cwd_off = offsetof(typeof(process), cwd) },
		      .exe = "/bin/victim",
		      .cwd = "/" };
	struct xckpt_note_mm mm = { .size = sizeof(mm), .start_brk = 0x600000, .brk = 0x700000 };
	uint64_t auxv[] = { AT_PAGESZ, 4096, AT_NULL, 0 };
	struct xckpt_note_table table = { sizeof(table), sizeof(struct xckpt_sigaction), 64,
					  sizeof(table) };
	uint8_t sigactions[sizeof(table) + 64 * sizeof(struct xckpt_sigaction)] = { 0 };
	struct {
		struct xckpt_note_table head;
		int signo;
		uint8_t rest[XCKPT_SIGINFO_SIZE - 4];
	} pending = { { sizeof(table), XCKPT_SIGINFO_SIZE, 1, sizeof(table) }, 10, { 0 } };

	memcpy(sigactions, &table, sizeof(table));
	put_note(b, "CORE", NT_AUXV, auxv, sizeof(auxv));
	put_note(b, "XCKPT", XCKPT_NT_PROCESS, &process, sizeof(process));
	put_note(b, "XCKPT", XCKPT_NT_MM, &mm, sizeof(mm));
	put_vma_note(b, spec);
	put_guard_note(b, spec);
	put_note(b, "XCKPT", XCKPT_NT_SIGACTION, sigactions, sizeof(sigactions));
	put_timer_note(b, spec);
	put_undo_note(b, spec);
	put_note(b, "XCKPT", XCKPT_NT_SIGPENDING, &pending, sizeof(pending));
	put_file_note(b, spec);
	for (unsigned int i = 0; i < spec->nr_threads; i++)
		put_thread_notes(b, spec, i);
}

struct bytes core_head(const struct spec *spec, uint64_t *size)
{
	size_t nr = spec->nr_segments + 1;
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_CORE,
			  .e_machine = (uint16_t)(spec->machine ? spec->machine : EM_X86_64),
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = (uint16_t)(spec->xnum ? PN_XNUM : nr) };
	Elf64_Shdr sh = { .sh_info = (uint32_t)nr, .sh_size = 1 };
	Elf64_Phdr note = { .p_type = PT_NOTE };
	struct bytes notes = { 0 }, b = { 0 };
	uint64_t offset;

	put_notes(&notes, spec);
	note.p_offset = sizeof(eh) + nr * sizeof(note);
	note.p_filesz = notes.len;
	offset = note.p_offset + notes.len;
	if (spec->xnum) {
		eh.e_shoff = (offset + 7) & ~7ul;
		eh.e_shnum = 1;
		eh.e_shentsize = sizeof(sh);
		offset = eh.e_shoff + sizeof(sh);
	}
	*size = offset;
	offset = (offset + 4095) & ~4095ul;
	put_bytes(&b, &eh, sizeof(eh));
	put_bytes(&b, &note, sizeof(note));
	for (size_t i = 0; i < spec->nr_segments; i++) {
		const struct spec_segment *s = &spec->segments[i];
		Elf64_Phdr ph = { .p_type = PT_LOAD,
				  .p_offset = offset,
				  .p_vaddr = s->start,
				  .p_filesz = s->filesz,
				  .p_memsz = s->end - s->start,
				  .p_align = 4096 };

		put_bytes(&b, &ph, sizeof(ph));
		offset += s->filesz;
		if (s->filesz)
			*size = offset;
	}
	put_bytes(&b, notes.data, notes.len);
	free(notes.data);
	if (spec->xnum) {
		align(&b, 8);
		put_bytes(&b, &sh, sizeof(sh));
	}
	return b;
}

void core_write(int fd, const struct spec *spec)
{
	uint64_t size, offset;
	struct bytes head = core_head(spec, &size);

	if (pwrite(fd, head.data, head.len, 0) != (ssize_t)head.len || ftruncate(fd, (off_t)size))
		err(1, "core");
	offset = (head.len + 4095) & ~4095ul;
	for (size_t i = 0; i < spec->nr_segments; i++) {
		const struct spec_segment *s = &spec->segments[i];

		for (uint64_t at = s->data_from; at < s->data_to; at += 4096) {
			char page[4096];

			memset(page, (int)(1 + (at >> 12) % 255), sizeof(page));
			if (pwrite(fd, page, sizeof(page), (off_t)(offset + at)) != sizeof(page))
				err(1, "core");
		}
		offset += s->filesz;
	}
	free(head.data);
}

void image_make(const char *dir, const struct spec *spec)
{
	struct core_place at = { "cannot make an image", "a core" };
	char name[32], path[4096];
	struct arena arena = { 0 };
	struct core_files files;
	struct image_process p;
	struct checksum_copy c = { .out_fd = -1 };
	struct manifest m = { .version = IMAGE_FORMAT_WHOLE,
			      .tool = "test",
			      .kernel = "k",
			      .machine = "x86_64",
			      .root_pid = spec->pid };
	struct image_component xstate[] = { { 2, 576, 256 }, { 9, 2432, 8 } };
	struct manifest_process mp = { .state = "parked", .comm = "victim" };
	struct manifest_file sum = { 0 };
	size_t len;
	char *text;
	int fd;

	snprintf(name, sizeof(name), "%d.core", spec->pid);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(dir, 0700);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	core_write(fd, spec);
	if (core_read(fd, &at, &arena, &p, &files))
		errx(1, "the synthetic core is not readable");
	c.in_fd = fd;
	c.size = p.core_size;
	if (checksum_copy_all(&c, 1, 2))
		errx(1, "checksum_copy_all");
	mp.pid = spec->pid;
	mp.core = name;
	sum = (struct manifest_file){ name, c.size, c.blocks, c.nr_blocks };
	m.processes = &mp;
	m.nr_processes = 1;
	m.files = files.files;
	m.nr_files = files.nr_files;
	m.xstate = xstate;
	m.nr_xstate = 2;
	if (spec->sysv)
		m.sysv = *spec->sysv;
	m.sums = &sum;
	m.nr_sums = 1;
	text = manifest_format(&m, &len);
	snprintf(path, sizeof(path), "%s/group.json", dir);
	close(fd);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!text || write(fd, text, len) != (ssize_t)len)
		err(1, "%s", path);
	close(fd);
	free(text);
	free(c.blocks);
	arena_free(&arena);
}

#define MIB ((uint64_t)1 << 20)

static const struct spec_segment plain_segments[] = {
	{ 0x400000, 0x402000, 0x2000, XCKPT_VMA_FILE, XCKPT_VMA_READ | XCKPT_VMA_EXEC,
	  "/bin/victim", 0, 0x2000 },
	{ 0x600000, 0x700000, 0x100000, XCKPT_VMA_ANON,
	  XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_HEAP, "[heap]", 0x3000, 0x5000 },
	{ 0x10000000, 0x10000000 + 64 * MIB, 64 * MIB, XCKPT_VMA_FILE, XCKPT_VMA_READ,
	  "/lib/big.so", 4 * MIB, 60 * MIB },
	{ 0x20000000, 0x20000000 + MIB *MIB, 0, XCKPT_VMA_ANON, 0, NULL, 0, 0 },
};

static const char *const plain_paths[] = { "/dev/null", "socket:[1]", "/tmp/gone (deleted)",
					   "pipe:[7]" };
static const struct xckpt_file plain_files[] = {
	{ .id = 1, .mode = S_IFCHR | 0666, .rdev = 0x103, .nlink = 1, .path_off = 0 },
	{ .id = 2, .mode = S_IFSOCK, .path_off = 1, .nlink = 1 },
	{ .id = 3, .mode = S_IFREG, .path_off = 2, .file_size = 5 },
	{ .id = 9, .mode = S_IFIFO, .path_off = 3, .nlink = 1 },
};

static const struct xckpt_timer plain_timers[] = {
	{ .id = 0, .clock = 1, .notify = 0, .signo = 14, .value_ns = 500000000 },
	{ .id = 2,
	  .clock = -2,
	  .notify = 4,
	  .signo = 34,
	  .tid = 43,
	  .sigev_value = 0x1122334455667788,
	  .interval_ns = 1000000,
	  .value_ns = 7,
	  .flags = XCKPT_TIMER_PENDING,
	  .overrun = 3 },
};

const struct spec plain_spec = {
	.pid = 42,
	.ppid = 1,
	.nr_threads = 3,
	.segments = plain_segments,
	.nr_segments = 4,
	.files = plain_files,
	.paths = plain_paths,
	.nr_files = 4,
	.nr_posix_timers = 2,
	.timers = plain_timers,
	.nr_timers = 2,
};
