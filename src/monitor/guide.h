/* SPDX-License-Identifier: MIT */
/* Guided splitting: where a bulk look at the page tables says that a few used megabytes lie in a huge unused space. */
#ifndef MONITOR_GUIDE_H
#define MONITOR_GUIDE_H

#include "monitor/regions.h"

/* A piece of address space that is judged as one: what one page table maps, or one huge page. */
struct guide_block {
	uint64_t start;
	uint64_t end;
	uint32_t first_candidate; /* random young pages in it */
	uint32_t nr_candidates;
	uint32_t nr_used; /* of its scouts */
	uint32_t nr_unused;
};

struct guide {
	uint64_t cursor;      /* the next scan begins here; 0: and with it a round over all memory */
	uint64_t round_bytes; /* this round has gone over */
	uint64_t known_bytes; /* the most that a whole round has gone over */
	uint32_t nr_passes;
	uint32_t wait; /* aggregation intervals until the next pass */
	VEC(struct guide_block) blocks;
	VEC(uint64_t) candidates;
	VEC(struct tide_check) scouts;
	VEC(uint32_t) block_of;      /* scout -> block */
	VEC(struct tide_range) runs; /* of used blocks, ascending */
	uint64_t nr_entries;         /* seen by the scan */
	struct rng *rng;             /* during a scan */
};

void guide_fini(struct guide *guide);

/*
 * Called once an aggregation interval, after counts were reset. Most calls only count down; else it judges the scouts
 * of the last pass, splits regions (never to more than `room` more) where used memory begins and ends, and sends new
 * scouts. Returns 0, or a sensor's error.
 */
int guide_step(struct guide *guide, struct regions *regions, size_t room, const struct tide_sensor_ops *ops,
               void *state, struct rng *rng, struct tide_error *err);

#endif
