/* SPDX-License-Identifier: MIT */
/* The port that finds pages pinned for devices: what the tracker asks, and what an answer must hold. */
#ifndef WATCH_PINS_H
#define WATCH_PINS_H

#include <tidemark/watch.h>

/* What a page may be held by. */
enum pin_answer {
	PIN_NONE = 0,
	PIN_REFERENCE, /* more references than mappings: perhaps an unpinned direct access */
	PIN_PINNED,
	PIN_UNKNOWN, /* not present, or could not be read: as before */
};

/*
 * `state` points to `state_size` zeroed bytes, one for each watch. Negative returns are -errno with `err` filled.
 */
struct tide_pins_ops {
	const char *name;
	size_t state_size;
	uint32_t blind; /* enum tide_blind: what it cannot see, ever */
	/* Get ready for `target`, which outlives the state. */
	int (*init)(void *state, struct tide_target *target, struct tide_error *err);
	/*
	 * May anything of the target be pinned now, or be pinned again without a write fault that the tracker would see
	 * first? 0 no: nothing needs to be looked at; 1 perhaps; negative. Called after the re-arm. `*blind` gets what
	 * this epoch cannot see (enum tide_blind).
	 */
	int (*begin)(void *state, uint32_t *blind, struct tide_error *err);
	/*
	 * One answer (enum pin_answer) for each of `nr` page addresses, ascending. Called after the re-arm of these
	 * pages.
	 */
	int (*look)(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err);
	/*
	 * Ranges that are pinned whatever page tables say (io_uring's own list), ascending, of the state until the next
	 * begin. NULL: knows none.
	 */
	int (*known)(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err);
	void (*fini)(void *state);
};

#endif
