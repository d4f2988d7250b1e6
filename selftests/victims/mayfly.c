// SPDX-License-Identifier: GPL-2.0-or-later
/* mayfly MICROSECONDS THREADS: ends by itself, threads at different moments. */
#include <pthread.h>
#include <unistd.h>

#include "victim.h"

static unsigned int life;

static void *fly(void *arg)
{
	usleep(life / 8 * (unsigned int)(long)arg);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int threads = number(argv, argc, 2, 4);
	pthread_t thread;

	life = number(argv, argc, 1, 1000);
	for (unsigned int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, fly, (void *)(long)(i + 1)))
			die("pthread_create");
	say("born");
	usleep(life);
	return 0;
}
