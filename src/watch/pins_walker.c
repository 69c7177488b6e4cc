/* SPDX-License-Identifier: MIT */
/* This file finds pinned pages by the counts of their folios, which the page-table walker reads. */
#include <stdbool.h>

#include "base/error.h"
#include "kernel/fault.h"
#include "pages/pinned.h"
#include "watch/pins.h"
#include "watch/registered.h"

_Static_assert((int)PIN_NONE == (int)PINNED_NO && (int)PIN_REFERENCE == (int)PINNED_REFERENCED &&
                       (int)PIN_PINNED == (int)PINNED_YES && (int)PIN_UNKNOWN == (int)PINNED_UNKNOWN,
               "the answers are passed on as they are");

/* Ranges of io_uring's list that are compared with the counts each time. */
#define MAX_CHECKED 64u

struct by_counts {
	struct walker *walker;
	uint64_t flag; /* of an mm through which pages were pinned; 0: unknown, always look */
	struct tide_target *target;
	struct registered registered;
	bool has_told; /* that the list and the counts differ */
};

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct by_counts *counts = state;
	int result = walker_open(&counts->walker, target, err);

	counts->target = target;
	if (result < 0)
		return error_prefix(err, result, "looking for pinned pages");
	if (!fault_forced("pins-always"))
		counts->flag = pinned_flag(counts->walker);
	return 0;
}

/*
 * Compares io_uring's list with the counts. They differ where memory was moved or replaced since it was registered: its
 * old addresses are reported all the same, the pages are found by their counts wherever they are mapped now.
 */
static void cross_check(struct by_counts *counts)
{
	uint64_t addresses[MAX_CHECKED];
	uint8_t answers[MAX_CHECKED];
	size_t nr = counts->registered.ranges.nr;

	nr = nr < MAX_CHECKED ? nr : MAX_CHECKED;
	for (size_t i = 0; i < nr; i++)
		addresses[i] = counts->registered.ranges.items[i].start;
	if (counts->has_told || nr == 0 || pinned_look(counts->walker, addresses, nr, answers, NULL) < 0)
		return;
	for (size_t i = 0; i < nr; i++) {
		if (answers[i] == PINNED_YES)
			continue;
		counts->has_told = true;
		log_text(TIDE_LOG_WARN,
		         "process %d has registered memory at 0x%llx with io_uring, but the page there now is not "
		         "pinned: it was moved or replaced since, and is reported as pinned all the same",
		         tide_target_pid(counts->target), (unsigned long long)addresses[i]);
		return;
	}
}

/* The list only adds to what the counts say: to fail to read it loses nothing. */
static void read_list(struct by_counts *counts)
{
	struct tide_error why = { 0 };

	if (registered_read(&counts->registered, counts->target, &why) < 0)
		log_text(TIDE_LOG_DEBUG, "%s", why.text);
	else
		cross_check(counts);
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
	read_list(counts);
	*blind = pinned_knows_large(counts->walker) ? 0 : TIDE_BLIND_REFERENCES;
	return 1;
}

static int look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	struct by_counts *counts = state;

	return pinned_look(counts->walker, addresses, nr, answers, err);
}

static int known(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct by_counts *counts = state;

	(void)err;
	*out = counts->registered.ranges.items;
	*nr = counts->registered.ranges.nr;
	return 0;
}

static void fini(void *state)
{
	struct by_counts *counts = state;

	registered_fini(&counts->registered);
	walker_close(counts->walker);
}

static const struct tide_pins_ops pins_walker = {
	.name = "walker",
	.state_size = sizeof(struct by_counts),
	.init = init,
	.begin = begin,
	.look = look,
	.known = known,
	.fini = fini,
};

const struct tide_pins_ops *tide_pins_walker(void)
{
	return &pins_walker;
}
