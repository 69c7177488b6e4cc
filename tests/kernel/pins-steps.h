/* SPDX-License-Identifier: MIT */
/* What tests of pinned pages do again and again. A step that fails ends the test. */
#ifndef TESTS_KERNEL_PINS_STEPS_H
#define TESTS_KERNEL_PINS_STEPS_H

#include "ring.h"
#include "watch/pins.h"

#define PAGE     4096ul
#define PINS_MAX 1200u

struct pins_fixture {
	struct tide_target *target;
	const struct tide_pins_ops *ops;
	void *state;
	uint8_t answers[PINS_MAX];
};

/* Gets ready to look at a process; by the walker, unless told otherwise. */
void pins_watch(struct pins_fixture *fix, pid_t pid);
void pins_watch_by(struct pins_fixture *fix, pid_t pid, const struct tide_pins_ops *ops);
void pins_unwatch(struct pins_fixture *fix);

/* What begin() must return, and what it must be blind to. */
void pins_begin(struct pins_fixture *fix, int looks, uint32_t blind);

/* Looks at `nr` pages from `memory` on. */
void pins_look(struct pins_fixture *fix, const char *memory, size_t nr);

/* How many of the first `nr` answers are this one. */
size_t pins_count(const struct pins_fixture *fix, size_t nr, enum pin_answer answer);

/* Memory to read and write; and `nr` private pages that were written, none of them huge. */
char *pins_map(size_t bytes, int flags, int fd);
char *pins_map_private(size_t nr);

void pins_open_ring(struct ring *ring);

#endif
