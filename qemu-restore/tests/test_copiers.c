// SPDX-License-Identifier: GPL-2.0-or-later
/* Which processes have copiers. */
#include "pack.h"
#include "restorer/record.h"
#include "tap.h"

static void test_who(void)
{
	static const struct {
		enum engine_kind kind;
		uint64_t bytes;
		bool some;
		const char *what;
	} cases[] = {
		{ ENGINE_NATIVE, 64 << 20, true, "copiers for much memory" },
		{ ENGINE_NATIVE, 1 << 20, false, "none for little" },
		{ ENGINE_QEMU, 64 << 20, false, "none in an engine" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct plan_op op = { .kind = OP_READ, .arg = { 9, 0, cases[i].bytes } };
		struct engine engine = { .kind = cases[i].kind };
		struct plan plan = { .ops = &op, .nr_ops = 1 };
		struct process_plan process = {
			.group = &plan, .engine = &engine, .nr_ops = 1, .fds.core = 9
		};
		unsigned int n = pack_copiers(&process);

		ok(cases[i].some ? n >= 1 && n <= COPIERS_MAX : !n, "%s", cases[i].what);
	}
}

int main(void)
{
	test_who();
	return tap_end();
}
