// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "regs.h"
#include "xckpt.h"

/* in-kernel results of an interrupted call */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

#define NR_RESTART_SYSCALL 219

#define X86_EINTR 4
#define X86_SA_RESTART 0x10000000u

#define USER_CS 0x33
#define USER_SS 0x2b
#define USER_EFLAGS 0x250cd5ull /* what a program may set: ID, AC, RF, OF, DF, SF ... CF */
#define EFLAGS_FIXED 0x202ull /* IF and bit 1 are always on */
#define UC_FLAGS 6 /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
#define UC_FP_XSTATE 1

#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)

/* restart_syscall(2) goes on from what the old kernel kept: make the call itself again. */
static uint64_t call_nr(const struct image_thread *t, uint64_t nr)
{
	return nr == NR_RESTART_SYSCALL && t->info.restart_nr ? t->info.restart_nr : nr;
}

/* From the file itself, where a thin image refers to it. */
static int read_file(const struct segment *s, uint64_t addr, void *buf, size_t len)
{
	int fd = *s->path == '/' ? open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	ssize_t n = -1;

	if (fd >= 0) {
		n = pread(fd, buf, len, s->vma.pgoff + (addr - s->start));
		close(fd);
	}
	return n == (ssize_t)len ? 0 : -1;
}

/* What the program has in memory; not for what may straddle two mappings. */
static int read_program(const struct image_process *p, uint64_t addr, void *buf, size_t len)
{
	size_t i;

	for (i = 0; i < p->nr_segments; i++) {
		const struct segment *s = &p->segments[i];

		if (s->vma.kind == XCKPT_VMA_FILE && addr >= s->start + s->filesz &&
		    addr < s->end && len <= s->end - addr)
			return read_file(s, addr, buf, len);
	}
	return image_read_memory(p, addr, buf, len);
}

static bool at_syscall(const struct image_process *p, uint64_t rip)
{
	uint8_t code[2];

	return !read_program(p, rip, code, sizeof(code)) && code[0] == 0x0f && code[1] == 0x05;
}

static int first_handled(const struct image_process *p, const struct image_thread *t,
			 const uint8_t *pending, size_t n)
{
	int first = 0, sig;
	size_t i;

	for (i = 0; i < n; i++) {
		sig = image_signal(pending, i);
		if (sig >= 1 && sig <= 64 && !(t->info.sigmask >> (sig - 1) & 1) &&
		    p->sigaction[sig - 1].handler > 1 && (!first || sig < first))
			first = sig;
	}
	return first;
}

/* Is @t the only one that would take @sig, pending for the process? */
static bool takes_alone(const struct image_process *p, const struct image_thread *t, int sig)
{
	size_t i;

	for (i = 0; i < p->nr_threads; i++)
		if (&p->threads[i] != t && !(p->threads[i].info.sigmask >> (sig - 1) & 1))
			return false;
	return true;
}

/*
 * A call is made again unless a handler runs first: then it ends with EINTR, but where
 * that asks for the contrary. The signal came while the thread was frozen.
 */
static bool ends_by_signal(const struct image_process *p, const struct image_thread *t, int error)
{
	int sig = first_handled(p, t, t->pending, t->nr_pending);

	if (!sig) {
		sig = first_handled(p, t, p->pending, p->nr_pending);
		if (!sig || !takes_alone(p, t, sig))
			return false;
	}
	return error != ERESTARTNOINTR &&
	       (error != ERESTARTSYS || !(p->sigaction[sig - 1].flags & X86_SA_RESTART));
}

enum regs_problem regs_restart(const struct image_process *p, const struct image_thread *t,
			       struct x86_regs *regs, bool *restarted)
{
	uint8_t code[2];

	*restarted = false;
	if (t->info.state == XCKPT_TASK_VFORK) {
		regs->rax = (uint64_t)t->info.vfork_child;
		return REGS_GOOD;
	}
	if (regs->rax == NR_RESTART_SYSCALL && at_syscall(p, regs->rip)) {
		if (ends_by_signal(p, t, ERESTART_RESTARTBLOCK)) {
			regs->rax = (uint64_t)-X86_EINTR;
			regs->rip += 2;
			return REGS_GOOD;
		}
		regs->rax = call_nr(t, regs->rax);
		*restarted = true;
		return REGS_GOOD;
	}
	if ((int64_t)regs->orig_rax < 0)
		return REGS_GOOD;
	switch (-(int64_t)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		break;
	default:
		return REGS_GOOD;
	}
	if (read_program(p, regs->rip - 2, code, sizeof(code)))
		return REGS_NO_CODE;
	if (code[0] != 0x0f || code[1] != 0x05)
		return REGS_NOT_SYSCALL;
	if (ends_by_signal(p, t, (int)-(int64_t)regs->rax)) {
		regs->rax = (uint64_t)-X86_EINTR;
		return REGS_GOOD;
	}
	regs->rax = call_nr(t, regs->orig_rax);
	regs->rip -= 2;
	*restarted = true;
	return REGS_GOOD;
}

bool regs_rseq_abort(const struct image_process *p, const struct image_thread *t,
		     struct x86_regs *regs, bool *cs)
{
	struct {
		uint32_t version, flags;
		uint64_t start_ip, post_commit_offset, abort_ip;
	} seq;
	uint64_t addr;
	uint32_t sig;

	*cs = false;
	if (!t->info.rseq || read_program(p, t->info.rseq + 8, &addr, sizeof(addr)) || !addr)
		return false;
	*cs = true;
	if (read_program(p, addr, &seq, sizeof(seq)))
		return false;
	if (regs->rip - seq.start_ip >= seq.post_commit_offset)
		return false;
	if (read_program(p, seq.abort_ip - 4, &sig, sizeof(sig)) || sig != t->info.rseq_sig)
		return false;
	regs->rip = seq.abort_ip;
	return true;
}

enum regs_problem regs_check(const struct x86_regs *regs)
{
	if (regs->cs != USER_CS || regs->ss != USER_SS)
		return REGS_NOT_64BIT;
	if (regs->rip >= USER_TOP || regs->rsp > USER_TOP || regs->fs_base >= USER_TOP ||
	    regs->gs_base >= USER_TOP)
		return REGS_OUTSIDE;
	return REGS_GOOD;
}

void regs_frame(const struct x86_regs *r, const struct xckpt_note_thread *info, bool has_xsave,
		uint8_t frame[FRAME_SIZE])
{
	uint64_t stack_flags =
		info->altstack_size ? info->altstack_flags & SS_AUTODISARM : SS_DISABLE;
	uint64_t flags = (r->eflags & USER_EFLAGS) | EFLAGS_FIXED;
	/* sigcontext.cs, gs, fs, ss: 16 bits each */
	uint64_t selectors = USER_CS | (uint64_t)USER_SS << 48;
	const uint64_t words[] = {
		0, /* return address */
		UC_FLAGS | (has_xsave ? UC_FP_XSTATE : 0),
		0, /* uc_flags, uc_link */
		info->altstack_sp,
		stack_flags,
		info->altstack_size, /* uc_stack */
		r->r8,
		r->r9,
		r->r10,
		r->r11,
		r->r12,
		r->r13,
		r->r14,
		r->r15,
		r->rdi,
		r->rsi,
		r->rbp,
		r->rbx,
		r->rdx,
		r->rax,
		r->rcx,
		r->rsp,
		r->rip,
		flags,
		selectors,
		0,
		0,
		0,
		0, /* err, trapno, oldmask, cr2 */
		0, /* fpstate */
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0, /* reserved */
		info->sigmask,
	};

	_Static_assert(sizeof(words) + 128 == FRAME_SIZE, "siginfo follows");
	memset(frame, 0, FRAME_SIZE);
	memcpy(frame, words, sizeof(words));
}
