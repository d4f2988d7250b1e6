// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_resume CONTROL run COMMAND...   how long it takes from the start of COMMAND until
 *                                the victim behind CONTROL (see bench_memory.c), which it
 *                                brings back, answers; then the victim checks what it
 *                                has, and ends
 * bench_resume CONTROL read FILE 4k|thp|file   how long it takes to read a file into new memory,
 *                                with as many threads as there are processors; 4k, thp: of
 *                                such pages, as the victim has
 *
 * Prints a member of a JSON object, in nanoseconds.
 */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>

#include "bench.h"

#define MAX_READERS 64
#define CHUNK (1 << 20)
#define PATIENCE_S 600

extern char **environ;

static struct control *control;

/* As long as COMMAND lives, or had ended well: what it started lives on without it. */
static void wait_for_answer(pid_t pid, enum request request, const char *name)
{
	uint64_t until = now_ns() + PATIENCE_S * 1000000000ull;
	int status = 0, gone = 0;

	while (__atomic_load_n(&control->request, __ATOMIC_ACQUIRE) == request) {
		const struct timespec t = { .tv_nsec = 50000000 };

		syscall(SYS_futex, &control->request, FUTEX_WAIT, request, &t, NULL, 0);
		gone = gone ? gone : waitpid(pid, &status, WNOHANG);
		if (status || now_ns() > until)
			errx(1, "%s: no answer (status 0x%x)", name, status);
	}
}

static void ask(enum request request)
{
	__atomic_store_n(&control->request, request, __ATOMIC_RELEASE);
	futex(&control->request, FUTEX_WAKE, INT_MAX);
}

static void run(char **argv)
{
	uint64_t start;
	pid_t pid;

	ask(ANSWER);
	start = now_ns();
	errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (errno)
		err(1, "cannot start %s", argv[0]);
	wait_for_answer(pid, ANSWER, argv[0]);
	printf("\"answer_ns\":%llu", (unsigned long long)(now_ns() - start));
	ask(CHECK);
	wait_for_answer(pid, CHECK, argv[0]);
	ask(END);
	waitpid(pid, NULL, 0);
}

static struct reader {
	pthread_t id;
	int fd;
	char *to;
	off_t from, end;
} readers[MAX_READERS];

static void *reader(void *arg)
{
	struct reader *r = arg;

	while (r->from < r->end) {
		off_t left = r->end - r->from;
		ssize_t n = pread(r->fd, r->to + r->from, left < CHUNK ? left : CHUNK, r->from);

		if (n <= 0)
			err(1, "cannot read");
		r->from += n;
	}
	return NULL;
}

static void read_all(const char *path, const char *kind)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t start = now_ns();
	struct stat st;
	char *to;

	if (fd < 0 || fstat(fd, &st) || n < 1)
		err(1, "cannot read %s", path);
	n = n < MAX_READERS ? n : MAX_READERS;
	to = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to == MAP_FAILED)
		err(1, "cannot get memory");
	if (strcmp(kind, "file") &&
	    madvise(to, st.st_size, !strcmp(kind, "thp") ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		err(1, "cannot advise");
	for (long i = 0; i < n; i++) {
		readers[i] = (struct reader){ .fd = fd,
					      .to = to,
					      .from = st.st_size / n * i,
					      .end = i == n - 1 ? st.st_size
								: st.st_size / n * (i + 1) };
		if (pthread_create(&readers[i].id, NULL, reader, &readers[i]))
			err(1, "cannot start a thread");
	}
	for (long i = 0; i < n; i++)
		pthread_join(readers[i].id, NULL);
	printf("\"answer_ns\":%llu", (unsigned long long)(now_ns() - start));
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: bench_resume CONTROL run COMMAND... | read FILE 4k|thp|file");
	control = map_control(argv[1]);
	if (!strcmp(argv[2], "read"))
		read_all(argv[3], argc > 4 ? argv[4] : "file");
	else
		run(argv + 3);
	return 0;
}
