/* SPDX-License-Identifier: MIT */
/* This file answers which pages of a range were written, page by page, as GetWriteWatch does. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "watch/tracker.h"

struct getting {
	struct tide_watch *watch;
	uint64_t start;
	uint64_t end;
	size_t max;
	struct runs collected;
	struct runs out;
};

/* Gets and re-arms until about `max` pages are there; `*end` is where it ended. */
static int collect(struct getting *self, uint64_t *end, struct tide_error *err)
{
	uint64_t at = self->start, bytes = 0;
	struct interval part;

	while (bytes < self->max * WATCH_PAGE) {
		const struct tide_mapping *mapping = watch_next_part(self->watch, at, &part);
		size_t before = self->collected.v.nr;
		int result;

		if (mapping == NULL || part.start >= self->end) {
			at = self->end;
			break;
		}
		part.end = part.end < self->end ? part.end : self->end;
		result = watch_collect_part(self->watch, mapping, &part, self->max - bytes / WATCH_PAGE,
		                            &self->collected, &at, err);
		if (result < 0)
			return result;
		for (size_t i = before; i < self->collected.v.nr; i++)
			bytes += self->collected.v.items[i].end - self->collected.v.items[i].start;
	}
	*end = at < self->end ? at : self->end;
	return 0;
}

static int add_written(void *arg, const struct pagescan_region *region)
{
	return runs_push(arg, region->start, region->end, TIDE_EXACT, TIDE_WHY_NONE);
}

/* What of [start, end) was written: nothing is re-armed. Where nothing is armed, every page that is there. */
static int peek(struct getting *self, uint64_t start, uint64_t end, struct runs *found)
{
	struct tide_watch *watch = self->watch;
	struct pagescan match = { .returned = PAGESCAN_WRITTEN };
	struct interval part;
	int result = 0;

	for (uint64_t at = start; result == 0 && at < end; at = match.end) {
		bool armed = intervals_next(&watch->armed, at, end, &part) && part.start == at;

		match.start = at;
		match.end = armed ? part.end : intervals_next(&watch->armed, at, end, &part) ? part.start : end;
		match.all_of = PAGESCAN_WRITTEN;
		match.any_of = armed ? 0 : PAGESCAN_PRESENT | PAGESCAN_SWAPPED;
		result = watch_each_region(watch, &match, add_written, found);
	}
	return result;
}

static int peek_all(struct getting *self)
{
	struct tide_watch *watch = self->watch;
	const struct intervals *const known[] = { &watch->owed, &watch->pinned.was_pinned, &watch->pinned.is_pinned,
		                                  &watch->pinned.was_referenced };
	struct intervals pages = { 0 };
	struct runs found = { 0 };
	struct interval part;
	int result = peek(self, self->start, self->end, &found);

	for (size_t i = 0; i < found.v.nr && result == 0; i++)
		result = intervals_add(&pages, found.v.items[i].start, found.v.items[i].end);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (uint64_t at = self->start; result == 0 && intervals_next(known[i], at, self->end, &part);
		     at = part.end)
			result = intervals_add(&pages, part.start, part.end);
	for (size_t i = 0; i < pages.v.nr && result == 0; i++)
		result = runs_push(&self->out, pages.v.items[i].start, pages.v.items[i].end, TIDE_EXACT, TIDE_WHY_NONE);
	intervals_fini(&pages);
	vec_free(&found.v);
	return result;
}

/* Writes the addresses down. What there is no room for is owed when it was re-armed. 1: there was more. */
static int hand_out(struct getting *self, bool reset, uint64_t *addresses, size_t *count)
{
	size_t nr = 0;
	int result = 0;

	for (size_t i = 0; i < self->out.v.nr && result >= 0; i++) {
		const struct tide_run *run = &self->out.v.items[i];
		uint64_t at = run->start;

		for (; at < run->end && nr < self->max; at += WATCH_PAGE)
			addresses[nr++] = at;
		if (at == run->end)
			continue;
		if (reset && intervals_add(&self->watch->owed, at, run->end) < 0)
			return -ENOMEM;
		result = 1;
	}
	*count = nr;
	return result;
}

static int get_and_reset(struct getting *self, uint64_t *end, struct tide_error *err)
{
	int result = pinned_turn(&self->watch->pinned, self->start, self->end, false);

	if (result < 0)
		return error_system(err, result, "cannot note what was written");
	result = collect(self, end, err);
	if (result == 0)
		result = pinned_settle(self->watch, self->start, *end, &self->collected, &self->out, err);
	if (result == 0 && pinned_turn(&self->watch->pinned, self->start, *end, true) < 0)
		result = error_system(err, -ENOMEM, "cannot note what was written");
	return result;
}

int tide_watch_get(struct tide_watch *watch, unsigned flags, uint64_t start, uint64_t end, uint64_t *addresses,
                   size_t *count, uint64_t *granularity, struct tide_error *err)
{
	struct getting self = { .watch = watch, .start = start, .end = end, .max = *count };
	bool reset = flags & TIDE_GET_RESET;
	uint64_t reached = end;
	int result;

	if (start > end || (start | end) % WATCH_PAGE != 0 || *count == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "%llx-%llx, %zu pages: a range of whole pages and room for one are needed",
		                 (unsigned long long)start, (unsigned long long)end, *count);
	*count = 0;
	if (reset) {
		result = get_and_reset(&self, &reached, err);
	} else {
		result = peek_all(&self);
		if (result < 0)
			result = watch_failed(watch, result, "look at", err);
	}
	if (result == 0) {
		result = hand_out(&self, reset, addresses, count);
		if (result < 0)
			error_system(err, result, "cannot note what was written");
		if (result == 0 && reached < end)
			result = 1;
	}
	/* What was re-armed and could not be handed out is reported by the next call, or the next collect. */
	if (result < 0 && reset)
		intervals_add(&watch->owed, start, end);
	vec_free(&self.collected.v);
	vec_free(&self.out.v);
	if (granularity != NULL)
		*granularity = WATCH_PAGE;
	return result;
}
