// SPDX-License-Identifier: GPL-2.0-or-later
/* A dump while gdb has the program, and gdb on the core. Root, module loaded. */
#include <stdarg.h>

#include "corefile.h"

#define GDB "/usr/bin/gdb"

__attribute__((noinline)) void tick(void);

void tick(void)
{
	shared[0]++;
	asm volatile("");
}

static void ticking(void)
{
	for (;;)
		tick();
}

/* A session that dumps @pid and lets it go on; what gdb runs by its `shell`. */
static void dump(pid_t pid, uint32_t mode)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();

	ASSERT(!freeze_mode(fd, pid, &f, mode));
	ASSERT(!snapshot(fd, 0, &s));
	ASSERT(!thaw(fd));
	core_load(core_of(fd, pid, 0));
	printf("dumped at %#llx\n", (unsigned long long)thread_regs(pid)->rip);
}

__attribute__((constructor)) static void dump_command(int argc, char **argv)
{
	if (argc != 4 || strcmp(argv[1], "--dump"))
		return;
	dump(atoi(argv[2]), (uint32_t)atoi(argv[3]));
	fflush(stdout);
	_exit(0);
}

static char output[1 << 16];

static unsigned int times_in_output(const char *what)
{
	unsigned int nr = 0;

	for (const char *p = output; (p = strstr(p, what)); p++)
		nr++;
	return nr;
}

/* Starts gdb on @arguments; its output comes from the descriptor. */
static pid_t start_gdb(int *from, const char *arguments)
{
	char line[4096];
	int pipes[2];
	pid_t pid;

	if (access(GDB, X_OK))
		SKIP("no gdb");
	snprintf(line, sizeof(line), "exec " GDB " -nx -batch -iex 'set debuginfod enabled off' %s",
		 arguments);
	ASSERT(!pipe2(pipes, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		execl("/bin/sh", "sh", "-c", line, NULL);
		_exit(127);
	}
	close(pipes[1]);
	*from = pipes[0];
	return pid;
}

static void end_gdb(pid_t pid, int from)
{
	size_t have = 0;
	ssize_t got;
	int status;

	while ((got = read(from, output + have, sizeof(output) - 1 - have)) > 0)
		have += (size_t)got;
	output[have] = 0;
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	close(from);
}

static void show_output(void)
{
	char *line, *rest = output;

	while (failed_here && (line = strsep(&rest, "\n")))
		printf("# gdb: %s\n", line);
}

/* gdb stops it at a breakpoint, it is dumped there, gdb steps and goes on. */
TEST(a_dump_at_a_breakpoint_of_gdb)
{
	char self[256] = "", arguments[3500];
	int n, from;
	pid_t pid, gdb;

	share_counters();
	pid = target(ticking);
	ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	n = snprintf(arguments, sizeof(arguments), "-p %d -ex 'break tick'", pid);
	for (int i = 0; i < NR_MODES; i++)
		n += snprintf(arguments + n, sizeof(arguments) - (size_t)n,
			      " -ex continue -ex 'shell %s --dump %d %u' -ex 'p $pc' -ex stepi"
			      " -ex stepi -ex 'p $pc != &tick' -ex continue",
			      self, pid, all_modes[i]);
	snprintf(arguments + n, sizeof(arguments) - (size_t)n, " -ex delete -ex detach");
	gdb = start_gdb(&from, arguments);
	end_gdb(gdb, from);
	EXPECT(times_in_output("Breakpoint 1, ") == 2 * NR_MODES);
	EXPECT(times_in_output("dumped at 0x") == NR_MODES);
	EXPECT(times_in_output("= 1\n") == NR_MODES);
	EXPECT(moves(0, 1000));
	show_output();
}

/* gdb stops it and steps it over the breakpoint a hundred times meanwhile. */
TEST(dumps_while_gdb_is_busy_with_it)
{
	unsigned int again = 0, frozen = 0;
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	char arguments[512];
	int from, fd = session();
	pid_t pid, gdb;
	siginfo_t ended = { 0 };

	share_counters();
	pid = target(ticking);
	snprintf(arguments, sizeof(arguments),
		 "-p %d -ex 'break tick' -ex 'ignore 1 100' -ex continue -ex 'info breakpoints'"
		 " -ex delete -ex detach",
		 pid);
	gdb = start_gdb(&from, arguments);
	while (!waitid(P_PID, (id_t)gdb, &ended, WEXITED | WNOHANG | WNOWAIT) && !ended.si_pid) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[frozen++ % NR_MODES]));
		/* gdb may wake it in every attempt */
		if (snapshot(fd, 0, &s))
			EXPECT(errno == EAGAIN && ++again);
		ASSERT(!thaw(fd));
		nap_ms(3);
	}
	end_gdb(gdb, from);
	printf("# %u freezes, %u snapshots in vain\n", frozen, again);
	EXPECT(again < frozen);
	EXPECT(times_in_output("Breakpoint 1, ") == 1);
	EXPECT(times_in_output("already hit 101 times") == 1);
	EXPECT(moves(0, 1000));
	show_output();
}

TEST(gdb_reads_the_core_of_a_snapshot)
{
	char self[256] = "", arguments[512];
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int from, core_fd, fd = session();
	pid_t pid, gdb;

	share_counters();
	pid = target(ticking);
	ASSERT(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	ASSERT(!thaw(fd));
	core_fd = core_of(fd, pid, 0);
	ASSERT(core_fd >= 0);
	snprintf(arguments, sizeof(arguments), "%s /proc/%d/fd/%d -ex bt -ex 'p *(char *)shared'",
		 self, getpid(), core_fd);
	gdb = start_gdb(&from, arguments);
	end_gdb(gdb, from);
	EXPECT(times_in_output("ticking ()") && times_in_output("main ("));
	EXPECT(times_in_output("$1 = ") == 1);
	show_output();
}
