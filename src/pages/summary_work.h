/* SPDX-License-Identifier: MIT */
/* A summary in the making: what its two halves share, the kernel's answers and the page tables. */
#ifndef PAGES_SUMMARY_WORK_H
#define PAGES_SUMMARY_WORK_H

#include "pages/summary.h"
#include "pages/walker.h"

enum {
	SUMMARY_NR_LEVELS = 3, /* of page tables that can map memory themselves */
	SUMMARY_NR_RUNS = 4096,
};

struct summary_work {
	struct summary *summary;
	struct tide_target *target;
	struct walker *walker; /* NULL: it cannot be used */
	uint64_t address_mask;
	const struct tide_range *ranges;
	size_t nr_ranges;
	size_t row;                       /* the one that was added to last */
	uint64_t read[SUMMARY_NR_LEVELS]; /* entries below this address were counted: a table can come twice */
	struct tide_range range;          /* the one that is being looked at */
	summary_pause_fn *pause;
	void *arg;
	uint64_t done;
	uint64_t all;
};

/* Counts [start, end) in the rows it lies in. */
void summary_add(struct summary_work *work, uint64_t start, uint64_t end, const bool counts[NR_SUMMARY_COUNTS]);

/* Between two pieces of work; `addr`: how far the range is done. Non-zero ends it. */
int summary_pause(struct summary_work *work, uint64_t addr);

/* summary_tables.c. Young and dirty, and what else only the tables tell, of work->range. As summary_take(). */
int summary_take_tables(struct summary_work *work, struct tide_error *err);

/* summary_pins.c. Pinned, of work->range, unless the process never pinned anything. */
int summary_take_pins(struct summary_work *work, struct tide_pages *pages, struct tide_error *err);

#endif
