// SPDX-License-Identifier: GPL-2.0-or-later
/* Takes one record after the other until a thread starts or something fails. */
#include "restorer.h"

typedef int64_t (*handler_fn)(struct record_head *, const struct record *);

void report(const struct record_head *head, uint32_t kind, uint32_t index, int64_t result)
{
	struct record_status status = {
		.magic = RECORD_MAGIC, .kind = kind, .index = index, .result = result
	};

	syscall3(SYS_WRITE, head->status_fd, (uint64_t)&status, sizeof(status));
}

int64_t await_word(const struct record_head *head)
{
	char word = 0;
	int64_t n;

	do
		n = syscall3(SYS_READ, head->status_fd, (uint64_t)&word, 1);
	while (n == -X86_EINTR);
	return n == 1 ? word : -X86_ESRCH;
}

static int is_wanted(const struct record *r, int64_t result)
{
	switch (r->want) {
	case WANT_OK:
		return result >= 0 || result < -4095;
	case WANT_VALUE:
		return (uint64_t)result == r->value;
	default:
		return 1;
	}
}

_Noreturn void run(struct record_head *head, const struct record *r)
{
	for (;; r++) {
		handler_fn handler = (handler_fn)((uintptr_t)handlers + handlers[r->kind]);
		int64_t result;

		if (r->flags & RECORD_FROM_CORE && head->loaded)
			continue;
		result = handler(head, r);
		if (is_wanted(r, result))
			continue;
		report(head, r->flags & RECORD_OPTIONAL ? STATUS_WARNING : STATUS_FAILED, r->index,
		       result);
		if (!(r->flags & RECORD_OPTIONAL))
			break;
	}
	for (;;)
		syscall3(SYS_EXIT_GROUP, RECORD_EXIT_FAILURE, 0, 0);
}
