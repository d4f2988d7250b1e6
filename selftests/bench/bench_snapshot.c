// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_snapshot dumps N PID   N times a whole session: FREEZE, SNAPSHOT, CORE,
 *                              THAW, the contents read, everything closed
 * bench_snapshot memory PID    what the machine's memory is used for by one
 *                              snapshot of a program that does nothing meanwhile:
 *                              members of a JSON object, in KiB
 */
#include <sys/ioctl.h>

#include "bench.h"
#include "xckpt.h"

static struct xckpt_snapshot shot;

static int begin(pid_t pid)
{
	struct xckpt_freeze f = { .size = sizeof(f), .timeout_ms = 60000 };
	int fd = open(XCKPT_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "cannot open %s", XCKPT_DEVICE);
	f.target_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ioctl(fd, XCKPT_IOCTL_FREEZE, &f))
		err(1, "cannot freeze pid %d (reason %u)", pid, f.out_reason);
	close(f.target_fd);
	return fd;
}

static void snapshot(int fd)
{
	shot = (struct xckpt_snapshot){ .size = sizeof(shot) };
	if (ioctl(fd, XCKPT_IOCTL_SNAPSHOT, &shot))
		err(1, "cannot take a snapshot");
	if (shot.out_nr_uncloned)
		errx(1, "memory was not cloned (reason %u)", shot.out_uncloned);
}

static void thaw(int fd)
{
	struct xckpt_thaw t = { .size = sizeof(t) };

	if (ioctl(fd, XCKPT_IOCTL_THAW, &t))
		err(1, "cannot thaw");
}

static int core(int fd, pid_t pid)
{
	struct xckpt_core c = { .size = sizeof(c), .pid = pid };

	if (ioctl(fd, XCKPT_IOCTL_CORE, &c))
		err(1, "cannot open a core of pid %d", pid);
	return c.out_fd;
}

/* Half by read, half by splice: two ways for the kernel. */
static void read_all(int fd)
{
	static char buffer[1 << 20];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), ends[2];
	ssize_t n, gone;

	if (null < 0 || pipe2(ends, O_CLOEXEC))
		err(1, "cannot make a pipe");
	do {
		n = read(fd, buffer, sizeof(buffer));
		gone = splice(fd, NULL, ends[1], NULL, 65536, 0);
		if (gone > 0 && splice(ends[0], NULL, null, NULL, (size_t)gone, 0) != gone)
			err(1, "cannot empty the pipe");
	} while (n > 0 && gone > 0);
	if (n < 0 || gone < 0)
		err(1, "cannot read a core");
	close(ends[0]);
	close(ends[1]);
	close(null);
}

static void dump(pid_t pid)
{
	int session = begin(pid), fd;

	snapshot(session);
	fd = core(session, pid);
	thaw(session);
	read_all(fd);
	close(fd);
	close(session);
}

static const char *const fields[] = { "MemFree", "Slab", "VmallocUsed", "PageTables",
				      "KernelStack" };
#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void read_meminfo(long long kib[NR_FIELDS])
{
	char line[128], name[64];
	long long value;
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		err(1, "cannot read /proc/meminfo");
	while (fgets(line, sizeof(line), f))
		for (size_t i = 0; i < NR_FIELDS; i++)
			if (sscanf(line, "%63[^:]: %lld", name, &value) == 2 &&
			    !strcmp(name, fields[i]))
				kib[i] = value;
	fclose(f);
}

/* The first snapshot fills caches of the kernel: it is not counted. */
static void memory_of_one(pid_t pid)
{
	long long before[NR_FIELDS], after[NR_FIELDS];
	int session;

	dump(pid);
	nap_ms(500);
	session = begin(pid);
	read_meminfo(before);
	snapshot(session);
	thaw(session);
	read_meminfo(after);
	close(session);
	for (size_t i = 0; i < NR_FIELDS; i++)
		printf("\"%s\":%lld,", fields[i], after[i] - before[i]);
	printf("\"copied\":%llu\n", (unsigned long long)shot.out_copied_bytes / 1024);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "memory")) {
		memory_of_one((pid_t)atoi(argv[2]));
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "dumps"))
		errx(2, "usage: bench_snapshot dumps N PID | memory PID");
	for (long n = atol(argv[2]); n > 0; n--)
		dump((pid_t)atoi(argv[3]));
	return 0;
}
