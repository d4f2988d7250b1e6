/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests in C, in the shape of the kernel's kselftest_harness.h (which is only in
 * the kernel's full source): TEST(name) { ... EXPECT(...) ... ASSERT(...) }.
 * Each test runs in a process of its own that leads a session; what it started
 * is ended after it. Results are TAP. Arguments of the program choose tests by name; a
 * number among them is for the tests (test_arg).
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 600 /* a hang, even on a slow machine */
#define MAX_TESTS 64
#define MAX_SAID 8 /* complaints of one test */

static struct test {
	const char *name;
	void (*run)(void);
} all_tests[MAX_TESTS];
static int nr_tests;
static int failed_here; /* in the process of one test */
static int test_arg;

#define TEST(name_)                                                                                \
	static void name_(void);                                                                   \
	__attribute__((constructor)) static void register_##name_(void)                            \
	{                                                                                          \
		all_tests[nr_tests++] = (struct test){ #name_, name_ };                            \
	}                                                                                          \
	static void name_(void)

/* Said, up to a number of times, and remembered; the test goes on. */
static inline int not_so(const char *file, int line, const char *condition)
{
	int err = errno;

	if (++failed_here <= MAX_SAID)
		printf("# %s:%d: not so: %s (errno %d: %s)\n", file, line, condition, err,
		       strerror(err));
	fflush(stdout);
	return 0;
}

#define EXPECT(condition) ((condition) ? 1 : not_so(__FILE__, __LINE__, #condition))

/* What the rest of the test needs. */
#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (!EXPECT(condition))                                                            \
			exit(1);                                                                   \
	} while (0)

/* Ends a test that cannot run here. */
#define SKIPPED 4
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		printf("# skipped: %s\n", reason);                                                 \
		exit(failed_here ? 1 : SKIPPED);                                                   \
	} while (0)

/* Takes the number out of the arguments. */
static void take_number(int *argc, char **argv)
{
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		char *end;
		long value = strtol(argv[i], &end, 10);

		if (end == argv[i] || *end)
			argv[kept++] = argv[i];
		else
			test_arg = (int)value;
	}
	*argc = kept;
}

static int chosen(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return 1;
	return argc < 2;
}

/* What a test started comes to us when it ends, whatever group it made itself. */
static void end_children(void)
{
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	for (;;) {
		FILE *children = fopen(path, "r");

		while (children && fscanf(children, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (children)
			fclose(children);
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0)
			break;
		if (!pid)
			usleep(1000);
	}
}

/* The status of its process: 0 is a pass, SKIPPED a skip. */
static int run_test(const struct test *t)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		setsid();
		alarm(TEST_SECONDS);
		t->run();
		exit(failed_here != 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	end_children();
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (took too long)" : "");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0, skipped = 0;

	take_number(&argc, argv);
	/* orphans of the tests come here, so that none is left behind */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < nr_tests; i++) {
		int status, bad;

		if (!chosen(all_tests[i].name, argc, argv))
			continue;
		status = run_test(&all_tests[i]);
		bad = status && status != SKIPPED;
		passed += !status;
		skipped += status == SKIPPED;
		failed += bad;
		printf("%sok %d - %s%s\n", bad ? "not " : "", passed + failed + skipped,
		       all_tests[i].name, status == SKIPPED ? " # SKIP" : "");
	}
	printf("1..%d\n", passed + failed + skipped);
	if (skipped)
		printf("# %d skipped\n", skipped);
	printf("%d passed, %d failed\n", passed, failed);
	return failed || !passed;
}

#endif
