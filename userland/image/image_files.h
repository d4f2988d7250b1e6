/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open file descriptions of an image, and what only they know. */
#ifndef XCKPT_IMAGE_FILES_H
#define XCKPT_IMAGE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "place.h"
#include "xckpt_image.h"

/* What an open file description is, as far as a resume cares. */
enum file_kind {
	FILE_REGULAR,
	FILE_DIRECTORY,
	FILE_DEVICE, /* a character or block device node but no terminal */
	FILE_TTY,
	FILE_PIPE, /* both ends may be in the group: see struct open_file.peer */
	FILE_FIFO, /* a named pipe */
	FILE_SOCKET,
	FILE_MEMFD,
	FILE_ANON_INODE, /* eventfd, epoll, timerfd ...: path tells */
	FILE_QUEUE, /* mq_open(3) */
	FILE_SECRET, /* memfd_secret(2) */
	FILE_OTHER,
};

/* What a FILE_ANON_INODE is. */
enum event_kind {
	EVENT_UNKNOWN,
	EVENT_COUNTER, /* eventfd(2) */
	EVENT_TIMER, /* timerfd_create(2) */
	EVENT_SIGNALS, /* signalfd(2) */
	EVENT_POLL, /* epoll_create(2) */
	EVENT_WATCHES, /* inotify_init(2) */
	EVENT_PROCESS, /* pidfd_open(2) */
	EVENT_RING, /* io_uring_setup(2) */
};

/* What an epoll instance waits for. */
struct poll_entry {
	int fd; /* the number it was added by, whatever that is now */
	uint32_t file; /* id of the description; 0: nobody in the group has it */
	uint32_t events; /* EPOLL* */
	uint64_t data;
};

struct inotify_watch {
	int wd;
	uint32_t mask; /* IN_* */
	const char *path; /* "": not known */
};

struct event_state {
	enum event_kind kind;
	uint64_t count; /* of an eventfd; expirations of a timerfd that were not read */
	bool semaphore; /* EFD_SEMAPHORE */
	int clock; /* CLOCK_* of a timerfd */
	uint32_t settime_flags; /* TFD_TIMER_* */
	uint64_t value_ns, interval_ns; /* until the next expiry; 0: not armed */
	uint64_t mask; /* of a signalfd; bit n-1: signal n */
	int pid; /* of a pidfd, as processes are numbered; -1: it has been waited for; 0: outside */
	struct poll_entry *entries;
	size_t nr_entries;
	struct inotify_watch *watches;
	size_t nr_watches;
	uint64_t unread; /* bytes of an inotify's queue: they cannot be had */
	struct xckpt_ring ring; /* file and size are not used */
};

enum lock_kind {
	LOCK_FLOCK, /* flock(2) */
	LOCK_POSIX, /* fcntl(F_SETLK), of one process */
	LOCK_OFD, /* fcntl(F_OFD_SETLK) */
	LOCK_LEASE, /* fcntl(F_SETLEASE) */
};

struct file_lock {
	enum lock_kind kind;
	bool exclusive; /* a write lock */
	int pid; /* LOCK_POSIX: whose */
	uint64_t start, end; /* bytes, both belong to it; end UINT64_MAX: to any end of the file */
};

#define NR_TERMINAL_CHARS 19

/* A pseudo-terminal, with the description of its master: that is opened once only. */
struct terminal {
	uint32_t index; /* of /dev/pts/INDEX */
	bool opened; /* its slave is or was open: without, nobody finds the other end closed */
	bool locked; /* TIOCSPTLCK */
	bool packet; /* TIOCPKT */
	bool end; /* an end of file (^D) was typed, in canonical mode, and not read */
	bool exclusive, slave_exclusive; /* TIOCEXCL */
	bool outside; /* others than the group have its slave open */
	int session; /* whose controlling terminal it is, as processes are numbered; 0: nobody's */
	int foreground; /* process group; 0: none of which there is a process */
	uint32_t iflag, oflag, cflag, lflag, ispeed, ospeed; /* as struct termios2 */
	uint8_t line, chars[NR_TERMINAL_CHARS];
	uint16_t rows, columns, width, height; /* as struct winsize */
	uint32_t uid, gid, mode; /* of the slave's name; mode 0: not known */
};

/* struct open_file.flags: O_* of x86-64, whatever machine this is built for */
#define X86_O_ACCMODE 3u
#define X86_O_RDONLY 0u
#define X86_O_WRONLY 1u
#define X86_O_RDWR 2u
#define X86_O_EXCL 0200u
#define X86_O_TRUNC 01000u
#define X86_O_ASYNC 020000u
#define X86_O_DIRECT 040000u
#define X86_O_PATH 010000000u

/* PIPE_BUF: what is more is not one packet of an O_DIRECT pipe */
#define PIPE_PACKET_MAX 4096u

struct open_file {
	uint32_t id;
	enum file_kind kind;
	const char *path;
	uint32_t flags; /* O_* of x86-64 */
	uint32_t mode;
	uint64_t pos, dev, ino, rdev, size;
	int64_t mtime_ns;
	bool deleted;
	bool unlinked; /* its name was, it has others, and nothing tells which */
	/*
	 * Name of its contents under files/ ("files/pipe-7"), or NULL. Of a file with a
	 * name they are what was packed with it (--with-files, shared memory).
	 */
	const char *data;
	uint64_t data_size; /* bytes there */
	uint32_t uid, gid; /* of the file; not of each in images of older versions: 0 */
	uint32_t capacity; /* of a pipe, bytes; 0: unknown */
	uint32_t *packets; /* sizes, 1 to PIPE_PACKET_MAX bytes, if its contents are packets */
	size_t nr_packets;
	/*
	 * During a dump: descriptions, whoever has them. Of the master of a pseudo-terminal:
	 * of itself, and of its slave.
	 */
	uint32_t readers, writers;
	bool inside; /* a pipe or FIFO that nobody outside of the group is needed for */
	uint32_t state; /* XCKPT_FILE_*, during a dump */
	int owner; /* F_SETOWN, as processes are numbered; 0: nobody */
	uint32_t owner_type; /* F_OWNER_* */
	uint32_t owner_signal; /* F_SETSIG */
	uint32_t seals; /* F_SEAL_* of a memfd */
	uint32_t page_shift; /* without a name, of huge pages of 1 << page_shift bytes; or 0 */
	struct directory_place place; /* of a directory that was read, and not from its beginning */
	struct event_state event;
	struct terminal *terminal; /* of the master of a pseudo-terminal; NULL: not known */
	uint32_t master; /* of a terminal: id of its master; 0: nobody in the group has that */
	struct file_lock *locks;
	size_t nr_locks;
};

#define PTMX_RDEV 0x502 /* character device 5:2 */

static inline bool is_master(const struct open_file *f)
{
	return f->kind == FILE_DEVICE && f->rdev == PTMX_RDEV && !(f->flags & X86_O_PATH);
}

/* The path of a file that others can find it by, or nothing leads to it any more. */
static inline bool is_nameless(const struct open_file *f)
{
	return f->kind == FILE_MEMFD || (f->kind == FILE_REGULAR && f->deleted);
}

/* Nothing can be in it, and nothing come into it. */
static inline bool is_lost_directory(const struct open_file *f)
{
	return f->kind == FILE_DIRECTORY && f->deleted;
}

/* What it is at a position of, another description of it can be, too. */
static inline bool file_seeks(const struct open_file *f)
{
	return f->kind == FILE_REGULAR || f->kind == FILE_DIRECTORY || f->kind == FILE_MEMFD ||
	       (f->kind == FILE_DEVICE && S_ISBLK(f->mode) && !(f->flags & X86_O_PATH));
}

/* The io_uring that is mapped. */
static inline bool is_ring_of(const struct open_file *f, const struct xckpt_vma *vma)
{
	return f->kind == FILE_ANON_INODE && f->event.kind == EVENT_RING && f->dev == vma->dev &&
	       f->ino == vma->ino;
}

/* It has a reading end, a writing end and what is between them. */
static inline bool is_pipe(const struct open_file *f)
{
	return f->kind == FILE_PIPE || f->kind == FILE_FIFO;
}

#endif
