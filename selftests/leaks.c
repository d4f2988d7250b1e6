// SPDX-License-Identifier: GPL-2.0-or-later
/* What is left after many snapshots: nothing. Runs as root with the module loaded. */
#include <dirent.h>

#include "corefile.h"

#define AREA (8ul << 20)
#define WARM_UP 20
#define ROUNDS 300
#define SLACK_KIB (24ul << 10) /* one snapshot that is kept would cost more than AREA / ROUNDS */

static char *area;
static volatile sig_atomic_t children_ended;

static void on_child(int signo)
{
	children_ended++;
}

/* Writes to all its pages, so that each clone that is kept costs a copy of them. */
static void dirties(void)
{
	signal(SIGCHLD, on_child);
	for (;;) {
		for (size_t at = 0; at < AREA; at += 4096)
			area[at]++;
		shared[0]++;
		shared[1] = (uint64_t)children_ended;
		shared[2] += waitpid(-1, NULL, WNOHANG | __WALL) != -1 || errno != ECHILD;
		nap_ms(1);
	}
}

/* Of /proc/meminfo, KiB. */
static unsigned long meminfo(const char *name)
{
	char line[128];
	unsigned long value = 0;
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return value;
}

static unsigned int nr_processes(void)
{
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *dir = opendir("/proc");

	ASSERT(dir);
	while ((entry = readdir(dir)))
		/* threads of the kernel come and go */
		if (atoi(entry->d_name) > 0 && getpgid(atoi(entry->d_name)) > 0)
			nr++;
	closedir(dir);
	return nr;
}

static void many_snapshots(int fd, pid_t pid, int nr)
{
	static char buf[1 << 16];
	struct xckpt_freeze f;
	struct xckpt_snapshot s;

	for (int i = 0; i < nr; i++) {
		int core_fd;

		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		ASSERT(!snapshot(fd, i % 7 == 6 ? XCKPT_SNAPSHOT_FROZEN : 0, &s));
		core_fd = core_of(fd, pid, 0);
		ASSERT(core_fd >= 0);
		if (i % 3)
			EXPECT(read(core_fd, buf, sizeof(buf)) > 0);
		ASSERT(!thaw(fd));
		if (i % 5)
			EXPECT(moves(0, 1));
		close(core_fd);
		if (i % 11 == 10) {
			close(fd);
			ASSERT(session() == fd);
		}
	}
}

TEST(many_snapshots_leave_nothing)
{
	unsigned long available, slab, unreclaimable;
	unsigned int processes;
	pid_t pid;
	int fd;

	share_counters();
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid = target(dirties);
	fd = session();
	many_snapshots(fd, pid, WARM_UP);
	processes = nr_processes();
	available = meminfo("MemAvailable");
	unreclaimable = meminfo("SUnreclaim");
	many_snapshots(fd, pid, ROUNDS);
	close(fd);
	nap_ms(300);
	slab = meminfo("SUnreclaim");
	slab = slab > unreclaimable ? slab - unreclaimable : 0;
	unreclaimable = meminfo("MemAvailable");
	available = available > unreclaimable ? available - unreclaimable : 0;
	printf("# after %d snapshots: %lu KiB less memory, %lu KiB more slab\n", ROUNDS, available,
	       slab);
	EXPECT(available < SLACK_KIB && slab < SLACK_KIB);
	EXPECT(nr_processes() <= processes);
	/* the target never heard of a child */
	EXPECT(!shared[1] && !shared[2]);
}
