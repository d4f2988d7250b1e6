// SPDX-License-Identifier: GPL-2.0-or-later
/* counter [LINES]: the simplest victim, statically linked: it counts. */
#include "victim.h"

int main(int argc, char **argv)
{
	unsigned int lines = number(argv, argc, 1, 40);
	uint64_t hash = 1;

	for (unsigned int i = 0; i < lines; i++) {
		hash = work(hash, STEP);
		say("%u %016jx", i, (uintmax_t)hash);
	}
	say("counted");
	return 0;
}
