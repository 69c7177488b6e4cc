/* SPDX-License-Identifier: MIT */
/* This file tracks writes with the library. */
#include "write-tracking.h"

void watched_open(struct watched *watched, pid_t pid, const void *start, uint64_t size,
                  const struct tide_pins_ops *pins)
{
	struct tide_range range = { (uint64_t)(uintptr_t)start, (uint64_t)(uintptr_t)start + size };
	struct tide_watch_opts opts = { .size = sizeof(opts), .ranges = &range, .nr_ranges = 1, .pins = pins };
	struct tide_error err = { 0 };

	if (tide_target_open(&watched->target, pid, &err) < 0 ||
	    tide_watch_open(&watched->watch, watched->target, &opts, &err) < 0)
		fail_error(&err);
}

uint64_t watched_collect(struct watched *watched)
{
	static struct tide_run runs[NR_RUNS];
	struct tide_error err = { 0 };
	uint64_t nr_pages = 0;
	long nr;

	while ((nr = tide_watch_collect(watched->watch, runs, NR_RUNS, &err)) > 0)
		for (long i = 0; i < nr; i++)
			nr_pages += (runs[i].end - runs[i].start) / PAGE;
	if (nr < 0)
		fail_error(&err);
	return nr_pages;
}

void watched_close(struct watched *watched)
{
	tide_watch_close(watched->watch);
	tide_target_close(watched->target);
	*watched = (struct watched){ 0 };
}
