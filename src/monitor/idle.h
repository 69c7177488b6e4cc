/* SPDX-License-Identifier: MIT */
/*
 * One idle-age byte for every page: for how many passes it has not been accessed.
 *
 * A byte counts to 255 only, and passes are many, so it counts more slowly the older the page is: each pass up to 32,
 * then 28 times each in every 2nd, 4th, ... 256th pass. A pass number tells which bytes count in it (those below a
 * limit), so ageing is one addition without a branch. A code stands for the least number of passes that lead to it.
 */
#ifndef MONITOR_IDLE_H
#define MONITOR_IDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

#define IDLE_ENTRIES   512u
#define IDLE_WORDS     (IDLE_ENTRIES / 64)
#define IDLE_NR_CODES  256u
#define IDLE_NR_LEVELS 3u /* pages of 4 KiB, 2 MiB, 1 GiB */

/* Codes below this count in pass number `pass` (from 1). */
unsigned idle_limit(uint64_t pass);

/* For at least so many passes. Grows with the code. */
uint32_t idle_passes(unsigned code);

/*
 * The entries of one page table. Invariants: accessed, unseen and stuck are within present; accessed and unseen have
 * nothing in common; age is 0 where accessed or unseen is set.
 */
struct idle_block {
	uint64_t start;
	uint64_t present[IDLE_WORDS];
	uint64_t accessed[IDLE_WORDS]; /* in the last interval */
	uint64_t unseen[IDLE_WORDS];   /* of the last interval nothing can be said */
	uint64_t stuck[IDLE_WORDS];    /* could not be forgotten: of the next interval nothing will be said */
	uint8_t stuck_reason;          /* enum tide_reason, of the last one that got stuck */
	uint8_t age[IDLE_ENTRIES];
};

typedef VEC(struct idle_block) idle_blocks;

/* The tables of one level, ascending: as of the last pass, and as they become in this one. */
struct idle_level {
	uint32_t shift;
	idle_blocks last;
	idle_blocks now;
	size_t cursor; /* in last */
};

/* The block of the last pass that begins at `start`, to be asked in ascending order; NULL: there is none. */
const struct idle_block *idle_last(struct idle_level *level, uint64_t start);

/* The block of this pass at `start`, the highest so far; a new one is zeroed (`*is_new`). NULL: out of memory. */
struct idle_block *idle_now(struct idle_level *level, uint64_t start, bool *is_new);

/* The one of `blocks`, a level's last or now, that holds `addr`; NULL: there is none. */
struct idle_block *idle_find(const idle_blocks *blocks, uint32_t shift, uint64_t addr);

/* Which entry of the block. */
unsigned idle_index(const struct idle_level *level, const struct idle_block *block, uint64_t addr);

/* A pass ended: what is now becomes the last. Or: it failed, and nothing is known any more. */
void idle_turn(struct idle_level *level);
void idle_forget(struct idle_level *level);
void idle_fini(struct idle_level *level);

/* Adds up the entries that are present and not unseen by age; returns how many are unseen. */
uint64_t idle_count(const struct idle_block *block, uint64_t by_code[IDLE_NR_CODES]);

#endif
