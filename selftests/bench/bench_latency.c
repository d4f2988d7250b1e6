// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_latency RUNS CGROUP VICTIM...   starts VICTIM in CGROUP and freezes it by
 * each method in turn, RUNS times: the time from asking until all of it stands
 * still. One line of JSON for each method. Of each the first time is not counted.
 */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "bench.h"
#include "xckpt.h"

#define MAX_RUNS 100
#define MAX_PIDS 4096

static int device, pidfd;
static char cgroup[PATH_MAX];
static pid_t pids[MAX_PIDS];
static size_t nr_pids;

static uint64_t by_xckpt(uint32_t mode)
{
	struct xckpt_freeze f = {
		.size = sizeof(f), .mode = mode, .target_fd = pidfd, .timeout_ms = 60000
	};
	struct xckpt_thaw t = { .size = sizeof(t) };
	uint64_t start = now_ns(), end;

	if (ioctl(device, XCKPT_IOCTL_FREEZE, &f))
		err(1, "cannot freeze (mode %u, reason %u, pid %d)", mode, f.out_reason, f.out_pid);
	end = now_ns();
	if (f.out_nr_processes != nr_pids)
		errx(1, "froze %u processes of %zu", f.out_nr_processes, nr_pids);
	if (ioctl(device, XCKPT_IOCTL_THAW, &t))
		err(1, "cannot thaw");
	return end - start;
}

static uint64_t by_soft(void)
{
	return by_xckpt(XCKPT_MODE_SOFT);
}

static uint64_t by_auto(void)
{
	return by_xckpt(XCKPT_MODE_AUTO);
}

static uint64_t by_strict(void)
{
	return by_xckpt(XCKPT_MODE_STRICT);
}

static int open_in_cgroup(const char *name, int flags)
{
	char path[PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "cannot open %s", path);
	return fd;
}

static void wait_for_event(int fd, const char *event)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	char text[256];
	ssize_t n;

	for (;;) {
		n = pread(fd, text, sizeof(text) - 1, 0);
		if (n < 0)
			err(1, "cannot read cgroup.events");
		text[n] = '\0';
		if (strstr(text, event))
			return;
		if (poll(&p, 1, 60000) == 0)
			errx(1, "no '%s' in a minute", event);
	}
}

static uint64_t by_cgroup(void)
{
	int events = open_in_cgroup("cgroup.events", O_RDONLY);
	int switch_fd = open_in_cgroup("cgroup.freeze", O_WRONLY);
	uint64_t start, end;

	start = now_ns();
	if (write(switch_fd, "1", 1) != 1)
		err(1, "cannot freeze the cgroup");
	wait_for_event(events, "frozen 1");
	end = now_ns();
	if (write(switch_fd, "0", 1) != 1)
		err(1, "cannot thaw the cgroup");
	wait_for_event(events, "frozen 0");
	close(switch_fd);
	close(events);
	return end - start;
}

static char state_in(const char *path)
{
	char text[512], *end;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		err(1, "cannot read %s", path);
	close(fd);
	text[n] = '\0';
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : '?';
}

/* Only of a process with one thread does this tell that all of it stopped. */
static int has_stopped(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return state_in(path) == 'T';
}

static unsigned int awake_of(pid_t pid)
{
	char path[320];
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		err(1, "cannot open %s", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, entry->d_name);
		nr += state_in(path) != 'S';
	}
	closedir(dir);
	return nr;
}

static unsigned int awake(void)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < nr_pids; i++)
		nr += awake_of(pids[i]);
	return nr;
}

/* Those that a freeze woke are asleep again before the next one begins. */
static void settle(unsigned int nr_awake)
{
	nap_ms(100);
	for (int i = 0; i < 600; i++) {
		if (awake() <= nr_awake)
			return;
		nap_ms(100);
	}
	errx(1, "the victim does not come to rest");
}

/* The first one may have threads: its parent is told when the last has stopped. */
static uint64_t by_sigstop(void)
{
	uint64_t start = now_ns(), end;
	siginfo_t info;

	for (size_t i = 0; i < nr_pids; i++)
		kill(pids[i], SIGSTOP);
	if (waitid(P_PID, (id_t)pids[0], &info, WSTOPPED))
		err(1, "cannot wait for a stop");
	for (size_t i = 1; i < nr_pids; i++)
		while (!has_stopped(pids[i]))
			sched_yield();
	end = now_ns();
	for (size_t i = 0; i < nr_pids; i++)
		kill(pids[i], SIGCONT);
	if (waitid(P_PID, (id_t)pids[0], &info, WCONTINUED))
		err(1, "cannot wait for the end of a stop");
	return end - start;
}

static const struct {
	const char *name;
	uint64_t (*measure)(void);
} methods[] = {
	{ "soft", by_soft },	 { "auto", by_auto },	    { "strict", by_strict },
	{ "cgroup", by_cgroup }, { "sigstop", by_sigstop },
};
#define NR_METHODS (sizeof(methods) / sizeof(methods[0]))

static void start_victim(char **argv)
{
	char line[64];
	int out[2];
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		err(1, "cannot make a pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(open_in_cgroup("cgroup.procs", O_WRONLY), "0", 1) != 1)
			err(1, "cannot enter %s", cgroup);
		dup2(out[1], 1);
		execv(argv[0], argv);
		err(1, "cannot start %s", argv[0]);
	}
	close(out[1]);
	if (pid < 0 || read(out[0], line, sizeof(line)) <= 0)
		errx(1, "the victim did not start");
	close(out[0]);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	pids[nr_pids++] = pid;
}

static void list_others(void)
{
	FILE *procs = fdopen(open_in_cgroup("cgroup.procs", O_RDONLY), "r");
	pid_t pid;

	while (procs && nr_pids < MAX_PIDS && fscanf(procs, "%d", &pid) == 1)
		if (pid != pids[0])
			pids[nr_pids++] = pid;
	fclose(procs);
}

static void print(const char *what, const char *n, size_t method, const uint64_t *ns, int runs)
{
	printf("{\"part\":\"latency\",\"victim\":\"%s\",\"n\":%s,\"method\":\"%s\",\"ns\":[", what,
	       n, methods[method].name);
	for (int i = 0; i < runs; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)ns[i]);
	puts("]}");
}

int main(int argc, char **argv)
{
	static uint64_t ns[NR_METHODS][MAX_RUNS];
	unsigned int nr_awake;
	int runs = argc > 5 ? atoi(argv[1]) : 0;

	if (runs < 1 || runs > MAX_RUNS)
		errx(2, "usage: bench_latency RUNS CGROUP PROGRAM KIND N");
	snprintf(cgroup, sizeof(cgroup), "%s", argv[2]);
	device = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		err(1, "cannot open %s", XCKPT_DEVICE);
	start_victim(argv + 3);
	list_others();
	nr_awake = awake();
	for (int run = -1; run < runs; run++) {
		for (size_t m = 0; m < NR_METHODS; m++) {
			ns[m][run < 0 ? 0 : run] = methods[m].measure();
			settle(nr_awake);
		}
	}
	for (size_t m = 0; m < NR_METHODS; m++)
		print(argv[4], argv[5], m, ns[m], runs);
	kill(pids[0], SIGKILL);
	return 0;
}
