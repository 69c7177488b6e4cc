/* SPDX-License-Identifier: MIT */
/* A target's regions: an ascending array of disjoint, page-aligned ranges with what was counted in them. */
#ifndef MONITOR_REGIONS_H
#define MONITOR_REGIONS_H

#include <stdbool.h>

#include <tidemark/monitor.h>

#include "base/rng.h"
#include "base/vec.h"

#define MIN_REGION 4096u

struct region {
	uint64_t start;
	uint64_t end;
	uint32_t nr_accesses;
	uint32_t nr_writes;
	uint32_t nr_unobservable;
	uint32_t nr_writes_unobservable;
	uint32_t nr_checks; /* fewer than the interval's for a steady region: see watched.c */
	bool is_steady;     /* it was accessed in most checks, or in none, of the last two aggregation intervals */
	uint32_t last_nr_accesses; /* of the aggregation interval before */
	uint32_t last_nr_writes;
	uint32_t age;    /* aggregation intervals */
	uint64_t age_us; /* what they lasted, by the intervals' settings */
};

/* Invariants: items[i].start < items[i].end <= items[i + 1].start, all multiples of MIN_REGION. */
struct regions {
	VEC(struct region) list;
};

uint64_t regions_bytes(const struct regions *regions);

/* Splits `ranges` into pieces of about total / min_nr_regions bytes, none smaller than a page. -EINVAL: ranges are
 * empty. */
int regions_init(struct regions *regions, const struct tide_range *ranges, size_t nr, uint32_t min_nr_regions);

/* Makes the regions lie inside `ranges`: what is outside goes, first and last are fitted, a range without any gets one.
 */
int regions_update(struct regions *regions, const struct tide_range *ranges, size_t nr);

/* What may be joined. */
struct merge_rule {
	uint32_t max_difference; /* of nr_accesses, and of nr_writes */
	uint32_t max_unobservable_difference;
	uint64_t max_bytes; /* of the joined region */
};

/* An aggregation interval of `interval_us` ended: how long has each region's pattern stayed similar? */
void regions_age(struct regions *regions, uint32_t max_difference, uint64_t interval_us);
void regions_merge(struct regions *regions, const struct merge_rule *rule);

/* What a region that was checked less often than `nr_checks` times would have counted, had it been checked as often. */
void regions_scale(struct regions *regions, uint32_t nr_checks);

/* Begins the next interval, after one of `nr_checks`. */
void regions_reset(struct regions *regions, uint32_t nr_checks);

/* Splits each region at random places into `nr_pieces`; when sparing, a steady one now and then only. */
int regions_split(struct regions *regions, unsigned nr_pieces, bool sparing, struct rng *rng);

/* Splits the region that has `addr` strictly inside: 1 done, 0 there is none, -ENOMEM. */
int regions_split_at(struct regions *regions, uint64_t addr);

#endif
