/* SPDX-License-Identifier: MIT */
/* This file refuses workloads that cannot be. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "model/workload.h"

#define REFUSE(err, ...) error_set(err, TIDE_CAUSE_USAGE, -EINVAL, __VA_ARGS__)

static uint64_t page_bytes(const struct workload_mapping *mapping)
{
	return UINT64_C(1) << mapping->page_shift;
}

static int check_time(uint64_t from_ns, uint64_t until_ns, struct tide_error *err)
{
	/* Phases and periods are added to times. */
	if (from_ns >= UINT64_MAX / 4)
		return REFUSE(err, "it begins later than time is counted");
	return from_ns < until_ns ? 0 : REFUSE(err, "it ends before it begins");
}

/* `floor` is where the mapping before ends. */
static int check_mapping(const struct workload_mapping *mapping, uint64_t floor, struct tide_error *err)
{
	if (mapping->page_shift != 12 && mapping->page_shift != 21 && mapping->page_shift != 30)
		return REFUSE(err, "pages are of 4KiB, 2MiB or 1GiB");
	if (mapping->end <= mapping->start)
		return REFUSE(err, "it has no size");
	if (mapping->end > WORKLOAD_LAST_ADDRESS)
		return REFUSE(err, "it ends beyond the 128 TiB of addresses that a process has");
	if (mapping->start < floor)
		return REFUSE(err, "the one before it ends at 0x%" PRIx64 " only: list mappings by address", floor);
	if ((mapping->start | mapping->end | mapping->populated_bytes) % page_bytes(mapping) != 0)
		return REFUSE(err, "its address and its sizes must be whole pages of %" PRIu64 " KiB",
		              page_bytes(mapping) >> 10);
	if (mapping->populated_bytes > mapping->end - mapping->start)
		return REFUSE(err, "more of it is populated than it has");
	return check_time(mapping->from_ns, mapping->until_ns, err);
}

/* A part of a mapping. */
static int check_part(const struct workload *workload, uint32_t index, uint64_t offset, uint64_t bytes,
                      struct tide_error *err)
{
	const struct workload_mapping *mapping;

	if (index >= workload->mappings.nr)
		return REFUSE(err, "it lies in no mapping");
	mapping = &workload->mappings.items[index];
	if (bytes == 0)
		return REFUSE(err, "it has no size");
	if (offset > mapping->populated_bytes || bytes > mapping->populated_bytes - offset)
		return REFUSE(err, "it ends beyond what is populated of the mapping \"%.40s\"", mapping->name);
	if ((offset | bytes) % page_bytes(mapping) != 0)
		return REFUSE(err,
		              "it must begin and end at pages of the mapping \"%.40s\", which are of %" PRIu64 " KiB",
		              mapping->name, page_bytes(mapping) >> 10);
	return 0;
}

static int check_move(const struct workload_set *set, uint64_t page, struct tide_error *err)
{
	if (set->move_bytes == 0)
		return set->move_ns == 0 ? 0 : REFUSE(err, "it moves, but by nothing");
	if (set->move_bytes % page != 0 || set->move_bytes > WORKLOAD_LAST_ADDRESS)
		return REFUSE(err, "it must move by whole pages of its mapping, and less than 128 TiB");
	if (set->move_ns < WORKLOAD_MIN_MOVE_NS || set->move_ns >= UINT64_MAX / 4)
		return REFUSE(err, "it must stay where it is for 1 ms at least, until it moves");
	return 0;
}

static int check_set(const struct workload *workload, const struct workload_set *set, struct tide_error *err)
{
	int result = check_part(workload, set->mapping, set->offset, set->bytes, err);

	if (result == 0 && set->read_ns == 0 && set->write_ns == 0)
		return REFUSE(err, "it is neither read nor written");
	if (result == 0 && (set->read_ns >= UINT64_MAX / 4 || set->write_ns >= UINT64_MAX / 4))
		return REFUSE(err, "its periods are longer than time is counted");
	if (result == 0 && (set->share == 0 || set->share > WORKLOAD_ALL))
		return REFUSE(err, "a share of its pages is more than 0, and 1 at most");
	if (result == 0)
		result = check_time(set->from_ns, set->until_ns, err);
	return result < 0 ? result : check_move(set, page_bytes(&workload->mappings.items[set->mapping]), err);
}

static int check_sets(const struct workload *workload, struct tide_error *err)
{
	size_t nr_partial = 0;

	for (size_t i = 0; i < workload->sets.nr; i++) {
		const struct workload_set *set = &workload->sets.items[i];
		int result = check_set(workload, set, err);

		if (result < 0)
			return error_prefix(err, result, "set %zu%s%.40s", i + 1, set->name[0] ? " " : "", set->name);
		nr_partial += set->share < WORKLOAD_ALL;
	}
	if (nr_partial > WORKLOAD_MAX_PARTIAL)
		return REFUSE(err, "%zu sets use a share of their pages only; %d may", nr_partial,
		              WORKLOAD_MAX_PARTIAL);
	return 0;
}

static int check_mappings(const struct workload *workload, struct tide_error *err)
{
	uint64_t floor = 0;
	bool is_there = false;

	for (size_t i = 0; i < workload->mappings.nr; i++) {
		const struct workload_mapping *mapping = &workload->mappings.items[i];
		int result = check_mapping(mapping, floor, err);

		if (result < 0)
			return error_prefix(err, result, "mapping %zu%s%.40s", i + 1, mapping->name[0] ? " " : "",
			                    mapping->name);
		floor = mapping->end;
		is_there = is_there || mapping->from_ns == 0;
	}
	return is_there ? 0 : REFUSE(err, "nothing is mapped at the start");
}

int workload_check(const struct workload *workload, struct tide_error *err)
{
	int result;

	if (workload->mappings.nr > WORKLOAD_MAX_MAPPINGS || workload->sets.nr > WORKLOAD_MAX_SETS ||
	    workload->blinds.nr > WORKLOAD_MAX_BLINDS)
		return REFUSE(err, "there are too many parts: %d mappings, %d sets, %d unobservable parts at most",
		              WORKLOAD_MAX_MAPPINGS, WORKLOAD_MAX_SETS, WORKLOAD_MAX_BLINDS);
	result = check_mappings(workload, err);
	if (result == 0)
		result = check_sets(workload, err);
	for (size_t i = 0; result == 0 && i < workload->blinds.nr; i++) {
		const struct workload_blind *blind = &workload->blinds.items[i];

		result = check_part(workload, blind->mapping, blind->offset, blind->bytes, err);
		if (result < 0)
			error_prefix(err, result, "unobservable part %zu", i + 1);
	}
	return result;
}
