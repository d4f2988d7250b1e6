/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checksum of a block (../../userland/image/checksum.h), XXH64 of pages and their
 * offsets, for who has neither libraries nor vector registers. As it is defined in
 * doc/xxhash_spec.md of https://github.com/Cyan4973/xxHash.
 */
#ifndef HASH_H
#define HASH_H

#include <stdint.h>

#define HASH_PAGE_WORDS 512

#define PRIME_1 0x9e3779b185ebca87ull
#define PRIME_2 0xc2b2ae3d27d4eb4full
#define PRIME_3 0x165667b19e3779f9ull
#define PRIME_4 0x85ebca77c2b2ae63ull

struct hash {
	uint64_t lane[4];
	uint64_t pending[4]; /* words of a stripe that is not complete */
	unsigned int nr_pending;
	uint64_t words; /* of all that was hashed */
};

static inline uint64_t hash_rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline uint64_t hash_round(uint64_t lane, uint64_t word)
{
	return hash_rotate(lane + word * PRIME_2, 31) * PRIME_1;
}

static inline void hash_begin(struct hash *h)
{
	*h = (struct hash){ .lane = { PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1 } };
}

static inline void hash_stripes(struct hash *h, const uint64_t *words, unsigned int nr)
{
	uint64_t a = h->lane[0], b = h->lane[1], c = h->lane[2], d = h->lane[3];

	for (; nr; nr--, words += 4) {
		a = hash_round(a, words[0]);
		b = hash_round(b, words[1]);
		c = hash_round(c, words[2]);
		d = hash_round(d, words[3]);
	}
	h->lane[0] = a;
	h->lane[1] = b;
	h->lane[2] = c;
	h->lane[3] = d;
}

static inline void hash_page(struct hash *h, uint64_t offset, const uint64_t *page)
{
	unsigned int i = 0, stripes;

	h->pending[h->nr_pending++] = offset;
	while (h->nr_pending < 4)
		h->pending[h->nr_pending++] = page[i++];
	hash_stripes(h, h->pending, 1);
	stripes = (HASH_PAGE_WORDS - i) / 4;
	hash_stripes(h, page + i, stripes);
	i += stripes * 4;
	for (h->nr_pending = 0; i < HASH_PAGE_WORDS; i++)
		h->pending[h->nr_pending++] = page[i];
	h->words += HASH_PAGE_WORDS + 1;
}

/* Of one page at least. */
static inline uint64_t hash_end(const struct hash *h)
{
	uint64_t x = hash_rotate(h->lane[0], 1) + hash_rotate(h->lane[1], 7) +
		     hash_rotate(h->lane[2], 12) + hash_rotate(h->lane[3], 18);
	unsigned int i;

	for (i = 0; i < 4; i++)
		x = (x ^ hash_round(0, h->lane[i])) * PRIME_1 + PRIME_4;
	x += h->words * sizeof(uint64_t);
	for (i = 0; i < h->nr_pending; i++)
		x = hash_rotate(x ^ hash_round(0, h->pending[i]), 27) * PRIME_1 + PRIME_4;
	x = (x ^ x >> 33) * PRIME_2;
	x = (x ^ x >> 29) * PRIME_3;
	return x ^ x >> 32;
}

#endif
