// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * headless [TURNS]: its first thread ends at once; two others take turns, and what
 * one of them ends the process with is its status.
 */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "victim.h"

static sem_t go[2];
static unsigned int turns;

/* 'Z': it has ended, and the process has not. */
static char first_thread(void)
{
	char path[64], text[256] = "", *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return '?';
	fclose(f);
	end = strrchr(text, ')');
	return end ? end[2] : '?';
}

/* It may be on its way there for a while. */
static void wait_for_zombie(void)
{
	for (int i = 0; i < 10000 && first_thread() != 'Z'; i++)
		usleep(1000);
	say("the first thread: %c", first_thread());
}

static void *turn(void *arg)
{
	int me = *(int *)arg;
	uint64_t hash = me;

	for (unsigned int i = 0; i < turns; i++) {
		sem_wait(&go[me]);
		hash = work(hash, STEP / 2);
		say("turn %u of %d: %016jx", i, me, (uintmax_t)hash);
		if (!i || i == turns - 1) /* a file of /proc must not be open at a dump */
			wait_for_zombie();
		sem_post(&go[!me]);
	}
	if (me)
		_exit(5);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static int me[2] = { 0, 1 };
	pthread_t thread;

	turns = number(argv, argc, 1, 20);
	sem_init(&go[0], 0, 0);
	sem_init(&go[1], 0, 0);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, turn, &me[i]))
			die("pthread_create");
	sem_post(&go[0]);
	pthread_exit(NULL);
}
