/* SPDX-License-Identifier: MIT */
/*
 * This file splits regions where a look at the page tables says so.
 *
 * One random page for each region finds a few hot megabytes in a large space only by luck: with ten regions in 4 GiB, a
 * hot 4 MiB is one sample in a hundred of its region's, and the region reads as cold. A bulk scan of the page tables is
 * cheap, but what it sees is mostly old news: memory that was written once, when it was populated, is young for ever.
 * So a pass has two halves. The first scans (a bounded number of entries; the next pass goes on from there) and sends
 * scouts: a few random young pages of each block of memory, whose accessed bits are cleared. The second, some
 * aggregation intervals later, looks which scouts are young again: their blocks are in use now. Where a run of used
 * blocks begins or ends inside a region, the region is split; its pieces then have counts of their own, and merging
 * undoes what turns out to make no difference.
 *
 * What lies in a region that was accessed in most checks of two aggregation intervals is used, as far as the region's
 * own counts tell: there scouts are sent in every fourth pass only, to find what is unused in it.
 *
 * Passes come in quick succession until they have gone over all memory once, to find what is hot soon after the start,
 * and again when the memory has doubled.
 *
 * Cost: at most MAX_ENTRIES entries read in bulk and MAX_SCOUTS pages cleared in a pass; one pass in QUICK_WAIT + 1
 * aggregation intervals, later in LATER_WAIT + 1.
 */
#include "monitor/guide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_ENTRIES    (2u << 20) /* 8 GiB of base pages */
#define MAX_SCOUTS     4096u
#define MAX_OF_A_BLOCK 8u
#define MAX_BLOCKS     (MAX_ENTRIES / 512 + 8192u) /* of base pages, and of huge ones */
#define FIRST_PASSES   4u                          /* in quick succession, however little memory there is */
#define QUICK_WAIT     2u                          /* aggregation intervals */
#define LATER_WAIT     10u
#define STEADY_EVERY   4u /* passes */
#define FULL           1  /* ends a scan: no room for the next table's blocks */

void guide_fini(struct guide *guide)
{
	vec_free(&guide->blocks);
	vec_free(&guide->candidates);
	vec_free(&guide->scouts);
	vec_free(&guide->block_of);
	vec_free(&guide->runs);
}

/* Index of the `n`th set bit of a bitmap of 512. */
static unsigned nth_bit(const uint64_t *bits, uint32_t n)
{
	for (unsigned word = 0; word < 8; word++) {
		uint32_t nr = (uint32_t)__builtin_popcountll(bits[word]);
		uint64_t rest = bits[word];

		if (n >= nr) {
			n -= nr;
			continue;
		}
		while (n-- > 0)
			rest &= rest - 1;
		return word * 64 + (unsigned)__builtin_ctzll(rest);
	}
	return 0;
}

static int add_block(struct guide *guide, uint64_t start, uint64_t end)
{
	struct guide_block block = { .start = start, .end = end, .first_candidate = (uint32_t)guide->candidates.nr };

	return vec_push(&guide->blocks, block);
}

static int add_candidate(struct guide *guide, uint64_t addr)
{
	guide->blocks.items[guide->blocks.nr - 1].nr_candidates++;
	return vec_push(&guide->candidates, addr);
}

/* A table of base pages: one block, with some of its young pages drawn at random. */
static int take_base_pages(struct guide *guide, const struct tide_block *table)
{
	uint32_t nr = table->nr_young < MAX_OF_A_BLOCK ? table->nr_young : MAX_OF_A_BLOCK;
	uint64_t bytes = (uint64_t)table->nr_entries << table->entry_shift;
	int result = add_block(guide, table->start, table->start + bytes);

	for (uint32_t i = 0; i < nr && result == 0; i++) {
		/* One of each eighth, so that no page is drawn twice. */
		uint32_t from = i * table->nr_young / nr;
		uint32_t to = (i + 1) * table->nr_young / nr;
		uint32_t n = from + (uint32_t)rng_below(guide->rng, to - from);

		result =
		        add_candidate(guide, table->start + ((uint64_t)nth_bit(table->young, n) << table->entry_shift));
	}
	return result;
}

static int take_huge_pages(struct guide *guide, const struct tide_block *table)
{
	for (uint32_t n = 0; n < table->nr_young; n++) {
		uint64_t start = table->start + ((uint64_t)nth_bit(table->young, n) << table->entry_shift);
		int result = add_block(guide, start, start + (1ull << table->entry_shift));

		if (result == 0)
			result = add_candidate(guide, start);
		if (result < 0)
			return result;
	}
	return 0;
}

static int take_table(void *arg, const struct tide_block *table)
{
	struct guide *guide = arg;
	uint64_t last;

	guide->nr_entries += table->nr_entries;
	if (table->nr_young == 0)
		return 0;
	if (guide->blocks.nr + table->nr_young > MAX_BLOCKS) {
		/* A table can come again, for another mapping in it: never go back behind what was taken. */
		last = guide->blocks.items[guide->blocks.nr - 1].start;
		guide->cursor = table->start > last ? table->start : last;
		return FULL;
	}
	return table->entry_shift == 12 ? take_base_pages(guide, table) : take_huge_pages(guide, table);
}

/* Scans the regions from the cursor on, until a bound is met; the next scan goes on from there. */
static int scan(struct guide *guide, const struct regions *regions, const struct tide_sensor_ops *ops, void *state,
                struct tide_error *err)
{
	uint64_t left = MAX_ENTRIES;
	const uint64_t cursor = guide->cursor;

	if (cursor == 0)
		guide->round_bytes = 0;
	for (size_t i = 0; i < regions->list.nr;) {
		uint64_t start = regions->list.items[i].start;
		uint64_t end = regions->list.items[i].end;
		uint64_t next;
		int result;

		/* Neighbouring regions in one go. */
		while (++i < regions->list.nr && regions->list.items[i].start == end)
			end = regions->list.items[i].end;
		if (end <= cursor)
			continue;
		if (start < cursor)
			start = cursor;
		result = ops->scan(state, start, end, left, take_table, guide, &next, err);
		if (result != 0 && result != FULL)
			return result;
		if (result == 0)
			guide->cursor = next;
		/* Modulo 2^64: where a full pass stops can be before its start, in the same table. */
		guide->round_bytes += guide->cursor - start;
		left = guide->nr_entries < MAX_ENTRIES ? MAX_ENTRIES - guide->nr_entries : 0;
		if (result == FULL || next < end)
			return 0;
		if (left == 0 && i < regions->list.nr)
			return 0;
	}
	guide->cursor = 0;
	if (guide->known_bytes < guide->round_bytes)
		guide->known_bytes = guide->round_bytes;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct guide_block *x = a;
	const struct guide_block *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Lies the block wholly in a region that is steadily used? `*region` goes along with ascending blocks. */
static bool is_known(const struct guide_block *block, const struct regions *regions, size_t *region)
{
	const struct region *at;

	while (*region < regions->list.nr && regions->list.items[*region].end <= block->start)
		++*region;
	if (*region == regions->list.nr)
		return false;
	at = &regions->list.items[*region];
	return at->start <= block->start && block->end <= at->end && at->is_steady && at->last_nr_accesses > 0;
}

/* Some pages of each block, or one of each of some blocks: at most MAX_SCOUTS. */
static int choose_scouts(struct guide *guide, const struct regions *regions)
{
	bool spares_known = guide->nr_passes % STEADY_EVERY != 0;
	size_t region = 0;
	size_t nr = guide->blocks.nr;
	size_t each = nr == 0 ? 0 : MAX_SCOUTS / nr;
	size_t stride = (nr + MAX_SCOUTS - 1) / MAX_SCOUTS;

	/* Huge pages of a GiB come before the tables below it. */
	if (nr > 1)
		qsort(guide->blocks.items, nr, sizeof(guide->blocks.items[0]), by_address);
	if (each == 0)
		each = 1;
	for (size_t i = stride > 1 ? rng_below(guide->rng, stride) : 0; i < nr; i += stride) {
		struct guide_block *block = &guide->blocks.items[i];
		size_t nr_scouts = each < block->nr_candidates ? each : block->nr_candidates;

		if (spares_known && is_known(block, regions, &region)) {
			block->nr_used = 1;
			continue;
		}
		for (size_t k = 0; k < nr_scouts; k++) {
			size_t candidate = block->first_candidate + k * block->nr_candidates / nr_scouts;
			struct tide_check scout = { .addr = guide->candidates.items[candidate] };

			if (vec_push(&guide->scouts, scout) < 0 || vec_push(&guide->block_of, (uint32_t)i) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int send_scouts(struct guide *guide, const struct regions *regions, const struct tide_sensor_ops *ops,
                       void *state, struct rng *rng, struct tide_error *err)
{
	int result;

	guide->nr_entries = 0;
	guide->blocks.nr = 0;
	guide->candidates.nr = 0;
	guide->scouts.nr = 0;
	guide->block_of.nr = 0;
	guide->rng = rng;
	result = scan(guide, regions, ops, state, err);
	if (result == 0)
		result = choose_scouts(guide, regions);
	if (result == -ENOMEM)
		result = error_system(err, result, "guiding the monitor");
	if (result == 0 && guide->scouts.nr > 0)
		result = ops->prepare_access_checks(state, guide->scouts.items, guide->scouts.nr, err);
	if (result < 0)
		guide->scouts.nr = 0;
	return result;
}

static void hear_scouts(struct guide *guide)
{
	for (size_t i = 0; i < guide->scouts.nr; i++) {
		struct guide_block *block = &guide->blocks.items[guide->block_of.items[i]];

		block->nr_used += guide->scouts.items[i].answer == TIDE_ANSWER_ACCESSED;
		block->nr_unused += guide->scouts.items[i].answer == TIDE_ANSWER_IDLE;
	}
}

/* One table can come twice, once for each of the mappings in it: the verdict is one. */
static void join_twins(struct guide *guide)
{
	struct guide_block *blocks = guide->blocks.items;
	size_t kept = 0;

	for (size_t i = 1; i < guide->blocks.nr; i++) {
		if (blocks[i].start == blocks[kept].start && blocks[i].end == blocks[kept].end) {
			blocks[kept].nr_used += blocks[i].nr_used;
			blocks[kept].nr_unused += blocks[i].nr_unused;
		} else {
			blocks[++kept] = blocks[i];
		}
	}
	guide->blocks.nr = kept + 1;
}

/*
 * Runs of blocks that are used or, touching those, without a verdict: what lies in a run by mistake is soon split off,
 * as runs are small, but what lies outside by mistake is lost in a large region.
 */
static int find_runs(struct guide *guide)
{
	struct tide_range run = { 0 };
	bool is_used = false;

	guide->runs.nr = 0;
	for (size_t i = 0; i < guide->blocks.nr; i++) {
		const struct guide_block *block = &guide->blocks.items[i];
		bool is_idle = block->nr_used == 0 && block->nr_unused > 0;

		if (is_idle || block->start != run.end) {
			if (is_used && vec_push(&guide->runs, run) < 0)
				return -ENOMEM;
			is_used = false;
			run.start = run.end = block->start;
		}
		if (!is_idle)
			run.end = block->end;
		is_used = is_used || block->nr_used > 0;
	}
	return is_used ? vec_push(&guide->runs, run) : 0;
}

/* Splits at both ends of each run; when there is not room for all, runs drawn at random go without. */
static int split_at_runs(const struct guide *guide, struct regions *regions, size_t room, struct rng *rng)
{
	size_t nr = guide->runs.nr;
	size_t begin = rng_below(rng, nr);

	for (size_t i = 0; i < nr && room >= 2; i++) {
		const struct tide_range *run = &guide->runs.items[(begin + i) % nr];
		int at_start = regions_split_at(regions, run->start);
		int at_end = at_start < 0 ? at_start : regions_split_at(regions, run->end);

		if (at_end < 0)
			return at_end;
		room -= (size_t)(at_start + at_end);
	}
	return 0;
}

static int listen(struct guide *guide, struct regions *regions, size_t room, const struct tide_sensor_ops *ops,
                  void *state, struct rng *rng, struct tide_error *err)
{
	int result = ops->check_accesses(state, guide->scouts.items, guide->scouts.nr, err);

	if (result < 0)
		return result;
	hear_scouts(guide);
	join_twins(guide);
	result = find_runs(guide);
	if (result == 0)
		result = split_at_runs(guide, regions, room, rng);
	return result < 0 ? error_system(err, result, "splitting regions") : 0;
}

/* Is there twice as much memory as any whole round has gone over, or more? */
static bool is_quick(const struct guide *guide, const struct regions *regions)
{
	return guide->nr_passes < FIRST_PASSES || regions_bytes(regions) / 2 >= guide->known_bytes;
}

int guide_step(struct guide *guide, struct regions *regions, size_t room, const struct tide_sensor_ops *ops,
               void *state, struct rng *rng, struct tide_error *err)
{
	int result = 0;

	if (guide->wait > 0) {
		guide->wait--;
		return 0;
	}
	guide->wait = is_quick(guide, regions) ? QUICK_WAIT : LATER_WAIT;
	guide->nr_passes++;
	if (guide->scouts.nr > 0)
		result = listen(guide, regions, room, ops, state, rng, err);
	guide->scouts.nr = 0;
	if (result < 0)
		return result;
	return send_scouts(guide, regions, ops, state, rng, err);
}
