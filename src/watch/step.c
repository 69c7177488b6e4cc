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

/* Memory that the backend cannot track. Nobody writes a private mapping that is not writable. */
static int untracked(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                     struct runs *out)
{
	struct interval refused;
	enum tide_why why = TIDE_WHY_BOUND;

	if (intervals_next(&watch->refused, part->start, part->end, &refused))
		why = mapping->flags & TIDE_MAPPING_SHARED ? TIDE_WHY_SHARED : TIDE_WHY_REFUSED;
	if (why == TIDE_WHY_REFUSED && !(mapping->flags & TIDE_MAPPING_WRITE))
		return 0;
	return runs_push(out, part->start, part->end, TIDE_OVER, why);
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
	if (armed.end - armed.start > WATCH_STEP_BYTES)
		armed.end = armed.start + WATCH_STEP_BYTES;
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
	return mapping->inode != 0 ? watch_copies(watch, start, end, known, err) : 0;
}

/* Lays what was found in [start, end) upon the background. */
static int finish(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                  const struct runs *found, struct runs *out, struct tide_error *err)
{
	struct runs owed = { 0 }, known = { 0 }, both = { 0 };
	int result = background(watch, mapping, start, end, &owed, &known, err);

	if (result == 0)
		result = runs_overlay(&both, &owed, &known);
	if (result == 0)
		result = runs_overlay(out, &both, found);
	vec_free(&owed.v);
	vec_free(&known.v);
	vec_free(&both.v);
	if (result < 0)
		intervals_add(&watch->owed, start, end);
	return result == -ENOMEM ? error_system(err, -ENOMEM, "cannot note what was written") : result;
}

int watch_collect_part(struct tide_watch *watch, const struct tide_mapping *mapping, const struct interval *part,
                       uint64_t max_pages, struct runs *out, uint64_t *next, struct tide_error *err)
{
	struct runs found = { 0 };
	int result = watch_enlist(watch, mapping, err);

	*next = part->end;
	if (result == 0) {
		result = untracked(watch, mapping, part, out);
	} else if (result > 0) {
		result = tracked(watch, mapping, part, max_pages, &found, next, err);
		if (result == 0)
			result = finish(watch, mapping, part->start, *next, &found, out, err);
	}
	vec_free(&found.v);
	return result;
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
	if (result < 0)
		return result;
	for (size_t i = before; i < watch->raw.v.nr; i++)
		if (watch->raw.v.items[i].certainty == TIDE_EXACT)
			watch->raw_bytes += watch->raw.v.items[i].end - watch->raw.v.items[i].start;
	watch->now.watched_bytes += next - part.start;
	watch->at = next;
	return 0;
}
