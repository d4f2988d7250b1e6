// SPDX-License-Identifier: GPL-2.0-or-later
/* The contract of uapi/xckpt.h: every command's argument, right and wrong. */
#include <limits.h>
#include <stddef.h>

#include "session.h"

#define PAGE 4096u
#define FIRST(type, member) (offsetof(struct type, member) + sizeof(((struct type *)0)->member))

static const struct command {
	const char *name;
	unsigned long number;
	uint32_t size;
	uint32_t first; /* its size when it was first published */
	uint32_t flags; /* known ones */
} commands[] = {
	{ "INFO", XCKPT_IOCTL_INFO, sizeof(struct xckpt_info), FIRST(xckpt_info, out_xfeatures),
	  0 },
	{ "FREEZE", XCKPT_IOCTL_FREEZE, sizeof(struct xckpt_freeze),
	  FIRST(xckpt_freeze, __reserved), 0 },
	{ "THAW", XCKPT_IOCTL_THAW, sizeof(struct xckpt_thaw), FIRST(xckpt_thaw, flags),
	  XCKPT_THAW_KILL | XCKPT_THAW_STOP },
	{ "TASKS", XCKPT_IOCTL_TASKS, sizeof(struct xckpt_tasks),
	  FIRST(xckpt_tasks, out_nr_disturbed), 0 },
	{ "SNAPSHOT", XCKPT_IOCTL_SNAPSHOT, sizeof(struct xckpt_snapshot),
	  FIRST(xckpt_snapshot, out_total_ns),
	  XCKPT_SNAPSHOT_THIN | XCKPT_SNAPSHOT_FROZEN | XCKPT_SNAPSHOT_THAW },
	{ "CORE", XCKPT_IOCTL_CORE, sizeof(struct xckpt_core), FIRST(xckpt_core, out_data_bytes),
	  XCKPT_CORE_THIN },
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Says which command it was when an expectation about it does not hold. */
#define EXPECT_OF(command, condition)                                                              \
	do {                                                                                       \
		if (!EXPECT(condition) && failed_here <= MAX_SAID)                                 \
			printf("# with %s\n", (command)->name);                                    \
	} while (0)

static void counts(void)
{
	in_thread(napping_thread, 1);
	count_forever(0);
}

/* A frozen group in a new session. */
static int frozen_session(pid_t *pid)
{
	struct xckpt_freeze f;
	int fd = session();

	share_counters();
	*pid = target(counts);
	ASSERT(!freeze(fd, *pid, &f));
	return fd;
}

TEST(shorter_than_first_published)
{
	unsigned char buf[PAGE];
	int fd = session();

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		for (uint32_t size = 0; size < commands[i].first; size++) {
			memset(buf, 0, sizeof(buf));
			memcpy(buf, &size, sizeof(size));
			EXPECT_OF(&commands[i],
				  ioctl(fd, commands[i].number, buf) == -1 && errno == EINVAL);
		}
	}
}

/*
 * Makes a call with a structure of @len bytes that ends where memory does, so
 * that one byte too many read or written is EFAULT. @arg gets what came back.
 */
static int call_with_size(int fd, unsigned long number, void *arg, size_t size, uint32_t len)
{
	size_t known = size < len ? size : len;
	unsigned char *map, *place;
	int ret, keep, tail = 0;

	map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(map != MAP_FAILED && !munmap(map + 2 * PAGE, PAGE));
	place = map + 2 * PAGE - len;
	memcpy(place, arg, known);
	memcpy(place, &len, sizeof(len));
	ret = ioctl(fd, number, place);
	keep = errno;
	memcpy(arg, place, known);
	for (size_t i = known; i < len; i++)
		tail |= place[i];
	EXPECT(!tail);
	munmap(map, 2 * PAGE);
	errno = keep;
	return ret;
}

/* A whole dump by a caller that was built with other structures. */
static void dump_with_sizes(pid_t pid, uint32_t more, int first)
{
	struct xckpt_info info = { .size = 0 };
	struct xckpt_freeze f = { .mode = XCKPT_MODE_STRICT, .timeout_ms = LONG_MS };
	struct xckpt_tasks t = { .size = 0 };
	struct xckpt_snapshot s = { .size = 0 };
	struct xckpt_core c = { .pid = pid };
	struct xckpt_thaw thaw_arg = { .size = 0 };
	void *args[] = { &info, &f, &thaw_arg, &t, &s, &c };
	/* indices into commands[]: the order of a dump */
	static const int order[] = { 0, 1, 3, 4, 5, 2 };
	int fd = session();
	char byte;

	f.target_fd = pidfd(pid);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct command *command = &commands[order[i]];
		uint32_t len = first ? command->first : command->size + more;

		len = len < PAGE ? len : PAGE;
		EXPECT_OF(command,
			  !call_with_size(fd, command->number, args[order[i]], command->size, len));
	}
	EXPECT(info.out_abi_version == XCKPT_ABI_VERSION && info.out_page_size == PAGE);
	EXPECT(f.out_nr_threads == 2 && f.out_boottime_ns);
	EXPECT(t.out_nr_tasks == 2 && s.out_nr_processes == 1);
	EXPECT(c.out_size > 0 && pread(c.out_fd, &byte, 1, 0) == 1);
	close(c.out_fd);
	close(f.target_fd);
	close(fd);
}

TEST(longer_with_zeros_works_as_before)
{
	static const uint32_t more[] = { 0, 1, 4, 8, 16, 100, 1000, PAGE };
	pid_t pid;

	share_counters();
	pid = target(counts);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		dump_with_sizes(pid, more[i], 0);
}

TEST(as_long_as_first_published_works)
{
	pid_t pid;

	share_counters();
	pid = target(counts);
	dump_with_sizes(pid, 0, 1);
}

TEST(longer_with_something_in_it)
{
	unsigned char buf[2 * PAGE];
	uint32_t size;
	int fd = session();

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		for (uint32_t more = 1; commands[i].size + more <= PAGE; more = more * 3 + 1) {
			size = commands[i].size + more;
			memset(buf, 0, sizeof(buf));
			memcpy(buf, &size, sizeof(size));
			buf[size - 1] = 1;
			EXPECT_OF(&commands[i],
				  ioctl(fd, commands[i].number, buf) == -1 && errno == E2BIG);
			buf[size - 1] = 0;
			buf[commands[i].size] = 0x80;
			EXPECT_OF(&commands[i],
				  ioctl(fd, commands[i].number, buf) == -1 && errno == E2BIG);
		}
	}
}

TEST(longer_than_a_page)
{
	static const uint32_t sizes[] = { PAGE + 1, PAGE + 8, 2 * PAGE, INT_MAX, UINT_MAX };
	unsigned char buf[2 * PAGE];
	int fd = session();

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
			memset(buf, 0, sizeof(buf));
			memcpy(buf, &sizes[n], sizeof(sizes[n]));
			EXPECT_OF(&commands[i],
				  ioctl(fd, commands[i].number, buf) == -1 && errno == E2BIG);
		}
	}
}

TEST(unknown_flags)
{
	uint32_t buf[PAGE / 4];
	pid_t pid;
	int fd = frozen_session(&pid);

	for (size_t i = 0; i < NR_COMMANDS; i++) {
		for (int bit = 0; bit < 32; bit++) {
			if (commands[i].flags & (1u << bit))
				continue;
			memset(buf, 0, sizeof(buf));
			buf[0] = commands[i].size;
			buf[1] = 1u << bit;
			EXPECT_OF(&commands[i],
				  ioctl(fd, commands[i].number, buf) == -1 && errno == EINVAL);
		}
	}
	EXPECT(thaw_flags(fd, XCKPT_THAW_KILL | XCKPT_THAW_STOP) == -1 && errno == EINVAL);
	/* none of that did anything */
	EXPECT(stands_still(2));
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1));
}

TEST(unknown_commands)
{
	unsigned char buf[PAGE] = { 0 };
	int fd = session();

	for (unsigned int nr = 0; nr < 256; nr++) {
		if (nr >= XCKPT_CMD_INFO && nr <= XCKPT_CMD_SNAPSHOT)
			continue;
		EXPECT(ioctl(fd, _IO(XCKPT_IOCTL_TYPE, nr), buf) == -1 && errno == ENOTTY);
	}
	/* nor with another type, direction or size */
	EXPECT(ioctl(fd, _IO(XCKPT_IOCTL_TYPE + 1, XCKPT_CMD_INFO), buf) == -1 && errno == ENOTTY);
	EXPECT(ioctl(fd, _IOWR(XCKPT_IOCTL_TYPE, XCKPT_CMD_INFO, struct xckpt_info), buf) == -1 &&
	       errno == ENOTTY);
	EXPECT(ioctl(fd, _IOC(_IOC_NONE, XCKPT_IOCTL_TYPE, XCKPT_CMD_INFO, 32), buf) == -1 &&
	       errno == ENOTTY);
	EXPECT(ioctl(fd, FIONBIO + 0x1000, buf) == -1 && errno == ENOTTY);
}

TEST(bad_pointers)
{
	unsigned char *map =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = session();

	ASSERT(map != MAP_FAILED && !munmap(map + PAGE, PAGE));
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		const struct command *command = &commands[i];
		unsigned char *across = map + PAGE - command->size + 4;

		memcpy(across, &command->size, sizeof(command->size));
		EXPECT_OF(command, ioctl(fd, command->number, NULL) == -1 && errno == EFAULT);
		EXPECT_OF(command, ioctl(fd, command->number, across) == -1 && errno == EFAULT);
		EXPECT_OF(command, ioctl(fd, command->number, map + PAGE) == -1 && errno == EFAULT);
		EXPECT_OF(command, ioctl(fd, command->number, 0xffff888000000000ul) == -1 &&
					   errno == EFAULT);
	}
}

static unsigned int nr_open_files(void)
{
	unsigned int nr = 0;

	for (int i = 0; i < 256; i++)
		nr += fcntl(i, F_GETFD) >= 0;
	return nr;
}

/* What cannot be told must not be left behind. */
TEST(arguments_that_cannot_be_written)
{
	const struct xckpt_core *core;
	void *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct xckpt_core arg = { .size = sizeof(arg) };
	unsigned int before;
	pid_t pid;
	int fd = frozen_session(&pid);

	arg.pid = pid;
	core = memcpy(map, &arg, sizeof(arg));
	ASSERT(!mprotect(map, PAGE, PROT_READ));
	before = nr_open_files();
	EXPECT(ioctl(fd, XCKPT_IOCTL_CORE, core) == -1 && errno == EFAULT);
	EXPECT(nr_open_files() == before);
	EXPECT(!thaw(fd));
	EXPECT(moves(0, 1));
}

TEST(where_tasks_are_written)
{
	struct xckpt_tasks t = { .size = sizeof(t) };
	struct {
		struct xckpt_task task;
		uint64_t more;
	} longer[4];
	pid_t pid;
	int fd = frozen_session(&pid);

	EXPECT(!ioctl(fd, XCKPT_IOCTL_TASKS, &t) && t.out_nr_tasks == 2);
	t.nr_tasks = 4;
	t.task_size = sizeof(struct xckpt_task);
	EXPECT(ioctl(fd, XCKPT_IOCTL_TASKS, &t) == -1 && errno == EFAULT);
	t.tasks = (uintptr_t)longer;
	t.task_size = sizeof(struct xckpt_task) - 1;
	EXPECT(ioctl(fd, XCKPT_IOCTL_TASKS, &t) == -1 && errno == EINVAL);
	t.task_size = PAGE + 1;
	EXPECT(ioctl(fd, XCKPT_IOCTL_TASKS, &t) == -1 && errno == EINVAL);
	memset(longer, 0xa5, sizeof(longer));
	t.task_size = sizeof(longer[0]);
	t.nr_tasks = 1;
	EXPECT(!ioctl(fd, XCKPT_IOCTL_TASKS, &t) && t.out_nr_tasks == 2);
	EXPECT(longer[0].task.pid == pid && !longer[0].task.__reserved && !longer[0].more);
	EXPECT(longer[1].task.pid == (int32_t)0xa5a5a5a5);
}
