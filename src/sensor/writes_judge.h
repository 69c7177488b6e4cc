/* SPDX-License-Identifier: MIT */
/* What two looks at a page, and its write protection between them, prove: free of system calls. */
#ifndef SENSOR_WRITES_JUDGE_H
#define SENSOR_WRITES_JUDGE_H

#include <stdbool.h>

#include "sensor/page_before.h"

/* Must it be known more closely what is there now: whether it is huge, the zero page, or a file's? */
bool writes_is_fresh(const struct page_before *before, uint64_t categories);

/*
 * Fills in page_start, page_end, answer (ACCESSED means: written) and reason. `categories`: what is there now (enum
 * pagescan_category, of PRESENT, SWAPPED and WRITTEN, which means: not protected; if it is fresh, of HUGE, ZERO and
 * FILE, too).
 */
void writes_judge(const struct page_before *before, uint64_t categories, struct tide_check *check);

#endif
