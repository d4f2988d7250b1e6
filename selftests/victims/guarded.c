// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guarded [LINES | has]: guard regions (MADV_GUARD_INSTALL, Linux 6.13) in memory of its own,
 * locked, shared and of a file, and below the stacks of two threads: one that it makes
 * as glibc 2.42 does, and one that the C library makes. Who touches them has to get SIGSEGV
 * afterwards, and nobody who touches what is beside them. Once they are removed there is
 * nothing in memory of its own, and in other what had been there. "has": are there any here?
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define GUARD_INSTALL 102
#define GUARD_REMOVE 103
#define PAGE 4096ul
#define PAGES 16
#define STACK (64 * PAGE)

/* Where the guards are: in each area from a page on, so many. */
static const struct {
	int from, pages;
} guards[] = { { 0, 1 }, { 3, 1 }, { 5, 2 }, { PAGES - 1, 1 } };
#define NR_GUARDS (int)(sizeof(guards) / sizeof(guards[0]))

enum { OWN, LOCKED, SHARED, FILED, NR_AREAS };
static char *areas[NR_AREAS];

static _Thread_local sigjmp_buf back;
static _Thread_local char *fault;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault = info->si_addr;
	siglongjmp(back, 1);
}

static int faults(char *p)
{
	fault = NULL;
	if (!sigsetjmp(back, 1))
		(void)*(volatile char *)p;
	return fault == p;
}

static int is_guarded(int page)
{
	for (int i = 0; i < NR_GUARDS; i++)
		if (page >= guards[i].from && page < guards[i].from + guards[i].pages)
			return 1;
	return 0;
}

static char *map(size_t size, int flags, int fd)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static int file_of_letters(void)
{
	int fd = open("guarded.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char page[PAGE];

	for (int i = 0; i < PAGES; i++) {
		memset(page, 'a' + i, PAGE);
		if (fd < 0 || write(fd, page, PAGE) != (ssize_t)PAGE)
			die("guarded.data");
	}
	close(fd);
	return open("guarded.data", O_RDONLY);
}

/* Those of files came later: without them such memory is as it was. */
static void guard(int area)
{
	for (int i = 0; i < NR_GUARDS; i++)
		if (madvise(areas[area] + guards[i].from * PAGE, guards[i].pages * PAGE,
			    GUARD_INSTALL)) {
			if (area < SHARED)
				die("madvise");
			areas[area] = NULL;
			return;
		}
}

static void make_areas(void)
{
	areas[OWN] = map(PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	areas[LOCKED] = map(PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	areas[SHARED] = map(PAGES * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1);
	areas[FILED] = map(PAGES * PAGE, MAP_PRIVATE, file_of_letters());
	for (int i = 0; i < FILED; i++)
		for (int j = 0; j < PAGES; j++)
			memset(areas[i] + j * PAGE, 'a' + j, PAGE);
	for (int i = 0; i < NR_AREAS; i++)
		guard(i);
	/* it is locked, though that cannot be read in and so fails */
	mlock(areas[LOCKED], PAGES * PAGE);
}

static void check_areas(void)
{
	int faulted = 1, good = 1;

	for (int i = 0; i < NR_AREAS; i++)
		for (int j = 0; areas[i] && j < PAGES; j++) {
			char *p = areas[i] + j * PAGE;

			if (is_guarded(j))
				faulted &= faults(p) && faults(p + PAGE - 1);
			else
				good &= !faults(p) && p[0] == 'a' + j && p[PAGE - 1] == 'a' + j;
		}
	check(faulted, "guards are guards");
	check(good, "what is beside them is as it was");
}

static void check_child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(faults(areas[OWN] + 3 * PAGE) ? 7 : 0);
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7,
	      "children have them, too");
}

/* Where advice is not heeded it is no error: an emulator may have closed that memory. */
static void check_removal(void)
{
	int heeded = madvise(areas[OWN], PAGE, 0x7fff) != 0, good = 1;

	for (int i = 0; i < NR_AREAS; i++) {
		/* the kernel may have none any more, and what stands for them stays */
		if (!areas[i] || !heeded || (i == LOCKED && munlock(areas[i], PAGES * PAGE)) ||
		    madvise(areas[i], PAGES * PAGE, GUARD_REMOVE))
			continue;
		for (int j = 0; j < PAGES; j++) {
			char *p = areas[i] + j * PAGE;
			char expected = is_guarded(j) && i < SHARED ? 0 : 'a' + j;

			good &= !faults(p) && p[0] == expected && p[PAGE - 1] == expected;
		}
	}
	check(good, "without them there is what there was");
}

struct thread {
	pthread_t id;
	sem_t go;
	char *low; /* of its stack: the guard is there, or below */
	int good;
};

static volatile int bottom = 1 << 30; /* nobody gets there */

static int dive(int depth)
{
	volatile char frame[512];

	frame[0] = (char)depth;
	return depth == bottom ? 0 : dive(depth + 1) + frame[0];
}

static void *overflows(void *arg)
{
	static _Thread_local char alternative[65536];
	const stack_t stack = { .ss_sp = alternative, .ss_size = sizeof(alternative) };
	struct thread *t = arg;

	if (sigaltstack(&stack, NULL))
		die("sigaltstack");
	while (sem_wait(&t->go))
		;
	if (!sigsetjmp(back, 1))
		dive(0);
	t->good = fault >= t->low - PAGE && fault < t->low + PAGE;
	return NULL;
}

/* @stack: NULL, or where it is */
static void start(struct thread *t, char *stack)
{
	pthread_attr_t attr;
	void *low;
	size_t size;

	pthread_attr_init(&attr);
	if (sem_init(&t->go, 0, 0) || pthread_attr_setguardsize(&attr, PAGE) ||
	    (stack ? pthread_attr_setstack(&attr, stack, STACK)
		   : pthread_attr_setstacksize(&attr, STACK)) ||
	    pthread_create(&t->id, &attr, overflows, t) || pthread_getattr_np(t->id, &attr) ||
	    pthread_attr_getstack(&attr, &low, &size))
		die("thread");
	t->low = low;
}

static void check_thread(struct thread *t, const char *what)
{
	sem_post(&t->go);
	pthread_join(t->id, NULL);
	check(t->good, what);
}

static int has_guards(void)
{
	return !madvise(map(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1), PAGE, GUARD_INSTALL);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_sigaction = on_fault,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK };
	unsigned int lines = number(argv, argc, 1, 40);
	static struct thread made, library;
	char *stack;

	if (argc > 1 && !strcmp(argv[1], "has"))
		return !has_guards();
	sigaction(SIGSEGV, &action, NULL);
	make_areas();
	stack = map(STACK, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1);
	if (madvise(stack, PAGE, GUARD_INSTALL))
		die("madvise");
	start(&made, stack);
	start(&library, NULL);
	for (unsigned int i = 0; i < lines; i++)
		say("%u %016jx", i, (uintmax_t)work(i, STEP));
	check_areas();
	check_child();
	if (failures) /* what follows would not end */
		return 1;
	check_thread(&made, "a stack ends where it did");
	check_thread(&library, "and so does the C library's");
	check_removal();
	return failures != 0;
}
