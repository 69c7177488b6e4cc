/* SPDX-License-Identifier: MIT */
/*
 * This file judges what smaps says of a mapping.
 *
 * It says how much of a mapping was referenced, not what. So the answer holds for the whole mapping, or there is none.
 * "Referenced" may say too much: a folio's mark is set by other processes' use of it too, when reclaim or another
 * monitor finds it there, and by read(2) from its file; and the pages around a fault of a file's page are mapped with
 * their bits set. So nothing referenced means that nothing was used, but for what no witness is left of: bits that
 * reclaim cleared, guests' accesses, pages without a struct page.
 */
#include "sensor/answer.h"
#include "sensor/refs.h"

static void judge_unreferenced(const struct refs_vma *vma, const struct refs_interval *interval,
                               struct tide_check *check)
{
	if (vma->kinds & SMAPS_MIXED)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	else if (vma->rss_bytes == 0)
		check->page_start = check->page_end = 0;
	else if (interval->is_guest)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
	else if (interval->is_doubtful)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

void refs_judge(const struct refs_vma *vma, const struct refs_interval *interval, struct tide_check *check)
{
	bool has_grown = vma->rss_bytes > interval->rss_before_bytes;

	check->page_start = vma->start;
	check->page_end = vma->end;
	answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	if (vma->kinds & SMAPS_HUGETLB)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_HUGETLB);
	else if (vma->kinds & (SMAPS_PFNMAP | SMAPS_IO))
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_SPECIAL);
	else if (vma->referenced_bytes == 0)
		judge_unreferenced(vma, interval, check);
	else if (vma->referenced_bytes < vma->rss_bytes)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_COARSE);
	else if (vma->inode != 0 && has_grown)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	else
		answer(check, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}
