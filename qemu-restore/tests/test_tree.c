// SPDX-License-Identifier: GPL-2.0-or-later
/* Who makes whom: the births of made-up trees, as --print-plan shows them. */
#include <stdio.h>

#include "synth.h"
#include "tap.h"

#define MAX 16

static struct synth s;
static struct image_process processes[MAX];
static struct segment segments[MAX][SYNTH_MAX];
static struct image_zombie zombies[MAX];
static bool exist[MAX];

static void begin(void)
{
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	s.img.processes = processes;
	s.img.nr_processes = 0;
	s.img.zombies = zombies;
	s.img.nr_zombies = 0;
	s.host.exe_exists = exist;
}

static struct xckpt_note_process *add(int pid, int ppid, int pgid, int sid)
{
	size_t n = s.img.nr_processes++, i;
	struct image_process *p = &processes[n];

	*p = s.p;
	p->segments = memcpy(segments[n], s.segments, sizeof(segments[n]));
	for (i = 0; i < p->nr_segments; i++)
		p->segments[i].holder = p;
	p->info.pid = pid;
	p->info.ppid = ppid;
	p->info.pgid = pgid;
	p->info.sid = sid;
	return &p->info;
}

static void add_zombie(int pid, int ppid, int pgid, int sid, int code)
{
	zombies[s.img.nr_zombies++] = (struct image_zombie){ pid, ppid, pgid, sid, code, "z" };
}

/* All but the meetings: "who what", one after the other. */
static const char *births(const struct plan *plan)
{
	static char text[4096];
	size_t i, n = 0;

	text[0] = 0;
	for (i = 0; i < plan->nr_ops; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->kind >= OP_FORK && op->kind <= OP_EXIT && op->kind != OP_MEET)
			n += snprintf(text + n, sizeof(text) - n, "%s%d %s", n ? "; " : "", op->tid,
				      plan_op_text(plan, op));
	}
	return text;
}

static void expect(const char *want, const char *what)
{
	struct plan *plan = plan_make(&s.img, &s.engine, &s.host);
	bool good = !plan->nr_issues && !strcmp(births(plan), want);

	ok(good, what);
	if (!good)
		printf("# %s\n# %s\n", plan->nr_issues ? plan->issues[0].text : "", births(plan));
	plan_free(plan);
}

static void expect_issue(const char *want, const char *what)
{
	struct plan *plan = plan_make(&s.img, &s.engine, &s.host);

	ok(has_issue(plan, want), what);
	plan_free(plan);
}

static void test_parents(void)
{
	begin();
	add(10, 5, 10, 10);
	add(11, 10, 10, 10);
	add(12, 11, 12, 10);
	add(13, 11, 12, 10);
	expect("0 clone3({set_tid=10}); 10 setsid(); 10 clone3({set_tid=11}); "
	       "11 clone3({set_tid=12}); 11 clone3({set_tid=13}); 12 setpgid(0, 12); "
	       "13 setpgid(0, 12)",
	       "parents make their children; who leads a process group does so first");
	begin();
	add(10, 5, 10, 10);
	add(20, 10, 20, 20);
	add(21, 20, 10, 10);
	add(22, 20, 20, 20);
	expect("0 clone3({set_tid=10}); 10 setsid(); 10 clone3({set_tid=20}); "
	       "20 clone3({set_tid=21}); 20 setsid(); 20 clone3({set_tid=22})",
	       "a child of the old session before setsid(), one of the new after");
}

static void test_orphans(void)
{
	begin();
	add(10, 5, 10, 10)->flags = XCKPT_PROCESS_SUBREAPER;
	add(20, 10, 20, 20);
	add(21, 10, 20, 20);
	expect("0 clone3({set_tid=10}); 10 prctl(PR_SET_CHILD_SUBREAPER); 10 setsid(); "
	       "10 clone3({set_tid=20}); 20 setsid(); "
	       "20 clone3({set_tid=21, flags=CLONE_PARENT})",
	       "the leader of its session makes it where it has the same parent");
	begin();
	add(10, 5, 10, 10);
	add(20, 10, 20, 20);
	add(21, 1, 20, 20);
	expect("0 clone3({set_tid=10}); 10 setsid(); 10 clone3({set_tid=20}); 20 setsid(); "
	       "20 clone3({set_tid=300}), which ends after clone3({set_tid=21})",
	       "an orphan of the init's comes by somebody who ends");
	begin();
	add(10, 5, 10, 10)->flags = XCKPT_PROCESS_SUBREAPER;
	add(21, 10, 20, 20);
	expect("0 clone3({set_tid=10}); 10 prctl(PR_SET_CHILD_SUBREAPER); 10 setsid(); "
	       "10 clone3({set_tid=20}); 10 waitpid(20); 20 setsid(); "
	       "20 clone3({set_tid=21, flags=CLONE_PARENT}); 20 _exit(0)",
	       "somebody stands in for a leader who is not there");
}

static void test_outside(void)
{
	begin();
	add(10, 5, 7, 6);
	add(11, 10, 7, 6);
	expect("0 clone3({set_tid=6}); 6 setsid(); 6 clone3({set_tid=10, flags=CLONE_PARENT}); "
	       "6 clone3({set_tid=7, flags=CLONE_PARENT}); 6 _exit(0); 10 clone3({set_tid=11}); "
	       "10 setpgid(0, 7); 11 setpgid(0, 7); 7 setpgid(0, 7); 7 _exit(0)",
	       "session and process group of somebody outside");
	begin();
	add(10, 5, 7, 6)->flags = XCKPT_PROCESS_TTY;
	add(11, 10, 11, 6)->flags = XCKPT_PROCESS_TTY;
	expect("0 clone3({set_tid=10}); 10 clone3({set_tid=11}); 11 setpgid(0, 11)",
	       "with a terminal they are qemu-resume's");
	begin();
	add(10, 5, 10, 10)->flags = XCKPT_PROCESS_TTY;
	add(11, 10, 10, 10);
	expect("0 clone3({set_tid=10}); 10 clone3({set_tid=11}); 10 setpgid(0, 10); "
	       "11 setpgid(0, 10)",
	       "with its leader as well");
	begin();
	add(10, 5, 1, 1);
	expect("0 clone3({set_tid=10})", "and so are those of an init");
}

static void test_ended(void)
{
	begin();
	add(10, 5, 10, 10);
	add(12, 10, 11, 10);
	add_zombie(11, 10, 11, 10, 7 << 8);
	add_zombie(13, 10, 10, 10, 9);
	expect("0 clone3({set_tid=10}); 10 setsid(); 10 clone3({set_tid=12}); "
	       "10 clone3({set_tid=11}); 10 clone3({set_tid=13}); 10 waitid(11); 10 waitid(13); "
	       "12 setpgid(0, 11); 11 setpgid(0, 11); 11 _exit(7); 13 raise(9)",
	       "those that had ended end, when all are in their process groups");
}

static void test_refusals(void)
{
	begin();
	add(10, 5, 10, 10);
	add(11, 10, 10, 10);
	add(12, 5, 20, 20);
	add(13, 11, 20, 20);
	expect_issue("cannot resume pid 13: nobody can make it: it belongs to session 20",
		     "a session that leads nowhere");
	begin();
	add(10, 5, 11, 10);
	add(11, 10, 10, 10);
	expect_issue("the leader of its process group 11 has left that",
		     "a process group whose leader is in another");
	begin();
	add(10, 11, 10, 10);
	add(11, 10, 10, 10);
	expect_issue("each other's parents", "two that are each other's parents");
}

/* All of them get the same mounts. */
static void test_mounts(void)
{
	struct plan *plan;
	size_t i, told = 0;

	begin();
	add(42, 0, 42, 42);
	add(43, 42, 42, 42);
	processes[0].mounts = processes[1].mounts = 1;
	plan = plan_make(&s.img, &s.engine, &s.host);
	for (i = 0; i < plan->nr_issues; i++)
		told += plan->issues[i].warning && strstr(plan->issues[i].text, "mounted") != NULL;
	ok(told == 1 && plan->nr_issues == 1, "mounts other than xckpt-dump's: a warning");
	plan_free(plan);
	processes[1].mounts = 2;
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(plan->nr_issues == 1 && plan->issues[0].forceable && !plan->issues[0].warning &&
		   strstr(plan->issues[0].text, "pid 43: it had other things mounted than pid 42"),
	   "than each other's: refused");
	plan_free(plan);
}

int main(void)
{
	test_parents();
	test_orphans();
	test_outside();
	test_ended();
	test_refusals();
	test_mounts();
	return tap_end();
}
