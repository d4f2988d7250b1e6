// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System V IPC: the plan of it; and where an IPC namespace can be had, what is made of
 * that, and that the self-check sees what is not so.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include "check.h"
#include "synth.h"
#include "tap.h"

#define RW (XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_SHARED | XCKPT_VMA_MAYWRITE)
#define RO (XCKPT_VMA_READ | XCKPT_VMA_SHARED)

static struct synth s;
static struct sysv_segment segments[2];
static struct sysv_set sets[1];
static struct sysv_queue queues[1];
static uint16_t values[] = { 5, 0, 32767 };
static struct sysv_message messages[] = { { 7, 3 }, { 9, 0 }, { 7, 2 } };
static struct plan *plan;

static struct segment *attach(uint64_t start, uint64_t end, int id, uint64_t pgoff, uint32_t flags)
{
	struct segment *seg = synth_segment(&s, start, end, XCKPT_VMA_SYSV, flags);

	seg->vma.ino = (uint64_t)id;
	seg->vma.pgoff = pgoff;
	seg->path = "/SYSV00000000 (deleted)";
	return seg;
}

static void begin(void)
{
	synth_init(&s, ENGINE_NATIVE);
	synth_program(&s);
	segments[0] = (struct sysv_segment){ .object = { .id = 3, .key = 77, .mode = 0640 },
					     .size = 0x2800 };
	segments[1] = (struct sysv_segment){ .object = { .id = 32768 + 4, .mode = 0400 },
					     .size = 4096,
					     .removed = true };
	sets[0] = (struct sysv_set){ .object = { .id = 65536, .key = -2, .mode = 0600 },
				     .values = values,
				     .nr = 3 };
	queues[0] = (struct sysv_queue){ .object = { .id = 1, .key = 5, .mode = 0666 },
					 .room = 16384,
					 .messages = messages,
					 .nr = 3,
					 .data = "files/sysv-msg-1",
					 .data_size = 5 };
	s.img.sysv = (struct sysv_ipc){ segments, 2, sets, 1, queues, 1, { 0 }, NULL, 0 };
	/* in the order of addresses; the stack of synth_program() is above */
	s.p.nr_segments = 2;
}

static void make_plan(void)
{
	plan = plan_make(&s.img, &s.engine, &s.host);
}

/* The n-th call of this number, or NULL. */
static const struct plan_op *nth(uint32_t nr, unsigned int n)
{
	for (size_t i = 0; i < plan->nr_ops; i++)
		if (plan->ops[i].kind == OP_SYSCALL && plan->ops[i].nr == nr && !n--)
			return &plan->ops[i];
	return NULL;
}

static bool is_call(const struct plan_op *op, uint64_t a, uint64_t b, uint64_t c)
{
	return op && op->arg[0] == a && op->arg[1] == b && op->arg[2] == c;
}

static bool is_shmat(unsigned int n, uint64_t id, uint64_t at, uint64_t flags)
{
	const struct plan_op *op = nth(NR_SHMAT, n);

	return is_call(op, id, at, flags) && op->want == WANT_VALUE && op->value == at;
}

static void test_attach(void)
{
	struct segment *seg;

	begin();
	seg = attach(0x10000000, 0x10003000, 3, 0, RW);
	synth_contents(&s, seg, "shared", 6);
	attach(0x20000000, 0x20003000, 3, 0, RO);
	make_plan();
	ok(plan->ops[0].kind == OP_NAMESPACES && plan->ops[0].arg[0] & CLONE_NEWIPC,
	   "a namespace of its own");
	ok(count_ops(plan, OP_SHM) == 2 && count_ops(plan, OP_SEM) == 1 &&
		   count_ops(plan, OP_MSG) == 1 && count_ops(plan, OP_IPC_LIMIT) == 7,
	   "all is made once");
	ok(count_ops(plan, OP_SHM_COPY) == 1 && find_op(plan, OP_SHM_COPY, 0)->arg[0] == 3 &&
		   find_op(plan, OP_SHM_COPY, 0) > find_op(plan, OP_SHM, 0),
	   "and filled once, behind that");
	ok(is_shmat(0, 3, 0x10000000, 0) && is_shmat(1, 3, 0x20000000, 010000) &&
		   !nth(NR_SHMAT, 2) && nth(NR_SHMAT, 0) < find_call(plan, NR_MMAP, 0x600000),
	   "attached twice, once for reading only, before all else is mapped");
	ok(!plan->nr_issues, "nothing is wrong with that");
	plan_free(plan);
	begin();
	s.img.sysv = (struct sysv_ipc){ 0 };
	make_plan();
	ok(!(plan->ops[0].arg[0] & CLONE_NEWIPC) && !count_ops(plan, OP_IPC_LIMIT),
	   "without System V IPC there is nothing of it");
	plan_free(plan);
}

static void test_parts(void)
{
	begin();
	segments[0].data = "files/sysv-shm-3";
	attach(0x10000000, 0x10001000, 3, 0, RW);
	attach(0x10002000, 0x10003000, 3, 0x2000, RW & ~XCKPT_VMA_WRITE);
	make_plan();
	ok(is_shmat(0, 3, 0x10000000, 0) && !nth(NR_SHMAT, 1) &&
		   is_call(nth(NR_MUNMAP, 0), 0x10001000, 0x1000, 0),
	   "two parts of one: attached once, and the gap unmapped");
	ok(is_call(nth(NR_MPROTECT, 0), 0x10002000, 0x1000, X86_PROT_READ),
	   "and the second one protected");
	ok(count_ops(plan, OP_SHM_FILL) == 1 && !count_ops(plan, OP_SHM_COPY),
	   "contents that are in the image by themselves");
	plan_free(plan);
	begin();
	/* the first page of the other one is where this one's second page was */
	attach(0x10000000, 0x10001000, 3, 0, RW);
	attach(0x10001000, 0x10002000, 32768 + 4, 0, RO);
	make_plan();
	ok(is_shmat(0, 3, 0x10000000, 0) && is_shmat(1, 32768 + 4, 0x10001000, 010000) &&
		   nth(NR_MUNMAP, 0) < nth(NR_SHMAT, 1) && !plan->nr_issues,
	   "what was in the place of a part that is gone comes later");
	plan_free(plan);
}

static void test_refusals(void)
{
	begin();
	/* each has its first page where the other one's last page was, and not */
	segments[1].size = 0x3000;
	attach(0x10000000, 0x10001000, 3, 0x1000, RW);
	attach(0x10001000, 0x10002000, 32768 + 4, 0x1000, RW);
	make_plan();
	ok(has_issue(plan, "cannot resume pid 42: only a part of System V segment 3 is attached at "
			   "0x10000000"),
	   "two that are in each other's way");
	plan_free(plan);
	begin();
	attach(0x1000, 0x2000, 3, 0x1000, RW);
	make_plan();
	ok(has_issue(plan, "only a part of System V segment 3"), "one that began at address 0");
	plan_free(plan);
	begin();
	attach(0x10004000, 0x10007000, 3, 0, RW);
	s.host.page_size = 16384;
	make_plan();
	ok(!plan->nr_issues, "one that begins with a page of a host with larger ones");
	plan_free(plan);
	s.host.page_size = 65536;
	make_plan();
	ok(has_issue(plan,
		     "segment 3 is attached at 0x10004000, which is no multiple of this host"),
	   "and not");
	plan_free(plan);
	begin();
	s.host.root = false;
	s.host.uid = 1000;
	queues[0].object.uid = queues[0].object.cuid = 1000;
	make_plan();
	ok(has_issue(plan, "System V segment 3 is not this user's: Operation not permitted") &&
		   !has_issue(plan, "System V queue 1"),
	   "what only root can make");
	plan_free(plan);
}

/* What the n-th semop(2) does: two operations of three numbers. */
static bool is_undo(unsigned int n, const int16_t want[6])
{
	const struct plan_op *op = nth(NR_SEMOP, n);

	return is_call(op, 65536, op ? op->arg[1] : 0, 2) && op->refs == 2 &&
	       !memcmp(plan->processes[0].data.bytes + op->arg[1], want, 12);
}

static void test_undo(void)
{
	static const struct xckpt_sem_undo undo[] = {
		{ 65536, 0, 4 }, { 65536, 1, 3 }, { 65536, 2, -3 }, { 65536, 2, -32767 }
	};

	begin();
	s.p.undo = undo;
	s.p.nr_undo = 4;
	make_plan();
	ok(is_undo(0, (int16_t[]){ 0, -4, 014000, 0, 4, 04000 }), "SEM_UNDO, of what can be taken");
	ok(is_undo(1, (int16_t[]){ 1, 3, 04000, 1, -3, 014000 }), "of what is not there");
	ok(is_undo(2, (int16_t[]){ 2, -3, 04000, 2, 3, 014000 }), "of what has no more room");
	ok(is_undo(3, (int16_t[]){ 2, -32767, 04000, 2, 32767, 014000 }), "of all there can be");
	plan_free(plan);
}

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

/* The check of what is there now, with what it has to say about it. */
static bool differs(const char *text)
{
	struct check c = { .plan = plan };
	int ret = check_sysv(&c);
	bool good = text ? ret == -1 && !strcmp(c.difference, text) : !ret;

	if (!good)
		printf("# %d: \"%s\"\n", ret, c.difference);
	return good;
}

static void make_files(char *dir)
{
	char path[300];
	FILE *f;

	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/files", dir);
	if (mkdir(path, 0700))
		abort();
	snprintf(path, sizeof(path), "%s/files/sysv-msg-1", dir);
	f = fopen(path, "w");
	if (!f || fputs("abcde", f) < 0 || fclose(f))
		abort();
	s.img.dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
}

static void remove_files(const char *dir)
{
	unlinkat(s.img.dir_fd, "files/sysv-msg-1", 0);
	unlinkat(s.img.dir_fd, "files", AT_REMOVEDIR);
	rmdir(dir);
}

/* The queue has what it should, but for the first message. */
static void refill(long type, const char *text)
{
	struct {
		long type;
		char text[8];
	} m;

	while (msgrcv(1, &m, sizeof(m.text), 0, IPC_NOWAIT) >= 0)
		;
	m.type = type;
	memcpy(m.text, text, 3);
	msgsnd(1, &m, 3, 0);
	m.type = 9;
	msgsnd(1, &m, 0, 0);
	m.type = 7;
	memcpy(m.text, "de", 2);
	msgsnd(1, &m, 2, 0);
}

static void test_differences(void)
{
	struct {
		long type;
		char text[8];
	} m = { 3, "x" };
	struct shmid_ds shm;
	struct msqid_ds msg;

	semctl(65536, 1, SETVAL, (union semun){ .val = 2 });
	ok(differs("the value 1 of System V semaphore set 65536 is 2, it was 0"), "a value");
	semctl(65536, 1, SETVAL, (union semun){ .val = 0 });
	shmctl(3, IPC_STAT, &shm);
	shm.shm_perm.mode = 0666;
	shmctl(3, IPC_SET, &shm);
	ok(differs("the mode of System V segment 3 is 0666, it was 0640"), "a mode");
	shm.shm_perm.mode = 0640;
	shm.shm_perm.uid = 7;
	shmctl(3, IPC_SET, &shm);
	ok(differs("the owner of System V segment 3 is 7, it was 0"), "an owner");
	shm.shm_perm.uid = 0;
	shmctl(3, IPC_SET, &shm);
	msgctl(1, IPC_STAT, &msg);
	msg.msg_qbytes = 100;
	msgctl(1, IPC_SET, &msg);
	ok(differs("the msg_qbytes of System V queue 1 is 100, it was 16384"), "room");
	msg.msg_qbytes = 16384;
	msgctl(1, IPC_SET, &msg);
	msgsnd(1, &m, 1, 0);
	ok(differs("the messages of System V queue 1 is 4, it was 3"), "a message too many");
	msgrcv(1, &m, 8, 0, 0);
	ok(differs("the message 0 of System V queue 1 is of 0 bytes, it was of 3 bytes"),
	   "another first one");
	refill(8, "abc");
	ok(differs("the message 0 of System V queue 1 is of type 8, it was of type 7"), "a type");
	refill(7, "abX");
	ok(differs("the message 0 of System V queue 1 is another, it was files/sysv-msg-1"),
	   "contents");
	semctl(65536, 0, IPC_RMID);
	ok(differs("the number of System V semaphore set 65536 is Invalid argument, it was in use"),
	   "a set that is gone");
}

/* What the first segment has is what was in the core. */
static bool is_filled(void)
{
	char *at = shmat(3, NULL, SHM_RDONLY);
	bool good = at != (void *)-1 && !strcmp(at, "shared") && !at[0x2000];

	if (at != (void *)-1)
		shmdt(at);
	return good;
}

static void test_made(void)
{
	char dir[] = "/tmp/xckpt-sysv-XXXXXX";
	struct segment *seg;
	void *at;

	if (geteuid() || unshare(CLONE_NEWIPC)) {
		ok(true, "what is made # SKIP it needs an IPC namespace");
		return;
	}
	begin();
	seg = attach(0x10000000, 0x10003000, 3, 0, RW);
	synth_contents(&s, seg, "shared", 6);
	for (int i = 0; i < NR_SYSV_LIMITS; i++)
		s.img.sysv.limits[i] = 1000 + (unsigned int)i;
	s.img.sysv.limits[SYSV_SHMMAX] = s.img.sysv.limits[SYSV_MSGMNB] = 1 << 20;
	segments[0].object.uid = segments[0].object.cgid = sets[0].object.cuid = 0;
	queues[0].object.cuid = 12;
	queues[0].object.gid = queues[0].object.cgid = 34;
	make_files(dir);
	make_plan();
	ok(!sysv_make(plan) && !sysv_set_values(plan), "all is made");
	at = shmat(32768 + 4, NULL, SHM_RDONLY); /* or it would go */
	ok(!sysv_finish(plan) && at != (void *)-1, "and has its owners and modes");
	ok(differs(NULL), "which the check finds to be so");
	ok(is_filled(), "with its contents");
	ok(shmget(77, 0, 0) == 3 && semget(-2, 0, 0) == 65536 && msgget(5, 0) == 1 && !geteuid(),
	   "it is found by its keys");
	test_differences();
	remove_files(dir);
	plan_free(plan);
}

int main(void)
{
	test_attach();
	test_parts();
	test_refusals();
	test_undo();
	test_made();
	return tap_end();
}
