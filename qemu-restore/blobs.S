/* SPDX-License-Identifier: GPL-2.0-or-later */
	.macro	blob name, file
	.balign	16
	.globl	blob_\name, blob_\name\()_end
blob_\name:
	.incbin	"\file"
blob_\name\()_end:
	.byte	0
	.endm

	.section .rodata
	blob	restorer, "restorer.bin"
	blob	stage1, "stage1.bin"
	blob	call, "call.bin"
	blob	probe, "probe.elf"
	.section .note.GNU-stack, "", %progbits
