/* SPDX-License-Identifier: MIT */
/* This file finds pinned pages by the counts of their folios, which the page-table walker reads. */
#include <stdbool.h>

#include "base/error.h"
#include "kernel/fault.h"
#include "pages/pinned.h"
#include "watch/pins.h"

_Static_assert((int)PIN_NONE == (int)PINNED_NO && (int)PIN_REFERENCE == (int)PINNED_REFERENCED &&
                       (int)PIN_PINNED == (int)PINNED_YES && (int)PIN_UNKNOWN == (int)PINNED_UNKNOWN,
               "the answers are passed on as they are");

struct by_counts {
	struct walker *walker;
	uint64_t flag; /* of an mm through which pages were pinned; 0: unknown, always look */
};

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct by_counts *counts = state;
	int result = walker_open(&counts->walker, target, err);

	if (result < 0)
		return error_prefix(err, result, "looking for pinned pages");
	if (!fault_forced("pins-always"))
		counts->flag = pinned_flag(counts->walker);
	return 0;
}

/*
 * The kernel sets the flag before it pins, and never clears it. Clear after the re-arm, it says that no page is pinned
 * that was so before, and whoever pins one later for writing meets the write protection first.
 */
static int begin(void *state, uint32_t *blind, struct tide_error *err)
{
	struct by_counts *counts = state;
	uint64_t flags = 0;
	int result = counts->flag != 0 ? walker_mm_flags(counts->walker, &flags, err) : 0;

	if (result < 0)
		return result;
	if (counts->flag != 0 && !(flags & counts->flag)) {
		*blind = TIDE_BLIND_REFERENCES;
		return 0;
	}
	*blind = pinned_knows_large(counts->walker) ? 0 : TIDE_BLIND_REFERENCES;
	return 1;
}

static int look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	struct by_counts *counts = state;

	return pinned_look(counts->walker, addresses, nr, answers, err);
}

static void fini(void *state)
{
	struct by_counts *counts = state;

	walker_close(counts->walker);
}

static const struct tide_pins_ops pins_walker = {
	.name = "walker",
	.state_size = sizeof(struct by_counts),
	.init = init,
	.begin = begin,
	.look = look,
	.fini = fini,
};

const struct tide_pins_ops *tide_pins_walker(void)
{
	return &pins_walker;
}
