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

/*
 * What of [start, end) was written, all of it armed. A mapping that the backend does not track any more keeps marks
 * that no write takes away: what was written there cannot be told.
 */
int watch_peek(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *pages)
{
	while (start < end) {
		uint64_t next = end - start > WATCH_STEP_BYTES ? start + WATCH_STEP_BYTES : end;
		long nr = watch->backend->peek(watch->state, start, next, 0, watch->regions, WATCH_NR_REGIONS, &next);
		int result = 0;

		watch->now.nr_calls++;
		if (nr == -EPERM)
			return intervals_add(pages, start, end);
		if (nr < 0 || next <= start)
			return nr < 0 ? (int)nr : -EIO;
		for (long i = 0; i < nr && result == 0; i++)
			result = intervals_add(pages, watch->regions[i].start, watch->regions[i].end);
		if (result < 0)
			return result;
		start = next;
	}
	return 0;
}

/* What of [start, end) was written: nothing is re-armed. Where nothing is armed, every page that is there. */
static int peek(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *pages)
{
	struct interval part;
	int result = 0;

	for (uint64_t at = start; result == 0 && at < end; at = part.end) {
		/* Not what is called written: from Linux 7.3 on nothing is in a mapping that is not registered. */
		struct pagescan match = {
			.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
			.returned = PAGESCAN_PRESENT,
		};

		if (!intervals_next(&watch->armed, at, end, &part))
			part = (struct interval){ end, end };
		match.start = at;
		match.end = part.start;
		result = watch_each_region(watch, &match, watch_add_region, pages);
		if (result == 0)
			result = watch_peek(watch, part.start, part.end, pages);
	}
	return result;
}

/* The same for one mapping, with what the kernel does not see. */
static int peek_part(struct tide_watch *watch, const struct tide_mapping *mapping, uint64_t start, uint64_t end,
                     struct intervals *pages)
{
	const struct intervals *const known[] = {
		&watch->owed,
		&watch->doubtful,
		&watch->pinned.was_pinned,
		&watch->pinned.is_pinned,
		&watch->pinned.was_referenced,
	};
	struct intervals gone = { 0 }, present = { 0 };
	int result = 0;

	if (mapping->flags & TIDE_MAPPING_SHARED)
		return intervals_add(pages, start, end);
	if (mapping->flags & TIDE_MAPPING_WRITE)
		result = intervals_add_part(pages, &watch->refused, start, end);
	if (result == 0)
		result = peek(watch, start, end, pages);
	if (result == 0)
		result = watch_find_replaced(watch, start, end, pages);
	if (result == 0 && mapping->inode != 0)
		result = watch_copies_gone(watch, start, end, &gone, &present);
	if (result == 0)
		result = intervals_add_part(pages, &gone, start, end);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && result == 0; i++)
		result = intervals_add_part(pages, known[i], start, end);
	intervals_fini(&gone);
	intervals_fini(&present);
	return result;
}

static int peek_all(struct getting *self)
{
	struct tide_watch *watch = self->watch;
	const struct tide_mapping *mapping;
	struct intervals pages = { 0 };
	struct interval part;
	int result = 0;

	for (uint64_t at = self->start; result == 0 && at < self->end; at = part.end) {
		mapping = watch_next_part(watch, at, &part);
		if (mapping == NULL || part.start >= self->end)
			break;
		part.end = part.end < self->end ? part.end : self->end;
		result = peek_part(watch, mapping, part.start, part.end, &pages);
	}
	for (size_t i = 0; i < pages.v.nr && result == 0; i++)
		result = runs_push(&self->collected, pages.v.items[i].start, pages.v.items[i].end, TIDE_EXACT,
		                   TIDE_WHY_NONE);
	if (result == 0)
		result = runs_wanted(watch, &self->collected, &self->out);
	intervals_fini(&pages);
	return result;
}

/* Writes the addresses down. What there is no room for is owed when it was re-armed. 1: there was more. */
static int hand_out(struct getting *self, bool reset, uint64_t *addresses, size_t *count)
{
	size_t nr = 0;
	int result = 0;

	for (size_t i = 0; i < self->out.v.nr; i++) {
		const struct tide_run *run = &self->out.v.items[i];
		uint64_t at = run->start;

		for (; at < run->end && nr < self->max; at += WATCH_PAGE)
			addresses[nr++] = at;
		if (at == run->end)
			continue;
		if (reset)
			watch_owe(self->watch, at, run->end);
		result = 1;
	}
	*count = nr;
	return result;
}

static int get_and_reset(struct getting *self, uint64_t *end, struct tide_error *err)
{
	int result = pinned_turn(self->watch, self->start, self->end, false);

	if (result < 0)
		return error_system(err, result, "cannot note what was written");
	result = collect(self, end, err);
	if (result == 0)
		result = pinned_settle(self->watch, self->start, *end, &self->collected, &self->out, err);
	if (result == 0 && pinned_turn(self->watch, self->start, *end, true) < 0)
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
	if (watch->client != NULL || consumers_are_several(&watch->consumers))
		return client_refuse("pages are got one by one by who watches alone", err);
	if (self.max > (end - start) / WATCH_PAGE)
		self.max = (end - start) / WATCH_PAGE;
	*count = 0;
	/* Within an epoch the mappings are those that it began with, unless all of it is re-armed at once. */
	result = reset && watch->backend->begin != NULL ? watch_begin(watch, err)
	         : watch->in_epoch                      ? 0
	                                                : watch_refresh(watch, err);
	if (result < 0)
		return result;
	if (reset) {
		result = get_and_reset(&self, &reached, err);
	} else {
		result = peek_all(&self);
		if (result < 0)
			result = watch_failed(watch, result, "look at", err);
	}
	if (result == 0)
		result = watch_check_alive(watch, err);
	if (result == 0) {
		result = hand_out(&self, reset, addresses, count);
		if (result == 0 && reached < end)
			result = 1;
	}
	/* What was re-armed and could not be handed out is reported by the next call, or the next collect. */
	if (result < 0 && reset)
		watch_owe(watch, start, end);
	vec_free(&self.collected.v);
	vec_free(&self.out.v);
	if (granularity != NULL)
		*granularity = WATCH_PAGE;
	return result;
}
