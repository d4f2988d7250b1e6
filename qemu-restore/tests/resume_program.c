// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program to be dumped and resumed: resume_program LINES [FILE-TO-MAP]. Every
 * tenth of a second one line tells what it sees of itself; then it ends with 7.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile unsigned long beats;

static void *beat(void *unused)
{
	(void)unused;
	for (;;) {
		beats++;
		usleep(20000);
	}
	return NULL;
}

static void print_credentials(void)
{
	static const char *const keys[] = { "Uid", "Groups", "Cap" };
	FILE *f = fopen("/proc/self/status", "re");
	char line[512];
	size_t i;

	while (f && fgets(line, sizeof(line), f))
		for (i = 0; i < 3; i++)
			if (!strncmp(line, keys[i], strlen(keys[i]))) {
				line[strcspn(line, "\n")] = 0;
				for (char *tab; (tab = strchr(line, '\t'));)
					*tab = ' ';
				printf(" %s", line);
			}
	if (f)
		fclose(f);
	printf(" Secure: %d", prctl(PR_GET_SECUREBITS));
}

/* Clean file-backed memory, all of it looked at. */
static void map_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	const volatile char *map;
	struct stat st;
	off_t i;

	if (fd < 0 || fstat(fd, &st))
		return;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	for (i = 0; map != MAP_FAILED && i < st.st_size; i += 4096)
		(void)map[i];
	close(fd);
}

int main(int argc, char **argv)
{
	int i, lines = argc > 1 ? atoi(argv[1]) : 20;
	pthread_t thread;

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc > 2)
		map_file(argv[2]);
	pthread_create(&thread, NULL, beat, NULL);
	for (i = 0; i < lines; i++) {
		char exe[4096] = "", cwd[4096] = "";

		if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
			strcpy(exe, "?");
		printf("line %d exe %s cwd %s", i, exe, getcwd(cwd, sizeof(cwd)) ? cwd : "?");
		print_credentials();
		printf(" end\n");
		fflush(stdout);
		usleep(100000);
	}
	return 7;
}
