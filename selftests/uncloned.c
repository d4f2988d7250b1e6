// SPDX-License-Identifier: GPL-2.0-or-later
/* SNAPSHOT of memory that is not cloned, because it cannot or shall not. Root, module loaded. */
#include <linux/aio_abi.h>
#include <linux/userfaultfd.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "area.h"

TEST(a_snapshot_without_a_clone)
{
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid = snapped(fd, XCKPT_SNAPSHOT_FROZEN, &s);

	EXPECT(s.out_nr_processes == 1 && s.out_nr_uncloned == 1);
	EXPECT(s.out_uncloned == XCKPT_UNCLONED_ASKED && s.out_uncloned_pid == pid);
	EXPECT(area_holds(1));
	ASSERT(!thaw(fd));
	expect_stale(core.fd);
}

/* A userfaultfd with @features, or -1. */
static int uffd_with(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api)) {
		close(uffd);
		uffd = -1;
	}
	return uffd;
}

static void give_area(uint64_t features, uint64_t mode)
{
	struct uffdio_register reg = { .range = { (uintptr_t)area, AREA }, .mode = mode };

	if (ioctl(uffd_with(features), UFFDIO_REGISTER, &reg))
		_exit(97);
}

/* A dump of what @fn makes of the area has all of it, but without a clone. */
static void dumps_with_uffd(int fd, uint64_t features, void (*fn)(void))
{
	struct xckpt_snapshot s;
	struct xckpt_freeze f;
	int uffd = uffd_with(features);
	pid_t pid;

	if (uffd < 0)
		SKIP("this kernel has no userfaultfd of that kind");
	close(uffd);
	map_area();
	pid = target(fn);
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	EXPECT(s.out_nr_uncloned == 1 && s.out_uncloned == XCKPT_UNCLONED_UFFD);
	EXPECT(s.out_uncloned_pid == pid);
	core_load(core_of(fd, pid, 0));
	EXPECT(area_holds(1));
	ASSERT(!thaw(fd));
	expect_stale(core.fd);
}

/* The handler would be told of a fork. */
static void fills_with_uffd(void)
{
	memset(area, 0, AREA);
	give_area(UFFD_FEATURE_EVENT_FORK, UFFDIO_REGISTER_MODE_WP);
	fills();
}

TEST(a_target_with_a_userfaultfd)
{
	dumps_with_uffd(session(), UFFD_FEATURE_EVENT_FORK, fills_with_uffd);
	EXPECT(moves(1, 1));
}

/* Shared memory whose pages are in the page cache, and for a handler to map. */
static void fills_with_minor_faults(void)
{
	if (mmap(area, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != area)
		_exit(97);
	for (size_t i = 0; i < AREA / 8; i++)
		area[i] = 1;
	give_area(UFFD_FEATURE_MINOR_SHMEM, UFFDIO_REGISTER_MODE_MINOR);
	if (madvise(area, AREA, MADV_DONTNEED))
		_exit(97);
	count_forever(0);
}

/* Its handler is frozen, too: who waits for it waits for ever. */
TEST(a_target_with_minor_faults)
{
	dumps_with_uffd(session(), UFFD_FEATURE_MINOR_SHMEM, fills_with_minor_faults);
}

/* From Linux 6.5 on. */
static unsigned int pins_for_devices(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	ASSERT(!uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2);
	return major * 100 + minor >= 605;
}

/* The kernel does not tell whether a device writes to its memory just now. */
static void fills_with_aio(void)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context))
		_exit(97);
	fills();
}

TEST(a_target_with_asynchronous_io)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid;

	map_area();
	pid = target(fills_with_aio);
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	EXPECT(s.out_nr_uncloned == 1 - pins_for_devices());
	EXPECT(s.out_uncloned ==
	       (pins_for_devices() ? XCKPT_UNCLONED_NONE : XCKPT_UNCLONED_DEVICE));
	core_load(core_of(fd, pid, 0));
	EXPECT(area_holds(1));
	ASSERT(!thaw(fd));
	if (!pins_for_devices())
		expect_stale(core.fd);
}

/* A user that may start no more processes: its limit is not for us. */
static void fills_as_nobody(void)
{
	const struct rlimit one = { 1, 1 };

	if (setrlimit(RLIMIT_NPROC, &one) || setgid(65534) || setuid(65534))
		_exit(97);
	/* no thread could be made either */
	for (size_t i = 0; i < AREA / 8; i++)
		area[i] = 1;
	count_forever(0);
}

TEST(a_target_that_may_not_fork)
{
	struct xckpt_freeze f;
	struct xckpt_snapshot s;
	int fd = session();
	pid_t pid;

	map_area();
	pid = target(fills_as_nobody);
	ASSERT(!freeze(fd, pid, &f));
	ASSERT(!snapshot(fd, 0, &s));
	core_load(core_of(fd, pid, 0));
	EXPECT(area_holds(1));
	EXPECT(!s.out_nr_uncloned);
	ASSERT(!thaw(fd));
	EXPECT(moves(0, 1));
	EXPECT(s.out_nr_uncloned || area_holds(1));
}
