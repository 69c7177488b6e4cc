/* SPDX-License-Identifier: MIT */
/* Forgetting the accesses to all memory of a process at once: /proc/PID/clear_refs (proc(5)). */
#ifndef SENSOR_CLEAR_REFS_H
#define SENSOR_CLEAR_REFS_H

#include <stdbool.h>

#include <tidemark/sensor.h>

/* 0 permitted; DENIED; UNSUPPORTED, this kernel has not got it; GONE. */
TIDE_MUST_USE int clear_refs_permitted(struct tide_target *target, struct tide_error *err);

/* What a clearing took: how long the process may have waited, and how much of that was work. */
struct clear_refs_time {
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

/*
 * Makes every page that the process maps old, and flushes its TLB where that can be done. 0 or negative: GONE, DENIED,
 * BUSY, SYSTEM.
 */
TIDE_MUST_USE int clear_refs_all(struct tide_target *target, struct clear_refs_time *took, struct tide_error *err);

/* Adds a clearing that has just ended to the cost: the stall, and what went unseen since the look at `looked_ns`. */
void clear_refs_account(struct tide_sensor_cost *cost, const struct clear_refs_time *took, uint64_t looked_ns);

/* Does a flush of the TLB change nothing here that others may be using? */
bool clear_refs_can_flush(void);

#endif
