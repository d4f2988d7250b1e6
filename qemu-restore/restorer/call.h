/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that goes on in the middle of a system call does so in call.S, guest
 * code that the program keeps: at the end of its vDSO. What that needs lies on
 * the thread's stack, where only signal handlers may ever have been:
 *
 *   rsp             struct call_record
 *   rsp + 256       the red zone: the program's
 *   rsp + 384       where the program's own rsp points
 *
 * Being the thread's own, it nests: who is frozen in here goes on in here.
 */
#ifndef CALL_H
#define CALL_H

#define CALL_IOVECS 8
#define CALL_THIRD 192
#define CALL_MOVED 200
#define CALL_RDI 208
#define CALL_RSI 216
#define CALL_RDX 224
#define CALL_R10 232
#define CALL_RIP 240
#define CALL_STACK 384

#ifndef __ASSEMBLER__
#include <stdint.h>

struct call_iovec {
	uint64_t base, len;
};

struct call_record {
	union {
		int64_t time[2]; /* struct timespec: what is left */
		uint64_t message[8]; /* struct msghdr, 7 words */
	};
	struct call_iovec iovec[CALL_IOVECS];
	uint64_t third; /* argument, loaded by call.S: poll(2) has its time there */
	uint64_t moved; /* bytes, before this call; 0: it moves none */
	/* what the program goes on with */
	uint64_t rdi, rsi, rdx, r10, rip;
	uint64_t reserved;
};
_Static_assert(sizeof(struct call_record) == CALL_STACK - 128, "struct call_record");
_Static_assert(__builtin_offsetof(struct call_record, third) == CALL_THIRD, "third");
_Static_assert(__builtin_offsetof(struct call_record, moved) == CALL_MOVED, "moved");
_Static_assert(__builtin_offsetof(struct call_record, rdi) == CALL_RDI, "rdi");
_Static_assert(__builtin_offsetof(struct call_record, rsi) == CALL_RSI, "rsi");
_Static_assert(__builtin_offsetof(struct call_record, rdx) == CALL_RDX, "rdx");
_Static_assert(__builtin_offsetof(struct call_record, r10) == CALL_R10, "r10");
_Static_assert(__builtin_offsetof(struct call_record, rip) == CALL_RIP, "rip");
#endif

#endif
