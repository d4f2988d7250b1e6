// SPDX-License-Identifier: GPL-2.0-or-later
/* Open files in the manifest: what is written is read, and what nobody wrote is refused. */
#include "common.h"
#include "checksum.h"
#include "manifest.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct poll_entry entries[] = { { 5, 1, 0x80000001, UINT64_MAX }, { 5, 2, 4, 7 } };
static struct inotify_watch watches[] = { { 2, 0x100, "/srv/a%b" }, { 9, 2, "" } };
static uint32_t packets[] = { 1, PIPE_PACKET_MAX };
static struct file_lock locks[] = { { LOCK_FLOCK, true, 0, 0, UINT64_MAX },
				    { LOCK_POSIX, false, 42, 10, 19 },
				    { LOCK_OFD, true, 0, 5, 5 },
				    { LOCK_LEASE, false, 0, 0, UINT64_MAX } };

static struct terminal terminal = { .index = 7,
				    .opened = true,
				    .packet = true,
				    .end = true,
				    .slave_exclusive = true,
				    .session = 42,
				    .foreground = 43,
				    .iflag = 0x500,
				    .oflag = 5,
				    .cflag = 0xbf,
				    .lflag = 0x8a3b,
				    .ispeed = 38400,
				    .ospeed = UINT32_MAX,
				    .chars = { 3, 28, 127, 21, 4, [18] = 255 },
				    .rows = 24,
				    .columns = 80,
				    .width = UINT16_MAX,
				    .uid = 1000,
				    .gid = 5,
				    .mode = 0620 };

#define MASTER(n, t)                                                                               \
	{                                                                                          \
		.id = (n), .kind = FILE_DEVICE, .path = "/dev/ptmx", .rdev = PTMX_RDEV,            \
		.terminal = (t)                                                                    \
	}

#define ANON(n, p, ...)                                                                            \
	{                                                                                          \
		.id = (n), .kind = FILE_ANON_INODE, .path = "anon_inode:" p, .event = {            \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct open_file all[] = {
	ANON(1, "[eventfd]", .kind = EVENT_COUNTER, .count = UINT64_MAX - 1, .semaphore = true),
	ANON(2, "[timerfd]", .kind = EVENT_TIMER, .clock = 7, .count = 3, .settime_flags = 3,
	     .value_ns = 1, .interval_ns = INT64_MAX),
	ANON(3, "[signalfd]", .kind = EVENT_SIGNALS, .mask = 1ull << 63),
	ANON(4, "[eventpoll]", .kind = EVENT_POLL, .entries = entries, .nr_entries = 2),
	ANON(5, "inotify", .kind = EVENT_WATCHES, .watches = watches, .nr_watches = 2,
	     .unread = 16),
	ANON(6, "[pidfd]", .kind = EVENT_PROCESS, .pid = -1),
	ANON(12, "[io_uring]", .kind = EVENT_RING,
	     .ring = { .state = 3,
		       .flags = UINT32_MAX,
		       .sq_entries = 1,
		       .cq_entries = 65536,
		       .sq_head = UINT32_MAX,
		       .cq_tail = 5,
		       .sq_tail_off = 64,
		       .cq_head_off = 128,
		       .cqes_off = 320,
		       .array_off = 4416 }),
	{ .id = 7,
	  .kind = FILE_REGULAR,
	  .path = "/srv/data",
	  .data = "files/file-7",
	  .data_size = 3ull << 30,
	  .uid = 1000,
	  .gid = UINT32_MAX,
	  .mtime_ns = -5,
	  .owner = 42,
	  .owner_type = 2,
	  .owner_signal = 64,
	  .locks = locks,
	  .nr_locks = 4 },
	{ .id = 8,
	  .kind = FILE_MEMFD,
	  .path = "/memfd:x (deleted)",
	  .seals = 0x1f,
	  .page_shift = 21 },
	{ .id = 9,
	  .kind = FILE_PIPE,
	  .path = "pipe:[9]",
	  .inside = true,
	  .data = "files/pipe-9",
	  .data_size = 1 + PIPE_PACKET_MAX,
	  .packets = packets,
	  .nr_packets = 2 },
	MASTER(10, &terminal),
	{ .id = 11, .kind = FILE_TTY, .path = "/dev/pts/7", .rdev = 0x8807, .master = 10 },
};
#define NR_FILES (sizeof(all) / sizeof(all[0]))

/* A manifest with these files, written and read: 0, and @m is in @arena. */
static int round_trip(struct open_file *files, size_t nr, struct arena *arena, struct manifest *m)
{
	struct manifest_process process = { .pid = 42,
					    .comm = "c",
					    .state = "parked",
					    .core = "42.core",
					    .label = "jail (enforce)" };
	struct manifest written = { .processes = &process,
				    .nr_processes = 1,
				    .version = IMAGE_FORMAT_WHOLE,
				    .tool = "test",
				    .kernel = "k",
				    .machine = "x86_64",
				    .root_pid = 42,
				    .front = &terminal,
				    .files = files,
				    .nr_files = nr };
	char path[300], *text;
	int fd, dir, ret;
	size_t len;

	snprintf(path, sizeof(path), "%s/group.json", scratch());
	text = manifest_format(&written, &len);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!text || write(fd, text, len) != (ssize_t)len)
		err(1, "%s", path);
	close(fd);
	free(text);
	dir = open(scratch(), O_RDONLY | O_DIRECTORY);
	ret = manifest_read(dir, "cannot use it", arena, m);
	close(dir);
	return ret;
}

static bool same_events(const struct event_state *a, const struct event_state *b)
{
	return a->kind == b->kind && a->count == b->count && a->semaphore == b->semaphore &&
	       a->clock == b->clock && a->settime_flags == b->settime_flags &&
	       a->value_ns == b->value_ns && a->interval_ns == b->interval_ns &&
	       a->mask == b->mask && a->pid == b->pid && a->unread == b->unread &&
	       a->nr_entries == b->nr_entries && a->nr_watches == b->nr_watches &&
	       !memcmp(&a->ring, &b->ring, sizeof(a->ring));
}

static void test_round_trip(void)
{
	struct arena arena = { 0 };
	struct manifest m;
	const struct open_file *f;

	check(!round_trip((struct open_file *)all, NR_FILES, &arena, &m) && m.nr_files == NR_FILES,
	      "open files are written and read");
	for (size_t i = 0; i < 7; i++)
		check(same_events(&m.files[i].event, &all[i].event), "%s", all[i].path);
	check(!memcmp(m.files[3].event.entries, entries, sizeof(entries)), "what epoll waits for");
	check(m.files[4].event.watches[0].wd == 2 &&
		      !strcmp(m.files[4].event.watches[0].path, "/srv/a%b") &&
		      !m.files[4].event.watches[1].path[0],
	      "what inotify watches");
	f = &m.files[7];
	check(!strcmp(f->data, "files/file-7") && f->data_size == 3ull << 30 && f->uid == 1000 &&
		      f->gid == UINT32_MAX && f->mtime_ns == -5,
	      "a packed file");
	check(f->owner == 42 && f->owner_type == 2 && f->owner_signal == 64, "its owner");
	check(f->nr_locks == 4 && !memcmp(f->locks, locks, sizeof(locks)), "its locks");
	check(m.files[8].seals == 0x1f, "seals");
	check(m.files[8].page_shift == 21 && !m.files[0].page_shift, "huge pages");
	check(m.files[9].nr_packets == 2 && !memcmp(m.files[9].packets, packets, sizeof(packets)),
	      "packets of a pipe");
	check(m.files[10].terminal && !memcmp(m.files[10].terminal, &terminal, sizeof(terminal)),
	      "a pseudo-terminal");
	check(!m.files[10].master && m.files[11].master == 10, "and whose slave is its");
	check(m.front && m.front->lflag == terminal.lflag && m.front->columns == terminal.columns &&
		      !memcmp(m.front->chars, terminal.chars, sizeof(terminal.chars)),
	      "modes of the terminal in front");
	check(m.nr_processes == 1 && !strcmp(m.processes[0].label, "jail (enforce)"),
	      "a security label");
	arena_free(&arena);
}

/* @f, which the caller has spoiled, is refused because of @key. */
static void refused(const struct open_file *f, const char *key, const char *what)
{
	struct arena arena = { 0 };
	struct open_file copy = *f;
	struct manifest m;
	const char *said;
	int ret;

	quiet_begin();
	ret = round_trip(&copy, 1, &arena, &m);
	said = quiet_end();
	check(ret && strstr(said, key), "%s: '%s'", what, said);
	arena_free(&arena);
}

static void test_hostile(void)
{
	struct inotify_watch twice[] = { { 2, 1, "/a" }, { 2, 1, "/b" } }, zero = { 0, 1, "/a" };
	struct file_lock backwards = { LOCK_POSIX, true, 42, 10, 9 };
	struct poll_entry negative = { -1, 1, 1, 1 };
	struct open_file f = all[1];

	f.event.clock = 32;
	refused(&f, "\"clock\" is out of range", "a clock that there is none of");
	f.event.clock = 0;
	f.event.value_ns = 1ull << 63;
	refused(&f, "\"value_ns\" is out of range", "a time beyond all times");
	f = all[6];
	f.event.ring.sq_entries = 3;
	refused(&f, "\"io_uring\" is of a size", "an io_uring of three requests");
	f.event.ring.sq_entries = 131072;
	refused(&f, "\"io_uring\" is of a size", "one of too many");
	f = all[3];
	f.event.entries = &negative;
	f.event.nr_entries = 1;
	refused(&f, "\"fd\" is out of range", "a negative descriptor");
	f = all[4];
	f.event.watches = twice;
	refused(&f, "\"watches\" are not in order", "two watches of one number");
	f.event.watches = &zero;
	f.event.nr_watches = 1;
	refused(&f, "\"wd\" is out of range", "a watch with number 0");
	f = all[5];
	f.event.pid = -2;
	refused(&f, "\"pid\" is out of range", "a process below all");
	f = all[7];
	f.locks = &backwards;
	f.nr_locks = 1;
	refused(&f, "\"locks\" end before they start", "a lock that ends before it starts");
	f = all[7];
	f.owner_signal = 65;
	refused(&f, "\"owner_signal\" is out of range", "a signal that there is not");
	f = all[7];
	f.data = "files/../../etc/passwd";
	refused(&f, "\"data\" is no name", "contents from elsewhere");
	f = all[9];
	f.packets = (uint32_t[]){ PIPE_PACKET_MAX + 1 };
	f.nr_packets = 1;
	refused(&f, "\"packets\" are of no size", "a packet that is too large");
	f.packets = (uint32_t[]){ 0, PIPE_PACKET_MAX };
	f.nr_packets = 2;
	refused(&f, "\"packets\" are of no size", "an empty packet");
	f.packets = (uint32_t[]){ 2, PIPE_PACKET_MAX };
	refused(&f, "\"packets\" are not what", "packets that are more than there is");
}

/* @f's terminal with another @member, whatever that is. */
#define REFUSED_TERMINAL(member, value, key, what)                                                 \
	do {                                                                                       \
		struct terminal other = terminal;                                                  \
		struct open_file spoiled = MASTER(1, &other);                                      \
		other.member = (value);                                                            \
		refused(&spoiled, key, what);                                                      \
	} while (0)

static void test_hostile_terminals(void)
{
	struct open_file f = MASTER(1, &terminal);

	REFUSED_TERMINAL(index, 1 << 20, "\"index\" is out of range", "a number beyond all");
	REFUSED_TERMINAL(session, -1, "\"session\" is out of range", "a session below all");
	REFUSED_TERMINAL(opened, false, "\"session\" has a terminal that was never open",
			 "a session whose terminal nobody opened");
	REFUSED_TERMINAL(session, 0, "\"foreground\" is of no session", "a group of no session");
	REFUSED_TERMINAL(lflag, 0x8a39, "\"end\" is one that nobody could type",
			 "an end of file that is none in that mode");
	REFUSED_TERMINAL(mode, 010000, "\"mode\" is out of range", "a mode that there is not");
	f.rdev = 0x501;
	refused(&f, "\"terminal\" is not that of a master", "another device as a master");
	f.rdev = PTMX_RDEV;
	f.flags = X86_O_PATH;
	refused(&f, "\"terminal\" is not that of a master", "a path as a master");
	f = all[11];
	f.kind = FILE_REGULAR;
	refused(&f, "\"master\" is not that of a terminal", "a file as a slave");
}

/* Many entries of a few bytes each would take room for many of hundreds. */
static void test_many(void)
{
	struct arena arena = { 0 };
	struct open_file file = all[0];
	char *path = in_scratch("group.json"), sum[32], *text;
	struct manifest m;
	const char *said;
	json_t *o, *many;
	int dir, ret;

	round_trip(&file, 1, &arena, &m);
	o = json_load_file(path, 0, NULL);
	many = json_array();
	for (int i = 0; i < 100000; i++)
		json_array_append_new(many, json_integer(0));
	json_object_set_new(o, "files", many);
	json_object_del(o, "checksum");
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	snprintf(sum, sizeof(sum), "%016" PRIx64, checksum_buffer(text, strlen(text)));
	json_object_set_new(o, "checksum", json_string(sum));
	if (json_dump_file(o, path, 0))
		errx(1, "%s", path);
	dir = open(scratch(), O_RDONLY | O_DIRECTORY);
	quiet_begin();
	ret = manifest_read(dir, "cannot use it", &arena, &m);
	said = quiet_end();
	check(ret && strstr(said, "\"files\" has more entries"), "many entries: '%s'", said);
	close(dir);
	free(text);
	json_decref(o);
	arena_free(&arena);
}

int main(void)
{
	test_many();
	test_round_trip();
	test_hostile();
	test_hostile_terminals();
	return check_end();
}
