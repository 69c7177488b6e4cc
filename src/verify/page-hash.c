/* SPDX-License-Identifier: MIT */
/*
 * This file hashes pages. Four lanes keep the multiplier busy; each step, and the sum of the lanes, is a bijection of
 * the word that it takes in, so that a single changed word always changes the result.
 */
#include "verify/page-hash.h"

#include <string.h>

#define NR_LANES 4
#define ODD      UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio */

static uint64_t turn(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

/* Every bit of `x` changes every bit of the result with even chances, more or less. */
static uint64_t spread(uint64_t x)
{
	x ^= x >> 32;
	x *= ODD;
	x ^= x >> 29;
	x *= ODD;
	return x ^ x >> 32;
}

uint64_t page_hash(const void *page)
{
	uint64_t lanes[NR_LANES] = { 1, 2, 3, 4 };
	const unsigned char *at = page;
	const unsigned char *end = at + PAGE_HASH_BYTES;
	uint64_t hash = 0;

	for (; at < end; at += sizeof(lanes)) {
		uint64_t words[NR_LANES];

		memcpy(words, at, sizeof(words));
		for (int i = 0; i < NR_LANES; i++)
			lanes[i] = turn((lanes[i] ^ words[i]) * ODD, 29);
	}
	for (int i = 0; i < NR_LANES; i++)
		hash = spread(hash ^ lanes[i]);
	return hash;
}
