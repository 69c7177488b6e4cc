/* SPDX-License-Identifier: MIT */
/* This file reads pages' own soft-dirty bits out of the page tables, through the walker. */
#include <errno.h>

#include "base/error.h"
#include "pages/entry.h"
#include "pages/walker.h"
#include "watch/reused.h"

#define SCAN_ENTRIES (UINT64_C(1) << 20)

struct by_entries {
	struct walker *walker;
};

struct reading {
	struct intervals *out;
	uint64_t start;
	uint64_t end;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int take_table(void *arg, const struct walker_table *table)
{
	struct reading *reading = arg;
	int result = 0;

	for (unsigned i = 0; i < WALKER_ENTRIES && result == 0; i++) {
		uint64_t at = table->addr + ((uint64_t)i << table->shift);
		uint64_t start = larger(larger(at, table->vm_start), reading->start);
		uint64_t end = smaller(smaller(at + (UINT64_C(1) << table->shift), table->vm_end), reading->end);

		if (start < end && entry_is_soft_dirty(table->entries[i], table->shift))
			result = intervals_add(reading->out, start, end);
	}
	return result;
}

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	return walker_open(&((struct by_entries *)state)->walker, target, err);
}

static int own(void *state, uint64_t start, uint64_t end, struct intervals *out, struct tide_error *err)
{
	struct reading reading = { out, start, end };
	int result = 0;

	while (result == 0 && start < end) {
		uint64_t next = start;

		result = walker_scan(((struct by_entries *)state)->walker, start, end, SCAN_ENTRIES, take_table,
		                     &reading, &next, err);
		if (result == 0 && next <= start)
			result = error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the page-table walker makes no progress");
		start = next;
	}
	return result;
}

static void fini(void *state)
{
	walker_close(((struct by_entries *)state)->walker);
}

static const struct tide_reused_ops reused_walker = {
	.name = "walker",
	.state_size = sizeof(struct by_entries),
	.init = init,
	.own = own,
	.fini = fini,
};

const struct tide_reused_ops *tide_reused_walker(void)
{
	return &reused_walker;
}
