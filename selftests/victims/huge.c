// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * huge [LINES]: two processes with huge pages: private ones, of which some were never
 * touched and one is read-only, shared ones, and a memfd of them, that hold what keeps
 * the two in step. The machine has not a page more than they need: whoever is dumped
 * must not want another one for what it writes meanwhile.
 */
#include <linux/memfd.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define PAGE (2ul << 20)
#define PRIVATE 4 /* pages */
#define SHARED 2

struct board {
	sem_t go, done;
	int bad;
};

static volatile int child_status = -1;

/* Who is killed for want of a page lets nobody wait for it. */
static void on_child(int signal)
{
	int status;

	(void)signal;
	if (waitpid(-1, &status, WNOHANG) <= 0)
		return;
	child_status = status;
	if (status)
		_exit(1);
}

static char *map(size_t pages, int flags, int fd)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static char *huge(size_t pages, int sharing)
{
	return map(pages, sharing | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26, -1);
}

/* The last words of each page are the process's own. */
static volatile char *own(char *pages, size_t page, unsigned int i)
{
	return pages + page * PAGE + PAGE - 4096 + i;
}

static _Noreturn void child(unsigned int lines, char *private, char *spare, char *shared,
			    char *file)
{
	struct board *board = (struct board *)shared;

	/* it keeps one page, and has a copy of that */
	munmap(private + PAGE, (PRIVATE - 1) * PAGE);
	munmap(spare, PAGE);
	for (unsigned int i = 0; i < lines; i++) {
		sem_wait(&board->go);
		*own(private, 0, i) = (char)(i + 7);
		board->bad |= *own(shared, 1, i) != (char)(i + 1);
		board->bad |= i && *own(private, 0, i - 1) != (char)(i + 6);
		*own(file, 1, i) = (char)(i + 2);
		sem_post(&board->done);
	}
	_exit(private[0] != 'p');
}

static void check_pages(char *private, size_t page, const char *what)
{
	size_t i;

	for (i = 0; i < PAGE && private[page * PAGE + i] == (char)(i * 31 >> 8); i++)
		;
	check(i == PAGE, what);
}

/* What can be done to such memory can still be done. */
static void use(char *private, char *spare)
{
	char *to = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(!madvise(private + 2 * PAGE, PAGE, MADV_DONTNEED) && !private[2 * PAGE + 5],
	      "what is given back is empty");
	to = (char *)(((uintptr_t)to + PAGE - 1) & ~(PAGE - 1));
	check(mremap(spare, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to && *to == 's',
	      "it can be moved");
	check(!mprotect(private + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE), "and made writable");
	private[3 * PAGE] = 1;
	check(!munmap(private + PAGE, (PRIVATE - 1) * PAGE), "and given up");
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40), bad = 0;
	int fd = (int)syscall(SYS_memfd_create, "huge", MFD_HUGETLB | 21u << 26);
	char *private, *spare, *shared, *file;
	struct board *board;

	if (fd < 0 || ftruncate(fd, SHARED * PAGE))
		die("memfd");
	private = huge(PRIVATE, MAP_PRIVATE);
	spare = huge(1, MAP_PRIVATE);
	*spare = 's';
	shared = huge(SHARED, MAP_SHARED);
	file = map(SHARED, MAP_SHARED, fd);
	board = (struct board *)shared;
	sem_init(&board->go, 1, 0);
	sem_init(&board->done, 1, 0);
	for (size_t i = 0; i < PAGE; i++)
	private[2 * PAGE + i] = private[3 * PAGE + i] = (char)(i * 31 >> 8);
	private[0] = 'p';
	mprotect(private + 3 * PAGE, PAGE, PROT_READ);
	signal(SIGCHLD, on_child);
	if (!fork())
		child(lines, private, spare, shared, file);
	for (unsigned int i = 0; i < lines; i++) {
		work(i, STEP);
		*own(private, 0, i) = (char)i;
		*own(shared, 1, i) = (char)(i + 1);
		sem_post(&board->go);
		while (sem_wait(&board->done))
			;
		bad += *own(file, 1, i) != (char)(i + 2) || *own(private, 0, i) != (char)i;
		say("%u", i);
	}
	while (child_status < 0)
		usleep(1000);
	check(!child_status && !board->bad, "the child saw what was written");
	check(!bad, "and so did the first process");
	check_pages(private, 2, "what was private is unchanged");
	check_pages(private, 3, "where it could not be written, too");
	check(pread(fd, (char *)board + 64, 1, PAGE + PAGE - 4096) == 1 &&
		      *((char *)board + 64) == 2,
	      "the file can be read");
	use(private, spare);
	return failures != 0;
}
