/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HUGE_H
#define HUGE_H

#include "plan.h"

/* The sizes of huge pages that this machine has, *nr of them; kept until the end. */
const struct huge_pages *huge_look(size_t *nr);

#endif
