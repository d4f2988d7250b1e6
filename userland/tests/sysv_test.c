// SPDX-License-Identifier: GPL-2.0-or-later
/* System V IPC: what is written is read, and what nobody wrote is refused. */
#include "common.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mappings of the segments 1 and 3, as common.c numbers them. */
static const struct spec_segment mappings[] = {
	{ 0x10000000, 0x10002000, 0, XCKPT_VMA_SYSV,
	  XCKPT_VMA_READ | XCKPT_VMA_WRITE | XCKPT_VMA_SHARED, "/SYSV00000000 (deleted)" },
	{ 0x20000000, 0x20001000, 0, XCKPT_VMA_ANON, XCKPT_VMA_READ, "x" },
	{ 0x30000000, 0x30001000, 0, XCKPT_VMA_SYSV, XCKPT_VMA_READ | XCKPT_VMA_SHARED,
	  "/SYSV00000007 (deleted)", .pgoff = 0x1000 },
};

static struct sysv_segment segments[2];
static struct sysv_set sets[2];
static struct sysv_queue queues[2];
static uint16_t values[] = { 0, 1, SYSV_VALUE_MAX };
static struct sysv_message messages[] = { { 1, 0 }, { INT64_MAX, 0 } };
static struct xckpt_sem_undo undo[] = { { 5, 0, -3 }, { 5, 2, 32767 } };
static int elsewhere[] = { 42 };
static struct sysv_ipc ipc;
static struct spec spec;

static void begin(void)
{
	const struct sysv_object object = {
		.key = -7, .mode = 0640, .uid = 1000, .gid = UINT32_MAX, .cuid = 1, .cgid = 2
	};

	for (int i = 0; i < 2; i++) {
		segments[i] = (struct sysv_segment){ .object = object, .size = 5000 };
		sets[i] = (struct sysv_set){ .object = object, .values = values, .nr = 3 };
		queues[i] = (struct sysv_queue){ .object = object, .room = 16384 };
	}
	segments[0].object.id = 1;
	segments[1].object.id = 3;
	segments[1].removed = segments[0].locked = true;
	sets[0].object.id = 5;
	sets[1].object.id = 32768 * 7;
	queues[0].object.id = 0;
	queues[1].object.id = SYSV_ID_MAX;
	queues[1].messages = messages;
	queues[1].nr = 2;
	messages[0].type = 1;
	undo[0] = (struct xckpt_sem_undo){ 5, 0, -3 };
	values[2] = SYSV_VALUE_MAX;
	ipc = (struct sysv_ipc){ segments, 2, sets, 2, queues, 2, { 0 }, NULL, 0 };
	ipc.limits[SYSV_SHMMAX] = UINT64_MAX - (1 << 24);
	ipc.limits[SYSV_MSGMNI] = 32000;
	spec = plain_spec;
	spec.segments = mappings;
	spec.nr_segments = 3;
	spec.undo = undo;
	spec.nr_undo = 2;
	spec.sysv = &ipc;
}

static struct image *make(void)
{
	const char *dir = in_scratch("sysv");

	image_make(dir, &spec);
	return image_open(dir);
}

static void collect(void *ctx, int pid, const char *object, const char *why)
{
	char *text = ctx;

	sprintf(text + strlen(text), "pid %d %s: %s\n", pid, object, why);
}

static bool is_told(const char *words)
{
	char text[8192] = "";
	struct image *img = make();

	if (img)
		image_unsupported(img, collect, text);
	image_close(img);
	return img && strstr(text, words);
}

static void test_round_trip(void)
{
	struct image *img;

	begin();
	img = make();
	if (!check(img != NULL, "an image with System V IPC is read"))
		return;
	check(img->sysv.nr_segments == 2 && !memcmp(img->sysv.segments, segments, sizeof(segments)),
	      "segments");
	check(img->sysv.nr_sets == 2 &&
		      !memcmp(&img->sysv.sets[1].object, &sets[1].object, sizeof(sets[1].object)) &&
		      img->sysv.sets[1].nr == 3 &&
		      !memcmp(img->sysv.sets[1].values, values, sizeof(values)),
	      "semaphores");
	check(img->sysv.nr_queues == 2 && img->sysv.queues[1].nr == 2 &&
		      img->sysv.queues[1].object.id == SYSV_ID_MAX &&
		      img->sysv.queues[1].room == 16384 &&
		      img->sysv.queues[1].messages[1].type == INT64_MAX,
	      "queues");
	check(!memcmp(img->sysv.limits, ipc.limits, sizeof(ipc.limits)), "limits");
	check(img->processes[0].nr_undo == 2 && !memcmp(img->processes[0].undo, undo, sizeof(undo)),
	      "SEM_UNDO");
	check(image_sysv_segment(&img->sysv, 3) == &img->sysv.segments[1] &&
		      !image_sysv_segment(&img->sysv, 2) &&
		      !image_sysv_segment(&img->sysv, (1ull << 32) + 3),
	      "found by id");
	image_close(img);
	check(!is_told("System V") && !is_told("SEM_UNDO") && !is_told("IPC"),
	      "nothing of it is unsupported");
}

static void test_unsupported(void)
{
	begin();
	segments[1].object.id = 4;
	check(is_told("30000000-30001000 (/SYSV00000007 (deleted)): a System V segment that is not"),
	      "a mapping without a segment");
	begin();
	segments[0].huge = true;
	check(is_told("segment 1: System V shared memory of huge pages"), "huge pages");
	begin();
	sets[0].object.id = 6;
	check(is_told("semaphore 2 of set 5: SEM_UNDO of a semaphore that is not"),
	      "SEM_UNDO without a set");
	begin();
	ipc.elsewhere = elsewhere;
	ipc.nr_elsewhere = 1;
	check(is_told("pid 42 : processes of a group in several IPC namespaces"),
	      "several IPC namespaces");
	begin();
	spec.process_flags = XCKPT_PROCESS_ODD_UNDO;
	check(is_told("pid 42 : SEM_UNDO of semaphores that is shared"), "SEM_UNDO that is shared");
	spec.sysv = NULL;
	check(is_told("a System V segment that is not in the image"), "an image of an old version");
}

/* What begin() made, and the caller has spoiled since. */
static void refused(const char *words, const char *what)
{
	const char *said;
	struct image *img;

	quiet_begin();
	img = make();
	said = quiet_end();
	check(!img && strstr(said, words), "%s: '%s'", what, said);
	image_close(img);
	begin();
}

static void test_hostile(void)
{
	begin();
	segments[1].object.id = 1;
	refused("\"sysv\" is not in the order", "an id twice");
	sets[1].object.id = -1;
	refused("\"id\" is out of range", "a negative id");
	queues[0].object.mode = 01000;
	refused("\"mode\" is out of range", "a mode that there is not");
	segments[0].size = 0;
	refused("\"size\" is out of range", "an empty segment");
	segments[0].size = 4096;
	refused("pid 42 has more of shared memory segment 1 mapped",
		"a mapping beyond its segment");
	segments[1].size = 4096;
	refused("pid 42 has more of shared memory segment 3", "one that begins there");
	segments[0].data = "files/../x";
	refused("\"data\" is no name", "contents from elsewhere");
	segments[0].data = "files/sysv-shm-1";
	refused("files/sysv-shm-1 has no or another size", "contents that are not there");
	values[2] = 32768;
	refused("\"values\" are none of semaphores", "a value beyond all");
	sets[0].nr = 0;
	refused("\"values\" are of no number", "a set without semaphores");
	messages[0].type = 0;
	refused("\"messages\" have no type", "a message without a type");
	queues[1].data = "files/sysv-msg-9";
	queues[1].data_size = 1;
	refused("\"messages\" are not what", "contents of no message");
	sets[0].nr = 2;
	refused("SEM_UNDO of semaphore 2, and set 5 has only 2", "SEM_UNDO beyond the set");
}

/* The same of a core: no image is made of one that is damaged. */
static void refused_core(const char *words, const char *what)
{
	int fd = memfd_create("core", MFD_CLOEXEC), ret;
	struct core_place at = { "cannot use it", "42.core" };
	struct arena arena = { 0 };
	struct core_files files;
	struct image_process p;
	const char *said;

	core_write(fd, &spec);
	quiet_begin();
	ret = core_read(fd, &at, &arena, &p, &files);
	said = quiet_end();
	check(ret && strstr(said, words), "%s: '%s'", what, said);
	arena_free(&arena);
	close(fd);
	begin();
}

static void test_hostile_core(void)
{
	begin();
	undo[0].number = 2;
	refused_core("SEM_UNDO is not in order", "SEM_UNDO of a semaphore twice");
	undo[0].id = 6;
	refused_core("SEM_UNDO is not in order", "SEM_UNDO backwards");
	undo[0].adjust = 0;
	refused_core("SEM_UNDO has an impossible entry", "SEM_UNDO that does nothing");
	undo[0].id = -5;
	refused_core("SEM_UNDO has an impossible entry", "SEM_UNDO of no set");
}

int main(void)
{
	test_round_trip();
	test_unsupported();
	test_hostile();
	test_hostile_core();
	return check_end();
}
