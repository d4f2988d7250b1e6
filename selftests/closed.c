// SPDX-License-Identifier: GPL-2.0-or-later
/* What has been closed is closed in a core, whenever the freeze was. Root, module loaded. */
#include "corefile.h"

#define NR 64
#define READERS 100
#define WRITERS 200
#define FREEZES 200

/* Pipes of which only readers stay; writers come, and go all at once. */
static void close_many(void)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char path[32];
	int fds[2];

	/* so that the next ones are in the places meant for them */
	for (int i = 0; i < NR; i++)
		if (pipe(fds) || dup2(fds[0], READERS + i) < 0 || close(fds[0]) || close(fds[1]))
			_exit(97);
	for (int fd = 0; fd < WRITERS; fd++)
		if (fd < READERS || fd >= READERS + NR)
			dup2(nothing, fd);
	for (;;) {
		for (int i = 0; i < NR; i++) {
			snprintf(path, sizeof(path), "/proc/self/fd/%d", READERS + i);
			if (open(path, O_WRONLY) != WRITERS + i)
				_exit(96);
		}
		if (syscall(SYS_close_range, WRITERS, WRITERS + NR - 1, 0))
			_exit(95);
		shared[0]++;
	}
}

/* Pipes that have another number of writers than there are descriptions to write to them. */
static unsigned int wrong_pipes(void)
{
	const struct xckpt_note_file *head;
	const struct xckpt_file *f;
	unsigned int wrong = 0;
	size_t size;

	head = note(XCKPT_NT_FILE, 0, &size);
	ASSERT(head);
	f = (const void *)((const char *)head + head->files_off);
	for (uint32_t i = 0; i < head->nr_files; i++) {
		uint32_t writers = 0;

		if (!S_ISFIFO(f[i].mode) || (f[i].flags & O_ACCMODE) != O_RDONLY)
			continue;
		for (uint32_t j = 0; j < head->nr_files; j++)
			writers += f[j].ino == f[i].ino && (f[j].flags & O_ACCMODE) == O_WRONLY;
		wrong += f[i].writers != writers;
	}
	return wrong;
}

TEST(who_has_closed_a_pipe_is_no_writer)
{
	unsigned int wrong = 0;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(close_many);
	for (int i = 0; i < FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		core_load(core_of(fd, pid, 0));
		wrong += wrong_pipes();
		ASSERT(!thaw(fd));
		close(core.fd);
	}
	close(fd);
	if (!EXPECT(!wrong))
		printf("# %u writers, in %d freezes, had closed before\n", wrong, FREEZES);
}
