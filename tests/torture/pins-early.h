/* SPDX-License-Identifier: MIT */
/* A look for pins in the wrong order. */
#ifndef TESTS_TORTURE_PINS_EARLY_H
#define TESTS_TORTURE_PINS_EARLY_H

#include <tidemark/watch.h>

/*
 * Answers, in the epoch for which pins_early_begin() was called, as if it had looked before the scan, when nothing was
 * pinned yet; otherwise as the walker does.
 */
const struct tide_pins_ops *pins_early(void);
void pins_early_begin(void);
void pins_early_end(void);

#endif
