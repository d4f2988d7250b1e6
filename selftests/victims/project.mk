# SPDX-License-Identifier: GPL-2.0-or-later
# A small project: many parts, each with a share in "done", and a program of them all.
PARTS := $(sort $(wildcard part*.c))

prog: $(PARTS:.c=.o)
	gcc -o $@ $^
	./$@ >result

%.o: %.c
	gcc -O2 -c -o $@ $<
	printf '%512s' '' >>done
