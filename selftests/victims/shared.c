// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shared [TURNS]: four processes and the memory that they share, with the mutex and
 * the semaphores in it that keep them in step; one object mapped twice in one
 * process; one that only a child still has. What any of them writes the others
 * have to see, before and after.
 */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define CHILDREN 3
#define BIG (64ul << 20)

static struct board {
	pthread_mutex_t lock;
	sem_t go[CHILDREN], done;
	unsigned long total, last_turn[CHILDREN];
	int bad;
} * board;

static char *map(size_t size, int fd)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* @big has a byte of each turn from the first process, far apart. */
static _Noreturn void child(int n, unsigned int turns, const char *big, volatile char *own)
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
		pthread_mutex_unlock(&board->lock);
		sem_post(&board->done);
	}
	_exit(0);
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

int main(int argc, char **argv)
{
	unsigned int turns = number(argv, argc, 1, 40), bad = 0;
	int fd = memfd_create("twins", 0), status, good = 0;
	volatile char *one, *other;
	char *big;

	make_board();
	if (fd < 0 || ftruncate(fd, 8192))
		die("memfd");
	one = map(8192, fd);
	other = map(8192, fd);
	close(fd);
	big = map(BIG, -1);
	for (int i = 0; i < CHILDREN; i++) {
		char *own = map(4096, -1);

		if (!fork()) {
			munmap((void *)one, 8192);
			munmap((void *)other, 8192);
			mprotect(big, BIG, PROT_READ);
			child(i, turns, big, own);
		}
		munmap(own, 4096);
	}
	for (unsigned int i = 0; i < turns; i++) {
		big[i * (1ul << 20) + i] = (char)(i + 1);
		one[i] = (char)i;
		bad += other[i] != (char)i;
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
	check(!bad && board->total == (unsigned long)CHILDREN * turns,
	      "and so did the first process");
	check(!memcmp((const char *)one, (const char *)other, 8192), "twice the same memory");
	return failures != 0;
}
