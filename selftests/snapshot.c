// SPDX-License-Identifier: GPL-2.0-or-later
/* SNAPSHOT: how long what it holds can be read, and what it leaves. Root, module loaded. */
#include <sys/sem.h>

#include "area.h"

/* Without what the test itself has for them, and what others have left of System V IPC. */
static void without_stdio(void)
{
	int null = open("/dev/null", O_RDWR);

	if (unshare(CLONE_NEWIPC))
		_exit(97);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
}

static void fills_without_pipe(void)
{
	without_stdio();
	fills();
}

/* Two open file descriptions are pipes, three descriptors. */
static void fills_with_pipe(void)
{
	int fds[2];

	without_stdio();
	if (pipe(fds) || dup(fds[0]) < 0)
		_exit(97);
	fills();
}

/* The slave is nothing more than its path gives back. */
static void fills_with_terminal(void)
{
	int fd;

	without_stdio();
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (fd < 0 || unlockpt(fd) || open(ptsname(fd), O_RDWR | O_NOCTTY) < 0)
		_exit(97);
	fills();
}

/* The set is gone with its namespace. */
static void fills_with_semaphores(void)
{
	without_stdio();
	if (semget(IPC_PRIVATE, 1, 0600) < 0)
		_exit(97);
	fills();
}

TEST(it_tells_what_it_did)
{
	struct xckpt_snapshot s, bad = { .size = sizeof(bad), .__reserved = 1 };
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	map_area();
	pid = target(fills_with_pipe);
	ASSERT(!freeze(fd, pid, &f));
	EXPECT(ioctl(fd, XCKPT_IOCTL_SNAPSHOT, &bad) == -1 && errno == EINVAL);
	ASSERT(!snapshot(fd, 0, &s));
	EXPECT(s.out_nr_processes == 1 && !s.out_nr_uncloned && !s.out_uncloned);
	EXPECT(!s.out_uncloned_pid && s.out_nr_attempts == 1 && s.out_nr_stateful == 2);
	EXPECT(s.out_clone_ns && s.out_clone_ns <= s.out_total_ns);
	/* the counters' shared memory at least */
	EXPECT(s.out_copied_bytes && s.out_copied_bytes < AREA);
}

static void is_told(int sig)
{
	(void)sig;
}

/* Sends signals to a thread as long as that is in a snapshot: shared[4]. */
static void *signalling_thread(void *arg)
{
	while (shared[4]) {
		pthread_kill((pthread_t)arg, SIGUSR1);
		usleep(200);
	}
	return NULL;
}

#define FEW 16 /* processes */

static void begets(void)
{
	for (int i = 1; i < FEW; i++)
		if (!fork())
			fills();
	fills();
}

/* It ends early, and the group stays frozen: for another one. */
TEST(a_snapshot_that_a_signal_interrupts)
{
	const struct sigaction act = { .sa_handler = is_told };
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session(), error = 0;
	pid_t pid;

	map_area();
	sigaction(SIGUSR1, &act, NULL);
	pid = target(begets);
	ASSERT(reaches(0, FEW));
	ASSERT(!freeze(fd, pid, &f));
	shared[4] = 1;
	in_thread(signalling_thread, (long)pthread_self());
	for (int i = 0; i < 20 && !error; i++)
		error = snapshot(fd, 0, &s) ? errno : 0;
	EXPECT(error == EINTR);
	shared[4] = 0;
	EXPECT(stands_still(2));
	/* the last signal may be on its way */
	nap_ms(100);
	EXPECT(!snapshot(fd, 0, &s) && s.out_nr_processes == FEW && !s.out_nr_uncloned);
	EXPECT(!thaw(fd) && moves(1, 1));
}

TEST(reads_after_the_thaw)
{
	struct xckpt_snapshot s;
	int fd = session();

	snapped(fd, 0, &s);
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	EXPECT(area_holds(1));
}

/* Seals what it has written, once that is mapped nowhere. */
static void seals(void)
{
	int fd = (int)syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING);
	void *at;

	if (fd < 0 || ftruncate(fd, 4096))
		_exit(97);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		_exit(97);
	memset(at, 1, 4096);
	shared[0]++;
	while (!shared[2])
		nap_ms(1);
	munmap(at, 4096);
	shared[22] = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) ? (uint64_t)errno : 0;
	shared[23] = 1;
	count_forever(0);
}

/* A snapshot has none of the mappings that are shared. */
TEST(a_target_that_seals_its_memory)
{
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	pid = target(seals);
	ASSERT(!freeze_mode(fd, pid, &f, XCKPT_MODE_AUTO));
	ASSERT(!snapshot(fd, 0, &s) && !s.out_nr_uncloned);
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(reaches(23, 1) && !shared[22]);
}

TEST(a_snapshot_that_thaws)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid;

	map_area();
	pid = target(fills_without_pipe);
	ASSERT(!freeze_mode(fd, pid, &f, XCKPT_MODE_AUTO));
	EXPECT(!snapshot(fd, XCKPT_SNAPSHOT_THAW, &s) && s.out_thawed == 1);
	core_load(core_of(fd, pid, 0));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	EXPECT(area_holds(1));
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
}

/* Who has to read of it first finds it frozen still. */
TEST(a_snapshot_that_may_not_thaw)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();

	snapped(fd, XCKPT_SNAPSHOT_THAW | XCKPT_SNAPSHOT_FROZEN, &s);
	EXPECT(!s.out_thawed && stands_still(2) && area_holds(1));
	EXPECT(!thaw(fd));

	share_counters();
	ASSERT(!freeze_mode(fd, target(fills_with_pipe), &f, XCKPT_MODE_AUTO));
	EXPECT(!snapshot(fd, XCKPT_SNAPSHOT_THAW, &s) && s.out_nr_stateful && !s.out_thawed);
	EXPECT(stands_still(2) && !thaw(fd));

	share_counters();
	ASSERT(!freeze_mode(fd, target(fills_with_terminal), &f, XCKPT_MODE_AUTO));
	EXPECT(!snapshot(fd, XCKPT_SNAPSHOT_THAW, &s) && s.out_nr_stateful == 1 && !s.out_thawed);
	EXPECT(stands_still(2) && !thaw(fd));

	/* the namespace of both threads, counted once */
	share_counters();
	ASSERT(!freeze_mode(fd, target(fills_with_semaphores), &f, XCKPT_MODE_AUTO));
	EXPECT(!snapshot(fd, XCKPT_SNAPSHOT_THAW, &s) && s.out_nr_stateful == 1 && !s.out_thawed);
	EXPECT(stands_still(2) && !thaw(fd));
}

TEST(cores_that_are_opened_after_the_thaw)
{
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid = snapped(fd, 0, &s);

	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	core_load(core_of(fd, pid, 0));
	EXPECT(area_holds(1));
}

TEST(reads_after_the_target_was_killed)
{
	struct xckpt_snapshot s;
	int status, fd = session();
	pid_t pid = snapped(fd, 0, &s);

	ASSERT(!thaw_flags(fd, XCKPT_THAW_KILL));
	EXPECT(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
	EXPECT(area_holds(1));
	core_load(core_of(fd, pid, 0));
	EXPECT(area_holds(1));
}

TEST(reads_after_the_session_has_ended)
{
	struct xckpt_snapshot s;
	int fd = session();

	snapped(fd, 0, &s);
	close(fd);
	shared[2] = 1;
	EXPECT(moves(0, 3));
	EXPECT(area_holds(1));
}

TEST(reads_of_an_earlier_snapshot)
{
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int first, fd = session();
	pid_t pid = snapped(fd, 0, &s);

	first = core.fd;
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	ASSERT(!freeze(fd, pid, &f));
	/* what is asked for now is the frozen group's */
	core_load(core_of(fd, pid, 0));
	EXPECT(!area_holds(1));
	ASSERT(!thaw(fd));
	expect_stale(core.fd);
	core_load(first);
	EXPECT(area_holds(1));
}

TEST(a_snapshot_after_a_snapshot)
{
	struct xckpt_snapshot s;
	int first, fd = session();
	pid_t pid = snapped(fd, 0, &s);

	first = core.fd;
	EXPECT(!snapshot(fd, 0, &s) && s.out_nr_processes == 1);
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	EXPECT(area_holds(1));
	core_load(core_of(fd, pid, 0));
	EXPECT(core.fd != first && area_holds(1));
	EXPECT(snapshot(fd, 0, &s) == -1 && errno == ENOENT);
}

TEST(thin_snapshots)
{
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid = snapped(fd, 0, &s);

	EXPECT(core_of(fd, pid, XCKPT_CORE_THIN) == -1 && errno == EINVAL);
	ASSERT(!snapshot(fd, XCKPT_SNAPSHOT_THIN, &s));
	core_load(core_of(fd, pid, XCKPT_CORE_THIN));
	ASSERT(!thaw(fd));
	shared[2] = 1;
	EXPECT(moves(0, 3));
	EXPECT(area_holds(1));
}

/* A sum over the whole file, holes and all. */
static uint64_t sum_of(int fd, size_t piece)
{
	static unsigned char buf[1 << 16];
	uint64_t sum = 0;
	off_t at = 0;
	ssize_t got;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		while (at < end) {
			size_t want = (off_t)piece < end - at ? piece : (size_t)(end - at);

			got = pread(fd, buf, want, at);
			if (got <= 0)
				return 0;
			for (ssize_t i = 0; i < got; i++)
				sum = sum * 31 + buf[i];
			at += got;
		}
	}
	return sum;
}

TEST(readers_side_by_side)
{
	struct xckpt_snapshot s;
	int fd = session();
	uint64_t sum;

	snapped(fd, 0, &s);
	ASSERT(!thaw(fd));
	shared[2] = 1;
	for (int n = 0; n < 4; n++)
		if (!fork()) {
			char path[64];

			snprintf(path, sizeof(path), "/proc/self/fd/%d", core.fd);
			shared[8 + n] = sum_of(open(path, O_RDONLY), 65536 >> n) ?: 1;
			_exit(0);
		}
	EXPECT(moves(0, 3));
	sum = sum_of(core.fd, 4096);
	for (int n = 0; n < 4; n++)
		EXPECT(reaches(8 + n, 1) && shared[8 + n] == sum);
	EXPECT(sum && area_holds(1));
}
