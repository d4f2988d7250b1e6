// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * creds [LINES]: threads that act as different users: ids, capabilities and no_new_privs
 * that one thread has set for itself, by the system calls and not by the C library, as
 * file servers do. Each has to act as the same one afterwards. Root.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "victim.h"

#define KEPT (1u << CAP_NET_BIND_SERVICE)

static pthread_barrier_t turn;

struct ids {
	unsigned int real, effective, saved, files;
};

static int has(int get, int set_files, struct ids want)
{
	unsigned int real, effective, saved;

	/* -1 changes nothing, and both tell what it was */
	return !syscall(get, &real, &effective, &saved) && real == want.real &&
	       effective == want.effective && saved == want.saved &&
	       syscall(set_files, -1) == want.files;
}

static int is_root(void)
{
	return has(SYS_getresuid, SYS_setfsuid, (struct ids){ 0, 0, 0, 0 }) &&
	       has(SYS_getresgid, SYS_setfsgid, (struct ids){ 0, 0, 0, 0 });
}

static int become_user(void)
{
	return syscall(SYS_setresgid, 5, 6, 7) || syscall(SYS_setfsgid, 8) != 6 ||
	       syscall(SYS_setresuid, 2, 3, 4);
}

static int is_user(void)
{
	return has(SYS_getresuid, SYS_setfsuid, (struct ids){ 2, 3, 4, 3 }) &&
	       has(SYS_getresgid, SYS_setfsgid, (struct ids){ 5, 6, 7, 8 });
}

/* Root's files are not its own any more, but it is root. */
static int become_server(void)
{
	return syscall(SYS_setfsuid, 9) || syscall(SYS_setfsgid, 10);
}

static int is_server(void)
{
	return has(SYS_getresuid, SYS_setfsuid, (struct ids){ 0, 0, 0, 9 }) &&
	       has(SYS_getresgid, SYS_setfsgid, (struct ids){ 0, 0, 0, 10 });
}

static int become_less(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { KEPT, KEPT, 0 } };

	return syscall(SYS_capset, &head, data) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int is_less(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	return is_root() && !syscall(SYS_capget, &head, data) && data[0].effective == KEPT &&
	       data[0].permitted == KEPT && !data[1].permitted &&
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static const struct other {
	int (*become)(void);
	int (*is)(void);
	const char *what;
} others[] = {
	{ become_user, is_user, "a thread is the same user" },
	{ become_server, is_server, "a thread has the same user for files" },
	{ become_less, is_less, "a thread has the same few capabilities" },
};
#define NR_OTHERS (sizeof(others) / sizeof(others[0]))

static void *act(void *arg)
{
	const struct other *o = arg;

	if (o->become())
		die(o->what);
	for (;;) {
		pthread_barrier_wait(&turn);
		expect(o->is(), o->what);
		pthread_barrier_wait(&turn);
	}
	return arg;
}

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	uint64_t seed = 1;
	pthread_t thread;

	if (pthread_barrier_init(&turn, NULL, NR_OTHERS + 1))
		die("threads");
	for (size_t i = 0; i < NR_OTHERS; i++)
		if (pthread_create(&thread, NULL, act, (void *)&others[i]))
			die("threads");
	for (unsigned int i = 0; i < lines; i++) {
		pthread_barrier_wait(&turn);
		expect(is_root() && !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), "the first is root");
		pthread_barrier_wait(&turn);
		seed = work(seed, STEP);
		say("line %u: %016llx", i, (unsigned long long)seed);
	}
	return failures != 0;
}
