/* SPDX-License-Identifier: MIT */
/*
 * This file answers whether a page was used: each page of a set has a phase for each way of being used, a hash of seed,
 * set and page, and is used whenever time and phase add up to a multiple of the period. So an interval of any length
 * takes two divisions, and intervals that add up have answers that do.
 */
#include "model/workload.h"

#include <stdlib.h>

#define MAX_MOVES_BACK 1000u

/* What a hash is for: the same page has independent ones. */
enum purpose {
	PURPOSE_READ,
	PURPOSE_WRITE,
	PURPOSE_SHARE,
};

void workload_fini(struct workload *workload)
{
	for (size_t i = 0; i < workload->mappings.nr; i++)
		free(workload->mappings.items[i].name);
	for (size_t i = 0; i < workload->sets.nr; i++)
		free(workload->sets.items[i].name);
	free(workload->name);
	vec_free(&workload->mappings);
	vec_free(&workload->sets);
	vec_free(&workload->blinds);
	*workload = (struct workload){ 0 };
}

const struct workload_mapping *workload_page(const struct workload *workload, uint64_t addr, uint64_t at_ns)
{
	size_t low = 0;
	size_t high = workload->mappings.nr;
	const struct workload_mapping *mapping;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (workload->mappings.items[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == workload->mappings.nr)
		return NULL;
	mapping = &workload->mappings.items[low];
	return addr >= mapping->start && addr - mapping->start < mapping->populated_bytes &&
	                       workload_is_mapped(mapping, at_ns)
	               ? mapping
	               : NULL;
}

/* The finaliser of splitmix64, after each of the words. */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t draw(const struct workload *workload, size_t set, uint64_t page, enum purpose purpose)
{
	uint64_t z = mix(workload->seed + 0x9e3779b97f4a7c15u);

	z = mix(z ^ ((uint64_t)set << 2 | (uint64_t)purpose));
	return mix(z ^ page);
}

static uint64_t below(uint64_t random, uint64_t bound)
{
	return (uint64_t)((unsigned __int128)random * bound >> 64);
}

/* The page whose uses are asked for, and how. */
struct question {
	const struct workload *workload;
	size_t set;
	uint64_t page; /* its number: which way ever the set moves, it keeps its phases */
	unsigned uses;
};

static bool has_tick(const struct question *question, enum purpose purpose, uint64_t period, uint64_t since_ns,
                     uint64_t until_ns)
{
	uint64_t phase;

	if (period == 0)
		return false;
	phase = below(draw(question->workload, question->set, question->page, purpose), period);
	return (until_ns + phase) / period > (since_ns + phase) / period;
}

/* Of a page that the set holds all the time. */
static bool is_used(const struct question *question, uint64_t since_ns, uint64_t until_ns)
{
	const struct workload_set *set = &question->workload->sets.items[question->set];

	return (question->uses & WORKLOAD_READS &&
	        has_tick(question, PURPOSE_READ, set->read_ns, since_ns, until_ns)) ||
	       (question->uses & WORKLOAD_WRITES &&
	        has_tick(question, PURPOSE_WRITE, set->write_ns, since_ns, until_ns));
}

static uint64_t offset_after(const struct workload *workload, const struct workload_set *set, uint64_t nr_moves)
{
	uint64_t room = workload->mappings.items[set->mapping].populated_bytes;

	return (uint64_t)(((unsigned __int128)nr_moves * set->move_bytes + set->offset) % room);
}

uint64_t workload_set_offset(const struct workload *workload, const struct workload_set *set, uint64_t at_ns)
{
	if (set->move_bytes == 0 || at_ns < set->from_ns)
		return set->offset;
	return offset_after(workload, set, (at_ns - set->from_ns) / set->move_ns);
}

/* Lies `offset` in `bytes` that begin at `start` and go around in `room`? */
static bool holds(uint64_t start, uint64_t bytes, uint64_t room, uint64_t offset)
{
	return (offset >= start ? offset - start : offset + room - start) < bytes;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Of one that moves: a page is used while it is held. The last place first, as what is hot was used just now. */
static bool is_used_on_the_way(const struct question *question, uint64_t offset, uint64_t since_ns, uint64_t until_ns)
{
	const struct workload_set *set = &question->workload->sets.items[question->set];
	uint64_t room = question->workload->mappings.items[set->mapping].populated_bytes;
	uint64_t last = (until_ns - set->from_ns) / set->move_ns;

	for (uint64_t back = 0; back <= last && back < MAX_MOVES_BACK; back++) {
		uint64_t arrived_ns = set->from_ns + (last - back) * set->move_ns;

		if (holds(offset_after(question->workload, set, last - back), set->bytes, room, offset) &&
		    is_used(question, later(since_ns, arrived_ns), sooner(until_ns, arrived_ns + set->move_ns)))
			return true;
		if (arrived_ns <= since_ns)
			break;
	}
	return false;
}

static bool is_used_by(const struct question *question, const struct workload_mapping *mapping, uint64_t since_ns,
                       uint64_t until_ns)
{
	const struct workload_set *set = &question->workload->sets.items[question->set];
	uint64_t offset = (question->page << mapping->page_shift) - mapping->start;

	since_ns = later(since_ns, later(set->from_ns, mapping->from_ns));
	until_ns = sooner(until_ns, sooner(set->until_ns, mapping->until_ns));
	if (since_ns >= until_ns || &question->workload->mappings.items[set->mapping] != mapping)
		return false;
	if (set->move_bytes == 0 && (offset < set->offset || offset - set->offset >= set->bytes))
		return false;
	if (set->share < WORKLOAD_ALL &&
	    below(draw(question->workload, question->set, question->page, PURPOSE_SHARE), WORKLOAD_ALL) >= set->share)
		return false;
	return set->move_bytes == 0 ? is_used(question, since_ns, until_ns)
	                            : is_used_on_the_way(question, offset, since_ns, until_ns);
}

bool workload_used(const struct workload *workload, const struct workload_mapping *mapping, uint64_t addr,
                   uint64_t since_ns, uint64_t until_ns, unsigned uses)
{
	struct question question = { .workload = workload, .page = addr >> mapping->page_shift, .uses = uses };

	for (question.set = 0; question.set < workload->sets.nr; question.set++)
		if (is_used_by(&question, mapping, since_ns, until_ns))
			return true;
	return false;
}

uint8_t workload_blindness(const struct workload *workload, const struct workload_mapping *mapping, uint64_t addr)
{
	for (size_t i = 0; i < workload->blinds.nr; i++) {
		const struct workload_blind *blind = &workload->blinds.items[i];
		uint64_t offset = addr - mapping->start;

		if (&workload->mappings.items[blind->mapping] == mapping && offset >= blind->offset &&
		    offset - blind->offset < blind->bytes)
			return blind->reason;
	}
	return 0;
}

uint64_t workload_generation(const struct workload *workload, uint64_t at_ns)
{
	uint64_t nr = 0;

	for (size_t i = 0; i < workload->mappings.nr; i++) {
		const struct workload_mapping *mapping = &workload->mappings.items[i];

		nr += mapping->from_ns > 0 && mapping->from_ns <= at_ns;
		nr += mapping->until_ns <= at_ns;
	}
	return nr;
}
