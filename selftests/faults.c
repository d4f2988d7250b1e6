// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each single allocation of each command fails once: that is ENOMEM, or the command
 * does without, and the target goes on. For a kernel with fault injection, as root
 * with the module loaded.
 */
#include <dirent.h>

#include "corefile.h"

#define AREA (1ul << 16)
#define NTH_MAX 3000
#define CLONE_NTH_MAX 120

static uint64_t *area;

static void set_knob(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	EXPECT(fd >= 0 && write(fd, value, strlen(value)) > 0);
	close(fd);
}

/* Allocations that may sleep shall fail as well, and those of single pages. */
static void prepare(void)
{
	if (access("/proc/self/fail-nth", W_OK) || access("/sys/kernel/debug/failslab", X_OK))
		SKIP("a kernel without fault injection");
	set_knob("failslab/ignore-gfp-wait", "N");
	set_knob("failslab/verbose", "0");
	set_knob("fail_page_alloc/ignore-gfp-wait", "N");
	set_knob("fail_page_alloc/ignore-gfp-highmem", "N");
	set_knob("fail_page_alloc/min-order", "0");
	set_knob("fail_page_alloc/verbose", "0");
}

static int open_fail_nth(pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT(fd >= 0);
	return fd;
}

static void set_nth(int fd, int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	ASSERT(pwrite(fd, text, (size_t)len, 0) == len);
}

/* Switches it off; what is left: 0 when the failure has come. */
static int take_nth(int fd)
{
	char text[16] = "";

	ASSERT(pread(fd, text, sizeof(text) - 1, 0) > 0);
	set_nth(fd, 0);
	return atoi(text);
}

static void counts(void)
{
	in_thread(napping_thread, 1);
	memset(area, 1, AREA);
	count_forever(0);
}

static pid_t start(void)
{
	alarm(3 * TEST_SECONDS); /* such a kernel is slow */
	prepare();
	share_counters();
	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(area != MAP_FAILED);
	return target(counts);
}

static unsigned int nr_open_files(void)
{
	unsigned int nr = 0;

	for (int i = 0; i < 128; i++)
		nr += fcntl(i, F_GETFD) >= 0;
	return nr;
}

/* What the step that is tested is given; 0 or -1 with errno, as a system call. */
struct dump {
	int fd;
	pid_t pid;
	int pidfd;
	int core_fd;
};

static int do_freeze(struct dump *dump)
{
	struct xckpt_freeze f = { .target_fd = dump->pidfd };

	return freeze_it(dump->fd, &f, XCKPT_MODE_STRICT, LONG_MS);
}

static int do_snapshot(struct dump *dump)
{
	struct xckpt_snapshot s;

	return snapshot(dump->fd, 0, &s);
}

static int do_core(struct dump *dump)
{
	dump->core_fd = core_of(dump->fd, dump->pid, 0);
	return dump->core_fd < 0 ? -1 : 0;
}

static int do_tasks(struct dump *dump)
{
	struct xckpt_tasks t = { .size = sizeof(t),
				 .tasks = (uintptr_t)tasks,
				 .nr_tasks = MAX_TASKS,
				 .task_size = sizeof(tasks[0]) };

	return ioctl(dump->fd, XCKPT_IOCTL_TASKS, &t);
}

static int do_open(struct dump *dump)
{
	int fd = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

typedef int (*step)(struct dump *dump);

static const step *last_step(const step *steps)
{
	while (steps[1])
		steps++;
	return steps;
}

static void make_steps(const step *from, const step *to, struct dump *dump)
{
	dump->fd = session();
	dump->core_fd = -1;
	for (; from < to; from++)
		ASSERT(!(*from)(dump));
}

/*
 * Makes the steps up to a NULL, with the n-th allocation of the last one failing, for
 * every n that there is. The steps before it are made each time, or only @once.
 */
static void sweep(const step *steps, int once)
{
	struct dump dump = { .pid = start() };
	int nth, left, ret, err, failed = 0, nth_fd = open_fail_nth(gettid());

	dump.pidfd = pidfd(dump.pid);
	for (nth = 1; nth < NTH_MAX; nth++) {
		unsigned int before = nr_open_files();
		const step *at = last_step(steps);

		if (nth == 1 || !once)
			make_steps(steps, at, &dump);
		set_nth(nth_fd, nth);
		ret = (*at)(&dump);
		err = errno;
		left = take_nth(nth_fd);
		if (!EXPECT(!ret || err == ENOMEM))
			printf("# allocation %d: %s\n", nth, strerror(err));
		failed += ret != 0;
		if (*at == do_freeze && ret)
			EXPECT(thaw(dump.fd) == -1 && errno == ENOENT);
		if (!once) {
			close(dump.core_fd);
			close(dump.fd);
			EXPECT(nr_open_files() == before);
			EXPECT(moves(0, 1) && moves(1, 1));
		}
		if (left)
			break;
	}
	EXPECT(nth < NTH_MAX && !ret);
	printf("# %d allocations, without %d of them it failed\n", nth - 1, failed);
	EXPECT(nth > 1 && failed);
}

TEST(out_of_memory_in_open)
{
	sweep((const step[]){ do_open, NULL }, 0);
}

TEST(out_of_memory_in_freeze)
{
	sweep((const step[]){ do_freeze, NULL }, 0);
}

TEST(out_of_memory_in_tasks)
{
	sweep((const step[]){ do_freeze, do_tasks, NULL }, 1);
}

TEST(out_of_memory_in_core)
{
	sweep((const step[]){ do_freeze, do_core, NULL }, 0);
}

TEST(out_of_memory_in_snapshot)
{
	sweep((const step[]){ do_freeze, do_snapshot, NULL }, 0);
}

TEST(out_of_memory_in_core_of_a_snapshot)
{
	sweep((const step[]){ do_freeze, do_snapshot, do_core, NULL }, 0);
}

static int do_read(struct dump *dump)
{
	static char buf[1 << 16];
	ssize_t got;

	lseek(dump->core_fd, 0, SEEK_SET);
	while ((got = read(dump->core_fd, buf, sizeof(buf))) > 0)
		;
	return got < 0 ? -1 : 0;
}

TEST(out_of_memory_in_read_of_a_snapshot)
{
	sweep((const step[]){ do_freeze, do_snapshot, do_core, do_read, NULL }, 1);
}

static int workers[64]; /* descriptors of their fail-nth */
static int nr_workers;

static int open_worker(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void set_workers(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	for (int i = 0; i < nr_workers; i++)
		ASSERT(pwrite(workers[i], text, (size_t)len, 0) == len || errno == ESRCH);
}

static void forget_workers(void)
{
	while (nr_workers)
		close(workers[--nr_workers]);
}

/* The clone is made by one of the kernel's worker threads, which come and go. */
static void find_workers(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	ASSERT(proc);
	while ((entry = readdir(proc)) && nr_workers < 64) {
		char path[300], name[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = atoi(entry->d_name) ? open(path, O_RDONLY) : -1;
		if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 &&
		    !strncmp(name, "kworker/", 8))
			workers[nr_workers++] = open_worker(atoi(entry->d_name));
		close(fd);
		if (nr_workers && workers[nr_workers - 1] < 0)
			nr_workers--;
	}
	closedir(proc);
	ASSERT(nr_workers);
}

/* Without the clone, memory is read in place. */
TEST(out_of_memory_in_the_clone)
{
	struct dump dump = { .pid = start() };
	struct xckpt_snapshot s;
	int failed = 0;

	dump.pidfd = pidfd(dump.pid);
	for (int nth = 1; nth < CLONE_NTH_MAX; nth++) {
		dump.fd = session();
		ASSERT(!do_freeze(&dump));
		find_workers();
		set_workers(nth);
		EXPECT(!snapshot(dump.fd, 0, &s));
		set_workers(0);
		forget_workers();
		EXPECT(s.out_uncloned ==
		       (s.out_nr_uncloned ? XCKPT_UNCLONED_MEMORY : XCKPT_UNCLONED_NONE));
		failed += s.out_nr_uncloned != 0;
		ASSERT(!do_core(&dump));
		EXPECT(!do_read(&dump));
		close(dump.core_fd);
		close(dump.fd);
		EXPECT(moves(0, 1) && moves(1, 1));
	}
	printf("# without %d allocations there was no clone\n", failed);
	EXPECT(failed);
}

/* Its forks run out of memory at one place after the other while it is frozen. */
static void forks_in_vain(void)
{
	int fd = open_fail_nth(getpid());

	for (int nth = 1;; nth = nth % 80 + 1) {
		pid_t pid;

		set_nth(fd, nth);
		pid = fork();
		if (!pid) {
			__atomic_fetch_add(&shared[1], 1, __ATOMIC_RELAXED);
			_exit(0);
		}
		set_nth(fd, 0);
		shared[0]++;
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

TEST(out_of_memory_in_forks_meanwhile)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	prepare();
	share_counters();
	pid = target(forks_in_vain);
	for (int i = 0; i < 200; i++) {
		ASSERT(!freeze_mode(fd, pid, &f, all_modes[i % NR_MODES]));
		if (i % 10 == 0)
			EXPECT(stands_still(2));
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 1));
	}
	EXPECT(shared[1]);
}
