/* SPDX-License-Identifier: MIT */
/* How the files of the tracker fit together. */
#ifndef WATCH_TRACKER_H
#define WATCH_TRACKER_H

#include "base/intervals.h"
#include "base/vec.h"
#include "kernel/pagescan.h"
#include "watch/backend.h"
#include "watch/client.h"
#include "watch/consumer.h"
#include "watch/pins.h"
#include "watch/runs.h"
#include "watch/server.h"

#define WATCH_PAGE  ((uint64_t)4096)
#define WATCH_BLOCK ((uint64_t)2 << 20) /* what one page table maps, and what one huge page is */
#define WATCH_END   (~(uint64_t)0 & ~(WATCH_PAGE - 1))

enum {
	WATCH_NR_REGIONS = 4096,
	WATCH_STEP_BYTES = 256 << 20, /* of one scan */
	WATCH_STEP_PAGES = 16384,     /* written, that one scan takes at most: half a millisecond */
	WATCH_ARM_BYTES = 16 << 20,   /* of one arming, which touches every entry */
	WATCH_MAX_BYTES = 1 << 30,    /* written memory that one call of tide_watch_collect takes, about */
};

/* What one step found, layer by layer; kept from step to step, as memory is dear to get and to give back. */
struct step_lists {
	struct runs found, doubts, owed, known, both, sure;
};

/* Pages that devices or direct I/O may write: what they were at the last look, and what they are at this one. */
struct pinned {
	const struct tide_pins_ops *ops; /* NULL: does not look */
	void *state;
	struct intervals was_pinned, is_pinned;
	struct intervals was_referenced, is_referenced;
	uint32_t blind; /* of this epoch */
	VEC(uint64_t) addresses;
	VEC(uint8_t) answers;
};

struct tide_watch {
	struct tide_target *target;
	const struct watch_backend *backend;
	void *state;
	int pagemap;
	bool has_scan;           /* PAGEMAP_SCAN; else pagemap's entries answer */
	int mem;                 /* /proc/PID/mem; -1: not opened yet */
	struct intervals wanted; /* ranges that were asked for; empty: everything */
	struct intervals asked;  /* the same in whole blocks */
	bool arm_holes;
	uint64_t max_table_bytes;
	uint64_t granularity; /* of what is listed */

	/* Sets of addresses. armed is a subset of tracked, tracked of what is mapped. */
	struct intervals mapped;
	struct intervals tracked;  /* mappings registered with the backend */
	struct intervals armed;    /* whole page tables, as far as they are mapped: every write there is noticed */
	struct intervals refused;  /* mappings the backend cannot track */
	struct intervals fresh;    /* tracked since this epoch only */
	struct intervals doubtful; /* held pages, and is not armed (any more): report all of it, then arm it */
	struct intervals owed;     /* was armed before it was reported, for want of room or memory: report it */
	struct intervals copies;   /* private copies of file pages */
	struct intervals huge;     /* was mapped by a huge page when it was armed */
	struct intervals split;    /* ... and is so no more */
	struct pinned pinned;

	/* The epoch under way. */
	uint64_t generation; /* of the layout that the sets know */
	bool in_epoch;
	bool baseline; /* the first pass: arms everything */
	uint64_t at;   /* everything below was collected */
	struct tide_epoch now, last;
	struct runs raw;    /* collected, not yet looked at for pins */
	uint64_t raw_from;  /* it covers [raw_from, at) */
	uint64_t raw_bytes; /* written, in it */
	struct step_lists lists;
	struct runs ready; /* to be returned, from ready_at on */
	size_t ready_at;
	struct consumers consumers;
	struct server *server;           /* of other processes; NULL: nobody is served */
	struct client *client;           /* another process watches for us; then nothing above is used; NULL: no */
	struct pagescan_region *regions; /* WATCH_NR_REGIONS, locked: a scan must not fail for want of it */
	uint64_t nr_max_mappings;
};

/* runs.c. Appends to `out` what of `runs` was asked for: whole page tables are tracked. */
int runs_wanted(const struct tide_watch *watch, const struct runs *runs, struct runs *out);

/* Where one arming from `start` on ends: writers of the mmap lock pass, and no huge page is split. */
static inline uint64_t watch_arm_end(uint64_t start, uint64_t end)
{
	return end - start > WATCH_ARM_BYTES ? (start + WATCH_ARM_BYTES) & ~(WATCH_BLOCK - 1) : end;
}

/* step.c. Collects from watch->at on a bounded part of the address space into watch->raw, and moves watch->at. */
int watch_step(struct tide_watch *watch, struct tide_error *err);

/* The mapping that holds `at`, or the next one above; NULL: there is none. */
const struct tide_mapping *watch_mapping_from(const struct tide_layout *layout, uint64_t at);

/* The next part of the address space from `at` on that was asked for and lies in one mapping; NULL: there is none. */
const struct tide_mapping *watch_next_part(const struct tide_watch *watch, uint64_t at, struct interval *part);

/* Collects from part->start on, in one mapping: one call's worth, and about `max_pages` pages at most (0: no matter).
 */
int watch_collect_part(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                       uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err);

/* harvest.c. What was written in [start, end) of `mapping`, all of it armed, at most `max_pages` pages. `*next`: where
 * it ended. */
int watch_harvest(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                  uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err);

/* watch.c. What there is to be returned from `*at` on, which moves; summed up in `epoch`. The number of runs. */
long epoch_hand_out(struct tide_epoch *epoch, const struct runs *ready, size_t *at, struct tide_run *runs, size_t max);

/* Is there room for enough runs at once? 0 or negative. */
int watch_check_room(size_t max, struct tide_error *err);

/* watch.c. The tracker's own epoch, as tide_watch_collect() says. */
long watch_collect(struct tide_watch *watch, struct tide_run *runs, size_t max, struct tide_error *err);

/* watch.c. Is `at` in memory whose writes the backend lists, and tells in one step, however large it is? */
bool watch_is_listed(const struct tide_watch *watch, uint64_t at);

/* Of listed memory in [start, end), what was unmapped, or replaced, since the mappings were read. 0 or -errno. */
int watch_find_replaced(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *out);

/* enlist.c. Each mapping that is tracked keeps neighbours from merging with it: is the target's limit far enough? */
bool watch_has_room(const struct tide_watch *watch);

/* Makes the backend track `mapping`; what of it was tracked already stays. 1 tracked, 0 it cannot be. */
int watch_enlist(struct tide_watch *watch, const struct tide_mapping *mapping, struct tide_error *err);

/* It turned out that the backend does not track `mapping` (any more): what was armed is doubtful. Returns as
 * watch_enlist. */
int watch_enlist_again(struct tide_watch *watch, const struct tide_mapping *mapping, struct tide_error *err);

/* What of [start, end) is armed may have been written unseen, and is armed no more. 0 or -ENOMEM. */
int watch_doubt(struct tide_watch *watch, uint64_t start, uint64_t end);

/* The same for all of a mapping, which is not tracked any more, either. */
int watch_forget(struct tide_watch *watch, const struct tide_mapping *mapping);

/* Makes `mapped` all that is mapped. 0 or -ENOMEM. */
int watch_list_mapped(const struct tide_layout *layout, struct intervals *mapped);

/* Brings the sets up to date with a layout that has changed. */
int watch_relayout(struct tide_watch *watch, struct tide_error *err);

/* appear.c. What is populated in [start, end) of `mapping`, where nothing is armed, is armed, and then reported. */
int watch_appear(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                 struct runs *out, uint64_t *next, struct tide_error *err);

/* copies.c. Private copies of file pages in [start, end) that are there no more are reported; those that are, noted. */
int watch_copies(struct tide_watch *watch, uint64_t start, uint64_t end, struct runs *out, struct tide_error *err);

/* Of the copies noted in [start, end), those that are there no more into `gone`; those there are now into `present`.
 * Both are empty to begin with. */
int watch_copies_gone(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *gone,
                      struct intervals *present);

/* region.c. Calls `fn` for all runs of pages in [start, end) that match; 0, -errno, or what `fn` returned. */
typedef int watch_region_fn(void *arg, const struct pagescan_region *region);
int watch_each_region(struct tide_watch *watch, const struct pagescan *match, watch_region_fn *fn, void *arg);

/* A watch_region_fn that adds each to a struct intervals. */
int watch_add_region(void *set, const struct pagescan_region *region);

/* pinned.c */
int pinned_open(struct pinned *pinned, const struct tide_pins_ops *ops, struct tide_target *target,
                struct tide_error *err);

/* Looks at what was collected in [from, to), and at what was held there before; `out` gets all that is to be reported.
 */
int pinned_settle(struct tide_watch *watch, uint64_t from, uint64_t to, const struct runs *collected, struct runs *out,
                  struct tide_error *err);

/* What this epoch's looks found is what was held before, from now on. */
void pinned_end_epoch(struct pinned *pinned);

/*
 * The same for [from, to) alone; with `forget` false, what was held before stays so, too. Where the epoch under way has
 * looked already, what it found stays found, and is held at its end.
 */
int pinned_turn(struct tide_watch *watch, uint64_t from, uint64_t to, bool forget);
void pinned_close(struct pinned *pinned);

/* release.c. Lifts everything, and puts huge pages back. */
void watch_release(struct tide_watch *watch);

/* step.c. [start, end) was armed and will not be reported now: it is reported the next time, all of it. Cannot fail. */
void watch_owe(struct tide_watch *watch, uint64_t start, uint64_t end);

/*
 * watch.c. Before anything is collected: what was written until now is what there is to collect, and the mappings are
 * read anew.
 */
int watch_begin(struct tide_watch *watch, struct tide_error *err);

/* get.c. What of [start, end) was written, all of it armed; nothing is re-armed. 0 or -errno. */
int watch_peek(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *pages);

/* Reads the mappings anew, and brings the sets up to date with them. */
int watch_refresh(struct tide_watch *watch, struct tide_error *err);

/* What the kernel says of the memory of a process that has ended is nothing, not an error: 0 when it still lives. */
int watch_check_alive(struct tide_watch *watch, struct tide_error *err);

/* GONE when the process has gone, else `code` as an error about its memory. */
int watch_failed(struct tide_watch *watch, int code, const char *what, struct tide_error *err);

#endif
