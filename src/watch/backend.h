/* SPDX-License-Identifier: MIT */
/*
 * A write-tracking backend: what the tracker needs of the kernel, so that a stranger can add another. All ranges are
 * whole pages. Results are 0 or -errno where nothing else is said; the tracker turns them into certainties.
 */
#ifndef WATCH_BACKEND_H
#define WATCH_BACKEND_H

#include <stdbool.h>

#include <tidemark/watch.h>

#include "base/intervals.h"
#include "kernel/pagescan.h"

struct watch_backend {
	const char *name;
	const char *summary;
	size_t state_size;
	/* All memory is tracked from the first begin() on, and collect() knows of pages that were given up, too. */
	bool is_whole;
	bool knows_reused; /* tide_watch_opts.reused */
	bool has_list;     /* ... .granularity_bytes, max_stall_ns, throttle_bytes_per_s */
	/* 1 usable here, 0 not (why->text says why and what to do), negative: could not be asked. */
	int (*probe)(struct tide_error *why);
	/* Get ready for `target`, which outlives the state; `opts` does not. `*stopped_ns`: how long the target stood
	 * still for it. On failure nothing is left behind. */
	int (*open)(void *state, struct tide_target *target, const struct tide_watch_opts *opts, uint64_t *stopped_ns,
	            struct tide_error *err);
	/*
	 * At the beginning of each epoch, and before what is collected outside of one. Reads the target's layout anew,
	 * adds to `*stopped_ns`, and to `*blind` what the epoch cannot see. 0 or negative with `err`: nothing is lost,
	 * it can be tried again. NULL: nothing is to be done.
	 */
	int (*begin)(void *state, uint64_t *stopped_ns, uint32_t *blind, struct tide_error *err);
	/*
	 * Begin to track a whole mapping, or one that is tracked already. Nothing is armed by it. -EINVAL, -EPERM: the
	 * kernel cannot for this kind of mapping; -EBUSY: somebody else does.
	 */
	int (*track)(void *state, uint64_t start, uint64_t end);
	/* From now on writes to [start, end), of one tracked mapping, are noticed; earlier ones are forgotten. */
	int (*arm)(void *state, uint64_t start, uint64_t end);
	/*
	 * The runs written in [start, end), of one mapping, armed again in the same step, at most `max_pages` pages and
	 * `nr` runs; `*next` is where to go on. The number of runs, or -errno: then writes are forgotten in all of it;
	 * -EPERM: (part of) it is not tracked (any more).
	 */
	long (*collect)(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
	                size_t nr, uint64_t *next);
	/* The same, and nothing is armed or forgotten. */
	long (*peek)(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
	             size_t nr, uint64_t *next);
	/* Of a run that collect() gave: why it may not have been written. NULL: all were. */
	enum tide_why (*why)(const struct pagescan_region *run);
	/*
	 * Is memory at `start` tracked by a list: does collect() cost what was written, and PAGEMAP_SCAN not know it as
	 * asynchronously protected? peek() says whether it is tracked at all. NULL: there is no such memory.
	 */
	bool (*is_listed)(void *state, uint64_t start);
	/* Of listed memory in [start, end): adds to `out` what is not mapped any more, or is other memory by now. */
	int (*find_replaced)(void *state, uint64_t start, uint64_t end, struct intervals *out);
	/*
	 * From now on memory in [start, end) is to be tracked by a list, or is not. convert() makes it so for one
	 * tracked mapping, of which `armed` is armed, while the process stands still and after begin(): nothing that
	 * was written and not collected is lost; where it cannot be told, `doubts` gets it. -errno: all of the mapping
	 * is neither tracked nor known any more. NULL: there is but one way.
	 */
	int (*prefer)(void *state, uint64_t start, uint64_t end, bool as_list);
	int (*convert)(void *state, uint64_t start, uint64_t end, const struct intervals *armed,
	               struct intervals *doubts);
	/* What it has cost so far. NULL: nothing. */
	void (*measure)(void *state, struct tide_epoch *epoch);
	/* Lifts everything from [start, end) and tracks it no longer. */
	int (*untrack)(void *state, uint64_t start, uint64_t end);
	void (*close)(void *state);
};

extern const struct watch_backend watch_uffd_async, watch_uffd_log, watch_soft_dirty, watch_mprotect;

#endif
