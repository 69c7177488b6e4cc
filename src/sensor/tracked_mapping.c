/* SPDX-License-Identifier: MIT */
/*
 * This file registers the target's mappings with its userfaultfd, and follows them.
 *
 * Each mapping is registered by itself, whole: one that cannot be fails all of a range, and half of a mapping would be
 * split from the other half. A mapping that grows keeps its registration, one that moves loses it together with the
 * marks of its pages. One that takes the place of another, of the same size, looks the same in the layout and is not
 * registered: that comes to light where it is used (tracked_lose), and the next refresh registers it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/procmap.h"
#include "kernel/uffd.h"
#include "sensor/tracked.h"
#include "target/target.h"

/* hugetlb's page size counts for what can be protected. Kernels since 6.11 can be asked. */
static uint32_t page_bytes(const struct tracked *tracked, const struct tide_mapping *mapping)
{
	struct vma vma;

	if (procmap_query(tracked->target->maps, mapping->start, &vma, NULL) < 0 || vma.page_bytes <= TRACKED_PAGE)
		return TRACKED_PAGE;
	return vma.page_bytes;
}

/* Leaves the target a fifth of its limit: what is registered keeps neighbours from merging with it. */
static bool has_room(const struct tracked *tracked, const struct tide_layout *layout)
{
	return layout->nr_mappings < tracked->nr_max_mappings / 5 * 4;
}

static int enlist(struct tracked *tracked, const struct tide_layout *layout, const struct tide_mapping *mapping,
                  struct tracked_mapping *out, struct tide_error *err)
{
	int result = -ENOMEM;

	*out = (struct tracked_mapping){
		.start = mapping->start,
		.end = mapping->end,
		.flags = mapping->flags,
		.page_bytes = page_bytes(tracked, mapping),
	};
	if (has_room(tracked, layout)) {
		tracked->cost.nr_calls++;
		result = tracked->kind->enlist(tracked->uffd, mapping->start, mapping->end);
	}
	if (result == -ESRCH)
		return tracked_failed(tracked, result, "watch", err);
	if (result == -EBUSY && tracked->generation == 0)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "memory of process %d (%s) at %llx is tracked by somebody else: there can be one "
		                 "tracker only",
		                 tide_target_pid(tracked->target), tide_target_name(tracked->target),
		                 (unsigned long long)mapping->start);
	out->standing = result == 0         ? TRACKED_YES
	                : result == -EPERM  ? TRACKED_SEALED
	                : result == -EINVAL ? TRACKED_REFUSED
	                                    : TRACKED_LOST;
	tracked->has_lost |= out->standing == TRACKED_LOST;
	return 0;
}

static bool is_same(const struct tracked_mapping *known, const struct tide_mapping *mapping)
{
	return known->start == mapping->start && known->end == mapping->end && known->flags == mapping->flags;
}

/* Makes `mappings` those of the layout. What was there before is in `before`. */
static int follow(struct tracked *tracked, const struct tide_layout *layout, struct tide_error *err)
{
	size_t old = 0;

	for (size_t i = 0; i < layout->nr_mappings && layout->mappings[i].start >> 63 == 0; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];
		struct tracked_mapping *out = &tracked->mappings.items[tracked->mappings.nr];
		int result;

		while (old < tracked->before.nr && tracked->before.items[old].start < mapping->start)
			old++;
		if (old < tracked->before.nr && is_same(&tracked->before.items[old], mapping) &&
		    tracked->before.items[old].standing != TRACKED_LOST) {
			*out = tracked->before.items[old];
		} else {
			result = enlist(tracked, layout, mapping, out, err);
			if (result < 0)
				return result;
		}
		tracked->mappings.nr++;
	}
	return 0;
}

int tracked_follow(struct tracked *tracked, struct tide_error *err)
{
	const struct tide_layout *layout = tide_target_layout(tracked->target);
	int result;

	if (layout->generation == tracked->generation && !tracked->has_lost)
		return 0;
	if (vec_reserve(&tracked->before, tracked->mappings.nr + 1) < 0 ||
	    vec_reserve(&tracked->mappings, layout->nr_mappings + 1) < 0)
		return error_system(err, -ENOMEM, "following %zu mappings", layout->nr_mappings);
	for (size_t i = 0; i < tracked->mappings.nr; i++)
		tracked->before.items[i] = tracked->mappings.items[i];
	tracked->before.nr = tracked->mappings.nr;
	tracked->mappings.nr = 0;
	tracked->has_lost = false;
	result = follow(tracked, layout, err);
	/* After a failure the next call does it all again. */
	if (result == 0)
		tracked->generation = layout->generation;
	else
		tracked->has_lost = true;
	return result;
}

struct tracked_mapping *tracked_mapping_from(struct tracked *tracked, uint64_t addr)
{
	size_t low = 0;
	size_t high = tracked->mappings.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tracked->mappings.items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tracked->mappings.nr ? &tracked->mappings.items[low] : NULL;
}

void tracked_lose(struct tracked *tracked, uint64_t start, uint64_t end)
{
	struct tracked_mapping *mapping = tracked_mapping_from(tracked, start);
	const struct tracked_mapping *none = tracked->mappings.items + tracked->mappings.nr;

	for (; mapping != NULL && mapping < none && mapping->start < end; mapping++) {
		if (mapping->standing != TRACKED_YES)
			continue;
		mapping->standing = TRACKED_LOST;
		tracked->has_lost = true;
	}
}
