/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The restorer: freestanding x86-64 code that turns records into a program. */
#ifndef RESTORER_H
#define RESTORER_H

#include <stddef.h>
#include "record.h"
#include "syscalls.h"

#pragma GCC visibility push(hidden)

_Noreturn void run(struct record_head *head, const struct record *r);

int64_t clone_thread(struct record_head *head, const struct record *r);
void start_thread(struct record_head *head, uint64_t frame, uint64_t xsave, uint64_t mask);

/* copy.c */
struct copier {
	int64_t pid, stack;
	int32_t socket;
};
void copiers_begin(struct record_head *head, struct copier *copiers);
void copiers_end(struct record_head *head, const struct copier *copiers);
_Noreturn void copier(int64_t fd);
int64_t clone_copier(int64_t fd, uint64_t stack);

int64_t do_syscall(struct record_head *head, const struct record *r);
int64_t do_sweep(struct record_head *head, const struct record *r);
int64_t do_occupy(struct record_head *head, const struct record *r);
int64_t do_load(struct record_head *head, const struct record *r);
int64_t do_read(struct record_head *head, const struct record *r);
int64_t do_poke4(struct record_head *head, const struct record *r);
int64_t do_poke8(struct record_head *head, const struct record *r);
int64_t do_left(struct record_head *head, const struct record *r);
int64_t do_open(struct record_head *head, const struct record *r);
int64_t do_clone(struct record_head *head, const struct record *r);
int64_t do_timer(struct record_head *head, const struct record *r);
int64_t do_barrier(struct record_head *head, const struct record *r);
int64_t do_wait(struct record_head *head, const struct record *r);
int64_t do_go(struct record_head *head, const struct record *r);
int64_t do_end(struct record_head *head, const struct record *r);
int64_t do_start(struct record_head *head, const struct record *r);

/* send one message to qemu-resume */
void report(const struct record_head *head, uint32_t kind, uint32_t index, int64_t result);
/* the next word from there, or a negative error number */
int64_t await_word(const struct record_head *head);

extern const int32_t handlers[RECORD_KINDS];

#pragma GCC visibility pop

#endif
