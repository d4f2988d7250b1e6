// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cleanmap FILE [LINES]: maps a file privately and reads all of it: memory that
 * an image holds although nobody wrote to it. A few pages are written to.
 * LINES of 0: one every few milliseconds, until it is killed.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "victim.h"

static uint64_t sum(const unsigned char *p, size_t size)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < size; i += 64)
		hash = hash * 31 + p[i];
	return hash;
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 2, 40);
	int fd = argc > 1 ? open(argv[1], O_RDONLY) : -1;
	struct stat st;
	uint64_t before;
	unsigned char *p;

	if (fd < 0 || fstat(fd, &st))
		die(argc > 1 ? argv[1] : "FILE");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	before = sum(p, (size_t)st.st_size);
	say("read %jx", (uintmax_t)before);
	while (!lines) {
		usleep(2000);
		say("running");
	}
	for (unsigned int i = 0; i < lines; i++) {
		work(i, STEP);
		if (i % 10 == 0)
			p[(size_t)i * 4096] ^= 0xff;
		say("%u", i);
	}
	for (unsigned int i = 0; i < lines; i += 10)
		p[(size_t)i * 4096] ^= 0xff;
	check(sum(p, (size_t)st.st_size) == before, "mapping unchanged");
	return failures != 0;
}
