/* SPDX-License-Identifier: MIT */
/*
 * This file registers the target's mappings for protection against access, and follows them.
 *
 * Each mapping is registered by itself, whole: one that cannot be fails all of a range, and half of a mapping would be
 * split from the other half. A mapping that grows keeps its registration, one that moves loses it together with the
 * marks of its pages. One that takes the place of another, of the same size, looks the same in the layout and is not
 * registered: that comes to light where it is used (rwp_lose), and the next refresh registers it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/procmap.h"
#include "kernel/uffd.h"
#include "sensor/rwp.h"
#include "target/target.h"

/* hugetlb's page size counts for what can be protected. A kernel that has this protection can be asked. */
static uint32_t page_bytes(const struct rwp_state *rwp, const struct tide_mapping *mapping)
{
	struct vma vma;

	if (procmap_query(rwp->target->maps, mapping->start, &vma, NULL) < 0 || vma.page_bytes <= RWP_PAGE)
		return RWP_PAGE;
	return vma.page_bytes;
}

/* Leaves the target a fifth of its limit: what is registered keeps neighbours from merging with it. */
static bool has_room(const struct rwp_state *rwp, const struct tide_layout *layout)
{
	return layout->nr_mappings < rwp->nr_max_mappings / 5 * 4;
}

static int enlist(struct rwp_state *rwp, const struct tide_layout *layout, const struct tide_mapping *mapping,
                  struct rwp_mapping *out, struct tide_error *err)
{
	int result = -ENOMEM;

	*out = (struct rwp_mapping){
		.start = mapping->start,
		.end = mapping->end,
		.flags = mapping->flags,
		.page_bytes = page_bytes(rwp, mapping),
	};
	if (has_room(rwp, layout)) {
		rwp->cost.nr_calls++;
		result = uffd_register_access(rwp->uffd, mapping->start, mapping->end);
	}
	if (result == -ESRCH)
		return rwp_failed(rwp, result, "watch", err);
	if (result == -EBUSY && rwp->generation == 0)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "memory of process %d (%s) at %llx is tracked by somebody else: there can be one "
		                 "tracker only",
		                 tide_target_pid(rwp->target), tide_target_name(rwp->target),
		                 (unsigned long long)mapping->start);
	out->standing = result == 0 ? RWP_TRACKED : result == -EINVAL || result == -EPERM ? RWP_REFUSED : RWP_LOST;
	rwp->has_lost |= out->standing == RWP_LOST;
	return 0;
}

static bool is_same(const struct rwp_mapping *known, const struct tide_mapping *mapping)
{
	return known->start == mapping->start && known->end == mapping->end && known->flags == mapping->flags;
}

/* Makes `mappings` those of the layout. What was there before is in `before`. */
static int follow(struct rwp_state *rwp, const struct tide_layout *layout, struct tide_error *err)
{
	size_t old = 0;

	for (size_t i = 0; i < layout->nr_mappings && layout->mappings[i].start >> 63 == 0; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];
		struct rwp_mapping *out = &rwp->mappings.items[rwp->mappings.nr];
		int result;

		while (old < rwp->before.nr && rwp->before.items[old].start < mapping->start)
			old++;
		if (old < rwp->before.nr && is_same(&rwp->before.items[old], mapping) &&
		    rwp->before.items[old].standing != RWP_LOST) {
			*out = rwp->before.items[old];
		} else {
			result = enlist(rwp, layout, mapping, out, err);
			if (result < 0)
				return result;
		}
		rwp->mappings.nr++;
	}
	return 0;
}

int rwp_follow(struct rwp_state *rwp, struct tide_error *err)
{
	const struct tide_layout *layout = tide_target_layout(rwp->target);
	int result;

	if (layout->generation == rwp->generation && !rwp->has_lost)
		return 0;
	if (vec_reserve(&rwp->before, rwp->mappings.nr + 1) < 0 ||
	    vec_reserve(&rwp->mappings, layout->nr_mappings + 1) < 0)
		return error_system(err, -ENOMEM, "following %zu mappings", layout->nr_mappings);
	for (size_t i = 0; i < rwp->mappings.nr; i++)
		rwp->before.items[i] = rwp->mappings.items[i];
	rwp->before.nr = rwp->mappings.nr;
	rwp->mappings.nr = 0;
	rwp->has_lost = false;
	result = follow(rwp, layout, err);
	/* After a failure the next call does it all again. */
	if (result == 0)
		rwp->generation = layout->generation;
	else
		rwp->has_lost = true;
	return result;
}

struct rwp_mapping *rwp_mapping_from(struct rwp_state *rwp, uint64_t addr)
{
	size_t low = 0;
	size_t high = rwp->mappings.nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rwp->mappings.items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rwp->mappings.nr ? &rwp->mappings.items[low] : NULL;
}

void rwp_lose(struct rwp_state *rwp, uint64_t start, uint64_t end)
{
	struct rwp_mapping *mapping = rwp_mapping_from(rwp, start);
	const struct rwp_mapping *none = rwp->mappings.items + rwp->mappings.nr;

	for (; mapping != NULL && mapping < none && mapping->start < end; mapping++) {
		if (mapping->standing != RWP_TRACKED)
			continue;
		mapping->standing = RWP_LOST;
		rwp->has_lost = true;
	}
}
