/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes by soft-dirty bits (Documentation/admin-guide/mm/soft-dirty.rst).
 *
 * Writing 4 to /proc/PID/clear_refs clears the bits of a whole process; a write to a clean page sets the page's own bit
 * again. Reading and clearing are two steps. So the target stands still at the beginning of an epoch while everything
 * is read and then cleared, and the epoch is what was found: collect only hands it out. What of it nobody has collected
 * when bits are cleared again stays pending.
 *
 * A set bit is a write, or a page that was moved or brought back: no answer is exact. A clear bit is not enough to say
 * that nothing changed:
 *
 *   - A page that was given up leaves no bit, nor does the zero page that is read in its place. So the pages that were
 *     there at the last clearing are remembered, and those that are not any more are reported, in every epoch until
 * they are there again: what comes, is copied by whoever was told, and goes before the next clearing leaves no trace.
 *   - Page tables may be moved as they are (mremap), and a new mapping that is merged with an old one may lose its mark
 *     (before Linux 6.19): what is there now and was not at the last clearing is reported.
 *   - KSM drops the bit of a page that it merges: mappings that it may merge are reported whole.
 *   - A huge page of zeros may take the place of lazily freed ones between the reading and the clearing, and is
 *     marked then: when the machine's counters say so, all that is there is reported (soft_clear.c).
 *   - What other processes write (process_vm_writev, /proc/PID/mem) between the reading and the clearing is lost, as
 *     they do not stand still: every epoch says so.
 *
 * is_there and is_void are as of the last clearing: the pages that were there, and those that may have been once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "target/inject/hold.h"
#include "target/target.h"
#include "watch/reused.h"
#include "watch/soft_dirty.h"
#include "watch/soft_look.h"
#include "watch/soft_merge.h"
#include "watch/tracker.h"

/* Without PAGEMAP_SCAN each page of a mapping, hole or not, takes some nanoseconds of the target's time. */
#define MAX_LOOK_BYTES ((uint64_t)64 << 30)

struct soft_dirty {
	struct tide_target *target;
	struct soft_look look;
	/* Leaves out what only its mapping's bit speaks for; NULL: it is reported. */
	const struct tide_reused_ops *reused;
	void *reused_state;
	bool has_left_out;       /* by this look */
	struct intervals asked;  /* empty: everything */
	struct intervals mapped; /* at the last clearing */
	struct soft_merge merge;
	uint64_t nr_begun;
	struct intervals is_there, is_void;
	struct intervals now_there; /* while it is looked */
	struct soft_pending pending;
};

/* A look at one mapping. */
struct looking {
	struct soft_dirty *self;
	bool is_shared;
	bool is_writable;
	struct intervals *marked; /* gets what is marked, whose own bits are asked for; NULL: it is pending at once */
	struct intervals *there;
	struct soft_pending *pending;
};

/* What of a run that is there and not marked was not there at the last clearing. */
static int note_appeared(struct looking *looking, uint64_t start, uint64_t end)
{
	struct interval gap;
	int result = 0;

	for (; result == 0 && intervals_next_gap(&looking->self->is_there, start, end, &gap); start = gap.end)
		result = soft_pend(looking->pending, TIDE_WHY_NEW, gap.start, gap.end);
	return result;
}

/*
 * In the first epoch: whoever copied all at the beginning may have found something there. Zero pages stay void, as
 * whoever is told now may find something there, too; a file's pages do not, as most of them are never written.
 */
static int note_empty(struct looking *looking, uint64_t start, uint64_t end, unsigned flags)
{
	return flags & SOFT_ZERO ? intervals_add(&looking->self->is_void, start, end)
	                         : soft_pend(looking->pending, TIDE_WHY_NEW, start, end);
}

static int note_run(void *arg, uint64_t start, uint64_t end, unsigned flags)
{
	struct looking *looking = arg;
	struct soft_dirty *self = looking->self;
	int result;

	if (flags & SOFT_EMPTY)
		return self->nr_begun == 1 && looking->is_writable ? note_empty(looking, start, end, flags) : 0;
	if (!(flags & SOFT_THERE))
		return 0;
	result = looking->is_shared ? 0 : intervals_add(looking->there, start, end);
	if (result == 0 && flags & SOFT_MARKED)
		return looking->marked != NULL
		               ? intervals_add(looking->marked, start, end)
		               : soft_pend(looking->pending, flags & SOFT_REUSED ? TIDE_WHY_REUSED : TIDE_WHY_SOFT,
		                           start, end);
	return result == 0 && !looking->is_shared ? note_appeared(looking, start, end) : result;
}

/* Of what is marked in one mapping: pages with bits of their own, and pages that have appeared. */
static int leave_out(struct looking *looking, struct tide_error *err)
{
	struct soft_dirty *self = looking->self;
	const struct intervals *marked = looking->marked;
	struct intervals own = { 0 };
	struct interval part, gap;
	int result = 0;

	if (marked->v.nr > 0)
		result = self->reused->own(self->reused_state, marked->v.items[0].start,
		                           marked->v.items[marked->v.nr - 1].end, &own, err);
	for (size_t i = 0; i < marked->v.nr; i++) {
		uint64_t end = marked->v.items[i].end, at = marked->v.items[i].start;

		for (uint64_t from = at; result == 0 && intervals_next(&own, from, end, &part); from = part.end)
			result = soft_pend(looking->pending, TIDE_WHY_SOFT, part.start, part.end);
		for (uint64_t from = at; result == 0 && intervals_next_gap(&own, from, end, &gap); from = gap.end) {
			self->has_left_out = true;
			if (!looking->is_shared)
				result = note_appeared(looking, gap.start, gap.end);
		}
	}
	intervals_fini(&own);
	return result;
}

/* What was there, or had been, and is not now, in [start, end). */
static int note_gone(const struct soft_dirty *self, const struct intervals *there, uint64_t start, uint64_t end,
                     struct intervals *gone)
{
	const struct intervals *const before[] = { &self->is_there, &self->is_void };
	struct interval part, gap;
	int result = 0;

	for (size_t i = 0; i < 2; i++)
		for (uint64_t at = start; result == 0 && intervals_next(before[i], at, end, &part); at = part.end)
			for (uint64_t from = part.start; result == 0 && intervals_next_gap(there, from, part.end, &gap);
			     from = gap.end)
				result = intervals_add(gone, gap.start, gap.end);
	return result;
}

/* The kernel's own pages change by themselves, and are read-only. */
static bool is_kernels(const struct tide_mapping *mapping)
{
	return mapping->start >> 63 != 0 || strncmp(mapping->name, "[vvar", 5) == 0;
}

static int look_at(struct soft_dirty *self, const struct tide_mapping *mapping, struct tide_error *err)
{
	struct intervals marked = { 0 };
	struct looking looking = {
		.self = self,
		.is_shared = mapping->flags & TIDE_MAPPING_SHARED,
		.is_writable = mapping->flags & TIDE_MAPPING_WRITE,
		.there = &self->now_there,
		.pending = &self->pending,
		.marked = self->reused != NULL ? &marked : NULL,
	};
	struct interval part = { mapping->start, mapping->end };
	int result = 0;

	if (is_kernels(mapping))
		return 0;
	for (uint64_t at = mapping->start; result == 0 && at < mapping->end; at = part.end) {
		if (self->asked.v.nr > 0 && !intervals_next(&self->asked, at, mapping->end, &part))
			break;
		if (!self->look.has_scan && part.end - part.start > MAX_LOOK_BYTES)
			result = soft_pend(&self->pending, TIDE_WHY_BOUND, part.start, part.end);
		else
			result = soft_look(&self->look, part.start, part.end, looking.is_shared, note_run, &looking);
	}
	if (result == 0 && looking.marked != NULL)
		result = leave_out(&looking, err);
	intervals_fini(&marked);
	return result;
}

/* What is mapped no more is forgotten: nothing of it is reported, and what comes there is new. */
static int follow(struct soft_dirty *self, const struct tide_layout *layout)
{
	int result = watch_list_mapped(layout, &self->mapped);

	if (result == 0)
		result = intervals_keep(&self->is_there, &self->mapped);
	if (result == 0)
		result = intervals_keep(&self->is_void, &self->mapped);
	return result == 0 ? soft_pending_keep(&self->pending, &self->mapped) : result;
}

/* Everything, while the target stands still. Nothing has been lost when it fails. */
static int look_at_all(struct soft_dirty *self, struct tide_error *err)
{
	const struct tide_layout *layout;
	struct intervals gone = { 0 };
	int result = tide_target_refresh(self->target, &layout, err);

	if (result < 0)
		return result;
	self->has_left_out = false;
	intervals_clear(&self->now_there);
	result = follow(self, layout);
	for (size_t i = 0; result == 0 && i < layout->nr_mappings; i++)
		result = look_at(self, &layout->mappings[i], err);
	if (result == 0)
		result = note_gone(self, &self->now_there, 0, WATCH_END, &gone);
	if (result == 0)
		result = soft_pend_all_of(&self->pending, TIDE_WHY_ABSENT, &gone);
	if (result == 0)
		result = soft_merge_look(&self->merge, self->target, &self->pending);
	if (result == 0) /* room to say that all of it is doubtful */
		result = soft_pend_reserve(&self->pending);
	if (result < 0) {
		intervals_fini(&gone);
		return error_system(err, result, "cannot read the soft-dirty bits of process %d (%s)",
		                    tide_target_pid(self->target), tide_target_name(self->target));
	}
	intervals_fini(&self->is_void);
	self->is_void = gone;
	return 0;
}

static int begin(void *state, uint64_t *stopped_ns, uint32_t *blind, struct tide_error *err)
{
	struct soft_dirty *self = state;
	struct intervals there;
	struct soft_clear clear;
	struct hold *hold;
	uint64_t held_ns = 0;
	int result = hold_begin(&hold, self->target, err);

	if (result < 0)
		return result;
	soft_clear_prepare(&clear);
	result = look_at_all(self, err);
	if (result == 0)
		result = soft_clear(&clear, self->target, err);
	if (result > 0 && soft_pend_all_of(&self->pending, TIDE_WHY_ERROR, &self->now_there) < 0)
		soft_pend_all(&self->pending);
	if (hold_end(hold, &held_ns) < 0 && result >= 0)
		/* It ran between the reading and the clearing. */
		soft_pend_all(&self->pending);
	*stopped_ns += held_ns;
	*blind |= TIDE_BLIND_OTHERS | (self->has_left_out ? TIDE_BLIND_REUSED : 0) |
	          (self->merge.is_blind ? TIDE_BLIND_MERGED : 0);
	if (result < 0)
		return result;
	there = self->is_there;
	self->is_there = self->now_there;
	self->now_there = there;
	self->nr_begun++;
	return 0;
}

static long collect(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
                    size_t nr, uint64_t *next)
{
	struct soft_dirty *self = state;
	long got = soft_pending_read(&self->pending, start, end, max_pages, runs, nr, next);

	return soft_pending_drop(&self->pending, start, *next) < 0 ? -ENOMEM : got;
}

/* As if it were begun now; whether a mapping is shared is the caller's matter. */
static long peek(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs, size_t nr,
                 uint64_t *next)
{
	struct soft_dirty *self = state;
	struct soft_pending seen = { 0 };
	struct intervals there = { 0 }, gone = { 0 };
	struct looking looking = { .self = self, .there = &there, .pending = &seen };
	long result = soft_pending_copy(&seen, &self->pending, start, end);

	if (result == 0)
		result = soft_merge_pend(&self->merge, start, end, &seen);
	if (result == 0)
		result = soft_look(&self->look, start, end, false, note_run, &looking);
	if (result == 0)
		result = note_gone(self, &there, start, end, &gone);
	if (result == 0)
		result = soft_pend_all_of(&seen, TIDE_WHY_ABSENT, &gone);
	if (result == 0)
		result = soft_pending_read(&seen, start, end, max_pages, runs, nr, next);
	soft_pending_fini(&seen);
	intervals_fini(&there);
	intervals_fini(&gone);
	return result;
}

/* All of a process is tracked, always. */
static int do_nothing(void *state, uint64_t start, uint64_t end)
{
	(void)state, (void)start, (void)end;
	return 0;
}

static enum tide_why why(const struct pagescan_region *run)
{
	return (enum tide_why)run->categories;
}

static void soft_close(void *state)
{
	struct soft_dirty *self = state;

	if (self->reused != NULL)
		self->reused->fini(self->reused_state);
	free(self->reused_state);
	sys_close(self->look.pagemap);
	intervals_fini(&self->is_there);
	intervals_fini(&self->is_void);
	intervals_fini(&self->now_there);
	intervals_fini(&self->asked);
	intervals_fini(&self->mapped);
	soft_pending_fini(&self->pending);
	soft_merge_fini(&self->merge);
}

static int open_reused(struct soft_dirty *self, const struct tide_reused_ops *ops, struct tide_error *err)
{
	int result;

	if (ops == NULL)
		return 0;
	self->reused_state = calloc(1, ops->state_size);
	if (self->reused_state == NULL)
		return error_system(err, -ENOMEM, "cannot leave out reused mappings");
	result = ops->init(self->reused_state, self->target, err);
	if (result < 0) {
		free(self->reused_state);
		self->reused_state = NULL;
		return error_prefix(err, result, "leaving out reused mappings");
	}
	self->reused = ops;
	return 0;
}

static int soft_open(void *state, struct tide_target *target, const struct tide_watch_opts *opts, uint64_t *stopped_ns,
                     struct tide_error *err)
{
	struct soft_dirty *self = state;
	int scan = pagescan_probe();
	int result;

	(void)stopped_ns;
	self->target = target;
	self->look = (struct soft_look){ .pagemap = -1, .has_scan = scan > 0 };
	if (tide_target_pid(target) == getpid())
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "a process cannot stand still to have its own soft-dirty bits read and cleared: let "
		                 "another one watch it (tidemark watch -p %d)",
		                 getpid());
	result = scan < 0 ? scan : scan == 0 ? pagemap_zero_pfn(&self->look.zero_pfn) : 0;
	if (result < 0)
		return error_system(err, result, "cannot find out what this kernel can tell of pages");
	for (size_t i = 0; result == 0 && i < opts->nr_ranges; i++)
		result = intervals_add(&self->asked, opts->ranges[i].start, opts->ranges[i].end);
	if (result < 0)
		return error_system(err, result, "cannot note the ranges");
	result = target_open_file(target, "pagemap", O_RDONLY, err);
	self->look.pagemap = result;
	result = result < 0 ? result : open_reused(self, opts->reused, err);
	if (result < 0) {
		sys_close(self->look.pagemap);
		intervals_fini(&self->asked);
	}
	return result;
}

const struct watch_backend watch_soft_dirty = {
	.name = "soft_dirty",
	.summary = "soft-dirty bits: the process stands still for each epoch's reading and clearing, nothing is exact",
	.state_size = sizeof(struct soft_dirty),
	.is_whole = true,
	.knows_reused = true,
	.probe = soft_dirty_probe,
	.open = soft_open,
	.begin = begin,
	.track = do_nothing,
	.arm = do_nothing,
	.collect = collect,
	.peek = peek,
	.why = why,
	.untrack = do_nothing,
	.close = soft_close,
};
