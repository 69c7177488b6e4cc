/* SPDX-License-Identifier: MIT */
/* How much of each mapping is present, young, dirty, huge, pinned: one row for each, as of one look through memory. */
#ifndef PAGES_SUMMARY_H
#define PAGES_SUMMARY_H

#include <stdbool.h>

#include <tidemark/pages.h>

#include "base/vec.h"

/*
 * What is summed up. Bits of summary->told; those that could not be seen are 0 in every row. Pinned: present pages that
 * a device may use, of a process that has pinned some; pages that only others pinned, through memory they share with
 * it, are seen then, too, and not when it has pinned none.
 */
#define SUMMARY_COUNTS(X)                                                                                              \
	X(PRESENT, present)                                                                                            \
	X(SWAPPED, swapped)                                                                                            \
	X(YOUNG, young)                                                                                                \
	X(DIRTY, dirty)                                                                                                \
	X(HUGE, huge)                                                                                                  \
	X(PINNED, pinned)

enum summary_count {
#define SUMMARY_ENUM(id, name) SUMMARY_##id,
	SUMMARY_COUNTS(SUMMARY_ENUM)
#undef SUMMARY_ENUM
	        NR_SUMMARY_COUNTS
};

struct summary_row {
	uint64_t start; /* of the mapping, cut to the ranges asked for */
	uint64_t end;
	size_t name_at; /* into summary->names */
	uint64_t bytes[NR_SUMMARY_COUNTS];
};

struct summary {
	VEC(struct summary_row) rows; /* ascending */
	VEC(char) names;
	unsigned told;          /* 1 << enum summary_count */
	struct tide_error lack; /* why young, dirty and pinned were not told; code 0: they were */
	bool has_notifiers;     /* memory is used through other page tables too: young and dirty are not all of it */
};

/*
 * Called between two pieces of work: `done` of `all` bytes were looked at. Non-zero ends the work and is returned; the
 * summary then holds what was seen until there.
 */
typedef int summary_pause_fn(void *arg, uint64_t done, uint64_t all);

/*
 * Sums up `ranges` (ascending, apart; none: everything). `pages` is of `target`. What was summed up is there, and
 * summary_fini() wanted, whatever is returned: 0, what `pause` returned, or a negative errno: GONE; LIMIT; SYSTEM.
 */
int summary_take(struct summary *summary, struct tide_target *target, struct tide_pages *pages,
                 const struct tide_range *ranges, size_t nr_ranges, summary_pause_fn *pause, void *arg,
                 struct tide_error *err);
void summary_fini(struct summary *summary);

const char *summary_name(const struct summary *summary, const struct summary_row *row);

#endif
