/* SPDX-License-Identifier: MIT */
/* This file serves exact mode: a mapping is one block of which only the counts are known. */
#include "sensor/refs.h"

#include <errno.h>

#include "base/error.h"

#define BASE_SHIFT 12u
#define MORE_SHIFT 9u /* of one kind of entry to the next larger */

/* How many entries of 1 << shift bytes hold so many bytes. */
static uint64_t entries_of(uint64_t bytes, unsigned shift)
{
	return (bytes >> shift) + ((bytes & ((UINT64_C(1) << shift) - 1)) != 0);
}

static enum tide_reason reason_of(const struct refs_vma *vma, const struct refs_look *look)
{
	if (vma->kinds & SMAPS_HUGETLB)
		return TIDE_REASON_HUGETLB;
	if (vma->kinds & (SMAPS_PFNMAP | SMAPS_IO))
		return TIDE_REASON_SPECIAL;
	return look->is_guest ? TIDE_REASON_GUEST : TIDE_REASON_NONE;
}

/* Of memory without struct pages nothing is counted: all of it may be present. */
static uint64_t present_bytes(const struct refs_vma *vma)
{
	if (vma->kinds & (SMAPS_PFNMAP | SMAPS_IO))
		return vma->end - vma->start;
	return vma->rss_bytes + vma->hugetlb_bytes;
}

static struct tide_block block_of(const struct refs_vma *vma, const struct refs_look *look)
{
	uint64_t bytes = vma->end - vma->start;
	unsigned shift = BASE_SHIFT;

	/* Reservations of address space can be larger than 32 bits of pages. */
	while (entries_of(bytes, shift) > UINT32_MAX)
		shift += MORE_SHIFT;
	return (struct tide_block){
		.start = vma->start,
		.nr_entries = (uint32_t)entries_of(bytes, shift),
		.entry_shift = shift,
		.nr_present = (uint32_t)entries_of(present_bytes(vma), shift),
		.nr_young = (uint32_t)entries_of(vma->referenced_bytes, shift),
		.reason = (uint8_t)reason_of(vma, look),
		.is_file = vma->inode != 0,
	};
}

/*
 * All calls of one pass answer from one look: the one that `plan` took, or the first call. A mapping that lies in the
 * range in part is reported whole, as nothing is known of its parts.
 */
int refs_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
              uint64_t *next, struct tide_error *err)
{
	struct refs_state *refs = state;
	struct refs_vma *vma;
	uint64_t nr_entries = 0;
	int result = refs->now.is_valid && start >= refs->scan_at ? 0 : refs_look(refs, err);

	if (result < 0)
		return result;
	*next = end;
	vma = refs_find(&refs->now, start);
	for (; vma != NULL && vma < refs->now.vmas.items + refs->now.vmas.nr && vma->start < end; vma++) {
		struct tide_block block = block_of(vma, &refs->now);

		if (block.nr_present == 0)
			continue;
		if (nr_entries >= max_entries) {
			*next = vma->start;
			break;
		}
		nr_entries += block.nr_entries;
		result = fn(arg, &block);
		if (result != 0)
			return result;
	}
	refs->scan_at = *next;
	return 0;
}

int refs_plan(void *state, struct tide_pass *pass, struct tide_error *err)
{
	struct refs_state *refs = state;
	int result;

	if (pass->wanted != TIDE_WAY_AUTO && pass->wanted != TIDE_WAY_REFS)
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "the sensor refs cannot forget by the way %s: it can by refs only",
		                 tide_way_name(pass->wanted));
	refs->max_stall_us = pass->max_stall_us;
	result = refs_look(refs, err);
	if (result == 0)
		result = refs_clear_allowed(refs, pass->max_stall_us, err);
	if (result < 0)
		return result;
	refs->scan_at = 0;
	pass->way = TIDE_WAY_REFS;
	pass->whole = true;
	return 0;
}

/* What stays is told by the blocks' reasons: hugetlb and device memory. */
int refs_forget_all(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err)
{
	(void)stuck;
	(void)arg;
	return refs_clear(state, err);
}
