/* SPDX-License-Identifier: MIT */
/*
 * This file judges what a page's protection against access proves.
 *
 * The mark of a protected page goes with it, into swap and back, through migration and the splitting of a huge page;
 * whoever takes the page away takes the mark along. So a page that is marked was not accessed since, and one that is
 * not was, or came anew, which takes an access as well. What is not there any more cannot be told.
 */
#include "sensor/rwp_judge.h"

#include "kernel/pagescan.h"
#include "sensor/answer.h"

#define PAGE_BYTES UINT64_C(4096)

static void judge_absent(const struct page_before *before, struct tide_check *check)
{
	if (before->page == PAGE_UNMAPPED)
		check->page_start = check->page_end = 0;
	if (before->page <= PAGE_ABSENT_SEEN)
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else
		/* Freed since: what happened before that went with it. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED);
}

void rwp_judge(const struct page_before *before, uint64_t categories, bool whole, struct tide_check *check)
{
	uint64_t page_bytes = before->page == PAGE_ARMED && whole ? UINT64_C(1) << before->shift : PAGE_BYTES;
	bool is_file = (categories & PAGESCAN_FILE) != 0;

	check->page_start = check->addr / page_bytes * page_bytes;
	check->page_end = check->page_start + page_bytes;
	if (!(categories & (PAGESCAN_PRESENT | PAGESCAN_SWAPPED)))
		judge_absent(before, check);
	else if (before->page == PAGE_STUCK)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, before->reason);
	else if (before->page == PAGE_ARMED && !(categories & PAGESCAN_WRITTEN))
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else if (is_file && (before->page <= PAGE_ABSENT || (before->page == PAGE_ARMED && !before->is_file)))
		/* A file was mapped here, perhaps since, and is not watched: its pages come along with neighbours. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	else
		answer(check, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}
