// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shared [TURNS]: four processes and the memory that they share, with the mutex and
 * the semaphores in it that keep them in step; one object mapped twice in one
 * process; one that only a child still has; files, one of them removed, that the
 * first process writes to and the others have mapped to be read; 32 MiB that all have
 * in full, by a descriptor for reading only, and some that nobody has in any other way.
 * What any of them writes the others have to see, before and after. And a file that
 * nobody writes to, which may not be there afterwards. A part of some is mapped by nobody
 * until the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define CHILDREN 3
#define BIG (64ul << 20)
#define WIDE (32ul << 20) /* observe.sh knows this, too */
#define PAGE 4096

/* a table of the system's that every program may have mapped; it stays what it was */
#define CACHE "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache"
#define CACHE_BYTES 4096

static struct board {
	pthread_mutex_t lock;
	sem_t go[CHILDREN], done;
	unsigned long total, last_turn[CHILDREN];
	int bad, blind;
} * board;

static char *map(size_t size, int fd)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* A file as the first process has it, and as the others have. */
struct page {
	int fd;
	char *own;
	const char *read_only, *protected;
};

static struct page page_of(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644), reader = open(name, O_RDONLY);
	struct page page = { .fd = fd };
	void *read_only, *protected;

	if (fd < 0 || reader < 0 || ftruncate(fd, 8192))
		die(name);
	page.own = map(8192, fd);
	read_only = mmap(NULL, 8192, PROT_READ, MAP_SHARED, reader, 0);
	protected = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (read_only == MAP_FAILED || mprotect(protected, 8192, PROT_READ))
		die(name);
	close(reader);
	page.read_only = read_only;
	page.protected = protected;
	return page;
}

/* By its descriptor and through its mapping. */
static void write_turn(const struct page *page, unsigned int i)
{
	char byte = (char)(i + 1);

	if (pwrite(page->fd, &byte, 1, i) != 1)
		die("pwrite");
	page->own[4096 + i] = byte;
}

static int sees_turn(const struct page *page, unsigned int i)
{
	volatile const char *a = page->read_only, *b = page->protected;
	char byte = (char)(i + 1);

	return a[i] == byte && a[4096 + i] == byte && b[i] == byte && b[4096 + i] == byte;
}

/* What /proc tells of the mapping there: the letter for shared or private. */
static char kind_of_mapping(const void *p)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512], prot[5], kind = 0;

	while (maps && !kind && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, prot) == 3 &&
		    start <= (unsigned long)p && (unsigned long)p < end)
			kind = prot[3];
	if (maps)
		fclose(maps);
	return kind;
}

/* The first process writes to it; the others may only read, by @view, and so may it. */
static struct wide {
	unsigned int *own;
	const unsigned int *view;
	const char *only; /* other memory, that only has views */
} wide;

static const void *view_of(int fd, size_t size)
{
	char path[64];
	void *view;
	int reader;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY);
	view = mmap(NULL, size, PROT_READ, MAP_SHARED, reader, 0);
	if (reader < 0 || view == MAP_FAILED)
		die(path);
	close(reader);
	close(fd);
	return view;
}

static void make_wide(void)
{
	int fd = memfd_create("wide", 0);

	if (fd < 0 || ftruncate(fd, WIDE))
		die("memfd");
	wide.own = (unsigned int *)map(WIDE, fd);
	for (unsigned int i = 0; i < WIDE / PAGE; i++)
		wide.own[i * PAGE / 4] = ~i;
	wide.view = view_of(fd, WIDE);
	fd = memfd_create("only", 0);
	if (fd < 0 || pwrite(fd, "read", 5, PAGE) != 5)
		die("memfd");
	wide.only = view_of(fd, 2 * PAGE);
}

static int cannot_be_written(const void *view)
{
	return kind_of_mapping(view) == 's' &&
	       mprotect((void *)view, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES;
}

static int is_wide_right(void)
{
	for (unsigned int i = 0; i < WIDE / PAGE; i++)
		if (wide.view[i * PAGE / 4] != ~i)
			return 0;
	return !strcmp(wide.only + PAGE, "read") && cannot_be_written(wide.view) &&
	       cannot_be_written(wide.only);
}

static const char *map_cache(char *copy)
{
	int fd = open(CACHE, O_RDONLY);
	const char *p = mmap(NULL, CACHE_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die(CACHE);
	close(fd);
	memcpy(copy, p, CACHE_BYTES);
	return p;
}

/* @big has a byte of each turn from the first process, far apart. */
static _Noreturn void child(int n, unsigned int turns, const char *big, volatile char *own,
			    const struct page *pages)
{
	for (unsigned int i = 0; i < turns; i++) {
		sem_wait(&board->go[n]);
		work(n, STEP / 3);
		pthread_mutex_lock(&board->lock);
		board->total++;
		board->last_turn[n] = i;
		board->bad |= big[i * (1ul << 20) + i] != (char)(i + 1);
		own[i] = (char)(i + n);
		board->bad |= i && own[i - 1] != (char)(i - 1 + n);
		board->blind |= wide.view[i * PAGE / 4 + 1] != i + 1;
		board->blind |= !sees_turn(&pages[0], i) || !sees_turn(&pages[1], i);
		pthread_mutex_unlock(&board->lock);
		sem_post(&board->done);
	}
	_exit(!is_wide_right());
}

static void make_board(void)
{
	pthread_mutexattr_t attr;

	board = (struct board *)map(sizeof(*board), -1);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&board->lock, &attr);
	sem_init(&board->done, 1, 0);
	for (int i = 0; i < CHILDREN; i++)
		sem_init(&board->go[i], 1, 0);
}

/* Four pages, of which all but the first can be had by making the mapping larger again. */
static char *make_narrow(void)
{
	char *p = map(4 * PAGE, -1);

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)('a' + i);
	if (mremap(p, 4 * PAGE, PAGE, 0) != p)
		die("mremap");
	return p;
}

static int is_narrow_right(char *p)
{
	int good = 1;

	p = mremap(p, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	for (int i = 0; i < 4; i++)
		good &= p != MAP_FAILED && p[i * PAGE] == 'a' + i;
	return good;
}

int main(int argc, char **argv)
{
	unsigned int turns = number(argv, argc, 1, 40), bad = 0;
	int fd = memfd_create("twins", 0), status, good = 0;
	volatile char *one, *other;
	char *big, *narrow, copy[CACHE_BYTES];
	const char *cache = map_cache(copy);
	struct page pages[2];

	make_board();
	if (fd < 0 || ftruncate(fd, 8192))
		die("memfd");
	one = map(8192, fd);
	other = map(8192, fd);
	close(fd);
	big = map(BIG, -1);
	make_wide();
	narrow = make_narrow();
	pages[0] = page_of("shared.file");
	pages[1] = page_of("shared.gone");
	if (unlink("shared.gone"))
		die("unlink");
	for (int i = 0; i < CHILDREN; i++) {
		char *own = map(4096, -1);

		if (!fork()) {
			munmap((void *)one, 8192);
			munmap((void *)other, 8192);
			mprotect(big, BIG, PROT_READ);
			munmap(wide.own, WIDE);
			for (int j = 0; j < 2; j++) {
				munmap(pages[j].own, 8192);
				close(pages[j].fd);
			}
			child(i, turns, big, own, pages);
		}
		munmap(own, 4096);
	}
	for (unsigned int i = 0; i < turns; i++) {
		big[i * (1ul << 20) + i] = (char)(i + 1);
		wide.own[i * PAGE / 4 + 1] = i + 1;
		one[i] = (char)i;
		bad += other[i] != (char)i;
		write_turn(&pages[0], i);
		write_turn(&pages[1], i);
		for (int j = 0; j < CHILDREN; j++)
			sem_post(&board->go[j]);
		for (int j = 0; j < CHILDREN; j++)
			sem_wait(&board->done);
		for (int j = 0; j < CHILDREN; j++)
			bad += board->last_turn[j] != i;
		say("turn %u: %lu", i, board->total);
	}
	while (wait(&status) > 0)
		good += !status;
	check(good == CHILDREN && !board->bad, "the children saw what was written");
	check(!board->blind, "and what was written to files");
	check(!bad && board->total == (unsigned long)CHILDREN * turns,
	      "and so did the first process");
	check(is_wide_right(), "memory that can only be read");
	check(is_narrow_right(narrow), "memory that was mapped in part");
	check(!memcmp((const char *)one, (const char *)other, 8192), "twice the same memory");
	check(!memcmp(cache, copy, CACHE_BYTES), "the system's file is what it was");
	check(kind_of_mapping(pages[0].read_only) == 's' &&
		      kind_of_mapping(pages[0].protected) == 's' &&
		      kind_of_mapping(pages[1].read_only) == 's' && kind_of_mapping(cache) == 's',
	      "all of them shared mappings");
	return failures != 0;
}
