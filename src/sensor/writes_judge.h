/* SPDX-License-Identifier: MIT */
/* What two looks at a page, and its write protection between them, prove: free of system calls. */
#ifndef SENSOR_WRITES_JUDGE_H
#define SENSOR_WRITES_JUDGE_H

#include <stdbool.h>

#include <tidemark/sensor.h>

/* How preparing left a page behind. */
enum writes_page {
	WRITES_UNMAPPED = 0,
	WRITES_ABSENT, /* a mapping, but no page */
	WRITES_SEALED, /* a mapping that nobody can write, whatever is there */
	WRITES_ARMED,  /* protected: the first write lifts it */
	WRITES_STUCK,  /* a page that cannot be protected: `reason` says why */
};

struct writes_before {
	enum writes_page page;
	enum tide_reason reason;
	uint8_t shift; /* ARMED: of the page that was protected; larger than 12 with hugetlb only */
};

/* A writes_before is carried in tide_check.state from prepare to check. */
void writes_pack(const struct writes_before *before, struct tide_check *check);
void writes_unpack(struct writes_before *before, const struct tide_check *check);

/* Must it be known more closely what is there now: whether it is huge, the zero page, or a file's? */
bool writes_is_fresh(const struct writes_before *before, uint64_t categories);

/*
 * Fills in page_start, page_end, answer (ACCESSED means: written) and reason. `categories`: what is there now (enum
 * pagescan_category, of PRESENT, SWAPPED and WRITTEN, which means: not protected; if it is fresh, of HUGE, ZERO and
 * FILE, too).
 */
void writes_judge(const struct writes_before *before, uint64_t categories, struct tide_check *check);

#endif
