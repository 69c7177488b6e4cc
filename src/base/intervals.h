/* SPDX-License-Identifier: MIT */
/*
 * A set of numbers, kept as half-open intervals: ascending, not empty, and with a gap between any two. Searching takes
 * O(log n), a change at the end O(1), elsewhere O(n). All zero is the empty set.
 */
#ifndef BASE_INTERVALS_H
#define BASE_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct interval {
	uint64_t start;
	uint64_t end;
};

struct intervals {
	VEC(struct interval) v;
};

/* Adds or takes away [start, end), which may be empty. 0, or -ENOMEM and nothing has changed. */
int intervals_add(struct intervals *set, uint64_t start, uint64_t end);
int intervals_remove(struct intervals *set, uint64_t start, uint64_t end);

/* Adds what `of` holds inside [from, to). 0, or -ENOMEM: a part of it may have been added. */
int intervals_add_part(struct intervals *set, const struct intervals *of, uint64_t from, uint64_t to);

/* Adds many at once, in O(n log n), whatever their order; `items` are sorted by it. 0 or -ENOMEM, as above. */
int intervals_add_all(struct intervals *set, struct interval *items, size_t nr);

/* Takes away what is not in `keep`. */
int intervals_keep(struct intervals *set, const struct intervals *keep);

/* The first part of the set inside [from, to); false: there is none. */
bool intervals_next(const struct intervals *set, uint64_t from, uint64_t to, struct interval *out);

/* The first part of [from, to) outside of the set; false: the set holds all of it. */
bool intervals_next_gap(const struct intervals *set, uint64_t from, uint64_t to, struct interval *out);

/* How many numbers it holds. */
uint64_t intervals_size(const struct intervals *set);

/* Forgets everything and keeps the room for it. */
void intervals_clear(struct intervals *set);
void intervals_fini(struct intervals *set);

#endif
