/* SPDX-License-Identifier: MIT */
/* This file sums up what page tables say. */
#include "pages/entry.h"
#include "pages/summary_work.h"

#define SCAN_ENTRIES (UINT64_C(1) << 20)
#define VM_PFNMAP    0x400u

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Memory without struct pages is passed over here as it is by the kernel. */
static int take_table(void *arg, const struct walker_table *table)
{
	struct summary_work *work = arg;
	unsigned level = (table->shift - 12) / 9;
	bool want_huge = (work->summary->told & 1u << SUMMARY_HUGE) == 0;

	if ((table->vm_flags & VM_PFNMAP) || level >= SUMMARY_NR_LEVELS)
		return 0;
	for (unsigned i = 0; i < WALKER_ENTRIES; i++) {
		uint64_t addr = table->addr + ((uint64_t)i << table->shift);
		uint64_t start = larger(larger(addr, table->vm_start), larger(work->range.start, work->read[level]));
		uint64_t end = smaller(smaller(addr + (UINT64_C(1) << table->shift), table->vm_end), work->range.end);
		bool counts[NR_SUMMARY_COUNTS] = { false };
		struct page_entry entry;

		if (start >= end || !entry_is_leaf(table->entries[i], table->shift))
			continue;
		work->read[level] = end;
		entry_decode(table->entries[i], table->shift, work->address_mask, &entry);
		counts[SUMMARY_YOUNG] = entry.young;
		counts[SUMMARY_DIRTY] = entry.dirty;
		counts[SUMMARY_HUGE] = want_huge && level > 0;
		if (entry.young || entry.dirty || counts[SUMMARY_HUGE])
			summary_add(work, start, end, counts);
	}
	return 0;
}

int summary_take_tables(struct summary_work *work, struct tide_error *err)
{
	uint64_t at = work->range.start;

	while (at < work->range.end) {
		uint64_t next = at;
		int result = walker_scan(work->walker, at, work->range.end, SCAN_ENTRIES, take_table, work, &next, err);

		if (result == 0)
			result = summary_pause(work, next);
		if (result != 0)
			return result;
		at = next;
	}
	work->summary->has_notifiers |= walker_has_notifiers(work->walker);
	return 0;
}
