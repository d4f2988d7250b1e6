// SPDX-License-Identifier: GPL-2.0-or-later
/* What /dev/xckpt refuses, and how it says so. Runs as root with the module. */
#include <elf.h>
#include <sys/stat.h>

#include "session.h"

static void counts(void)
{
	in_thread(napping_thread, 1);
	count_forever(0);
}

/* Freezing @pid fails with @err, @reason and @culprit (-1: not looked at). */
static void refused(pid_t pid, int err, uint32_t reason, pid_t culprit)
{
	struct xckpt_freeze f;
	int fd = session();

	EXPECT(freeze(fd, pid, &f) == -1 && errno == err);
	EXPECT(f.out_reason == reason);
	EXPECT(culprit == -1 || f.out_pid == culprit);
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
	close(fd);
}

TEST(a_kernel_thread)
{
	refused(2, EINVAL, XCKPT_REASON_KTHREAD, 2);
}

TEST(the_init_process)
{
	refused(1, EINVAL, XCKPT_REASON_INIT, 1);
}

TEST(the_caller_itself)
{
	refused(getpid(), EDEADLK, XCKPT_REASON_SELF, getpid());
}

TEST(an_ancestor_of_the_caller)
{
	refused(getppid(), EDEADLK, XCKPT_REASON_SELF, -1);
}

TEST(a_process_that_ended)
{
	struct xckpt_freeze f = { .size = sizeof(f), .mode = XCKPT_MODE_STRICT };
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	f.target_fd = pidfd(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT(ioctl(session(), XCKPT_IOCTL_FREEZE, &f) == -1 && errno == ESRCH);
	EXPECT(f.out_reason == XCKPT_REASON_GONE);
}

TEST(what_another_session_holds)
{
	struct xckpt_freeze f;
	int first = session(), second = session();
	pid_t pid;

	share_counters();
	pid = target(counts);
	ASSERT(!freeze(first, pid, &f));
	EXPECT(freeze(second, pid, &f) == -1 && errno == EBUSY);
	EXPECT(f.out_reason == XCKPT_REASON_BUSY && f.out_pid > 0);
	EXPECT(freeze(first, pid, &f) == -1 && errno == EBUSY);
	EXPECT(f.out_reason == XCKPT_REASON_NONE);
	EXPECT(stands_still(2));
	EXPECT(!thaw(first));
	EXPECT(!freeze(second, pid, &f));
}

TEST(a_user_without_rights)
{
	struct stat st;

	EXPECT(!stat(XCKPT_DEVICE, &st) && (st.st_mode & 07777) == 0600 && st.st_uid == 0);
	ASSERT(!setgid(65534) && !setuid(65534));
	EXPECT(open(XCKPT_DEVICE, O_RDWR) == -1 && errno == EACCES);
}

TEST(a_descriptor_without_the_capabilities)
{
	int fd;

	/* the file's mode alone must not be enough */
	ASSERT(!chmod(XCKPT_DEVICE, 0666));
	if (!fork()) {
		fd = setgid(65534) || setuid(65534) ? -2 : open(XCKPT_DEVICE, O_RDWR);
		_exit(fd == -1 && errno == EPERM ? 0 : 1);
	}
	EXPECT(wait(&fd) > 0 && fd == 0);
	ASSERT(!chmod(XCKPT_DEVICE, 0600));
}

static uint16_t machine;

/* Turns into a program of 32 bits that runs in a circle. */
static void runs_narrow_code(void)
{
	const struct {
		Elf32_Ehdr eh;
		Elf32_Phdr ph;
		unsigned char code[2];
	} image = {
		.eh = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32, ELFDATA2LSB,
				     EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = machine,
			.e_version = EV_CURRENT,
			.e_entry = 0x10000000 + sizeof(image.eh) + sizeof(image.ph),
			.e_phoff = sizeof(image.eh),
			.e_ehsize = sizeof(image.eh),
			.e_phentsize = sizeof(image.ph),
			.e_phnum = 1 },
		.ph = { .p_type = PT_LOAD,
			.p_vaddr = 0x10000000,
			.p_filesz = sizeof(image),
			.p_memsz = sizeof(image),
			.p_flags = PF_R | PF_X,
			.p_align = 4096 },
		.code = { 0xeb, 0xfe }, /* jmp to itself */
	};
	char *const argv[] = { "narrow", NULL };
	int fd = (int)syscall(SYS_memfd_create, "narrow", 0);

	if (write(fd, &image, sizeof(image)) != sizeof(image))
		_exit(97);
	shared[0]++;
	syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
	_exit(97);
}

/* Has it become one? Else it ends, because the kernel runs no such programs. */
static int is_narrow(pid_t pid)
{
	char path[32], exe[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	while (readlink(path, exe, sizeof(exe) - 1) >= 0) {
		if (!strncmp(exe, "/memfd:narrow", 13))
			return 1;
		nap_ms(1);
	}
	return 0;
}

static void refuses_code(uint16_t of, const char *why_not)
{
	pid_t pid;

	share_counters();
	machine = of;
	pid = target(runs_narrow_code);
	if (!is_narrow(pid))
		SKIP(why_not);
	refused(pid, EOPNOTSUPP, XCKPT_REASON_COMPAT, pid);
}

TEST(code_of_32_bits)
{
	refuses_code(EM_386, "this kernel runs no programs of 32 bits");
}

TEST(code_of_x32)
{
	refuses_code(EM_X86_64,
		     "this kernel runs no x32 programs (Debian's do with syscall.x32=y)");
}
