/* SPDX-License-Identifier: MIT */
/*
 * This file judges what a page's write protection proves.
 *
 * The mark of a protected page goes with it, into swap and back, through migration; whoever takes the page away takes
 * the mark along. So a page that is marked was not written since, and one that was marked and is not, was. Where there
 * was no page, one that appears was written if it is the process's own and not the zero page: reading brings only that.
 * A file's page comes by reading as well as by writing, a huge one by a write to any part of it: of those nothing is
 * claimed, nor of a page that is not there any more.
 */
#include "sensor/writes_judge.h"

#include "kernel/pagescan.h"
#include "sensor/answer.h"

static bool is_there(uint64_t categories)
{
	return (categories & (PAGESCAN_PRESENT | PAGESCAN_SWAPPED)) != 0;
}

bool writes_is_fresh(const struct page_before *before, uint64_t categories)
{
	return before->page <= PAGE_ABSENT && is_there(categories);
}

static void judge_fresh(uint64_t categories, struct tide_check *check)
{
	if (categories & PAGESCAN_ZERO)
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else if (categories & PAGESCAN_FILE)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FRESH);
	else if (categories & PAGESCAN_HUGE)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_HUGE);
	else
		answer(check, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

void writes_judge(const struct page_before *before, uint64_t categories, struct tide_check *check)
{
	uint64_t page_bytes = UINT64_C(1) << (before->page == PAGE_ARMED ? before->shift : 12);

	check->page_start = check->addr / page_bytes * page_bytes;
	check->page_end = check->page_start + page_bytes;
	if (before->page == PAGE_UNMAPPED && !is_there(categories))
		check->page_start = check->page_end = 0;
	if (before->page == PAGE_STUCK)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, before->reason);
	else if (before->page == PAGE_SEALED)
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else if (writes_is_fresh(before, categories))
		judge_fresh(categories, check);
	else if (before->page != PAGE_ARMED)
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else if (!is_there(categories))
		/* Freed since: what happened before that went with it. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_FREED);
	else
		answer(check, categories & PAGESCAN_WRITTEN ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE,
		       TIDE_REASON_NONE);
}
