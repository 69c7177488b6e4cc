/* SPDX-License-Identifier: MIT */
/* This file copies contents, and says how good each page of the copy is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/tracker.h"

struct copying {
	struct tide_watch *watch;
	uint64_t start;
	unsigned char *buf;
	uint8_t *certainty;             /* may be NULL */
	enum tide_certainty hole, page; /* of the mapping: what a page that is not there, or is, can be at best */
};

static void mark(const struct copying *self, uint64_t start, uint64_t end, enum tide_certainty certainty)
{
	if (self->certainty != NULL)
		memset(self->certainty + (start - self->start) / WATCH_PAGE, (int)certainty,
		       (end - start) / WATCH_PAGE);
}

/* Reads what is there; a page that went meanwhile stays zero, and is lost. */
static int read_run(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	for (uint64_t at = region->start; at < region->end;) {
		ssize_t size = sys_pread(self->watch->mem, self->buf + (at - self->start), region->end - at, (off_t)at);

		if (size > 0) {
			mark(self, at, at + ((uint64_t)size & ~(WATCH_PAGE - 1)), self->page);
			at += (uint64_t)size & ~(WATCH_PAGE - 1);
		}
		if (size < (ssize_t)WATCH_PAGE) {
			mark(self, at, at + WATCH_PAGE, TIDE_LOST); /* it went since we asked */
			at += WATCH_PAGE;
		}
	}
	return 0;
}

static int mark_mapped(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	mark(self, region->start, region->end, self->hole);
	return 0;
}

static int mark_torn(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	for (uint64_t at = region->start; at < region->end; at += WATCH_PAGE)
		if (self->certainty[(at - self->start) / WATCH_PAGE] != TIDE_LOST)
			mark(self, at, at + WATCH_PAGE, TIDE_TORN);
	return 0;
}

/* What of the mapping is still there, and of it what is not armed for writes that would be noticed. */
static int judge_mapped(struct copying *self, uint64_t start, uint64_t end)
{
	struct pagescan mapped = {
		.start = start,
		.end = end,
		.all_of = PAGESCAN_WPALLOWED,
		.returned = PAGESCAN_WPALLOWED,
	};
	struct interval gap;

	if (watch_is_listed(self->watch, start)) /* what is not, judge_freed() finds */
		mark(self, start, end, self->hole);
	for (uint64_t at = start; intervals_next_gap(&self->watch->tracked, at, end, &gap); at = gap.end)
		mark(self, gap.start, gap.end, TIDE_OVER);
	return watch_each_region(self->watch, &mapped, mark_mapped, self);
}

/* What is written in armed memory, and not there. */
static int find_holes(struct tide_watch *watch, const struct interval *armed, struct intervals *freed)
{
	struct pagescan there = {
		.start = armed->start,
		.end = armed->end,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
	};
	struct intervals present = { 0 };
	int result = watch_peek(watch, armed->start, armed->end, freed);

	if (result == 0)
		result = watch_each_region(watch, &there, watch_add_region, &present);
	for (size_t i = 0; result == 0 && i < present.v.nr; i++)
		result = intervals_remove(freed, present.v.items[i].start, present.v.items[i].end);
	intervals_fini(&present);
	return result;
}

static int find_freed(struct tide_watch *watch, uint64_t start, uint64_t end, struct intervals *freed)
{
	struct intervals present = { 0 };
	struct interval armed;
	int result = 0;

	for (uint64_t at = start; result == 0 && intervals_next(&watch->armed, at, end, &armed); at = armed.end)
		result = find_holes(watch, &armed, freed);
	if (result == 0)
		result = watch_copies_gone(watch, start, end, freed, &present);
	if (result == 0)
		result = watch_find_replaced(watch, start, end, freed);
	intervals_fini(&present);
	return result;
}

/* Pages that were there and armed, and were given up since. */
static int judge_freed(struct copying *self, uint64_t start, uint64_t end)
{
	struct intervals freed = { 0 };
	int result = find_freed(self->watch, start, end, &freed);

	for (size_t i = 0; i < freed.v.nr && result == 0; i++)
		mark(self, freed.v.items[i].start, freed.v.items[i].end, TIDE_LOST);
	intervals_fini(&freed);
	return result;
}

/* Pages that devices may have written meanwhile. */
static void judge_pinned(struct copying *self, uint64_t start, uint64_t end)
{
	const struct intervals *const sets[] = { &self->watch->pinned.was_pinned, &self->watch->pinned.is_pinned };
	struct interval part;

	for (size_t i = 0; i < 2; i++)
		for (uint64_t at = start; intervals_next(sets[i], at, end, &part); at = part.end)
			mark(self, part.start, part.end, TIDE_PINNED);
}

static int mark_unsure(void *arg, const struct pagescan_region *region)
{
	const struct copying *self = arg;

	for (uint64_t at = region->start; at < region->end; at += WATCH_PAGE)
		if (self->certainty[(at - self->start) / WATCH_PAGE] == TIDE_EXACT)
			mark(self, at, at + WATCH_PAGE, TIDE_OVER);
	return 0;
}

/*
 * Pages that could be written unnoticed. A mapping that lost its tracking (mremap onto its edge) keeps marks that no
 * write takes away, also when it is tracked again, until it is armed.
 */
static int judge_untracked(struct copying *self, uint64_t start, uint64_t end)
{
	struct pagescan untracked = {
		.start = start,
		.end = end,
		.inverted = PAGESCAN_WPALLOWED,
		.all_of = PAGESCAN_WPALLOWED,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_PRESENT,
	};
	struct interval part;

	for (uint64_t at = start; intervals_next(&self->watch->doubtful, at, end, &part); at = part.end)
		mark_unsure(self, &(struct pagescan_region){ .start = part.start, .end = part.end });
	return watch_is_listed(self->watch, start) ? 0 : watch_each_region(self->watch, &untracked, mark_unsure, self);
}

/* The same for a backend that tracks everything, and knows of no registration. */
static int judge_whole(struct copying *self, uint64_t start, uint64_t end)
{
	const struct intervals *wanted = &self->watch->wanted;
	struct intervals pages = { 0 };
	struct interval gap;
	int result = 0;

	for (uint64_t at = start; intervals_next_gap(&self->watch->tracked, at, end, &gap); at = gap.end)
		mark_unsure(self, &(struct pagescan_region){ .start = gap.start, .end = gap.end });
	/* What was not asked for may not be watched, either, though its mapping is. */
	for (uint64_t at = start; wanted->v.nr > 0 && intervals_next_gap(wanted, at, end, &gap); at = gap.end)
		mark_unsure(self, &(struct pagescan_region){ .start = gap.start, .end = gap.end });
	if (self->page == TIDE_EXACT)
		result = watch_peek(self->watch, start, end, &pages);
	for (size_t i = 0; i < pages.v.nr && result == 0; i++)
		for (uint64_t at = pages.v.items[i].start; at < pages.v.items[i].end; at += WATCH_PAGE) {
			uint8_t *certainty = &self->certainty[(at - self->start) / WATCH_PAGE];

			/* What was not read is not there: it was given up. */
			if (*certainty == TIDE_EXACT)
				*certainty = TIDE_TORN;
			else if (!intervals_next_gap(&self->watch->tracked, at, at + WATCH_PAGE, &gap))
				*certainty = TIDE_LOST;
		}
	intervals_fini(&pages);
	judge_pinned(self, start, end);
	return result;
}

/* Written since the caller's last collect, and collected for others. */
static void judge_pending(struct copying *self, uint64_t start, uint64_t end)
{
	const struct tide_consumer *owner = &self->watch->consumers.owner;

	for (size_t i = 0; i < owner->pending.v.nr; i++) {
		const struct tide_run *run = &owner->pending.v.items[i];
		struct pagescan_region part = { run->start > start ? run->start : start,
			                        run->end < end ? run->end : end, 0 };

		if (part.start < part.end)
			mark_torn(self, &part);
	}
	if (owner->has_hole)
		mark_unsure(self, &(struct pagescan_region){ .start = start, .end = end });
}

/* After the reading: what has been written by then, was written before it or under way. */
static int judge(struct copying *self, uint64_t start, uint64_t end)
{
	struct pagescan written = {
		.start = start,
		.end = end,
		.all_of = PAGESCAN_WRITTEN,
		.any_of = PAGESCAN_PRESENT | PAGESCAN_SWAPPED,
		.returned = PAGESCAN_WRITTEN,
	};
	int result = watch_each_region(self->watch, &written, mark_torn, self);

	if (result == 0)
		result = judge_untracked(self, start, end);
	if (result == 0)
		result = judge_freed(self, start, end);
	judge_pinned(self, start, end);
	return result;
}

static int copy_part(struct copying *self, const struct tide_mapping *mapping, uint64_t start, uint64_t end)
{
	/* In a shared mapping "swapped" is a marker only, and reading it would allocate the page. */
	bool is_shared = mapping->flags & TIDE_MAPPING_SHARED;
	bool is_whole = self->watch->backend->is_whole;
	struct pagescan there = {
		.start = start,
		.end = end,
		.any_of = PAGESCAN_PRESENT | (is_shared ? 0 : PAGESCAN_SWAPPED),
		.returned = PAGESCAN_PRESENT,
	};
	int result = 0;

	/* What is not there: zeros, unless there is a file that we do not read. What is shared, others may write. */
	self->hole = mapping->inode != 0 || is_shared || is_whole ? TIDE_OVER : TIDE_EXACT;
	self->page = is_shared ? TIDE_OVER : TIDE_EXACT;
	if (is_whole) /* whether it is still mapped is not asked */
		mark(self, start, end, self->hole);
	else if (self->certainty != NULL)
		result = judge_mapped(self, start, end);
	if (result == 0)
		result = watch_each_region(self->watch, &there, read_run, self);
	if (result == 0 && self->certainty != NULL)
		result = is_whole ? judge_whole(self, start, end) : judge(self, start, end);
	if (result == 0 && self->certainty != NULL)
		judge_pending(self, start, end);
	return result;
}

int tide_watch_copy(struct tide_watch *watch, uint64_t start, uint64_t end, void *buf, uint8_t *certainty,
                    struct tide_error *err)
{
	struct copying self = { .watch = watch, .start = start, .buf = buf, .certainty = certainty };
	const struct tide_layout *layout = tide_target_layout(watch->target);

	if (start > end || (start | end) % WATCH_PAGE != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "%llx-%llx is no range of whole pages",
		                 (unsigned long long)start, (unsigned long long)end);
	if (watch->client != NULL)
		return client_refuse("copies are made by who watches itself", err);
	if (watch->mem < 0)
		watch->mem = target_open_file(watch->target, "mem", O_RDONLY, err);
	if (watch->mem < 0)
		return watch->mem;
	memset(buf, 0, end - start);
	mark(&self, start, end, TIDE_LOST);
	for (uint64_t at = start; at < end;) {
		const struct tide_mapping *mapping = watch_mapping_from(layout, at);
		uint64_t to;
		int result;

		if (mapping == NULL || mapping->start >= end)
			break;
		at = mapping->start > at ? mapping->start : at;
		to = mapping->end < end ? mapping->end : end;
		result = copy_part(&self, mapping, at, to);
		if (result < 0)
			return watch_failed(watch, result, "read", err);
		at = to;
	}
	return watch_check_alive(watch, err);
}
