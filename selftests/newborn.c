// SPDX-License-Identifier: GPL-2.0-or-later
/* A thread that is caught is one that the C library has set up. Root, module loaded. */
#include <pthread.h>

#include "corefile.h"

#define FREEZES 150
#define MAKERS 3

static void *short_thread(void *arg)
{
	shared[0]++;
	return arg;
}

static void *making_thread(void *arg)
{
	pthread_t thread;

	for (;;) {
		if (pthread_create(&thread, NULL, short_thread, NULL) || pthread_join(thread, NULL))
			_exit(97);
	}
	return arg;
}

static void make_threads(void)
{
	pthread_t thread;

	for (int i = 1; i < MAKERS; i++)
		if (pthread_create(&thread, NULL, making_thread, NULL))
			_exit(98);
	making_thread(NULL);
}

/* Those that clone() has just returned in, before they have called rseq(). */
static unsigned int unready_threads(void)
{
	const struct xckpt_note_thread *t;
	unsigned int n, unready = 0;
	size_t size;

	for (n = 0; (t = note(XCKPT_NT_THREAD, n, &size)); n++) {
		const struct user_regs_struct *regs = thread_regs(t->tid);

		unready += !t->rseq && !regs->rax &&
			   (regs->orig_rax == SYS_clone || regs->orig_rax == SYS_clone3);
	}
	return unready;
}

/* Where the C library does not use it nobody has it. */
static int uses_rseq(pid_t pid)
{
	const struct xckpt_note_thread *t;
	size_t size;

	t = thread_note(pid, XCKPT_NT_THREAD, &size);
	return t && t->rseq;
}

TEST(a_new_thread_has_called_rseq)
{
	unsigned int unready = 0, used = 0;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(make_threads);
	EXPECT(reaches(0, 10));
	for (int i = 0; i < FREEZES; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		core_load(core_of(fd, pid, 0));
		used += uses_rseq(pid);
		unready += unready_threads();
		ASSERT(!thaw(fd));
		close(core.fd);
	}
	close(fd);
	if (!EXPECT(!used || !unready))
		printf("# %u threads, in %d freezes, had not\n", unready, FREEZES);
}
