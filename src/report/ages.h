/* SPDX-License-Identifier: MIT */
/* The ages report between its two halves: what is computed, and how it is written. */
#ifndef REPORT_AGES_H
#define REPORT_AGES_H

#include "base/vec.h"
#include "report/window.h"

/*
 * One target at the end. all_bytes = unobservable_bytes + the sum over ages: of what is present in exact mode, else of
 * what is mapped. 0: it was not watched any more.
 */
struct ages_target {
	const struct record_target *target;
	uint64_t all_bytes;
	uint64_t accessed_bytes; /* in the last interval: the ages with idle_us 0 */
	uint64_t unobservable_bytes;
	VEC(struct tide_age) ages; /* ascending, each idle_us once */
};

struct ages {
	struct record_reader *reader;
	struct report_window window;
	struct ages_target *targets;
	size_t nr_targets;
	bool exact;
	uint64_t watched_us;  /* from the first moment of the record to its end */
	uint64_t interval_us; /* the last one */
};

/* Bytes that have been idle for at least so long. */
uint64_t ages_idle_bytes(const struct ages_target *target, uint64_t least_us);

/* What counts as idle in a sentence: a minute, or as much of it as a short record can tell. */
uint64_t ages_threshold_us(const struct ages *ages);

/* Was memory of this age accessed at all since watching began, as far as was seen? */
bool ages_is_never(const struct ages *ages, uint64_t idle_us);

void ages_write_text(const struct ages *ages, const struct ages_target *target, int width, FILE *out);

#endif
