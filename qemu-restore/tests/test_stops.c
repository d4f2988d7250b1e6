// SPDX-License-Identifier: GPL-2.0-or-later
/* Who stood stands again, by the same signal, and nobody hears of that twice. */
#include "synth.h"
#include "tap.h"
#include "xckpt.h"

static struct synth s;
static struct image_process processes[2];

static void test_stopped(void)
{
	const struct plan_op *stop;
	struct plan *plan;
	int i;

	uint8_t pending[XCKPT_SIGINFO_SIZE] = { 19 };

	for (i = 0; i < 6; i++) {
		synth_init(&s, i == 2 ? ENGINE_QEMU : ENGINE_NATIVE);
		synth_program(&s);
		synth_thread(&s, 43);
		if (i == 1)
			s.threads[1].info.state = XCKPT_TASK_STOPPED;
		else if (i == 2)
			s.p.info.flags = XCKPT_PROCESS_STOPPED;
		else if (i == 3)
			s.threads[1].info.state = XCKPT_TASK_ASLEEP;
		else if (i == 4)
			s.p.pending = pending, s.p.nr_pending = 1;
		else if (i == 5)
			s.threads[1].pending = pending, s.threads[1].nr_pending = 1;
		plan = plan_make(&s.img, &s.engine, &s.host);
		stop = find_call(plan, NR_TGKILL, 42);
		if (!i || i == 3)
			ok(!stop, i ? "and so does one that slept" : "a program that ran goes on");
		else
			ok(stop && stop->arg[1] == 42 && stop->arg[2] == 19 &&
				   stop[1].kind == OP_GO,
			   "a stopped one stops before any thread goes");
		if (i >= 4)
			ok(!find_call(plan, NR_RT_SIGQUEUEINFO, 42) &&
				   !find_call(plan, NR_RT_TGSIGQUEUEINFO, 42),
			   "and not by a pending SIGSTOP, which nothing would block");
		plan_free(plan);
	}
}

/* 43 stands by @sig, in a process group of its own; its parent is 42. */
static void job(int sig, uint32_t flags)
{
	int i;

	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	for (i = 0; i < 2; i++) {
		processes[i] = s.p;
		processes[i].info.pid = processes[i].info.pgid = 42 + i;
		processes[i].info.sid = 42;
	}
	for (i = 0; i < (int)s.p.nr_segments; i++)
		s.segments[i].holder = &processes[0];
	processes[0].sigaction[17 - 1] =
		(struct xckpt_sigaction){ .handler = 0x401000, .flags = 4 };
	processes[1].info.ppid = 42;
	processes[1].info.flags = XCKPT_PROCESS_STOPPED | flags;
	processes[1].info.stop_signal = (uint32_t)sig;
	s.img.processes = processes;
	s.img.nr_processes = 2;
}

static int stops_by(void)
{
	struct plan *plan = plan_make(&s.img, &s.engine, &s.host);
	const struct plan_op *stop = find_call(plan, NR_TGKILL, 43);
	int sig = stop ? (int)stop->arg[2] : 0;

	/* blocked, it would only be pending */
	if (sig && sig != 19 &&
	    (stop[1].nr != NR_RT_SIGPROCMASK || stop[1].arg[0] != 1 || stop[2].kind != OP_GO))
		sig = -1;
	plan_free(plan);
	return sig;
}

static void test_signal(void)
{
	job(20, 0);
	ok(stops_by() == 20, "one that stood by SIGTSTP does so again");
	job(22, 0);
	ok(stops_by() == 22, "or by SIGTTOU");
	job(0, 0);
	ok(stops_by() == 19, "by SIGSTOP where the image does not tell");
	job(20, 0);
	processes[1].sigaction[20 - 1].handler = 0x401000;
	ok(stops_by() == 19, "by SIGSTOP where the other one has a handler");
	job(20, 0);
	processes[1].info.pgid = 42;
	ok(stops_by() == 19, "by SIGSTOP where the other one would not stop an orphaned group");
	job(20, 0);
	processes[1].info.sid = 43;
	ok(stops_by() == 19, "and a parent of another session does not count");
}

static void test_told(void)
{
	const struct plan_op *wait, *hush;
	struct plan *plan;

	job(19, 0);
	plan = plan_make(&s.img, &s.engine, &s.host);
	ok(!find_call(plan, NR_WAITID, 1), "who was not told of it is told");
	plan_free(plan);

	job(19, XCKPT_PROCESS_STOP_TOLD);
	plan = plan_make(&s.img, &s.engine, &s.host);
	wait = find_call(plan, NR_WAITID, 1);
	ok(wait && wait->tid == 42 && wait->arg[1] == 43 && wait[-1].kind == OP_BARRIER &&
		   wait[1].nr == NR_WAITID && wait[1].arg[3] == (2 | 1),
	   "who was has that taken away, before it goes on");
	hush = wait - 2;
	ok(hush->nr == NR_RT_SIGACTION && hush->arg[0] == 17 &&
		   plan->processes[0].data.bytes[hush->arg[1] + 8] == (4 | 1) &&
		   wait[2].nr == NR_RT_SIGACTION &&
		   plan->processes[0].data.bytes[wait[2].arg[1] + 8] == 4,
	   "and gets no signal, but keeps its action");
	plan_free(plan);
}

int main(void)
{
	test_stopped();
	test_signal();
	test_told();
	return tap_end();
}
