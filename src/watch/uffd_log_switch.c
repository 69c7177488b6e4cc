/* SPDX-License-Identifier: MIT */
/*
 * This file changes the way in which a mapping is tracked, from a list to async and back, while its process stands
 * still.
 *
 * What was written and not collected must not be forgotten by it. Async has no list: it says of what is not protected
 * that it was written. So what was listed is left without protection. The other way round, what async knows is
 * collected and put on the list.
 */
#include <errno.h>
#include <stdlib.h>

#include "kernel/uffd.h"
#include "watch/tracker.h"
#include "watch/uffd_log.h"

enum {
	NR_REGIONS = 512,
};

int uffd_log_prefer(void *state, uint64_t start, uint64_t end, bool as_list)
{
	struct uffd_log *self = state;

	return as_list ? intervals_remove(&self->unwanted, start, end) : intervals_add(&self->unwanted, start, end);
}

/* Protects what is armed, but not what was written and is not collected. */
static int arm_unwritten(struct uffd_log *self, uint64_t start, uint64_t end)
{
	struct interval gap;
	int result = 0;

	for (uint64_t at = start; result == 0 && intervals_next_gap(&self->written, at, end, &gap); at = gap.end)
		result = watch_uffd_async.arm(&self->async, gap.start, gap.end);
	return result;
}

static int to_async(struct uffd_log *self, uint64_t start, uint64_t end, const struct intervals *armed,
                    struct intervals *doubts)
{
	struct interval part;
	int result = uffd_is_registered(self->uffd, start);

	/* Another mapping in the place of the one that we knew: nothing there was listed. */
	if (result <= 0)
		return result < 0 ? result : -EPERM;
	result = uffd_unregister(self->uffd, start, end);
	if (result == 0)
		result = uffd_log_track(self, false, start, end);
	for (uint64_t at = start; result == 0 && intervals_next(armed, at, end, &part); at = part.end)
		result = arm_unwritten(self, part.start, part.end);
	if (result == 0)
		result = intervals_add_part(doubts, &self->overflowed, start, end);
	if (result == 0)
		result = intervals_add_part(doubts, &self->unknown, start, end);
	return result == 0 ? uffd_log_forget(self, start, end) : result;
}

/* What async knows is listed. */
static int take_written(struct uffd_log *self, uint64_t start, uint64_t end)
{
	struct pagescan_region regions[NR_REGIONS];
	int result = 0;

	while (result == 0 && start < end) {
		long nr = watch_uffd_async.peek(&self->async, start, end, 0, regions, NR_REGIONS, &start);

		for (long i = 0; result == 0 && i < nr; i++)
			result = intervals_add(&self->written, regions[i].start, regions[i].end);
		result = nr < 0 ? (int)nr : result;
	}
	return result;
}

static int to_list(struct uffd_log *self, uint64_t start, uint64_t end, const struct intervals *armed)
{
	struct interval part;
	int result = 0;

	for (uint64_t at = start; result == 0 && intervals_next(armed, at, end, &part); at = part.end)
		result = take_written(self, part.start, part.end);
	if (result == 0)
		result = watch_uffd_async.untrack(&self->async, start, end);
	if (result == 0)
		result = uffd_log_track(self, true, start, end);
	for (uint64_t at = start; result == 0 && intervals_next(armed, at, end, &part); at = part.end)
		result = uffd_log_protect(self, part.start, part.end);
	return result;
}

int uffd_log_convert(void *state, uint64_t start, uint64_t end, const struct intervals *armed, struct intervals *doubts)
{
	struct uffd_log *self = state;
	bool is_listed = uffd_log_is_listed(self, start);

	if (is_listed == uffd_log_wants(self, start))
		return 0;
	return is_listed ? to_async(self, start, end, armed, doubts) : to_list(self, start, end, armed);
}
