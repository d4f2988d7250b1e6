/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One dump from the first check to the last word, shared by the stages. */
#ifndef XCKPT_DUMP_H
#define XCKPT_DUMP_H

#include "core.h"
#include "image_priv.h"
#include "xckpt.h"

#include <stdio.h>

struct options {
	bool has_target;
	enum xckpt_target target;
	int *pids; /* of a tree: its roots, each once */
	size_t nr_pids;
	int id; /* of a process group or session */
	const char *cgroup;
	uint32_t mode; /* enum xckpt_mode */
	const char *output; /* "-": standard output */
	bool kill, leave_stopped, thin, with_files, force, quiet;
	unsigned int timeout_ms, jobs;
};

/* Contents that go to files/, read while the group is frozen. */
struct buffer {
	const char *name;
	void *data;
	size_t size;
};

/* Contents that go to files/ from a file, while the group is frozen. */
struct content {
	const char *name; /* there */
	uint64_t size;
	int fd;
	const char *path; /* for people */
	const struct open_file *file; /* NULL: it is System V shared memory */
	bool borrowed; /* @fd is the group's own description: its position must not be moved */
};

/* A file whose pages a core shows. */
struct mapped_file {
	const struct image_process *process; /* one that has it mapped */
	const struct segment *segment; /* there */
	int fd; /* O_PATH, or -1 */
};

/* One of the descriptors of an open file. */
struct holder {
	const struct image_process *process; /* NULL: it is only mapped */
	int tid; /* a thread of it that lives */
	int fd;
};

/* An image directory that nobody relies on yet. */
struct store {
	int parent_fd, dir_fd;
	const char *parent, *name;
	char current[256]; /* what it is called now, "" when there is none */
	struct open_copy {
		int fd;
		const char *name;
	} * copies; /* that were written, open until they are synced */
	size_t nr_copies;
};

/* What an IPC namespace has, and who used it last. */
struct sysv_entry {
	struct sysv_object object;
	uint64_t size; /* bytes, semaphores or bytes of messages */
	uint64_t room; /* of a queue */
	bool locked, removed; /* of a segment */
	int *pids; /* of those who made it or used it last */
	size_t nr_pids;
};

struct sysv_list {
	struct sysv_entry *segments, *sets, *queues; /* ascending, by id */
	size_t nr_segments, nr_sets, nr_queues;
};

struct dump {
	struct options opt;
	const char *name; /* of the target: "pid 42", "process group 42" */
	int *fds; /* of the target: pidfds, or a cgroup's directory */
	size_t nr_fds;
	int session_fd;
	bool frozen;
	uint32_t mode; /* of the last freeze */
	struct xckpt_freeze freeze;
	bool is_near; /* its memory's limit: nothing may be made of it twice */
	struct xckpt_snapshot snapshot;
	uint64_t xfeatures;
	struct xckpt_task *tasks;
	size_t nr_tasks, nr_threads;
	uint64_t data_bytes; /* what the cores hold, for the progress line */

	struct image img; /* its priv points to @priv */
	struct image_priv priv;
	struct holder *holders; /* as img.files */
	struct buffer *buffers;
	size_t nr_buffers;
	struct content *contents;
	size_t nr_contents;
	struct mapped_file *mapped; /* changed.c */
	size_t nr_mapped;
	bool watches; /* somebody in the group has inotify */
	bool sysv; /* there is System V IPC that it might use */
	const char *unread; /* of a terminal: why it cannot be taken as it is now, and the remedy */
	size_t nr_sysv_left; /* of that, root's that nobody here made or used */
	struct mounts *mounts; /* mounts.c: in namespaces other than the dumper's */
	size_t nr_mounts;
	int *mounts_of; /* by the first task of each process: the number of its namespace */
	int mount_fd; /* watches.c: of the file system @mount_dev, as @mount_process has it */
	unsigned int mount_dev;
	const struct image_process *mount_process;

	struct store store;
	_Atomic uint64_t bytes_read;
	uint64_t bytes_written;
	uint64_t start_ns, froze_at_ns;
	uint64_t frozen_ns; /* how long it stood still, all attempts together */
};

uint64_t now_ns(void);

/* options.c: 0, or the exit status + 1 */
int parse_options(int argc, char **argv, struct options *opt);

/* target.c */
int target_open(struct dump *d);
void target_close(struct dump *d);
bool target_is_pid(const struct dump *d); /* one tree, by its root */

/* freeze.c: the session and its ioctls */
int session_open(struct dump *d);
/* 0, an errno, or ECANCELED when a signal is to end the dump */
int session_command(struct dump *d, unsigned long command, void *arg);
struct xckpt_freeze session_freeze_args(const struct dump *d, uint32_t mode);
int session_freeze(struct dump *d, uint32_t mode);
int session_tasks(struct dump *d);
/* Of what is read while frozen: after the last byte. */
int session_undisturbed(struct dump *d);
/* How many were woken or killed since the freeze, -1 after one line on stderr. */
int session_disturbed(struct dump *d);
int session_core(struct dump *d, int pid, uint64_t *data_bytes); /* the descriptor */
int session_thaw(struct dump *d, uint32_t flags);
void session_thawed(struct dump *d); /* it goes on already */
/* The name of @pid, "?" when it has gone; @buf has 64 bytes. */
const char *comm_of(int pid, char *buf);

/* snapshot.c: freeze the group and capture all that must be while it is, anew where threads moved
 */
int snapshot_take(struct dump *d);
/* Whether all contents outlive the thaw, and the group need not be held for them. */
bool snapshot_outlives(const struct dump *d);
/* What was read while frozen, and why, as an end of the summary; @buf has 256 bytes. */
const char *snapshot_remark(const struct dump *d, char *buf);

/*
 * limits.c: has the group room for the pages that it writes to while its snapshot is read?
 * limits_find(): before it is frozen, what its roots tell. limits_watch(): from now on hold
 * it as soon as there is little; limits_end() lets it go.
 */
void limits_find(struct dump *d);
bool limits_are_near(void);
void limits_watch(struct dump *d);
void limits_end(struct dump *d);
void limits_forget(struct dump *d);
bool limits_held(void); /* it was */
const char *limits_reason(char *buf); /* of that, or of limits_are_near(); @buf has 128 bytes */

/* capture.c: what only the frozen group tells (1: threads moved meanwhile); then everything else */
int capture_frozen(struct dump *d);
void capture_forget(struct dump *d); /* to begin anew */
int capture(struct dump *d);
bool has_registers(uint32_t state); /* enum xckpt_task_state */
/*
 * mounts.c: in which mount namespaces paths are, looked at while all are frozen, since they
 * may mount something else; what that is worth
 */
int find_mounts(struct dump *d);
int judge_mounts(const struct dump *d);
/* front.c: of the terminal that the group is in the foreground of */
int find_front(struct dump *d);
int terminal_modes(int fd, struct terminal *t); /* terminals.c; any side tells */
bool shares_mounts(int pid, int tid); /* has this thread the dumper's mount namespace? */
/* files.c: open files that processes share */
int merge_files(struct dump *d, const struct core_files *files);
/* holders.c: where to ask for them */
int find_holders(struct dump *d);
int live_tid(const struct dump *d, const struct image_process *p);
/*
 * A description of our own of the same file, for reading; the very same one; or that if it can
 * be had, for what does not move its position. -1 and errno.
 */
int holder_reopen(const struct dump *d, const struct open_file *f);
int holder_duplicate(const struct dump *d, const struct open_file *f);
int holder_look(const struct dump *d, const struct open_file *f);
bool has_write_lease(const struct dump *d, uint64_t dev, uint64_t ino); /* somebody in the group */
FILE *holder_info(const struct holder *h); /* its fdinfo; NULL and errno */
/* names.c: files are known by a name that they have */
int find_names(struct dump *d);
/* One file for each kind of what only an open file knows, read while all are frozen. */
int capture_pipes(struct dump *d);
void count_unread(struct dump *d); /* of inotify: before anything is opened that it may watch */
int capture_events(struct dump *d);
int capture_terminals(struct dump *d); /* 1: not now, as d->unread tells */
int capture_locks(struct dump *d);
int capture_places(struct dump *d);
int capture_sysv(struct dump *d);
int capture_contents(struct dump *d);
/* @c.fd becomes ours even on failure. */
int add_content(struct dump *d, struct content c);
void close_contents(struct dump *d);
/* changed.c: what cores show of files must be what it was at the freeze. */
int hold_mapped(struct dump *d);
int check_mapped(const struct dump *d); /* all cores have been read */
void release_mapped(struct dump *d);
int check_contents(const struct dump *d); /* the same of files that go to files/ */
/*
 * The path that a line of an inotify's fdinfo is about, "" when it has none, and whether a
 * symbolic link has it.
 */
const char *watch_path(struct dump *d, const struct holder *h, const char *line, bool *link);
/* sysv.c: is there System V IPC that the group might use? -1 after one line on stderr */
int sysv_is_there(struct dump *d);
/* What was taken of it, as a part of the summary; @buf has 160 bytes. */
const char *sysv_remark(const struct dump *d, char *buf);
/* sysv_read.c: in the IPC namespace of the group */
int sysv_look(void); /* is there any? -1 after one line on stderr */
int sysv_list(struct dump *d, struct sysv_list *list);
int sysv_read_pids(struct dump *d, struct sysv_entry *set); /* who used it last */
int sysv_read_set(struct dump *d, struct sysv_set *set);
int sysv_read_queue(struct dump *d, struct sysv_queue *queue);
int sysv_read_limits(uint64_t limits[NR_SYSV_LIMITS]);
/* A description of its memory, for reading, or -1 after one line on stderr; and whether it is huge.
 */
int sysv_open_segment(struct sysv_segment *segment);
/* host.c: what the manifest tells about the machine */
int describe_host(struct dump *d);
int describe_mapped(struct dump *d);

/* transfer.c: contents to a directory or a stream */
int transfer(struct dump *d);
int read_failed(const struct checksum_copy *c); /* one line on stderr, and -1 */
/* shared.c: for cores, one for each process: not to write what another one has */
int leave_out_shared(struct dump *d, struct checksum_copy *copies);

/* store.c: the directory */
int store_begin(struct dump *d);
/* When one could not be read that is still to be told: *@unread. */
int store_copies(struct dump *d, struct checksum_copy *copies, size_t nr,
		 struct checksum_copy **unread);
int store_buffer(struct dump *d, const char *name, const void *data, size_t size);
int store_commit(struct dump *d);
/* All has gone well; without this store_abort() removes a committed image too. */
void store_keep(struct dump *d);
void store_abort(struct dump *d);

/* progress.c: one line on a terminal */
void progress_begin(struct dump *d);
void progress_end(void);
/* "12.3 MiB"; @buf has 32 bytes */
const char *human_bytes(uint64_t bytes, char *buf);
/* "12.3 ms"; @buf has 32 bytes */
const char *human_time(uint64_t ns, char *buf);

#endif
