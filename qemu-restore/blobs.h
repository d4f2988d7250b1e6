/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x86-64 code that is carried along: see blobs.S and the Makefile. */
#ifndef BLOBS_H
#define BLOBS_H

#include <stdint.h>

extern const uint8_t blob_restorer[], blob_restorer_end[];
extern const uint8_t blob_stage1[], blob_stage1_end[];
extern const uint8_t blob_call[], blob_call_end[];
extern const uint8_t blob_probe[], blob_probe_end[];

#endif
