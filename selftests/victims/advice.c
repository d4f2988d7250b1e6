// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * advice [LINES]: memory that the kernel was told something about: locked, also only
 * what is touched and whatever is mapped later; not for children, or empty for them; not
 * for dumps; with huge pages or without; to be merged; read in order, or in none; that grows
 * downwards; that may not be touched, but has contents; shared by a name that was removed. All of
 * it has to be so afterwards, and do what it is there for.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define SIZE (4ul << 20)

enum {
	LOCKED,
	ONFAULT,
	DONTFORK,
	WIPEONFORK,
	DONTDUMP,
	HUGE,
	NOHUGE,
	MERGEABLE,
	SEQUENTIAL,
	RANDOM,
	GROWS,
	NR_AREAS
};

static struct area {
	char *p;
	size_t size;
	const char *flag; /* as VmFlags in /proc/PID/smaps shows it */
} areas[NR_AREAS] = {
	[LOCKED] = { .flag = "lo" },	 [ONFAULT] = { .flag = "lo" },
	[DONTFORK] = { .flag = "dc" },	 [WIPEONFORK] = { .flag = "wf" },
	[DONTDUMP] = { .flag = "dd" },	 [HUGE] = { .flag = "hg" },
	[NOHUGE] = { .flag = "nh" },	 [MERGEABLE] = { .flag = "mg" },
	[SEQUENTIAL] = { .flag = "sr" }, [RANDOM] = { .flag = "rr" },
	[GROWS] = { .flag = "gd" },
};

static char *map(size_t size, int prot, int flags)
{
	char *p = mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

/* Apart from others, so that it stays a mapping by itself. */
static char *own_area(size_t size, int flags)
{
	char *p = map(size + 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE) + SIZE;

	if (mmap(p, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags,
		 -1, 0) != p)
		die("mmap");
	return p;
}

static void make_areas(void)
{
	static const int advice[NR_AREAS] = {
		[DONTFORK] = MADV_DONTFORK,	[WIPEONFORK] = MADV_WIPEONFORK,
		[DONTDUMP] = MADV_DONTDUMP,	[HUGE] = MADV_HUGEPAGE,
		[NOHUGE] = MADV_NOHUGEPAGE,	[MERGEABLE] = MADV_MERGEABLE,
		[SEQUENTIAL] = MADV_SEQUENTIAL, [RANDOM] = MADV_RANDOM,
	};

	for (int i = 0; i < NR_AREAS; i++) {
		struct area *a = &areas[i];

		a->size = i == GROWS ? 16384 : SIZE;
		a->p = own_area(a->size, i == GROWS ? MAP_GROWSDOWN : 0);
		if (advice[i] && madvise(a->p, a->size, advice[i]))
			die(a->flag);
		if (i != ONFAULT)
			memset(a->p, 'a' + i, a->size);
	}
	/* a guard is kept below it: there must be nothing at all */
	munmap(areas[GROWS].p - SIZE, SIZE);
	if (mlock(areas[LOCKED].p, SIZE) || mlock2(areas[ONFAULT].p, SIZE, MLOCK_ONFAULT))
		die("mlock");
	areas[ONFAULT].p[0] = 'x';
}

/* Is that flag among those of the mapping at @p? */
static int has_flag(const char *p, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	int within = 0, has = 0;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			within = start <= (unsigned long)p && (unsigned long)p < end;
		else if (within && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	if (smaps)
		fclose(smaps);
	return has;
}

static void check_flags(void)
{
	for (int i = 0; i < NR_AREAS; i++)
		if (!has_flag(areas[i].p, areas[i].flag))
			check(0, areas[i].flag);
	check(1, "all flags were looked at");
	check(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "PR_SET_THP_DISABLE");
}

static void check_locks(void)
{
	unsigned char there[1] = { 0 };
	char *later = map(SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	check(!mincore(areas[ONFAULT].p, 4096, there) && there[0] & 1 &&
		      !mincore(areas[ONFAULT].p + SIZE - 4096, 4096, there) && !(there[0] & 1),
	      "what was not touched is not there");
	check(has_flag(later, "lo"), "what is mapped later is locked");
	check(!mincore(later, 4096, there) && !(there[0] & 1), "once it is touched");
}

/* What a child has of it. */
static void check_child(void)
{
	unsigned char there[1];
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(mincore(areas[DONTFORK].p, 4096, there) == 0 ||
		      areas[WIPEONFORK].p[SIZE - 1] != 0 || areas[HUGE].p[5] != 'a' + HUGE);
	check(waitpid(pid, &status, 0) == pid && !status, "a child has what it shall have");
}

static void check_contents(void)
{
	int good = areas[ONFAULT].p[0] == 'x' && areas[ONFAULT].p[SIZE - 1] == 0;

	for (int i = 0; i < NR_AREAS; i++)
		for (size_t j = 0; j < areas[i].size && i != ONFAULT; j += 509)
			good &= areas[i].p[j] == 'a' + i;
	check(good, "contents");
}

/* One page by its name, which is removed; the child has written the other one. */
static char *by_a_lost_name(void)
{
	int fd = shm_open("/xckpt-advice", O_RDWR | O_CREAT, 0600);
	char *p;

	if (fd < 0 || ftruncate(fd, 8192) || shm_unlink("/xckpt-advice"))
		die("shm_open");
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	close(fd);
	p[0] = 'n';
	return p;
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	char *closed, *named = by_a_lost_name();

	make_areas();
	closed = own_area(8192, 0);
	memset(closed, 'c', 8192);
	if (mprotect(closed, 8192, PROT_NONE) || prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) ||
	    mlockall(MCL_FUTURE | MCL_ONFAULT))
		die("start");
	for (unsigned int i = 0; i < lines; i++)
		say("%u %016jx", i, (uintmax_t)work(i, STEP));
	check_flags();
	check_locks();
	check_contents();
	check_child();
	areas[GROWS].p[-4096 * 3] = 1;
	check(areas[GROWS].p[-4096 * 3] == 1, "it grows downwards");
	check(!mprotect(closed, 8192, PROT_READ) && closed[8191] == 'c', "what was closed");
	if (!fork()) {
		named[4096] = 'm';
		_exit(0);
	}
	wait(NULL);
	check(named[0] == 'n' && named[4096] == 'm', "shared by a name that is gone");
	return failures != 0;
}
