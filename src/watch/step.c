/* SPDX-License-Identifier: MIT */
/* This file goes through the address space, mapping by mapping, in steps of bounded size. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "watch/tracker.h"

const struct tide_mapping *watch_mapping_from(const struct tide_layout *layout, uint64_t at)
{
	size_t low = 0, high = layout->nr_mappings;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (layout->mappings[middle].end > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low < layout->nr_mappings ? &layout->mappings[low] : NULL;
}

const struct tide_mapping *watch_next_part(const struct tide_watch *watch, uint64_t at, struct interval *part)
{
	const struct tide_layout *layout = tide_target_layout(watch->target);

	for (;;) {
		const struct tide_mapping *mapping = watch_mapping_from(layout, at);

		if (mapping == NULL)
			return NULL;
		*part = (struct interval){ at > mapping->start ? at : mapping->start, mapping->end };
		if (watch->asked.v.nr == 0 || intervals_next(&watch->asked, part->start, part->end, part))
			return mapping;
		at = mapping->end;
	}
}

void watch_owe(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	struct intervals *owed = &watch->owed;
	struct interval near;

	if (intervals_add(owed, start, end) == 0)
		return;
	/* No memory for one more interval: one that is there takes it in, and what is between, which takes none. */
	near = owed->v.items[0];
	intervals_add(owed, near.start < start ? near.start : start, near.end > end ? near.end : end);
}

static enum tide_why why_untracked(const struct tide_watch *watch, const struct tide_mapping *mapping,
                                   const struct interval *part)
{
	struct interval refused;

	if (intervals_next(&watch->refused, part->start, part->end, &refused))
		return mapping->flags & TIDE_MAPPING_SHARED ? TIDE_WHY_SHARED : TIDE_WHY_REFUSED;
	return watch_has_room(watch) ? TIDE_WHY_ERROR : TIDE_WHY_BOUND;
}

/* Takes what is doubtful of `part` out of the set. */
static int take_doubts(struct tide_watch *watch, const struct interval *part, struct runs *out)
{
	struct interval doubt;
	int result = 0;

	for (uint64_t at = part->start; result == 0 && intervals_next(&watch->doubtful, at, part->end, &doubt);
	     at = doubt.end)
		result = runs_push(out, doubt.start, doubt.end, TIDE_OVER, TIDE_WHY_NEW);
	return result == 0 ? intervals_remove(&watch->doubtful, part->start, part->end) : result;
}

/*
 * Memory that the backend cannot track, now or ever. Nobody writes a private mapping that is not writable; but it may
 * have been until now.
 */
static int untracked(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                     struct runs *out)
{
	enum tide_why why = why_untracked(watch, mapping, part);
	int result;

	if (why == TIDE_WHY_REFUSED && !(mapping->flags & TIDE_MAPPING_WRITE))
		return take_doubts(watch, part, out);
	result = runs_push(out, part->start, part->end, TIDE_OVER, why);
	return result == 0 ? intervals_add(&watch->doubtful, part->start, part->end) : result;
}

/* Leaves those doubts that lie below `next`, and puts the others back. */
static void keep_doubts(struct tide_watch *watch, uint64_t next, struct runs *doubts)
{
	size_t kept = 0;

	for (size_t i = 0; i < doubts->v.nr; i++) {
		struct tide_run *run = &doubts->v.items[i];
		uint64_t from = run->start > next ? run->start : next;

		if (from < run->end && intervals_add(&watch->doubtful, from, run->end) < 0)
			watch_owe(watch, from, run->end);
		if (run->start >= next)
			continue;
		run->end = run->end < next ? run->end : next;
		doubts->v.items[kept++] = *run;
	}
	doubts->v.nr = kept;
}

/* What was armed and not reported before. */
static int pay(struct tide_watch *watch, uint64_t start, uint64_t end, struct runs *out)
{
	struct interval part;
	int result = 0;

	while (result == 0 && intervals_next(&watch->owed, start, end, &part)) {
		result = runs_push(out, part.start, part.end, TIDE_OVER, TIDE_WHY_ERROR);
		if (result == 0)
			result = intervals_remove(&watch->owed, part.start, part.end);
	}
	return result;
}

/* One call's worth of a tracked mapping, from part->start on, and where it ended. */
static int tracked(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                   uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err)
{
	struct interval armed;

	if (!intervals_next(&watch->armed, part->start, part->end, &armed))
		return watch_appear(watch, mapping, part->start, part->end, out, next, err);
	if (armed.start > part->start)
		return watch_appear(watch, mapping, part->start, armed.start, out, next, err);
	if (armed.end - armed.start > WATCH_STEP_BYTES && !watch_is_listed(watch, armed.start))
		armed.end = (armed.start + WATCH_STEP_BYTES) & ~(WATCH_BLOCK - 1);
	return watch_harvest(watch, mapping, armed.start, armed.end, max_pages, out, next, err);
}

/* What holds for all of [start, end), whatever was found in it. */
static int background(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                      struct runs *owed, struct runs *known, struct tide_error *err)
{
	int result = pay(watch, start, end, owed);

	if (result < 0)
		return result;
	if (mapping->flags & TIDE_MAPPING_SHARED) /* others may write it through another mapping, or a descriptor */
		return runs_push(known, start, end, TIDE_OVER, TIDE_WHY_SHARED);
	return mapping->inode != 0 && !watch->backend->is_whole ? watch_copies(watch, start, end, known, err) : 0;
}

/* Lays what was found in [start, end) upon the background, and upon it what cannot be told for sure. */
static int finish(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                  struct step_lists *lists, struct runs *out, struct tide_error *err)
{
	int result = background(watch, mapping, start, end, &lists->owed, &lists->known, err);

	if (result == 0)
		result = runs_overlay(&lists->both, &lists->owed, &lists->known);
	if (result == 0 && lists->both.v.nr + lists->doubts.v.nr == 0)
		result = runs_overlay(out, &lists->both, &lists->found);
	else if (result == 0)
		result = runs_overlay(&lists->sure, &lists->both, &lists->found);
	if (result == 0)
		result = runs_overlay(out, &lists->sure, &lists->doubts);
	if (result < 0)
		watch_owe(watch, start, end);
	return result == -ENOMEM ? error_system(err, -ENOMEM, "cannot note what was written") : result;
}

static void empty(struct step_lists *lists)
{
	lists->found.v.nr = lists->doubts.v.nr = lists->owed.v.nr = 0;
	lists->known.v.nr = lists->both.v.nr = lists->sure.v.nr = 0;
}

static int collect_tracked(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                           uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err)
{
	struct step_lists *lists = &watch->lists;
	int result;

	empty(lists);
	result = take_doubts(watch, part, &lists->doubts);
	if (result == 0)
		result = tracked(watch, mapping, part, max_pages, &lists->found, next, err);
	else
		error_system(err, result, "cannot note what was written");
	keep_doubts(watch, result == 0 ? *next : part->start, &lists->doubts);
	return result == 0 ? finish(watch, mapping, part->start, *next, lists, out, err) : result;
}

int watch_collect_part(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                       uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err)
{
	int result = watch_enlist(watch, mapping, err);

	*next = part->end;
	if (result > 0)
		return collect_tracked(watch, mapping, part, max_pages, out, next, err);
	if (result == 0)
		result = untracked(watch, mapping, part, out);
	return result == -ENOMEM ? error_system(err, -ENOMEM, "cannot note what was written") : result;
}

/* Of the runs from `nr` on, and of the one before, which they may have been joined to: what is written above `from`. */
static uint64_t exact_bytes(const struct runs *runs, size_t nr, uint64_t from)
{
	uint64_t bytes = 0;

	for (size_t i = nr > 0 ? nr - 1 : 0; i < runs->v.nr; i++) {
		const struct tide_run *run = &runs->v.items[i];

		if (run->certainty == TIDE_EXACT && run->end > from)
			bytes += run->end - (run->start > from ? run->start : from);
	}
	return bytes;
}

/* Takes the same back: it is owed, and will be reported in order. */
static void drop_from(struct runs *runs, size_t nr, uint64_t from)
{
	runs->v.nr = nr;
	if (nr > 0 && runs->v.items[nr - 1].end > from)
		runs->v.items[nr - 1].end = from;
}

int watch_step(struct tide_watch *watch, struct tide_error *err)
{
	struct interval part;
	const struct tide_mapping *mapping = watch_next_part(watch, watch->at, &part);
	size_t before = watch->raw.v.nr;
	uint64_t next;
	int result;

	if (mapping == NULL) {
		watch->at = WATCH_END;
		return 0;
	}
	result = watch_collect_part(watch, mapping, &part, 0, &watch->raw, &next, err);
	if (result < 0) {
		drop_from(&watch->raw, before, part.start);
		return result;
	}
	watch->raw_bytes += exact_bytes(&watch->raw, before, part.start);
	watch->now.watched_bytes += next - part.start;
	watch->at = next;
	return 0;
}
