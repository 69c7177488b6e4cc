/* SPDX-License-Identifier: MIT */
/* What two looks at a page, and its protection between them, prove: the rwp sensor's judgement, free of system calls.
 */
#ifndef SENSOR_RWP_JUDGE_H
#define SENSOR_RWP_JUDGE_H

#include <stdbool.h>

#include "sensor/page_before.h"

/*
 * Fills in page_start, page_end, answer and reason. `categories`: what is there now (enum pagescan_category, of
 * PRESENT, SWAPPED, FILE and WRITTEN, which means: not protected). `whole`: it is one (huge) page still, if it was.
 */
void rwp_judge(const struct page_before *before, uint64_t categories, bool whole, struct tide_check *check);

#endif
