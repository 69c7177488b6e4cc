/* SPDX-License-Identifier: MIT */
/* One target of a monitor: its sensor, its regions, and the checks under way. */
#ifndef MONITOR_WATCHED_H
#define MONITOR_WATCHED_H

#include "monitor/exact.h"
#include "monitor/guide.h"
#include "monitor/regions.h"

/* One random page of each region whose turn it was. */
struct batch {
	VEC(struct tide_check) checks; /* empty: none prepared */
	VEC(struct tide_check) writes; /* the same pages, for the sensor that tells writes; empty: none prepared */
	VEC(uint32_t) region_of;       /* check -> region, ascending */
};

struct watched {
	const struct tide_sensor_ops *ops;
	void *state; /* NULL: it is gone */
	bool is_gone;
	struct tide_sensor_cost cost;         /* of one that is gone */
	const struct tide_sensor_ops *writes; /* asked beside `ops`, for writes; NULL: none is */
	void *writes_state;
	bool has_own_ranges; /* the user's: never updated */
	struct regions regions;
	struct batch batch; /* under way */
	struct batch spare; /* room for the next one while that is answered */
	struct guide guide;
	struct exact exact; /* in exact mode; zeros else */
};

/* First regions: the user's ranges, or with nr 0 the three of the sensor's update. On failure watched_fini is due. */
int watched_init(struct watched *target, const struct tide_range *ranges, size_t nr,
                 const struct tide_monitor_opts *opts, struct tide_error *err);

/* Ends the sensor's work and frees its state. */
void watched_fini(struct watched *target);

/* The target went away: it loses its regions, and its sensor ends its work. */
void watched_end(struct watched *target);

/* How a target is sampled. */
struct sampling {
	uint32_t pass; /* number of the sampling interval within the aggregation interval */
	bool sparing;  /* do not spend checks, and interruptions of the target, on what is known */
};

/* One random page of each region whose turn it is. */
int watched_prepare(struct watched *target, const struct sampling *sampling, struct rng *rng, struct tide_error *err);

/*
 * Counts the answers of the last prepare, once. Every region gets its check: what could not be asked, because prepare
 * or this call failed, counts as unobservable. Adds to `reasons`.
 */
int watched_check(struct watched *target, uint64_t reasons[TIDE_NR_REASONS], struct tide_error *err);

/*
 * watched_check and then watched_prepare, by the sensor's own `turn`, which it must have. Only inside an aggregation
 * interval: regions stay as they are. Pages are drawn before the last answers are counted.
 */
int watched_turn(struct watched *target, const struct sampling *sampling, struct rng *rng,
                 uint64_t reasons[TIDE_NR_REASONS], struct tide_error *err);

/*
 * Exact mode: a pass over all memory, and at most `max` regions of what it saw. 1: of the interval that ended; 0: the
 * first pass only begins. Negative: what was known is not any more, and the next pass is a first one.
 */
int watched_pass(struct watched *target, uint64_t now_ns, size_t max, struct tide_error *err);

/* Adds what its sensors have cost, also when it is gone. */
void watched_add_cost(const struct watched *target, struct tide_sensor_cost *sum);

/* watched_writes.c: the sensor that is asked for writes, beside the target's own. Does anybody tell what is written,
 * the target's own sensor perhaps? */
bool watched_tells_writes(const struct watched *target);

/* For the pages of a batch; without such a sensor nothing is done. */
int watched_prepare_writes(struct watched *target, struct batch *batch, struct tide_error *err);
int watched_check_writes(struct watched *target, struct tide_error *err);
int watched_update_writes(struct watched *target, struct tide_error *err);

/* Counts the answer for check `i` of the batch under way, which `check` is the target's own sensor's. */
void watched_count_write(const struct watched *target, struct region *region, size_t i, const struct tide_check *check);
void watched_end_writes(struct watched *target);

/* An aggregation interval of `nr_checks` ended. */
void watched_reset(struct watched *target, uint32_t nr_checks);

/* Is it still there, and which memory has it now? */
int watched_update(struct watched *target, struct tide_error *err);

#endif
