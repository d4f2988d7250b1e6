/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image, opened, checked once and kept as plain tables. Whoever holds a
 * struct image needs no bounds check of his own: every pointer leads into it,
 * every offset and size lies inside its file, every cross-reference exists,
 * segments are page-aligned, ascending and do not overlap, strings end, and no pid
 * is there twice, before its parent, or under one that has ended.
 */
#ifndef XCKPT_IMAGE_H
#define XCKPT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data_map.h"
#include "image_files.h"
#include "image_sysv.h"
#include "xckpt_image.h"

/*
 * The newest version that is known, and the one whose cores have all contents of
 * their processes. An image has the oldest version that has all that is in it.
 */
#define IMAGE_FORMAT_VERSION 2
#define IMAGE_FORMAT_WHOLE 1
#define IMAGE_PAGE_SIZE 4096u

/* x86-64's user_regs_struct with fixed widths: readers run on other machines */
struct x86_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss;
	uint64_t fs_base, gs_base, ds, es, fs, gs;
};

struct process_fd {
	int fd;
	bool cloexec;
	const struct open_file *file;
};

/* Who a thread acts as. */
struct credentials {
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	uint32_t securebits;
	bool no_new_privs;
	const uint32_t *groups; /* supplementary ones */
	size_t nr_groups;
};

struct image_thread {
	int tid;
	struct x86_regs regs;
	const uint8_t *xstate; /* NT_X86_XSTATE, or NT_PRFPREG when there is no XSAVE */
	size_t xstate_size; /* at least 512 */
	struct xckpt_note_thread info;
	const uint8_t *pending; /* XCKPT_SIGINFO_SIZE bytes each */
	size_t nr_pending;
	const struct credentials *own; /* NULL: its process's */
	bool shadow_stack; /* arch_prctl(ARCH_SHSTK_ENABLE) */
};

struct segment {
	uint64_t start, end; /* addresses */
	const struct image_process *holder; /* whose core has the contents: mostly its own */
	uint64_t offset, filesz; /* there; filesz <= end - start */
	bool borrowed; /* they are those of another mapping of the same memory, in any process */
	struct xckpt_vma vma;
	const char *path; /* never NULL */
	const struct xckpt_guard *guards; /* pages that may not be touched, of its process's */
	size_t nr_guards;
};

struct image_process {
	struct xckpt_note_process info;
	struct xckpt_note_mm mm;
	const char *exe, *cwd, *root; /* "" when not known */
	const uint64_t *auxv; /* pairs, AT_NULL included */
	size_t nr_auxv; /* 64-bit words */
	struct xckpt_sigaction sigaction[64];
	const uint8_t *pending;
	size_t nr_pending;
	const struct xckpt_timer *timers; /* of timer_create(2), ids ascending */
	size_t nr_timers;
	const struct xckpt_sem_undo *undo; /* of SEM_UNDO; none is 0 */
	size_t nr_undo;
	struct image_thread *threads; /* leader first */
	size_t nr_threads;
	struct segment *segments;
	size_t nr_segments;
	const struct xckpt_guard *guards; /* of all segments, ascending */
	size_t nr_guards;
	struct process_fd *fds;
	size_t nr_fds;
	int core_fd; /* read-only; owned by the image */
	uint64_t core_size;
	struct data_map data; /* where the core has any; not during a dump */
	const char *core_name; /* "42.core" */
	/* of its first thread, as AppArmor or SELinux gave it; NULL: xckpt-dump had the same */
	const char *label;
	int mounts; /* those with one number had the same mounted; 0: as xckpt-dump had */
	int outer_pid; /* during a dump: its pid for the dumper, who may see another number */
	const uint32_t *groups; /* supplementary ones */
	size_t nr_groups;
};

/* The number of the @n-th signal in a table of pending ones. */
int image_signal(const uint8_t *pending, size_t n);

struct image_clocks {
	int64_t realtime_ns, monotonic_ns, boottime_ns;
};

/* Where a state component lies in the XSAVE areas of an image. */
struct image_component {
	uint32_t component; /* 2 to 62 */
	uint32_t offset, size; /* bytes; in an area that is not compacted */
};

struct image {
	int dir_fd; /* the image's directory, O_PATH or O_RDONLY */
	const char *name; /* as the user gave it, for messages */
	unsigned int version;
	bool thin; /* clean file-backed memory is not in the cores */
	const char *tool, *kernel;
	struct image_clocks clocks;
	uint64_t xfeatures; /* XCR0 of the machine it was taken on */
	const struct image_component *xstate; /* ascending */
	size_t nr_xstate; /* 0: the manifest does not tell */
	struct image_process *processes; /* parents before children */
	size_t nr_processes;
	struct open_file *files;
	size_t nr_files;
	struct sysv_ipc sysv;
	/* modes and size of the terminal that the group was in the foreground of; NULL: of none */
	const struct terminal *front;
	void *priv;
	struct image_zombie *zombies; /* processes that had ended and were not waited for */
	size_t nr_zombies;
};

struct image_zombie {
	int pid, ppid, pgid, sid;
	int exit_code; /* as wait(2) gives it */
	const char *comm;
	int outer_pid; /* during a dump: as struct image_process.outer_pid */
};

/*
 * Open and check the image at @path, a directory or one PID.core with its
 * manifest beside it. Contents of memory are not read: see image_verify().
 * Returns NULL after one line on stderr (report.h).
 */
struct image *image_open(const char *path);
void image_close(struct image *img);

/*
 * Compare contents of @what with the manifest's checksums, using up to @jobs threads.
 * With @lazy_from > 0, file-backed contents beyond the first @lazy_from
 * bytes of them are left out and *@left (bytes) tells how many; a later call
 * with @lazy_from 0 checks everything. Returns 0, or -1 after one line on
 * stderr that names file and offset.
 */
#define VERIFY_CORES 1u
#define VERIFY_FILES 2u /* those of files/ */
#define VERIFY_ALL (VERIFY_CORES | VERIFY_FILES)
int image_verify(const struct image *img, unsigned int what, unsigned int jobs, uint64_t lazy_from,
		 uint64_t *left);

/*
 * image_verify() of the cores that hands out what it reads: @len bytes at @offset
 * (bytes) of @p's core, each piece once, holes left out, by several threads and before
 * it is known whether they are right. So what was made of them counts only if this
 * returns 0.
 */
typedef void image_take_fn(void *ctx, const struct image_process *p, uint64_t offset,
			   const void *data, size_t len);
/*
 * Before that, @hash, unless NULL, may do all of a block, which begins at @block, elsewhere:
 * 1, with the checksum of its pages that are not all zero; 0: there are none; -1: it did not.
 */
typedef int image_hash_fn(void *ctx, const struct image_process *p, uint64_t block, uint64_t *hash);
int image_take(const struct image *img, unsigned int jobs, uint64_t lazy_from, uint64_t *left,
	       image_take_fn *take, image_hash_fn *hash, void *ctx);

struct credentials image_credentials(const struct image_process *p, const struct image_thread *t);

/* Memory that is shared and has no file with a name: MAP_SHARED of a memfd, a removed file. */
static inline bool is_shared_memory(const struct segment *s)
{
	return s->vma.flags & XCKPT_VMA_SHARED &&
	       (s->vma.kind == XCKPT_VMA_SHMEM ||
		((s->vma.kind == XCKPT_VMA_FILE || s->vma.kind == XCKPT_VMA_HUGETLB) &&
		 s->vma.flags & XCKPT_VMA_DELETED));
}

/* The core has the file's pages; a file on a disk keeps to itself what may be written to it. */
static inline bool is_in_core(const struct segment *s)
{
	return s->vma.kind != XCKPT_VMA_FILE || !(s->vma.flags & XCKPT_VMA_SHARED) ||
	       !(s->vma.flags & XCKPT_VMA_MAYWRITE);
}

static inline bool is_sysv_memory(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_SYSV;
}

/* What it shows is what the file has, like everybody's mapping of that. */
static inline bool is_unwritten_file(const struct segment *s)
{
	return s->vma.kind == XCKPT_VMA_FILE && s->vma.flags & XCKPT_VMA_UNWRITTEN &&
	       !is_shared_memory(s);
}

static inline bool is_view(const struct segment *s)
{
	return is_shared_memory(s) || is_sysv_memory(s) || is_unwritten_file(s);
}

/* A mapping of what others may have mapped, too. */
struct view {
	struct image_process *process;
	struct segment *segment;
	bool apart; /* of a System V segment that another one may be called as */
	const struct view *holder; /* image_find_holders(): who has its contents, too; or NULL */
};

/* Of one object or of two? As strcmp(3) orders. */
int image_compare_objects(const struct xckpt_vma *x, const struct xckpt_vma *y);

/*
 * All views, those of one object together: by their place in it, the longest first, then
 * in the order of processes and addresses. malloc'ed; NULL: no memory.
 */
struct view *image_views(const struct image *img, size_t *nr);

/* By the rule of uapi/xckpt_image.h, which xckpt-dump and readers both go by. */
void image_find_holders(struct view *views, size_t nr);

/* NULL: there is none. */
const struct image_process *image_find_process(const struct image *img, int pid);
const struct open_file *image_find_file(const struct image *img, uint32_t id);

/* Is it under a protection key that the process has? */
bool image_has_key(const struct image_process *p, const struct segment *s);

#define PATH_REMOVED " (deleted)"
/*
 * Does @path end in what the kernel puts behind a name that is gone? So may a name end,
 * too: only where nothing has it.
 */
bool is_path_removed(const char *path);
/* The same of a file that is mapped, and that has another name. */
bool has_lost_name(const struct segment *s);

/* What io_setup(2) maps, of a file system of the kernel's own that nothing can be opened on. */
bool is_aio_ring(const struct segment *s);

/* A file of /proc that tells of a process of the image: there is one once that is there. */
bool is_of_process(const struct image *img, const struct open_file *f);
/* the same of a process that is not in the image */
bool is_of_stranger(const struct image *img, const struct open_file *f);

/*
 * A mapping, in any process, of all that the nameless file @f holds, or NULL: what
 * the image has of the one it has of the other.
 */
const struct segment *image_whole_mapping(const struct image *img, const struct open_file *f);

/* Copy @len bytes of process memory at @addr; zero where the image has none.
 * Returns 0, or -1 if part of the range is not mapped or cannot be read. */
int image_read_memory(const struct image_process *p, uint64_t addr, void *buf, size_t len);

/*
 * The build-id, in hex, that the file of segment @s had at the checkpoint: what a
 * thin image refers to. "" when it had none.
 */
const char *image_build_id(const struct image *img, const struct segment *s);

/*
 * Unpack a tar stream (as xckpt-dump -o - writes it) from @fd into a new
 * directory under @tmpdir and return its name (malloc'ed), or NULL after one
 * line on stderr and with nothing left behind. A truncated or hostile stream
 * (absolute names, "..", links, devices) is an error. A signal that ends the caller before
 * it has removed the directory leaves it behind: interrupt_catch() before, and release after.
 */
char *image_receive(int fd, const char *tmpdir);

/*
 * Remove the image @path: what an image may hold and nothing else. Meant for
 * what image_receive() made. Returns 0, or -1 with errno.
 */
int image_remove(const char *path);

/*
 * Everything that this version cannot resume, in order of processes. @object is
 * for people: "fd 5 (socket:[1234])", "" when @why is about the process as a
 * whole; both end with the call. Returns how many there were.
 */
int image_unsupported(const struct image *img,
		      void (*cb)(void *ctx, int pid, const char *object, const char *why),
		      void *ctx);

#endif
