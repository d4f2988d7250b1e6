// SPDX-License-Identifier: GPL-2.0-or-later
/* What this version cannot resume is told by name, and nothing else is. */
#include "common.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char told[8192];

static void add_line(void *ctx, int pid, const char *object, const char *why)
{
	size_t len = strlen(told);

	(void)ctx;
	snprintf(told + len, sizeof(told) - len, "pid %d %s: %s\n", pid, object, why);
}

/* Of these many objects, one in these words. */
static void expect(const struct image *img, int nr, const char *words)
{
	int found;

	told[0] = 0;
	found = image_unsupported(img, add_line, NULL);
	check(found == nr && strstr(told, words), "%s: %d told\n%s", words, found, told);
}

static void test_files(struct image *img)
{
	struct open_file *f = &img->files[3], was = *f;

	f->kind = FILE_QUEUE;
	expect(img, 3, "POSIX message queues (mq_open) cannot be resumed");
	f->kind = FILE_SECRET;
	expect(img, 3, "secret memory (memfd_secret) is not in an image");
	f->kind = FILE_REGULAR;
	f->path = "/tmp/lock (deleted)";
	f->unlinked = true;
	expect(img, 3, "(/tmp/lock (deleted)): a file that was opened by a name which was removed");
	f->flags = X86_O_PATH;
	expect(img, 3, "(/tmp/lock (deleted)): a file that was opened by a name which was removed");
	f->unlinked = false;
	f->path = "/tmp/lock";
	check(image_unsupported(img, NULL, NULL) == 2, "what has a name is opened by it");
	f->kind = FILE_DEVICE;
	f->flags = 0;
	check(image_unsupported(img, NULL, NULL) == 2, "and so is a device");
	f->mode = S_IFCHR | 0666;
	f->rdev = 0xac8;
	expect(img, 3, "a network interface of its own (tun, tap) cannot be resumed");
	f->rdev = 0xae5;
	expect(img, 3, "a file system of its own (FUSE) cannot be resumed");
	f->flags = X86_O_PATH;
	check(image_unsupported(img, NULL, NULL) == 2, "its path is only a path");
	f->flags = 0;
	f->deleted = true;
	expect(img, 3, "a device file that was removed cannot be resumed");
	*f = was;
	f->kind = FILE_ANON_INODE;
	f->path = "pidfd:[5]";
	f->event = (struct event_state){ .kind = EVENT_PROCESS, .pid = 42 };
	f->flags = X86_O_RDWR | X86_O_EXCL;
	check(image_unsupported(img, NULL, NULL) == 2, "and a pidfd of a thread");
	f->flags = X86_O_RDWR | X86_O_TRUNC;
	expect(img, 3, "(pidfd:[5]): a pidfd with which its process ends (CLONE_PIDFD_AUTOKILL)");
	*f = was;
}

/* What has another end than the one that is in the image. */
static void test_master(struct image *img)
{
	struct open_file *f = &img->files[3], was = *f;
	struct terminal terminal = { .outside = true };

	f->kind = FILE_DEVICE;
	f->rdev = PTMX_RDEV;
	expect(img, 3, "a pseudo-terminal whose state is not in the image cannot");
	f->terminal = &terminal;
	expect(img, 3, "whose slave others than the group have open, too, cannot");
	terminal = (struct terminal){ .line = 2 };
	expect(img, 3, "a line discipline of its own cannot");
	terminal.line = 0;
	check(image_unsupported(img, NULL, NULL) == 2, "any other can be resumed");
	*f = was;
}

static void test_mappings(struct image *img)
{
	struct segment *s = &img->processes[0].segments[3], was = *s;

	s->vma.kind = XCKPT_VMA_FILE;
	s->path = "/[aio] (deleted)";
	expect(img, 3, "(/[aio] (deleted)): asynchronous I/O (io_setup) cannot be resumed");
	*s = was;
}

/* What the processor does for a program, and what it is kept from. */
static void test_processor(struct image *img)
{
	static const struct {
		uint32_t flag;
		const char *words;
	} of[] = { { XCKPT_PROCESS_SEGMENTS, "segment descriptors" },
		   { XCKPT_PROCESS_IO_PORTS, "I/O ports" },
		   { XCKPT_PROCESS_ODD_MM, "CLONE_VM" },
		   { XCKPT_PROCESS_TRAPS, "PR_SET_TSC" },
		   { XCKPT_PROCESS_DISPATCH, "PR_SET_SYSCALL_USER_DISPATCH" } };
	struct image_process *p = &img->processes[0];

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		p->info.flags |= of[i].flag;
		expect(img, 3, of[i].words);
		p->info.flags &= ~of[i].flag;
	}
	p->threads[0].info.policy = 6;
	expect(img, 3, "SCHED_DEADLINE");
	p->threads[0].info.policy = 0;
}

static void test_shadow_stack(void)
{
	struct spec spec = plain_spec;
	char *dir = in_scratch("shadow");
	struct image *img;

	spec.shadow_stack = true;
	image_make(dir, &spec);
	img = image_open(dir);
	expect(img, 3, "thread 42: a shadow stack (ARCH_SHSTK_ENABLE) cannot be resumed");
	image_close(img);
}

/* One that the process does not have; what may be executed and nothing else has the kernel's. */
static void test_key(struct image *img)
{
	struct xckpt_note_mm *mm = &img->processes[0].mm;
	struct segment *s = &img->processes[0].segments[0], was = *s;

	s->vma.flags |= XCKPT_VMA_READ;
	s->vma.pkey = 1;
	expect(img, 3, "protection key");
	mm->pkeys = 3;
	check(image_unsupported(img, NULL, NULL) == 2, "not one that it has");
	mm->pkeys = 1;
	s->vma.flags &= ~(XCKPT_VMA_READ | XCKPT_VMA_WRITE);
	check(image_unsupported(img, NULL, NULL) == 2, "but not the kernel's key");
	*s = was;
}

/* An image that tells how many timers there were, but not what they were like. */
static void test_timers(struct image *img)
{
	static struct xckpt_timer odd[] = { { .id = 0, .signo = 14 },
					    { .id = 5, .signo = 14, .clock = 16 } };
	struct image_process *p = &img->processes[0], was = *p;

	p->timers = odd;
	p->nr_timers = 2;
	expect(img, 3, "pid 42 timer 5 (clock 16): POSIX timers of this clock cannot");
	p->nr_timers = 0;
	p->info.nr_posix_timers = 2;
	expect(img, 3, "pid 42 : POSIX timers (timer_create) are not in an image");
	*p = was;
}

static void test_tracers(struct image *img)
{
	img->processes[0].threads[0].info.tracer = 43;
	check(image_unsupported(img, NULL, NULL) == 2, "a tracer outside is not missed");
	img->processes[0].threads[0].info.tracer = 42;
	expect(img, 3, "which pid 42 (");
	expect(img, 3, "traces: tracing (ptrace) of one");
}

int main(void)
{
	char *dir = in_scratch("img");
	struct image *img;

	image_make(dir, &plain_spec);
	img = image_open(dir);
	if (!img)
		errx(1, "cannot open %s", dir);
	expect(img, 2, "pid 42 fd 1 (socket:[1]): sockets cannot be resumed");
	expect(img, 2, "fd 2 (/tmp/gone (deleted)): a file without a name");
	test_files(img);
	test_master(img);
	test_mappings(img);
	test_processor(img);
	test_shadow_stack();
	test_key(img);
	test_timers(img);
	test_tracers(img);
	image_close(img);
	return check_end();
}
