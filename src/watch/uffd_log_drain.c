/* SPDX-License-Identifier: MIT */
/*
 * This file takes what was listed, and finds out what was given up, and what KSM merged: both lose their protection
 * without a word in the list.
 *
 * A page that is given up loses its protection. The kernel tells before it does that, and goes on as soon as it was
 * heard: it may have done it, or not yet. So the range is looked at in each epoch, page by page, until each is seen to
 * have gone or to have been written, and for one more epoch.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/pagescan.h"
#include "kernel/uffd.h"
#include "watch/tracker.h"
#include "watch/uffd_log.h"

enum {
	NR_REGIONS = 512,
};

/* The list's entries become sets; only then does the list forget them. */
static int take_entries(struct uffd_log *self)
{
	size_t nr = log_nr(&self->log);
	int result = vec_reserve(&self->taken, nr + 1);

	self->taken.nr = 0;
	for (size_t i = 0; result == 0 && i < nr; i++) {
		const struct log_entry *entry = log_entry(&self->log, i);

		if (entry->what == LOG_LEAVING)
			result = intervals_add(&self->leaving, entry->start, entry->end);
		else if (entry->what == LOG_UNKNOWN)
			result = intervals_add(&self->unknown, entry->start, entry->end);
		else
			self->taken.items[self->taken.nr++] = (struct interval){ entry->start, entry->end };
	}
	if (result == 0)
		result = intervals_add_all(&self->written, self->taken.items, self->taken.nr);
	if (result == 0)
		log_drop(&self->log, nr);
	return result;
}

static int note_hole(struct uffd_log *self)
{
	struct interval *part = self->listed.v.items;
	int result = 0;

	for (size_t i = 0; result == 0 && i < self->listed.v.nr; i++)
		result = intervals_add(&self->overflowed, part[i].start, part[i].end);
	if (result == 0)
		self->has_hole = false;
	return result;
}

/*
 * All that was written until now. First who lists is waited for; then what it has decided to leave out, before it was
 * told to list everything again, is waited for; then what it has listed meanwhile, and may be lifting only now.
 */
int uffd_log_take(struct uffd_log *self)
{
	int result = log_sync(&self->log);

	self->has_hole |= log_overflowed(&self->log) || result < 0;
	result = take_entries(self);
	if (log_sync(&self->log) < 0)
		self->has_hole = true;
	return result == 0 && self->has_hole ? note_hole(self) : result;
}

/* Pages of [start, end) without protection are added to `out`. */
static int look_at(struct uffd_log *self, uint64_t start, uint64_t end, struct intervals *out)
{
	struct pagescan_region regions[NR_REGIONS];
	int result = 0;

	while (result == 0 && start < end) {
		struct pagescan scan = {
			.start = start,
			.end = end,
			.all_of = PAGESCAN_WRITTEN,
			.returned = PAGESCAN_WRITTEN,
		};
		long nr = pagescan(self->async.pagemap, &scan, regions, NR_REGIONS);

		self->nr_calls++;
		if (nr < 0 || scan.next <= start)
			return nr < 0 ? (int)nr : -EIO;
		for (long i = 0; result == 0 && i < nr; i++)
			result = intervals_add(out, regions[i].start, regions[i].end);
		start = scan.next;
	}
	return result;
}

/* In whole pieces, as what was listed. */
static int note_written(struct uffd_log *self, const struct interval *pages)
{
	uint64_t piece = self->log.shared->granularity_bytes;

	return intervals_add(&self->written, pages->start & ~(piece - 1), (pages->end + piece - 1) & ~(piece - 1));
}

/* What is without protection is written, and need not be waited for any longer. */
static int look_at_leaving(struct uffd_log *self)
{
	const struct intervals *const sets[] = { &self->leaving, &self->older };
	struct interval part;
	int result = 0;

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; result == 0 && j < sets[i]->v.nr; j++) {
			uint64_t end = sets[i]->v.items[j].end;

			for (uint64_t at = sets[i]->v.items[j].start;
			     result == 0 && intervals_next(&self->listed, at, end, &part); at = part.end)
				result = look_at(self, part.start, part.end, &self->left);
		}
	for (size_t i = 0; result == 0 && i < self->left.v.nr; i++) {
		part = self->left.v.items[i];
		result = note_written(self, &part);
		if (result == 0)
			result = intervals_remove(&self->leaving, part.start, part.end);
	}
	return result;
}

/*
 * What was merged has lost its protection, and stays listed where KSM may not merge any more (MADV_UNMERGEABLE):
 * whoever writes it waits for nobody.
 */
static int look_at_merged(struct uffd_log *self)
{
	struct interval part;
	int result = 0;

	intervals_clear(&self->bare);
	for (size_t i = 0; result == 0 && i < self->listed.v.nr; i++) {
		uint64_t end = self->listed.v.items[i].end;

		for (uint64_t at = self->listed.v.items[i].start;
		     result == 0 && intervals_next_gap(&self->mergeable, at, end, &part); at = part.end)
			result = look_at(self, part.start, part.end, &self->bare);
	}
	for (size_t i = 0; result == 0 && i < self->bare.v.nr; i++)
		result = note_written(self, &self->bare.v.items[i]);
	return result;
}

/* What was seen to be given up in this epoch is looked at once more at the beginning of the next. */
static void grow_older(struct uffd_log *self)
{
	struct intervals oldest = self->older;

	self->older = self->left;
	self->left = oldest;
	intervals_clear(&self->left);
}

/* What KSM may merge is not listed any more: collect() will find it not to be tracked, and track() to be mergeable. */
static int drop_mergeable(struct uffd_log *self)
{
	struct interval part;
	int result = merged_find(self->target, &self->mergeable);

	for (size_t i = 0; result == 0 && i < self->mergeable.v.nr; i++) {
		uint64_t end = self->mergeable.v.items[i].end;

		for (uint64_t at = self->mergeable.v.items[i].start;
		     result == 0 && intervals_next(&self->listed, at, end, &part); at = part.end)
			result = uffd_unregister(self->uffd, part.start, part.end);
	}
	return result;
}

/* What is known of addresses that are not mapped any more is forgotten. */
static int follow(struct uffd_log *self, const struct tide_layout *layout)
{
	int result;

	if (layout->generation == self->generation)
		return 0;
	result = watch_list_mapped(layout, &self->mapped);
	if (result == 0)
		result = uffd_log_keep(self, &self->mapped);
	if (result == 0)
		self->generation = layout->generation;
	return result;
}

/* Before the list is taken: what is written meanwhile is found once, not here and in the next list again. */
static int look_for_merged(struct uffd_log *self)
{
	enum merged_state state = merged_look(&self->merged, self->target);
	int result = 0;

	/* What an earlier call was to look at, and could not, is not seen to be needed any more. */
	self->to_look = state > self->to_look ? state : self->to_look;
	intervals_clear(&self->mergeable);
	if (self->to_look == MERGED_NOW)
		result = drop_mergeable(self);
	if (result == 0 && self->to_look != MERGED_NOTHING)
		result = look_at_merged(self);
	if (result == 0)
		self->to_look = MERGED_NOTHING;
	return result;
}

int uffd_log_drain(struct uffd_log *self, const struct tide_layout *layout)
{
	int result = follow(self, layout);

	if (result == 0)
		result = look_for_merged(self);
	if (result == 0)
		result = uffd_log_take(self);
	if (result == 0)
		result = look_at_leaving(self);
	if (result == 0)
		grow_older(self);
	return result;
}
