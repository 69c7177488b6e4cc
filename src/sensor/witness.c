/* SPDX-License-Identifier: MIT */
/*
 * This file judges what two looks at an entry prove.
 *
 * First look: a page whose accessed bit is clear is armed as it is. One whose bit is set can be armed only by clearing
 * it, with MADV_COLD, which the kernel does for folios on an LRU list that one page table maps, in VMAs that are
 * neither locked nor hugetlb nor device memory, and which splits a folio that the advice covers in part, or whose
 * entries lie in two tables (it looks at one table at a time). Everything else is stuck.
 *
 * Second look: a set bit on an armed page is an access. A clear bit is no access, unless somebody else cleared it
 * meanwhile; the folio's own flags are the second witness. DAMON and the idle bitmap leave PG_young where they cleared
 * a set bit (and MADV_COLD clears PG_young); reclaim leaves PG_referenced, or moves an active folio to the inactive
 * list (PG_workingset). A page that was not there and is there, young, was brought by an access, but not alone where
 * one fault maps many: of files, and of large folios. Where we cleared by DAMON ourselves, PG_young is ours: that it is
 * there says nothing, and that it went says that reclaim, clear_refs or MADV_COLD was there. DAMON leaves PG_referenced
 * and PG_workingset as they are, so where the folio was not looked at after that (walk_known.c) they say too little:
 * perhaps somebody cleared.
 * mm/damon/ops-common.c, mm/page_idle.c, mm/vmscan.c and mm/madvise.c are what this relies on.
 */
#include "sensor/witness.h"

#include <string.h>

#include "pages/entry.h"
#include "sensor/answer.h"

/* Bits of vm_flags that smaps shows as well; they have had these values since 2.6. */
#define VM_PFNMAP  0x00000400u
#define VM_LOCKED  0x00002000u
#define VM_IO      0x00004000u
#define VM_HUGETLB 0x00400000u

#define PAGE_BYTES  4096u
#define PAGE_AT     41 /* in the state of a check */
#define PAGE_MASK   ((1u << (64 - PAGE_AT)) - 1)
#define TABLE_BYTES (512ull * PAGE_BYTES) /* that a table of single entries maps */

enum tide_reason witness_of_mapping(uint64_t vm_flags)
{
	if (vm_flags & VM_HUGETLB)
		return TIDE_REASON_HUGETLB;
	return vm_flags & (VM_PFNMAP | VM_IO) ? TIDE_REASON_SPECIAL : TIDE_REASON_NONE;
}

/* Why the accessed bit of this page cannot be cleared; NONE when it can. */
static enum tide_reason obstacle(const struct walker_sample *sample, const struct page_entry *entry,
                                 const struct walker_facts *facts)
{
	enum tide_reason reason = witness_of_mapping(sample->vm_flags);

	if (reason != TIDE_REASON_NONE)
		return reason;
	if (entry->special)
		return TIDE_REASON_SPECIAL;
	if (sample->vm_flags & VM_LOCKED)
		return TIDE_REASON_LOCKED;
	if (!sample->has_folio)
		return entry->accessible ? TIDE_REASON_SPECIAL : TIDE_REASON_REFUSED;
	if (!(sample->folio_flags & facts->lru))
		return TIDE_REASON_OFF_LRU;
	return TIDE_REASON_NONE;
}

/* The whole folio as a range to clear. Its mapping count tells whether one page table maps all of it, and nothing else
 * does. */
static void cover_folio(struct witness *witness, const struct walker_sample *sample, const struct page_entry *entry)
{
	uint64_t nr_pages = 1ull << sample->folio_order;
	uint64_t page = sample->addr / PAGE_BYTES * PAGE_BYTES;
	uint64_t pfn = entry->pfn + ((page & ((1ull << sample->shift) - 1)) / PAGE_BYTES);
	uint64_t start = page - (pfn - sample->folio_pfn) * PAGE_BYTES;
	uint64_t end = start + nr_pages * PAGE_BYTES;
	bool by_one_entry = (1ull << sample->shift) == nr_pages * PAGE_BYTES;
	int64_t nr_mappings = by_one_entry ? 1 : (int64_t)nr_pages;

	if (sample->mapcount > nr_mappings || (by_one_entry && sample->mapcount >= 0 && sample->mapcount != 1))
		witness_stuck(witness, TIDE_REASON_SHARED);
	else if (sample->mapcount != nr_mappings || start < sample->vm_start || end > sample->vm_end || start > page ||
	         (!by_one_entry && start / TABLE_BYTES != (end - 1) / TABLE_BYTES))
		witness_stuck(witness, TIDE_REASON_PARTIAL);
	else
		witness->clear = (struct tide_range){ start, end };
	witness->follows = start > sample->vm_start;
	witness->verify = !by_one_entry;
}

/* The lower bits of a page's frame number. */
static uint32_t page_of(const struct walker_sample *sample, const struct page_entry *entry)
{
	return (uint32_t)(entry->pfn + (sample->addr & ((1ull << sample->shift) - 1)) / PAGE_BYTES) & PAGE_MASK;
}

void witness_first(struct witness *witness, const struct walker_sample *sample, const struct walker_facts *facts)
{
	struct page_entry entry;

	memset(witness, 0, sizeof(*witness));
	witness->shift = sample->shift;
	if (sample->state == WALKER_UNMAPPED)
		return;
	if (sample->state == WALKER_FAULT) {
		witness_stuck(witness, TIDE_REASON_UNREAD);
		return;
	}
	entry_decode(sample->entry, sample->shift, facts->address_mask, &entry);
	if (!entry.present) {
		witness->before = WITNESS_ABSENT;
		witness->instead = entry.instead;
		/* It will arrive as it left, its accessed bit with it. */
		if (entry.moving)
			witness->reason = TIDE_REASON_UNREAD;
		return;
	}
	witness->page = page_of(sample, &entry);
	witness->writable = entry.writable;
	if (sample->has_folio)
		witness->folio_flags = sample->folio_flags;
	/* An old entry whose folio carries PG_young would hide the next access that somebody else clears: clear that
	 * too. */
	if (!entry.young && !(witness->folio_flags & facts->young)) {
		witness->before = WITNESS_OLD;
		return;
	}
	witness_stuck(witness, obstacle(sample, &entry, facts));
	if (witness->reason == TIDE_REASON_NONE)
		cover_folio(witness, sample, &entry);
	/* What cannot be cleared of an old entry is only the second witness; the first still works. */
	if (!entry.young && witness->clear.end == 0)
		witness->before = WITNESS_OLD;
}

void witness_cleared(struct witness *witness, const struct walker_facts *facts)
{
	witness->before = WITNESS_CLEARED;
	witness->reason = TIDE_REASON_NONE;
	witness->folio_flags &= ~(facts->young | facts->referenced);
	/* MADV_COLD itself sets it on folios that were active. */
	witness->folio_flags |= facts->workingset;
}

void witness_cleared_by_damon(struct witness *witness, const struct walker_facts *facts)
{
	witness->before = WITNESS_CLEARED;
	witness->reason = TIDE_REASON_NONE;
	witness->folio_flags = facts->young;
	witness->keeps = facts->young;
	witness->unknown = facts->referenced | facts->workingset;
}

void witness_stuck(struct witness *witness, enum tide_reason reason)
{
	witness->before = WITNESS_STUCK;
	witness->reason = reason;
	witness->clear = (struct tide_range){ 0 };
}

bool witness_in_place(const struct walker_sample *sample, const struct walker_facts *facts, uint64_t folio_pfn,
                      uint64_t n)
{
	struct page_entry entry;

	if (sample->state != WALKER_READ || !sample->has_folio || sample->shift != 12)
		return false;
	entry_decode(sample->entry, sample->shift, facts->address_mask, &entry);
	return entry.present && entry.pfn == folio_pfn + n;
}

/*
 * Is it another page than at the first look? A write that copied it has made it writable, and was an access. Else the
 * kernel has moved it, perhaps before its accessed bit was cleared, or has lost the bit on the way.
 */
static bool was_moved(const struct witness *witness, const struct walker_sample *sample, const struct page_entry *entry)
{
	if (witness->before <= WITNESS_ABSENT || witness->before == WITNESS_STUCK || witness->page == 0 ||
	    sample->shift > witness->shift)
		return false;
	return page_of(sample, entry) != witness->page && !(entry->young && entry->writable && !witness->writable);
}

/* Nothing was there at the first look, and one fault may have mapped more than the page it was for. */
static bool came_along(const struct witness *witness, const struct walker_sample *sample,
                       const struct walker_facts *facts)
{
	if (witness->before > WITNESS_ABSENT)
		return false;
	return sample->vm_has_file ||
	       (sample->shift == 12 && sample->has_folio && (sample->folio_flags & facts->head) != 0);
}

/* The entry's bit is set now. */
static void judge_young(const struct witness *witness, const struct walker_sample *sample,
                        const struct walker_facts *facts, struct tide_check *check)
{
	if (witness->before == WITNESS_STUCK ||
	    (witness->before == WITNESS_ABSENT && witness->reason != TIDE_REASON_NONE))
		answer(check, TIDE_ANSWER_UNOBSERVABLE, witness->reason);
	else if (came_along(witness, sample, facts))
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_PREFAULT);
	else if (witness->before >= WITNESS_ABSENT && sample->shift > witness->shift)
		/* Collapsed into a huge page meanwhile, perhaps with what was missing in between: the new entry is born
		 * with its bit set. Where a fault makes a huge page there was no table before. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	else
		answer(check, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
}

/* The entry's bit is clear now: did somebody else clear it? */
static void judge_old(const struct witness *witness, const struct walker_sample *sample,
                      const struct walker_facts *facts, struct tide_check *check)
{
	uint64_t news = sample->has_folio ? sample->folio_flags & ~witness->folio_flags : 0;

	if (witness->before <= WITNESS_ABSENT || witness->before == WITNESS_STUCK)
		/* It came, or its bit was set, and was cleared by others since. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	else if ((witness->keeps & ~(sample->has_folio ? sample->folio_flags : 0)) != 0 ||
	         (news & witness->unknown) != 0)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	else if (news & facts->young)
		answer(check, TIDE_ANSWER_ACCESSED, TIDE_REASON_NONE);
	else if (news & facts->referenced)
		/* For anonymous memory only an access leads here; a file's pages are marked by read(2) too. */
		answer(check, sample->vm_has_file ? TIDE_ANSWER_UNOBSERVABLE : TIDE_ANSWER_ACCESSED,
		       sample->vm_has_file ? TIDE_REASON_CLEARED : TIDE_REASON_NONE);
	else if (news & facts->workingset)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
	else
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
}

/* No page is there now. Has one been since? */
static void judge_absent(const struct witness *witness, const struct page_entry *entry, struct tide_check *check)
{
	if (entry->moving)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
	else if (witness->before <= WITNESS_ABSENT && entry->instead == witness->instead)
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
	else
		/* Freed or reclaimed since the first look: what happened before that went with it. */
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_CLEARED);
}

void witness_second(const struct witness *witness, const struct walker_sample *sample, const struct walker_facts *facts,
                    bool has_notifiers, struct tide_check *check)
{
	struct page_entry entry;
	uint64_t page_bytes;

	check->page_start = 0;
	check->page_end = 0;
	if (sample->state == WALKER_UNMAPPED) {
		answer(check, TIDE_ANSWER_IDLE, TIDE_REASON_NONE);
		return;
	}
	if (sample->state == WALKER_FAULT) {
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
		return;
	}
	entry_decode(sample->entry, sample->shift, facts->address_mask, &entry);
	page_bytes = entry.present ? 1ull << sample->shift : PAGE_BYTES;
	check->page_start = check->addr / page_bytes * page_bytes;
	check->page_end = check->page_start + page_bytes;
	if (!entry.present)
		judge_absent(witness, &entry, check);
	else if (was_moved(witness, sample, &entry))
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_UNREAD);
	else if (entry.young)
		judge_young(witness, sample, facts, check);
	else
		judge_old(witness, sample, facts, check);
	/* A guest's accesses are not in this page table; what is there is a fact all the same. */
	if (has_notifiers && check->answer == TIDE_ANSWER_IDLE)
		answer(check, TIDE_ANSWER_UNOBSERVABLE, TIDE_REASON_GUEST);
}

void witness_pack(const struct witness *witness, struct tide_check *check)
{
	check->state[0] = (uint64_t)witness->before | (uint64_t)witness->reason << 8 | (uint64_t)witness->shift << 16 |
	                  (uint64_t)witness->nr_alarms << 24 | (uint64_t)witness->writable << 40 |
	                  (uint64_t)witness->page << PAGE_AT;
	check->state[1] = witness->before == WITNESS_ABSENT ? witness->instead : witness->folio_flags;
}

bool witness_wants_folio(const struct tide_check *check)
{
	return (check->state[0] & 0xff) <= WITNESS_ABSENT;
}

void witness_unpack(struct witness *witness, const struct tide_check *check)
{
	memset(witness, 0, sizeof(*witness));
	witness->before = (enum witness_before)(check->state[0] & 0xff);
	witness->reason = (enum tide_reason)(check->state[0] >> 8 & 0xff);
	witness->shift = (uint8_t)(check->state[0] >> 16 & 0xff);
	witness->nr_alarms = (uint16_t)(check->state[0] >> 24 & 0xffff);
	witness->writable = check->state[0] >> 40 & 1;
	witness->page = (uint32_t)(check->state[0] >> PAGE_AT);
	if (witness->before == WITNESS_ABSENT)
		witness->instead = check->state[1];
	else
		witness->folio_flags = check->state[1];
}
