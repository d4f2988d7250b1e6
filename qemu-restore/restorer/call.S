/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a system call in the name of the program, with arguments of ours, and goes
 * on behind the program's own with every register as that would have left it. Later
 * checkpoints find these very bytes again: after a change they are another code.
 */
#include "call.h"

	.text
	mov	CALL_THIRD(%rsp), %rdx
	syscall					/* a restart comes back to here */
	mov	CALL_MOVED(%rsp), %rcx
	jrcxz	2f
	test	%rax, %rax			/* an error is for the next call to tell */
	jns	1f
	xor	%eax, %eax
1:	add	%rcx, %rax
2:	push	%r11				/* the flags */
	popf
	mov	CALL_RDI(%rsp), %rdi
	mov	CALL_RSI(%rsp), %rsi
	mov	CALL_RDX(%rsp), %rdx
	mov	CALL_R10(%rsp), %r10
	mov	CALL_RIP(%rsp), %rcx		/* where SYSCALL puts it, too */
	lea	CALL_STACK(%rsp), %rsp
	jmp	*%rcx
	.section .note.GNU-stack, "", @progbits
