// SPDX-License-Identifier: GPL-2.0-or-later
/* Handlers that make the threads, hold them together and let them go at once. */
#include "restorer.h"

int64_t do_syscall(struct record_head *head, const struct record *r)
{
	(void)head;
	return syscall6(r->nr, r->arg[0], r->arg[1], r->arg[2], r->arg[3], r->arg[4], r->arg[5]);
}

/* The next task of this pid namespace gets @last + 1. */
static int64_t set_last_pid(uint64_t last)
{
	static const char path[] = "/proc/sys/kernel/ns_last_pid";
	char digits[20];
	int64_t fd, ret;
	int i = sizeof(digits);

	do {
		digits[--i] = '0' + last % 10;
		last /= 10;
	} while (last);
	fd = syscall3(SYS_OPEN, (uint64_t)path, X86_O_WRONLY, 0);
	if (fd < 0)
		return fd;
	ret = syscall3(SYS_WRITE, fd, (uint64_t)(digits + i), sizeof(digits) - i);
	syscall3(SYS_CLOSE, fd, 0, 0);
	return ret;
}

int64_t do_clone(struct record_head *head, const struct record *r)
{
	int64_t ret = set_last_pid(r->arg[5] - 1);

	return ret < 0 ? ret : clone_thread(head, r);
}

static void wait_while(uint32_t *word, uint32_t value)
{
	while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value)
		syscall4(SYS_FUTEX, (uint64_t)word, X86_FUTEX_WAIT_PRIVATE, value, 0);
}

static void wake_all(uint32_t *word)
{
	syscall3(SYS_FUTEX, (uint64_t)word, X86_FUTEX_WAKE_PRIVATE, 0x7fffffff);
}

int64_t do_wait(struct record_head *head, const struct record *r)
{
	(void)r;
	__atomic_add_fetch(&head->arrived, 1, __ATOMIC_SEQ_CST);
	wake_all(&head->arrived);
	wait_while(&head->open, 0);
	return 0;
}

int64_t do_barrier(struct record_head *head, const struct record *r)
{
	uint32_t arrived;
	int64_t word;

	while ((arrived = __atomic_load_n(&head->arrived, __ATOMIC_SEQ_CST)) !=
	       head->nr_threads - 1)
		wait_while(&head->arrived, arrived);
	report(head, STATUS_STARTED, r->index, 0);
	word = await_word(head);
	return word < 0 ? word : 0;
}

int64_t do_go(struct record_head *head, const struct record *r)
{
	(void)r;
	__atomic_store_n(&head->open, 1, __ATOMIC_SEQ_CST);
	wake_all(&head->open);
	return 0;
}

int64_t do_end(struct record_head *head, const struct record *r)
{
	(void)r;
	start_thread(head, 0, 0, 0);
	return -1;
}

int64_t do_start(struct record_head *head, const struct record *r)
{
	start_thread(head, r->arg[0], r->arg[1], r->arg[2]);
	return -1;
}
