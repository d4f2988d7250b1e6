/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests in C, in the shape of the kernel's kselftest_harness.h (which is only in
 * the kernel's full source): TEST(name) { ... EXPECT(...) ... ASSERT(...) }.
 * Each test runs in a process of its own that leads a session; what it started
 * ends with it. Results are TAP. Arguments of the program choose tests by name.
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

#define TEST_SECONDS 120
#define MAX_TESTS 64

static struct test {
	const char *name;
	void (*run)(void);
} all_tests[MAX_TESTS];
static int nr_tests;
static int failed_here; /* in the process of one test */

#define TEST(name_)                                                                                \
	static void name_(void);                                                                   \
	__attribute__((constructor)) static void register_##name_(void)                            \
	{                                                                                          \
		all_tests[nr_tests++] = (struct test){ #name_, name_ };                            \
	}                                                                                          \
	static void name_(void)

/* Said in full and remembered; the test goes on. */
#define EXPECT(condition)                                                                          \
	((condition) ? 1                                                                           \
		     : (failed_here++,                                                             \
			printf("# %s:%d: not so: %s (errno %d: %s)\n", __FILE__, __LINE__,         \
			       #condition, errno, strerror(errno)),                                \
			fflush(stdout), 0))

/* What the rest of the test needs. */
#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (!EXPECT(condition))                                                            \
			exit(1);                                                                   \
	} while (0)

static int chosen(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return 1;
	return argc < 2;
}

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
		return 0;
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? " (took too long)" : "");
	return status == 0;
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0;

	/* orphans of the tests come here, so that none is left behind */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < nr_tests; i++) {
		int good;

		if (!chosen(all_tests[i].name, argc, argv))
			continue;
		good = run_test(&all_tests[i]);
		passed += good;
		failed += !good;
		printf("%sok %d - %s\n", good ? "" : "not ", passed + failed, all_tests[i].name);
	}
	printf("1..%d\n%d passed, %d failed\n", passed + failed, passed, failed);
	return failed || !passed;
}

#endif
