// SPDX-License-Identifier: GPL-2.0-or-later
/* FREEZE of a cgroup of version 2 with all below it. Runs as root, module loaded. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "players.h"

#define CGROUP2_MAGIC 0x63677270

static const char *cgroup_root(void)
{
	static char made[] = "/tmp/xckpt-cgroup.XXXXXX";
	struct statfs fs;

	if (!statfs("/sys/fs/cgroup", &fs) && fs.f_type == CGROUP2_MAGIC)
		return "/sys/fs/cgroup";
	if (!mkdtemp(made) || mount("cgroup", made, "cgroup2", 0, NULL))
		return NULL;
	return made;
}

static char group_dir[128];

static void leave_cgroup_dirs(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/inner/deep", group_dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/inner", group_dir);
	rmdir(path);
	rmdir(group_dir);
}

/* DIR, DIR/inner, DIR/inner/deep; those of an earlier run are removed. */
static void make_cgroups(void)
{
	char path[256];
	const char *root = cgroup_root();

	if (!root)
		SKIP("no cgroups of version 2");
	snprintf(group_dir, sizeof(group_dir), "%s/xckpt-test", root);
	leave_cgroup_dirs();
	ASSERT(!mkdir(group_dir, 0755));
	snprintf(path, sizeof(path), "%s/inner", group_dir);
	ASSERT(!mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/inner/deep", group_dir);
	ASSERT(!mkdir(path, 0755));
}

static void enter(pid_t pid, const char *sub)
{
	char path[256];
	FILE *procs;

	snprintf(path, sizeof(path), "%s%s/cgroup.procs", group_dir, sub);
	procs = fopen(path, "w");
	ASSERT(procs && fprintf(procs, "%d", pid) > 0 && !fclose(procs));
}

static int freeze_cgroup(int fd, const char *sub, struct xckpt_freeze *f, uint32_t mode)
{
	char path[256];
	int ret, keep;

	snprintf(path, sizeof(path), "%s%s", group_dir, sub);
	*f = (struct xckpt_freeze){ .target = XCKPT_TARGET_CGROUP,
				    .target_fd = open(path, O_RDONLY | O_DIRECTORY) };
	ASSERT(f->target_fd >= 0);
	ret = freeze_it(fd, f, mode, LONG_MS);
	keep = errno;
	close(f->target_fd);
	errno = keep;
	return ret;
}

TEST(a_cgroup_with_all_below_it)
{
	struct xckpt_freeze f;
	int fd = session();

	share_counters();
	make_cgroups();
	enter(player(0, NULL), "");
	enter(player(1, own_session), "/inner");
	enter(player(2, NULL), "/inner/deep");
	player(3, NULL);
	for (int i = 0; i < NR_MODES; i++) {
		ASSERT(!freeze_cgroup(fd, "", &f, all_modes[i]));
		EXPECT(f.out_nr_processes == 3 && f.out_nr_threads == 3 && list_tasks(fd) == 3);
		expect_held(7, 4);
		ASSERT(!thaw(fd));
		ASSERT(!freeze_cgroup(fd, "/inner", &f, all_modes[i]));
		EXPECT(f.out_nr_processes == 2);
		expect_held(6, 4);
		ASSERT(!thaw(fd));
		expect_held(0, 4);
	}
}

TEST(an_empty_cgroup)
{
	struct xckpt_freeze f;
	int fd = session();

	make_cgroups();
	EXPECT(freeze_cgroup(fd, "", &f, XCKPT_MODE_AUTO) == -1 && errno == ESRCH);
	EXPECT(f.out_reason == XCKPT_REASON_GONE);
	EXPECT(thaw(fd) == -1 && errno == ENOENT);
}

/* The root has the system's init, kernel threads and the caller. */
TEST(the_root_cgroup)
{
	struct xckpt_freeze f;
	int fd = session();

	snprintf(group_dir, sizeof(group_dir), "%s", cgroup_root());
	EXPECT(freeze_cgroup(fd, "", &f, XCKPT_MODE_AUTO) == -1);
	EXPECT((errno == EDEADLK && f.out_reason == XCKPT_REASON_SELF) ||
	       (errno == EINVAL && f.out_reason == XCKPT_REASON_INIT));
}

TEST(the_callers_own_cgroup)
{
	struct xckpt_freeze f;
	int fd = session();

	share_counters();
	make_cgroups();
	enter(player(0, NULL), "/inner");
	enter(getpid(), "/inner/deep");
	EXPECT(freeze_cgroup(fd, "", &f, XCKPT_MODE_AUTO) == -1 && errno == EDEADLK);
	EXPECT(f.out_reason == XCKPT_REASON_SELF && f.out_pid == getpid());
	expect_held(0, 1);
	/* where the caller is not, it may */
	enter(getpid(), "/..");
	EXPECT(!freeze_cgroup(fd, "", &f, XCKPT_MODE_AUTO) && f.out_nr_processes == 1);
}

static void storm(void)
{
	own_session();
	for (int i = 0; i < 4; i++)
		if (!fork())
			fork_forever(0);
}

TEST(a_cgroup_that_forks_all_the_time)
{
	struct xckpt_freeze f;
	int fd = session();
	pid_t pid;

	share_counters();
	make_cgroups();
	pid = fork();
	if (!pid) {
		alarm(0);
		enter(getpid(), "/inner");
		syscall(SYS_close_range, 3, ~0u, 0);
		storm();
		count_at(1);
	}
	EXPECT(moves(0, 1) && moves(1, 1));
	for (int i = 0; i < 30; i++) {
		ASSERT(!freeze_cgroup(fd, "", &f, all_modes[i % NR_MODES]));
		EXPECT(f.out_nr_processes >= 5);
		EXPECT(stands_still(2));
		ASSERT(!thaw(fd));
		EXPECT(moves(0, 3));
	}
}
