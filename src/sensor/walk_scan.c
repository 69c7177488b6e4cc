/* SPDX-License-Identifier: MIT */
/* This file turns copied page tables into blocks of present and young bits. */
#include "sensor/walk.h"

#include <errno.h>

#include "base/error.h"
#include "pages/entry.h"

struct scan {
	uint64_t start;
	uint64_t end;
	tide_block_fn *fn;
	void *arg;
	young_runs *young; /* to note; NULL: none */
};

/* Index of the first entry at or after `addr`, at most 512. */
static unsigned index_of(const struct walker_table *table, uint64_t addr)
{
	uint64_t index;

	if (addr <= table->addr)
		return 0;
	index = (addr - table->addr + (1ull << table->shift) - 1) >> table->shift;
	return index < WALKER_ENTRIES ? (unsigned)index : WALKER_ENTRIES;
}

/* A table is shared by neighbouring VMAs: only this VMA's entries count, and only the range that was asked for. */
static int hand_on(void *arg, const struct walker_table *table)
{
	const struct scan *scan = arg;
	uint64_t present[8];
	uint64_t young[8];
	struct tide_block block = {
		.start = table->addr,
		.nr_entries = WALKER_ENTRIES,
		.entry_shift = table->shift,
		.present = present,
		.young = young,
		.reason = (uint8_t)witness_of_mapping(table->vm_flags),
		.is_file = table->vm_has_file != 0,
	};

	entries_decode(table->entries, index_of(table, scan->start > table->vm_start ? scan->start : table->vm_start),
	               index_of(table, scan->end < table->vm_end ? scan->end : table->vm_end), table->shift, present,
	               young, &block.nr_present, &block.nr_young);
	if (scan->young != NULL && block.nr_young > 0 && walk_damon_add_runs(scan->young, &block) < 0)
		return -ENOMEM;
	return block.nr_present > 0 ? scan->fn(scan->arg, &block) : 0;
}

/* A pass by DAMON clears in the end what was scanned. */
static int note(struct walk_damon *damon, uint64_t start, uint64_t end)
{
	struct tide_range *last = damon->scanned.items + damon->scanned.nr - 1;

	if (damon->scanned.nr > 0 && last->end == start) {
		last->end = end;
		return 0;
	}
	return vec_push(&damon->scanned, ((struct tide_range){ start, end }));
}

int walk_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
              uint64_t *next, struct tide_error *err)
{
	struct walk_state *walk = state;
	struct walk_damon *damon = walk->exact.damon.is_noting ? &walk->exact.damon : NULL;
	struct scan scan = {
		.start = start, .end = end, .fn = fn, .arg = arg, .young = damon != NULL ? &damon->young : NULL
	};
	int result = walker_scan(walk->walker, start, end, max_entries, hand_on, &scan, next, err);

	if (result >= 0 && damon != NULL && note(damon, start, *next) < 0)
		return error_system(err, -ENOMEM, "noting what was scanned");
	return result;
}
