/* SPDX-License-Identifier: MIT */
/*
 * This file keeps what is known of each page of the watched ranges: a byte, which the handler of faults marks.
 *
 * Pages of a new mapping that were never written have nothing in common (anon_vma), and each that is written apart from
 * the others gets something of its own: such pieces are never one mapping again, however they are protected. So one
 * page of each mapping is written before the first protection, which all pieces inherit from.
 */
#include <errno.h>
#include <string.h>

#include "kernel/sys.h"
#include "watch/mprotect.h"
#include "watch/tracker.h"

int guarded_new(struct guarded **out, const struct intervals *asked, uint64_t max_pieces)
{
	size_t head = sizeof(struct guarded) + asked->v.nr * sizeof(struct guarded_range);
	size_t size = head + (size_t)(intervals_size(asked) / WATCH_PAGE);
	struct guarded *guarded;
	uint8_t *pages;
	void *memory;
	int result;

	size = (size + WATCH_PAGE - 1) & ~(WATCH_PAGE - 1);
	result = sys_mmap(&memory, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (result < 0)
		return result;
	guarded = memory;
	pages = (uint8_t *)memory + head;
	guarded->size = size;
	guarded->max_pieces = max_pieces;
	guarded->nr = asked->v.nr;
	for (size_t i = 0; i < asked->v.nr; i++) {
		const struct interval *range = &asked->v.items[i];

		guarded->ranges[i] = (struct guarded_range){ range->start, range->end, pages };
		pages += (range->end - range->start) / WATCH_PAGE;
	}
	*out = guarded;
	return 0;
}

void guarded_free(struct guarded *guarded)
{
	if (guarded != NULL)
		sys_munmap(guarded, guarded->size);
}

struct guarded_range *guarded_range_from(struct guarded *guarded, uint64_t at)
{
	size_t low = 0, high = guarded->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (guarded->ranges[middle].end > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low < guarded->nr ? &guarded->ranges[low] : NULL;
}

uint8_t *guarded_page(const struct guarded_range *range, uint64_t at)
{
	return &range->pages[(at - range->start) / WATCH_PAGE];
}

/* The part of a range from `at` on, below `end`; NULL: there is none. */
static struct guarded_range *next_part(struct guarded *guarded, uint64_t at, uint64_t end, struct interval *part)
{
	struct guarded_range *range = guarded_range_from(guarded, at);

	if (range == NULL || range->start >= end || at >= end)
		return NULL;
	part->start = range->start > at ? range->start : at;
	part->end = range->end < end ? range->end : end;
	return range;
}

static void renew(const struct guarded_range *range, uint64_t at, const struct guarded_memory *memory)
{
	unsigned flags = GUARDED_OURS | GUARDED_WRITTEN | GUARDED_NEW | memory->prot;

	__atomic_store_n(guarded_page(range, at), fault_needs(at) ? 0 : (uint8_t)flags, __ATOMIC_SEQ_CST);
}

static void write_one(const struct guarded_memory *memory, uint64_t at)
{
	if (memory->is_anonymous && memory->prot & PROT_WRITE)
		sys_madvise(guarded_pointer(at), WATCH_PAGE, ADVICE_POPULATE_WRITE);
}

void guarded_adopt(struct guarded *guarded, const struct guarded_memory *memory)
{
	const struct guarded_range *range;
	struct interval part;

	for (uint64_t at = memory->start; (range = next_part(guarded, at, memory->end, &part)) != NULL; at = part.end) {
		write_one(memory, part.start);
		for (uint64_t page = part.start; page < part.end; page += WATCH_PAGE)
			renew(range, page, memory);
	}
}

/* What we make of memory of this protection. All can be read: nobody but who writes comes to the handler. */
static unsigned armed(unsigned prot)
{
	return prot & PROT_WRITE ? (prot & ~(unsigned)PROT_WRITE) | PROT_READ : prot;
}

static bool is_as_left(uint8_t page, const struct guarded_memory *memory)
{
	unsigned prot = page & GUARDED_PROT;

	if (!memory->is_mapped)
		return false;
	if (memory->prot & PROT_WRITE)
		return page & GUARDED_WRITTEN && memory->prot == prot;
	return memory->prot == armed(prot);
}

/* Skips pages that are not ours: there may be terabytes of holes. */
static uint64_t next_ours(const struct guarded_range *range, uint64_t at, uint64_t end)
{
	for (; at < end; at += WATCH_PAGE) {
		const uint8_t *page = guarded_page(range, at);

		while (((uintptr_t)page & 7) == 0 && end - at >= 8 * WATCH_PAGE) {
			if (__atomic_load_n((const uint64_t *)(const void *)page, __ATOMIC_RELAXED) != 0)
				break;
			page += 8;
			at += 8 * WATCH_PAGE;
		}
		if (at < end && guarded_load(page) & GUARDED_OURS)
			break;
	}
	return at;
}

static void follow_part(struct guarded *guarded, const struct guarded_range *range, const struct interval *part,
                        const struct guarded_memory *memory)
{
	uint64_t last = part->end, nr = 0;
	bool has_written = false;

	for (uint64_t at = next_ours(range, part->start, part->end); at < part->end;
	     at = next_ours(range, at + WATCH_PAGE, part->end)) {
		uint8_t flags = guarded_load(guarded_page(range, at));

		if (!is_as_left(flags, memory)) {
			if (!has_written)
				write_one(memory, at);
			has_written = true;
			renew(range, at, memory);
		}
		if (!(flags & GUARDED_WRITTEN))
			continue;
		nr += last + WATCH_PAGE != at;
		last = at;
	}
	__atomic_fetch_add(&guarded->nr_pieces, nr, __ATOMIC_SEQ_CST);
}

void guarded_follow(struct guarded *guarded, const struct guarded_memory *memory)
{
	const struct guarded_range *range;
	struct interval part;

	for (uint64_t at = memory->start; (range = next_part(guarded, at, memory->end, &part)) != NULL; at = part.end)
		follow_part(guarded, range, &part, memory);
}

static enum tide_why why_of(uint8_t page)
{
	return page & GUARDED_NEW       ? TIDE_WHY_NEW
	       : page & GUARDED_BOUND   ? TIDE_WHY_BOUND
	       : page & GUARDED_REFUSED ? TIDE_WHY_REFUSED
	                                : TIDE_WHY_NONE;
}

/* A run of marked pages of one kind, from `at` on. Where it ends. */
static uint64_t read_run(const struct guarded_range *range, uint64_t at, uint64_t end, bool take,
                         struct pagescan_region *run)
{
	run->start = at;
	run->categories = why_of(guarded_load(guarded_page(range, at)));
	for (; at < end; at += WATCH_PAGE) {
		uint8_t *page = guarded_page(range, at), flags = guarded_load(page);

		if (!(flags & GUARDED_WRITTEN) || why_of(flags) != run->categories)
			break;
		if (take)
			__atomic_fetch_and(page, (uint8_t)~GUARDED_MARKS, __ATOMIC_SEQ_CST);
	}
	run->end = at;
	return at;
}

long guarded_read(struct guarded *guarded, uint64_t start, uint64_t end, bool take, uint64_t max_pages,
                  struct pagescan_region *runs, size_t nr, uint64_t *next)
{
	const struct guarded_range *range;
	struct interval part;
	uint64_t left = max_pages != 0 ? max_pages : ~(uint64_t)0 / WATCH_PAGE;
	size_t got = 0;

	*next = end;
	for (uint64_t at = start; (range = next_part(guarded, at, end, &part)) != NULL; at = part.end)
		for (at = part.start; at < part.end;) {
			uint64_t until = part.end - at > left * WATCH_PAGE ? at + left * WATCH_PAGE : part.end;

			if (!(guarded_load(guarded_page(range, at)) & GUARDED_WRITTEN)) {
				at += WATCH_PAGE;
				continue;
			}
			if (got == nr || left == 0) {
				*next = at;
				return (long)got;
			}
			at = read_run(range, at, until, take, &runs[got]);
			left -= (runs[got].end - runs[got].start) / WATCH_PAGE;
			got++;
		}
	return (long)got;
}

/* Where pages from `at` on end that are ours, and of one protection. */
static uint64_t same_until(const struct guarded_range *range, uint64_t at, uint64_t end, unsigned mask)
{
	uint8_t first = guarded_load(guarded_page(range, at));

	while (at < end && ((guarded_load(guarded_page(range, at)) ^ first) & mask) == 0)
		at += WATCH_PAGE;
	return at;
}

static void mark_again(const struct guarded_range *range, uint64_t start, uint64_t end, int why)
{
	for (; start < end; start += WATCH_PAGE)
		__atomic_fetch_or(guarded_page(range, start),
		                  (uint8_t)(GUARDED_WRITTEN | (why == -ENOMEM ? GUARDED_BOUND : GUARDED_REFUSED)),
		                  __ATOMIC_SEQ_CST);
}

static void arm_run(const struct guarded_range *range, uint64_t start, uint64_t end)
{
	for (uint64_t at = start, until; at < end; at = until) {
		unsigned prot = guarded_load(guarded_page(range, at)) & GUARDED_PROT;
		int result;

		until = same_until(range, at, end, GUARDED_OURS | GUARDED_PROT);
		if (!(prot & PROT_WRITE))
			continue;
		result = sys_mprotect(guarded_pointer(at), until - at, (int)armed(prot));
		if (result < 0)
			mark_again(range, at, until, result);
	}
}

void guarded_arm(struct guarded *guarded, const struct pagescan_region *runs, size_t nr)
{
	for (size_t i = 0; i < nr;) {
		const struct guarded_range *range = guarded_range_from(guarded, runs[i].start);
		uint64_t start = runs[i].start, end = runs[i].end;

		/* Neighbours are one: to protect them apart would make mappings that are not needed. */
		while (++i < nr && runs[i].start == end && end < range->end)
			end = runs[i].end;
		arm_run(range, start, end);
		__atomic_fetch_sub(&guarded->nr_pieces, 1, __ATOMIC_SEQ_CST);
	}
}

/*
 * First the protection, then the byte: until then whoever faults there comes to the handler, which does the same, and
 * after it finds that the page can be written.
 */
static int give_back(const struct guarded_range *range, const struct interval *part)
{
	int result = 0;

	for (uint64_t at = part->start, until; at < part->end; at = until) {
		unsigned prot = guarded_load(guarded_page(range, at)) & GUARDED_PROT;
		int code = 0;

		until = same_until(range, at, part->end, GUARDED_PROT);
		if (prot & PROT_WRITE)
			code = sys_mprotect(guarded_pointer(at), until - at, (int)prot);
		result = code < 0 ? code : result;
		for (; code == 0 && at < until; at += WATCH_PAGE)
			if (guarded_load(guarded_page(range, at)) != 0)
				__atomic_store_n(guarded_page(range, at), 0, __ATOMIC_SEQ_CST);
	}
	return result;
}

int guarded_release(struct guarded *guarded, uint64_t start, uint64_t end)
{
	const struct guarded_range *range;
	struct interval part;
	int result = 0;

	for (uint64_t at = start; (range = next_part(guarded, at, end, &part)) != NULL; at = part.end) {
		int code = give_back(range, &part);

		result = code < 0 ? code : result;
	}
	fault_wait();
	return result;
}
