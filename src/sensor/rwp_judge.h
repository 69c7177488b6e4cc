/* SPDX-License-Identifier: MIT */
/* What two looks at a page, and its protection between them, prove: the rwp sensor's judgement, free of system calls.
 */
#ifndef SENSOR_RWP_JUDGE_H
#define SENSOR_RWP_JUDGE_H

#include <stdbool.h>

#include <tidemark/sensor.h>

/* How preparing left a page behind. */
enum rwp_page {
	RWP_UNMAPPED = 0,
	RWP_ABSENT,      /* a mapping, but no page */
	RWP_ABSENT_SEEN, /* ... where what appears was accessed: nothing maps pages around a neighbour's fault */
	RWP_ARMED,       /* protected: the first access lifts it */
	RWP_STUCK,       /* a page that cannot be protected: `reason` says why */
};

struct rwp_before {
	enum rwp_page page;
	enum tide_reason reason;
	uint8_t shift; /* ARMED: of the (huge) page that was protected */
	bool is_file;
};

/* A rwp_before is carried in tide_check.state from prepare to check. */
void rwp_pack(const struct rwp_before *before, struct tide_check *check);
void rwp_unpack(struct rwp_before *before, const struct tide_check *check);

/*
 * Fills in page_start, page_end, answer and reason. `categories`: what is there now (enum pagescan_category, of
 * PRESENT, SWAPPED, FILE and WRITTEN, which means: not protected). `whole`: it is one (huge) page still, if it was.
 */
void rwp_judge(const struct rwp_before *before, uint64_t categories, bool whole, struct tide_check *check);

#endif
