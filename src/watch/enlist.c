/* SPDX-License-Identifier: MIT */
/* This file makes the backend track mappings, and forgets those that went. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/procmap.h"
#include "target/target.h"
#include "watch/tracker.h"

/* Leaves the target a fifth of its limit. */
bool watch_has_room(const struct tide_watch *watch)
{
	return watch->backend->is_whole || watch->now.nr_mappings < watch->nr_max_mappings / 5 * 4;
}

/*
 * hugetlb has its own page tables, faults and bugs: it is not tracked, and always `over`. Where the kernel cannot be
 * asked for the page size (before 6.11), every mapping of a file that could be one is taken for it.
 */
static bool is_hugetlb(const struct tide_watch *watch, const struct tide_mapping *mapping)
{
	struct vma vma;

	if (watch->target->query && procmap_query(watch->target->maps, mapping->start, &vma, NULL) == 0)
		return vma.page_bytes > WATCH_PAGE;
	return mapping->inode != 0 && (mapping->start | mapping->end) % WATCH_BLOCK == 0;
}

/*
 * What was there and is not armed now cannot be compared with what is there: holes count, too.
 */
int watch_doubt(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	int result = intervals_add_part(&watch->doubtful, &watch->armed, start, end);

	return result == 0 ? intervals_remove(&watch->armed, start, end) : result;
}

int watch_forget(struct tide_watch *watch, const struct tide_mapping *mapping)
{
	int result = watch_doubt(watch, mapping->start, mapping->end);

	return result == 0 ? intervals_remove(&watch->tracked, mapping->start, mapping->end) : result;
}

static int refuse(struct tide_watch *watch, const struct tide_mapping *mapping, struct tide_error *err)
{
	if (watch_forget(watch, mapping) < 0 || intervals_add(&watch->refused, mapping->start, mapping->end) < 0)
		return error_system(err, -ENOMEM, "cannot note a mapping");
	return 0;
}

/* What track() says of memory that cannot be tracked now. */
static int explain(struct tide_watch *watch, const struct tide_mapping *mapping, int code, struct tide_error *err)
{
	if (code == -ESRCH)
		return watch_failed(watch, code, "track", err);
	if (code == -EBUSY && watch->baseline)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "memory of process %d (%s) at %llx is tracked by somebody else: there can be one "
		                 "tracker only",
		                 tide_target_pid(watch->target), tide_target_name(watch->target),
		                 (unsigned long long)mapping->start);
	if (code == -EINVAL || code == -EPERM)
		return refuse(watch, mapping, err);
	/* Asked again in the next epoch. */
	return watch_forget(watch, mapping) < 0 ? error_system(err, -ENOMEM, "cannot note a mapping") : 0;
}

/*
 * A mapping of which a part was tracked before: has it grown, or did it take the place of that one? In the second case
 * nothing of it is registered, nor armed, and it is to be registered whole: a part would be kept apart from the rest.
 */
static int check_parts(struct tide_watch *watch, const struct tide_mapping *mapping)
{
	struct interval part;
	uint64_t next;

	for (uint64_t at = mapping->start; intervals_next(&watch->tracked, at, mapping->end, &part); at = part.end) {
		watch->now.nr_calls++;
		if (watch->backend->peek(watch->state, part.start, part.start + WATCH_PAGE, 1, watch->regions, 1,
		                         &next) < 0)
			return watch_forget(watch, mapping);
	}
	return 0;
}

/*
 * Only what is not tracked is registered, never what is armed already. A mapping can lose its registration under our
 * hands (mremap onto its edge drops it from the mapping that comes of it), while its entries keep their mark and no
 * longer lose it at a write. To register it again unawares would make those marks good, and writes be lost.
 */
int watch_enlist(struct tide_watch *watch, const struct tide_mapping *mapping, struct tide_error *err)
{
	struct interval gap;
	int result;

	if (!intervals_next_gap(&watch->tracked, mapping->start, mapping->end, &gap))
		return 1;
	if (!intervals_next_gap(&watch->refused, mapping->start, mapping->end, &gap))
		return 0;
	if (is_hugetlb(watch, mapping))
		return refuse(watch, mapping, err);
	if (!watch_has_room(watch))
		return 0; /* asked again in the next epoch */
	if (!watch->backend->is_whole && check_parts(watch, mapping) < 0)
		return error_system(err, -ENOMEM, "cannot note a mapping");
	while (intervals_next_gap(&watch->tracked, mapping->start, mapping->end, &gap)) {
		watch->now.nr_calls++;
		result = watch->backend->track(watch->state, gap.start, gap.end);
		if (result < 0)
			return explain(watch, mapping, result, err);
		if (intervals_add(&watch->fresh, gap.start, gap.end) < 0 ||
		    (watch->backend->is_whole && intervals_add(&watch->armed, gap.start, gap.end) < 0) ||
		    intervals_add(&watch->tracked, gap.start, gap.end) < 0)
			return error_system(err, -ENOMEM, "cannot note a mapping");
	}
	return 1;
}

int watch_enlist_again(struct tide_watch *watch, const struct tide_mapping *mapping, struct tide_error *err)
{
	if (watch_forget(watch, mapping) < 0)
		return error_system(err, -ENOMEM, "cannot note a mapping");
	return watch_enlist(watch, mapping, err);
}

int watch_list_mapped(const struct tide_layout *layout, struct intervals *mapped)
{
	int result = 0;

	intervals_clear(mapped);
	for (size_t i = 0; result == 0 && i < layout->nr_mappings; i++)
		result = intervals_add(mapped, layout->mappings[i].start, layout->mappings[i].end);
	return result;
}

int watch_relayout(struct tide_watch *watch, struct tide_error *err)
{
	struct intervals *const sets[] = {
		&watch->tracked,
		&watch->armed,
		&watch->doubtful,
		&watch->copies,
		&watch->owed,
		&watch->huge,
		&watch->split,
		&watch->pinned.was_pinned,
		&watch->pinned.was_referenced,
	};
	const struct tide_layout *layout = tide_target_layout(watch->target);

	watch->now.nr_mappings = (uint32_t)layout->nr_mappings;
	if (layout->generation == watch->generation)
		return 0;
	/* Mappings may have got other neighbours, and with them other properties: ask again. */
	intervals_clear(&watch->refused);
	if (watch_list_mapped(layout, &watch->mapped) < 0)
		return error_system(err, -ENOMEM, "cannot follow the mappings");
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (intervals_keep(sets[i], &watch->mapped) < 0)
			return error_system(err, -ENOMEM, "cannot follow the mappings");
	/* Room for watch_owe(). */
	if (vec_reserve(&watch->owed.v, 1) < 0)
		return error_system(err, -ENOMEM, "cannot follow the mappings");
	watch->generation = layout->generation;
	return 0;
}
