/* SPDX-License-Identifier: MIT */
/*
 * This file is the model sensor: accessed bits of memory that does not exist. A bit is what the workload says about the
 * time since it was cleared; one that never was is set, as populating memory sets it.
 *
 * A scan works tables out as wholes: all bits of what is populated are set, but for those of pages that were cleared,
 * which are found by groups.
 */
#include "sensor/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "sensor/model_cleared.h"

#define TABLE_ENTRIES 512u
#define GROUP_PAGES   (1u << CLEARED_GROUP_SHIFT)

struct model_state {
	const struct workload *workload;
	const uint64_t *now_ns;
	struct cleared cleared;
	VEC(struct tide_range) mapped; /* as of the last update */
	struct tide_sensor_cost cost;
};

void *sensor_model_new(const struct workload *workload, const uint64_t *now_ns)
{
	struct model_state *model = calloc(1, sizeof(*model));

	if (model != NULL) {
		model->workload = workload;
		model->now_ns = now_ns;
	}
	return model;
}

static void cleanup(void *state)
{
	struct model_state *model = state;

	cleared_fini(&model->cleared);
	vec_free(&model->mapped);
}

static int update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct model_state *model = state;

	model->mapped.nr = 0;
	for (size_t i = 0; i < model->workload->mappings.nr; i++) {
		const struct workload_mapping *mapping = &model->workload->mappings.items[i];
		struct tide_range range = { mapping->start, mapping->end };

		if (workload_is_mapped(mapping, *model->now_ns) && vec_push(&model->mapped, range) < 0)
			return error_system(err, -ENOMEM, "listing the model's mappings");
	}
	if (model->mapped.nr == 0)
		return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "nothing of the model is mapped any more");
	*out = model->mapped.items;
	*nr = model->mapped.nr;
	return 0;
}

static uint64_t page_start(const struct workload_mapping *mapping, uint64_t addr)
{
	return addr >> mapping->page_shift << mapping->page_shift;
}

/* Where the table begins that maps `addr`. */
static uint64_t table_start(const struct workload_mapping *mapping, uint64_t addr)
{
	return addr >> (mapping->page_shift + 9) << (mapping->page_shift + 9);
}

static uint64_t group_of(const struct workload_mapping *mapping, uint64_t addr)
{
	return addr >> (mapping->page_shift + CLEARED_GROUP_SHIFT);
}

/* Clears the accessed bit of a page. */
static int clear(struct model_state *model, const struct workload_mapping *mapping, uint64_t addr)
{
	uint64_t now_ns = *model->now_ns;
	uint64_t page = page_start(mapping, addr);
	const struct cleared_page *before = cleared_find(&model->cleared, group_of(mapping, addr), page);

	if (before == NULL || workload_used(model->workload, mapping, page, before->at_ns, now_ns, WORKLOAD_USES))
		model->cost.nr_cleared++;
	return cleared_note(&model->cleared, group_of(mapping, addr), page, now_ns);
}

static int prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct model_state *model = state;

	for (size_t i = 0; i < nr; i++) {
		const struct workload_mapping *mapping = workload_page(model->workload, checks[i].addr, *model->now_ns);

		checks[i].state[0] = *model->now_ns;
		if (mapping == NULL || workload_blindness(model->workload, mapping, checks[i].addr) != 0)
			continue;
		if (clear(model, mapping, checks[i].addr) < 0)
			return error_system(err, -ENOMEM, "noting which pages of the model were cleared");
	}
	model->cost.nr_read += nr;
	model->cost.nr_calls++;
	return 0;
}

static void answer(const struct model_state *model, struct tide_check *check, unsigned uses)
{
	const struct workload *workload = model->workload;
	const struct workload_mapping *mapping = workload_page(workload, check->addr, *model->now_ns);

	check->answer = TIDE_ANSWER_IDLE;
	check->reason = TIDE_REASON_NONE;
	check->page_start = check->page_end = 0;
	if (mapping == NULL)
		return;
	check->page_start = page_start(mapping, check->addr);
	check->page_end = check->page_start + (UINT64_C(1) << mapping->page_shift);
	check->reason = workload_blindness(workload, mapping, check->addr);
	if (check->reason != TIDE_REASON_NONE)
		check->answer = TIDE_ANSWER_UNOBSERVABLE;
	else if (workload_used(workload, mapping, check->addr, check->state[0], *model->now_ns, uses))
		check->answer = TIDE_ANSWER_ACCESSED;
}

static int check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct model_state *model = state;

	for (size_t i = 0; i < nr; i++)
		answer(model, &checks[i], WORKLOAD_USES);
	model->cost.nr_read += nr;
	model->cost.nr_calls++;
	return 0;
}

/* What a page is protected for, until the first write lifts it: no accessed bits are cleared. */
static int prepare_writes(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct model_state *model = state;

	for (size_t i = 0; i < nr; i++)
		checks[i].state[0] = *model->now_ns;
	model->cost.nr_calls++;
	return 0;
}

static int check_writes(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct model_state *model = state;

	for (size_t i = 0; i < nr; i++)
		answer(model, &checks[i], WORKLOAD_WRITES);
	model->cost.nr_calls++;
	return 0;
}

static void set_bits(uint64_t bits[8], unsigned from, unsigned to)
{
	memset(bits, 0, 8 * sizeof(bits[0]));
	for (unsigned word = from / 64; word * 64 < to; word++) {
		bits[word] = UINT64_MAX;
		if (word * 64 < from)
			bits[word] &= UINT64_MAX << (from - word * 64);
		if (to < word * 64 + 64)
			bits[word] &= UINT64_MAX >> (word * 64 + 64 - to);
	}
}

/* Of the group that begins at `start`, the pages that were cleared and not used since. */
static uint64_t old_pages(const struct model_state *model, const struct workload_mapping *mapping, uint64_t start)
{
	const struct cleared_page *page = cleared_first(&model->cleared, group_of(mapping, start));
	uint64_t old = 0;

	for (; page != NULL; page = cleared_next(&model->cleared, page)) {
		if (page->addr < start || (page->addr - start) >> mapping->page_shift >= GROUP_PAGES ||
		    workload_used(model->workload, mapping, page->addr, page->at_ns, *model->now_ns, WORKLOAD_USES))
			continue;
		old |= UINT64_C(1) << ((page->addr - start) >> mapping->page_shift);
	}
	return old;
}

/* Hands out one table's entries of [start, end), which is populated. */
static int hand_out(const struct model_state *model, const struct workload_mapping *mapping, uint64_t start,
                    uint64_t end, tide_block_fn *fn, void *arg)
{
	uint64_t table = table_start(mapping, start);
	unsigned from = (unsigned)((start - table) >> mapping->page_shift);
	unsigned to = (unsigned)((end - 1 - table) >> mapping->page_shift) + 1;
	uint64_t present[8];
	uint64_t young[8];
	struct tide_block block = { .start = table,
		                    .nr_entries = TABLE_ENTRIES,
		                    .entry_shift = mapping->page_shift,
		                    .nr_present = to - from,
		                    .present = present,
		                    .young = young };

	set_bits(present, from, to);
	memcpy(young, present, sizeof(young));
	for (unsigned index = from / GROUP_PAGES * GROUP_PAGES; index < to; index += GROUP_PAGES)
		young[index / 64] &=
		        ~(old_pages(model, mapping, table + ((uint64_t)index << mapping->page_shift)) << index % 64);
	for (unsigned word = 0; word < TABLE_ENTRIES / 64; word++)
		block.nr_young += (uint32_t)__builtin_popcountll(young[word]);
	return fn(arg, &block);
}

/* A scan on its way. */
struct scan {
	struct model_state *model;
	uint64_t left; /* entries that may be read */
	uint64_t next; /* where it will go on */
	bool is_spent; /* no entries are left, and not all is scanned */
	tide_block_fn *fn;
	void *arg;
};

/* [start, end) of one mapping's populated part. */
static int scan_part(struct scan *scan, const struct workload_mapping *mapping, uint64_t start, uint64_t end)
{
	int result = 0;

	while (start < end && result == 0) {
		uint64_t stop = table_start(mapping, start) + ((uint64_t)TABLE_ENTRIES << mapping->page_shift);

		scan->next = start;
		scan->is_spent = scan->left < TABLE_ENTRIES;
		if (scan->is_spent)
			return 0;
		if (stop > end)
			stop = end;
		scan->left -= TABLE_ENTRIES;
		scan->model->cost.nr_scanned += TABLE_ENTRIES;
		result = hand_out(scan->model, mapping, page_start(mapping, start), stop, scan->fn, scan->arg);
		start = stop;
	}
	return result;
}

static int scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
                uint64_t *next, struct tide_error *err)
{
	struct model_state *model = state;
	struct scan scan = { .model = model, .left = max_entries, .next = start, .fn = fn, .arg = arg };
	int result = 0;

	for (size_t i = 0; i < model->workload->mappings.nr && result == 0 && !scan.is_spent; i++) {
		const struct workload_mapping *mapping = &model->workload->mappings.items[i];
		uint64_t limit = mapping->start + mapping->populated_bytes;

		if (workload_is_mapped(mapping, *model->now_ns))
			result = scan_part(&scan, mapping, start > mapping->start ? start : mapping->start,
			                   end < limit ? end : limit);
	}
	model->cost.nr_calls++;
	*next = scan.is_spent ? scan.next : end;
	return result;
}

static void cost(const void *state, struct tide_sensor_cost *out)
{
	*out = ((const struct model_state *)state)->cost;
}

const struct tide_sensor_ops sensor_model = {
	.name = "model",
	.summary = "memory that does not exist, in virtual time",
	.state_size = sizeof(struct model_state),
	.update = update,
	.prepare_access_checks = prepare,
	.check_accesses = check,
	.cleanup = cleanup,
	.scan = scan,
	.cost = cost,
};

const struct tide_sensor_ops sensor_model_writes = {
	.name = "model",
	.summary = "writes to memory that does not exist, in virtual time",
	.state_size = sizeof(struct model_state),
	.flags = TIDE_SENSOR_TELLS_WRITES,
	.update = update,
	.prepare_access_checks = prepare_writes,
	.check_accesses = check_writes,
	.cleanup = cleanup,
	.cost = cost,
};
