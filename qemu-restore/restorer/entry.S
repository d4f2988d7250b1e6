/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the restorer begins, where its threads begin, and where they leave it. */
#include "record.h"

	.section .text.entry, "ax"
	.globl	_start
_start:						/* rdi: struct record_head */
	mov	48(%rdi), %rsi			/* .first */
	call	run
	ud2

/* int64_t clone_thread(head, record): the child never returns from it */
	.text
	.globl	clone_thread
clone_thread:
	push	%rbx
	push	%r12
	mov	%rdi, %rbx
	mov	56(%rsi), %r12			/* arg[4]: the thread's first record */
	mov	32(%rsi), %rdi			/* arg[1]: flags */
	mov	40(%rsi), %r10			/* arg[2]: child_tid */
	mov	48(%rsi), %r8			/* arg[3]: tls */
	mov	24(%rsi), %rsi			/* arg[0]: stack */
	xor	%edx, %edx
	mov	$56, %eax			/* clone */
	syscall
	test	%rax, %rax
	jz	1f
	pop	%r12
	pop	%rbx
	ret
1:	mov	%rbx, %rdi
	mov	%r12, %rsi
	xor	%ebp, %ebp
	call	run
	ud2

/* int64_t clone_copier(fd, stack): a process with this memory, which never returns */
	.globl	clone_copier
clone_copier:
	push	%rbx
	mov	%rdi, %rbx
	mov	$0x100, %edi			/* CLONE_VM; no signal at its end */
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$56, %eax			/* clone */
	syscall
	test	%rax, %rax
	jz	1f
	pop	%rbx
	ret
1:	mov	%rbx, %rdi
	xor	%ebp, %ebp
	call	copier
	ud2

/*
 * void start_thread(head, frame, xsave, mask): become the program's thread, or end
 * if there is no frame. From the increment of head->left on no stack and no record is used, so the last
 * thread can unmap those of all.
 */
	.globl	start_thread
start_thread:
	mov	%rsi, %r12
	mov	%rdx, %r13
	mov	%rcx, %r14
	mov	$1, %eax
	lock xadd %eax, HEAD_LEFT(%rdi)
	inc	%eax
	cmp	HEAD_NR_THREADS(%rdi), %eax
	jne	1f
	mov	HEAD_DROP_SIZE(%rdi), %rsi
	mov	HEAD_DROP_START(%rdi), %rdi
	mov	$11, %eax			/* munmap */
	syscall
1:	test	%r12, %r12
	jnz	4f
	xor	%edi, %edi
	mov	$60, %eax			/* exit */
	syscall
	ud2
4:	mov	%r14d, %eax
	mov	%r14, %rdx
	shr	$32, %rdx
	test	%r14, %r14
	jz	2f
	xrstor64 (%r13)
	jmp	3f
2:	fxrstor64 (%r13)
3:	lea	8(%r12), %rsp
	mov	$15, %eax			/* rt_sigreturn */
	syscall
	ud2

/* kind of record -> handler, as offsets: an absolute pointer would be relocated */
	.balign	4
	.globl	handlers
handlers:
	.long	do_syscall - handlers
	.long	do_sweep - handlers
	.long	do_load - handlers
	.long	do_read - handlers
	.long	do_poke4 - handlers
	.long	do_poke8 - handlers
	.long	do_left - handlers
	.long	do_open - handlers
	.long	do_clone - handlers
	.long	do_timer - handlers
	.long	do_barrier - handlers
	.long	do_wait - handlers
	.long	do_go - handlers
	.long	do_end - handlers
	.long	do_start - handlers
	.long	do_occupy - handlers
	.if	. - handlers != 4 * RECORD_KINDS
	.error	"handlers: one for each kind of record"
	.endif
	.section .note.GNU-stack, "", @progbits
