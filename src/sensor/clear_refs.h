/* SPDX-License-Identifier: MIT */
/* Forgetting the accesses to all memory of a process at once: /proc/PID/clear_refs (proc(5)). */
#ifndef SENSOR_CLEAR_REFS_H
#define SENSOR_CLEAR_REFS_H

#include <stdbool.h>

#include <tidemark/target.h>

/* 0 permitted; DENIED; UNSUPPORTED, this kernel has not got it; GONE. */
TIDE_MUST_USE int clear_refs_permitted(struct tide_target *target, struct tide_error *err);

/* What a clearing took: how long the process may have waited, and how much of that was work. */
struct clear_refs_time {
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

/*
 * Makes every page that the process maps old. With `flush` its TLB is flushed, too. 0 or negative: GONE, DENIED, BUSY,
 * SYSTEM.
 */
TIDE_MUST_USE int clear_refs_all(struct tide_target *target, bool flush, struct clear_refs_time *took,
                                 struct tide_error *err);

/* May `flush` be given: does a flush change nothing that others may be using? */
bool clear_refs_can_flush(void);

#endif
