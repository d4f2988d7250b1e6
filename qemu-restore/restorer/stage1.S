/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of the restart ELF: map the restorer's file at its hole and jump there.
 * struct stage1_args (record.h) is appended to this code. It fails without a
 * word, by exit status: qemu-resume sees that no message came.
 */
	.text
	.globl	_start
_start:
	lea	args(%rip), %rbx
	/* the whole hole, to see that it is free */
	mov	0(%rbx), %rdi
	mov	8(%rbx), %rsi
	mov	$3, %edx			/* PROT_READ | PROT_WRITE */
	mov	$0x100022, %r10d		/* PRIVATE | ANONYMOUS | FIXED_NOREPLACE */
	mov	$-1, %r8
	xor	%r9d, %r9d
	mov	$9, %eax			/* mmap */
	syscall
	cmp	0(%rbx), %rax
	jne	fail
	/* code */
	mov	0(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	$5, %edx			/* PROT_READ | PROT_EXEC */
	mov	$0x12, %r10d			/* PRIVATE | FIXED */
	mov	32(%rbx), %r8
	xor	%r9d, %r9d
	mov	$9, %eax
	syscall
	cmp	0(%rbx), %rax
	jne	fail
	/* data */
	mov	0(%rbx), %rdi
	mov	16(%rbx), %r9
	add	%r9, %rdi
	mov	24(%rbx), %rsi
	sub	%r9, %rsi
	mov	$3, %edx
	mov	$0x12, %r10d
	mov	32(%rbx), %r8
	mov	$9, %eax
	syscall
	test	%rax, %rax
	js	fail
	/* the head is the first thing after the code */
	mov	%rax, %rdi
	mov	40(%rbx), %rsp
	xor	%ebp, %ebp
	mov	0(%rbx), %rax
	jmp	*%rax
fail:	mov	$124, %edi
	mov	$231, %eax			/* exit_group */
	syscall
	ud2
	.balign	8
args:
	.section .note.GNU-stack, "", @progbits
