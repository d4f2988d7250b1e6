// SPDX-License-Identifier: GPL-2.0-or-later
/* CORE of /dev/xckpt: the file itself and what is in it. Root, module loaded. */
#include "corefile.h"

#define AREA (4ul << 20)
#define MAGIC 0x5ca1ab1e0ddba11ull
#define MARKED 0x7e57ab1e5ea1edull

static char *area; /* private, every second page touched */
static char *shared_map; /* shared anonymous */

static struct xckpt_core info; /* of the core that was opened last */

static void *marked_thread(void *arg)
{
	/* its rbx and xmm7 are known for ever */
	asm volatile("mov %0, %%rbx\n"
		     "movq %%rbx, %%xmm7\n"
		     "1: incq %1\n"
		     "jmp 1b\n"
		     :
		     : "r"(MARKED), "m"(shared[1])
		     : "rbx", "xmm7");
	return NULL;
}

static void with_memory(void)
{
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(area, AREA, MADV_NOHUGEPAGE);
	shared_map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < AREA; i += 8192)
		*(uint64_t *)(area + i) = MAGIC + i;
	memcpy(shared_map + 4096, "shared", 6);
	/* reserved, never touched */
	mmap(NULL, 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	shared[10] = (uintptr_t)area;
	shared[11] = (uintptr_t)shared_map;
	in_thread(marked_thread, 0);
	in_thread(pausing_thread, 0);
	count_forever(0);
}

/* Freezes a fresh target and reads its core's head into @core. */
static pid_t open_core(int fd, uint32_t flags)
{
	struct xckpt_freeze f;
	pid_t pid;

	share_counters();
	pid = target(with_memory);
	EXPECT(moves(1, 1));
	ASSERT(!freeze(fd, pid, &f));
	info = (struct xckpt_core){ .size = sizeof(info), .pid = pid, .flags = flags };
	ASSERT(!ioctl(fd, XCKPT_IOCTL_CORE, &info));
	core_load(info.out_fd);
	return pid;
}

static unsigned int nr_notes(uint32_t type)
{
	unsigned int n = 0;
	size_t size;

	while (note(type, n, &size))
		n++;
	return n;
}

TEST(it_is_an_elf_core)
{
	open_core(session(), 0);
	EXPECT(!memcmp(core.eh.e_ident, ELFMAG, SELFMAG));
	EXPECT(core.eh.e_type == ET_CORE && core.eh.e_machine == EM_X86_64);
	EXPECT(core.eh.e_phnum == info.out_nr_segments + 1 ||
	       core.eh.e_phnum == info.out_nr_segments);
	for (int i = 1; i < core.eh.e_phnum; i++) {
		EXPECT(core.ph[i].p_type == PT_LOAD);
		EXPECT(core.ph[i].p_vaddr % 4096 == 0 && core.ph[i].p_offset % 4096 == 0);
		EXPECT(core.ph[i].p_filesz <= core.ph[i].p_memsz);
		EXPECT(core.ph[i].p_offset + core.ph[i].p_filesz <= info.out_size);
		EXPECT(i == 1 ||
		       core.ph[i].p_vaddr >= core.ph[i - 1].p_vaddr + core.ph[i - 1].p_memsz);
	}
}

TEST(it_is_a_regular_file_that_cannot_be_written)
{
	struct stat st;
	char c = 0;

	open_core(session(), 0);
	ASSERT(!fstat(core.fd, &st));
	EXPECT(S_ISREG(st.st_mode) && (uint64_t)st.st_size == info.out_size);
	EXPECT((fcntl(core.fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	EXPECT(fcntl(core.fd, F_GETFD) == FD_CLOEXEC);
	EXPECT(pwrite(core.fd, &c, 1, 0) == -1);
	EXPECT(ftruncate(core.fd, 0) == -1);
	EXPECT(pread(core.fd, &c, 1, st.st_size) == 0);
}

TEST(notes_of_process_and_threads)
{
	static const uint32_t own[] = { XCKPT_NT_PROCESS, XCKPT_NT_MM, XCKPT_NT_VMA,
					XCKPT_NT_SIGACTION, XCKPT_NT_FILE };
	const struct xckpt_note_process *process;
	const struct xckpt_note_table *vmas;
	size_t size;
	pid_t pid = open_core(session(), 0);

	EXPECT(info.out_nr_threads == 3);
	EXPECT(nr_notes(NT_PRSTATUS) == 3 && nr_notes(NT_FPREGSET) == 3);
	EXPECT(nr_notes(XCKPT_NT_THREAD) == 3 && nr_notes(NT_PRPSINFO) == 1);
	EXPECT(nr_notes(NT_AUXV) == 1 && nr_notes(NT_FILE) == 1);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		EXPECT(nr_notes(own[i]) == 1);
	process = note(XCKPT_NT_PROCESS, 0, &size);
	ASSERT(process && size >= sizeof(*process));
	EXPECT(process->pid == pid && process->ppid == getpid() && process->nr_threads == 3);
	vmas = note(XCKPT_NT_VMA, 0, &size);
	ASSERT(vmas && size >= sizeof(*vmas));
	EXPECT(vmas->nr_entries == info.out_nr_segments);
}

TEST(registers_are_those_of_the_thread)
{
	const struct elf_prstatus *status;
	const struct user_fpregs_struct *fp;
	int found = 0;
	size_t size;

	open_core(session(), 0);
	for (unsigned int i = 0; (status = note(NT_PRSTATUS, i, &size)); i++) {
		const struct user_regs_struct *regs = (const void *)status->pr_reg;

		if (regs->rbx != MARKED)
			continue;
		found++;
		fp = note(NT_FPREGSET, i, &size);
		ASSERT(fp && size == sizeof(*fp));
		EXPECT(!memcmp((const char *)fp->xmm_space + 7 * 16, &regs->rbx, 8));
		EXPECT(segment_of(regs->rip) && segment_of(regs->rip)->p_flags & PF_X);
		EXPECT(segment_of(regs->rsp) && regs->fs_base);
	}
	EXPECT(found == 1);
}

/* What the core has of a segment, against the memory of the frozen process. */
static void compare_segment(int mem, const Elf64_Phdr *ph)
{
	static char a[65536], b[65536];

	for (uint64_t at = 0; at < ph->p_filesz; at += sizeof(a)) {
		size_t len = ph->p_filesz - at < sizeof(a) ? ph->p_filesz - at : sizeof(a);
		ssize_t got = pread(mem, b, len, (off_t)(ph->p_vaddr + at));

		ASSERT(pread(core.fd, a, len, (off_t)(ph->p_offset + at)) == (ssize_t)len);
		/* past the end of a mapped file there is nothing to read */
		if (got > 0)
			EXPECT(!memcmp(a, b, (size_t)got));
	}
}

TEST(memory_is_that_of_the_process)
{
	char path[64];
	int mem;
	pid_t pid = open_core(session(), 0);

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	ASSERT(mem >= 0);
	for (int i = 1; i < core.eh.e_phnum; i++)
		compare_segment(mem, &core.ph[i]);
}

TEST(every_touched_page_is_there)
{
	const Elf64_Phdr *ph;
	uint64_t word;
	char text[6];

	open_core(session(), 0);
	ph = segment_of(shared[10]);
	ASSERT(ph);
	for (size_t i = 0; i < AREA; i += 8192) {
		off_t at = (off_t)(ph->p_offset + shared[10] - ph->p_vaddr + i);

		ASSERT(pread(core.fd, &word, 8, at) == 8);
		EXPECT(word == MAGIC + i);
		if (i + 4104 <= ph->p_filesz && EXPECT(pread(core.fd, &word, 8, at + 4096) == 8))
			EXPECT(word == 0);
	}
	ph = segment_of(shared[11]);
	ASSERT(ph && ph->p_filesz >= 4096 + 6);
	EXPECT(pread(core.fd, text, 6, (off_t)(ph->p_offset + shared[11] - ph->p_vaddr + 4096)) ==
	       6);
	EXPECT(!memcmp(text, "shared", 6));
}

/* A memfd with "shared" in its second page, and a descriptor of it for reading only. */
static int memory_file(int *reader)
{
	char path[64];
	int fd = memfd_create("memory", 0);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*reader = open(path, O_RDONLY);
	if (fd < 0 || *reader < 0 || ftruncate(fd, 3 * 4096) || pwrite(fd, "shared", 7, 4096) != 7)
		_exit(97);
	return fd;
}

static uint64_t view(int fd, int prot, int flags)
{
	return (uintptr_t)mmap(NULL, 3 * 4096, prot, flags, fd, 0);
}

static void with_views(void)
{
	int reader, fd = memory_file(&reader);

	shared[10] = view(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	shared[11] = view(reader, PROT_READ, MAP_SHARED);
	shared[12] = view(reader, PROT_READ, MAP_PRIVATE);
	/* nobody can write to this one any more */
	close(memory_file(&reader));
	shared[13] = view(reader, PROT_READ, MAP_SHARED);
	count_forever(0);
}

/* Shared memory is what it is, whatever it was opened for. */
TEST(memory_that_is_only_read)
{
	const struct xckpt_vma *vma[4];
	struct xckpt_freeze f;
	char text[8];
	pid_t pid;
	int fd;

	share_counters();
	pid = target(with_views);
	EXPECT(moves(0, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	core_load(core_of(fd, pid, 0));
	for (int i = 0; i < 4; i++) {
		vma[i] = vma_at(shared[10 + i]);
		ASSERT(vma[i]);
		EXPECT(vma[i]->kind == (i == 2 ? XCKPT_VMA_FILE : XCKPT_VMA_SHMEM));
		EXPECT(!(vma[i]->flags & XCKPT_VMA_SHARED) == (i == 2));
		EXPECT(vma[i]->dev == vma[0]->dev);
		EXPECT((vma[i]->ino == vma[0]->ino) == (i < 3));
		core_memory(text, sizeof(text), shared[10 + i] + 4096);
		EXPECT(!strcmp(text, "shared"));
	}
	EXPECT(vma[0]->flags & XCKPT_VMA_MAYWRITE);
	EXPECT(!((vma[1]->flags | vma[3]->flags) & XCKPT_VMA_MAYWRITE));
	/* what was never touched is not there: three pages, of which one was written */
	EXPECT(segment_of(shared[11])->p_filesz == 2 * 4096);
}

static char file_name[] = "/tmp/xckpt-core.XXXXXX";

static void written(uint64_t at)
{
	*(char *)at = 'w';
}

static uint64_t file_view(int flags, int prot)
{
	return view(open(file_name, O_RDWR), prot, flags);
}

/* The same file, mapped in five ways. */
static void with_file_views(void)
{
	pid_t pid;

	shared[10] = file_view(MAP_PRIVATE, PROT_READ);
	shared[11] = file_view(MAP_PRIVATE, PROT_READ | PROT_WRITE);
	shared[12] = file_view(MAP_PRIVATE, PROT_READ | PROT_WRITE);
	shared[13] = file_view(MAP_SHARED, PROT_READ | PROT_WRITE);
	shared[14] = view(open(file_name, O_RDONLY), PROT_READ, MAP_SHARED);
	shared[20] = ((volatile char *)shared[11])[4096];
	written(shared[12]);
	/* pages of one's own are so of a child, too */
	pid = fork();
	if (!pid)
		count_forever(0);
	shared[15] = (uint64_t)pid;
	pausing_thread(NULL);
}

/* Which mappings of a file show nothing but the file. */
TEST(mappings_that_nobody_wrote_to)
{
	static const int unwritten[] = { 1, 1, 0, 0, 1 };
	struct xckpt_freeze f;
	char text[8];
	pid_t pid;
	int fd = mkstemp(file_name);

	ASSERT(fd >= 0 && !ftruncate(fd, 3 * 4096) && pwrite(fd, "a file", 7, 4096) == 7);
	share_counters();
	pid = target(with_file_views);
	EXPECT(reaches(15, 1));
	fd = session();
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(f.out_nr_processes == 2);
	for (int child = 0; child < 2; child++) {
		core_load(core_of(fd, child ? (pid_t)shared[15] : pid, 0));
		for (int i = 0; i < 5; i++) {
			const struct xckpt_vma *vma = vma_at(shared[10 + i]);

			ASSERT(vma && vma->kind == XCKPT_VMA_FILE);
			EXPECT(!(vma->flags & XCKPT_VMA_UNWRITTEN) == !unwritten[i]);
			if (i == 3)
				continue;
			core_memory(text, sizeof(text), shared[10 + i] + 4096);
			EXPECT(!strcmp(text, "a file"));
		}
	}
	unlink(file_name);
}

TEST(holes_are_holes)
{
	off_t at = 0, data = 0, hole = 0;
	uint64_t total = 0;
	uint64_t start;

	open_core(session(), 0);
	/* untouched pages of the area are no data: about half of it */
	start = segment_of(shared[10])->p_offset;
	EXPECT(lseek(core.fd, (off_t)start + 4096, SEEK_HOLE) == (off_t)start + 4096);
	while ((data = lseek(core.fd, at, SEEK_DATA)) >= 0) {
		hole = lseek(core.fd, data, SEEK_HOLE);
		ASSERT(data >= at && hole > data);
		total += (uint64_t)(hole - data);
		at = hole;
	}
	EXPECT(errno == ENXIO);
	EXPECT(total == info.out_data_bytes);
	EXPECT(total >= AREA / 2 && total < AREA / 2 + (64u << 20));
	EXPECT(info.out_size > total);
}

TEST(it_can_be_opened_again_by_its_proc_name)
{
	char path[64], a[4096], b[4096];
	int again;

	open_core(session(), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", core.fd);
	again = open(path, O_RDONLY);
	ASSERT(again >= 0);
	EXPECT(pread(core.fd, a, 4096, 0) == 4096 && read(again, b, 4096) == 4096);
	EXPECT(!memcmp(a, b, 4096));
	EXPECT(lseek(again, 0, SEEK_CUR) == 4096 && lseek(core.fd, 0, SEEK_CUR) == 0);
	again = open(path, O_RDWR);
	EXPECT(again == -1 || write(again, a, 1) == -1);
}

TEST(after_the_thaw_it_is_stale)
{
	int fd = session();
	char c;

	open_core(fd, 0);
	EXPECT(pread(core.fd, &c, 1, 0) == 1);
	ASSERT(!thaw(fd));
	EXPECT(pread(core.fd, &c, 1, 0) == -1 && errno == ESTALE);
	EXPECT(moves(0, 1));
}

TEST(thin_leaves_out_clean_file_pages)
{
	int fd = session();
	pid_t pid = open_core(fd, 0);
	uint64_t whole = info.out_data_bytes;

	/* of the same one: another may have a huge page more by chance */
	info = (struct xckpt_core){ .size = sizeof(info), .pid = pid, .flags = XCKPT_CORE_THIN };
	ASSERT(!ioctl(fd, XCKPT_IOCTL_CORE, &info));
	EXPECT(info.out_data_bytes < whole);
	EXPECT(info.out_data_bytes >= AREA / 2);
}

TEST(only_processes_of_the_group)
{
	struct xckpt_core other = { .size = sizeof(other), .pid = getpid() };
	int fd = session();

	open_core(fd, 0);
	EXPECT(ioctl(fd, XCKPT_IOCTL_CORE, &other) == -1 && errno == ESRCH);
	other = (struct xckpt_core){ .size = sizeof(other), .pid = 1 };
	EXPECT(ioctl(fd, XCKPT_IOCTL_CORE, &other) == -1 && errno == ESRCH);
}

TEST(reading_a_killed_process_fails_cleanly)
{
	static char buf[65536];
	int status, fd = session();
	pid_t pid = open_core(fd, 0);
	ssize_t got;

	kill(pid, SIGKILL);
	EXPECT(waitpid(pid, &status, 0) == pid);
	got = pread(core.fd, buf, sizeof(buf), (off_t)segment_of(shared[10])->p_offset);
	EXPECT(got == -1 || got == (ssize_t)sizeof(buf));
	EXPECT(!thaw(fd));
}
