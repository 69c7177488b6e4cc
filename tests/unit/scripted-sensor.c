/* SPDX-License-Identifier: MIT */
/* This file is a sensor whose memory is a script, and the rig that runs monitors on it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "scripted-sensor.h"

#define PAGE     4096u
#define PREPARED 0x70726570u

struct scripted_state {
	struct scripted *world;
};

/* Which entries of one page table were cleared. */
struct scripted_table {
	uint64_t key;
	uint64_t cleared[8];
};

void scripted_add(struct scripted_ranges *ranges, uint64_t start, uint64_t bytes)
{
	assert_true(ranges->nr < sizeof(ranges->items) / sizeof(ranges->items[0]));
	ranges->items[ranges->nr++] = (struct tide_range){ start, start + bytes };
}

/* Does any of `ranges` overlap [start, end)? */
static bool meets(const struct scripted_ranges *ranges, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < ranges->nr; i++)
		if (ranges->items[i].start < end && start < ranges->items[i].end)
			return true;
	return false;
}

static const struct scripted_ranges *populated(const struct scripted *world)
{
	return world->populated.nr > 0 ? &world->populated : &world->mapped;
}

static unsigned shift_at(const struct scripted *world, uint64_t addr)
{
	return meets(&world->huge, addr, addr + PAGE) ? 21 : 12;
}

/* The table's slot: its own, or the free one where it belongs. */
static struct scripted_table *find_table(struct scripted_table *tables, size_t room, uint64_t key)
{
	size_t i = (key * 0x9e3779b97f4a7c15u >> 32) % room;

	while (tables[i].key != 0 && tables[i].key != key)
		i = (i + 1) % room;
	return &tables[i];
}

static void make_room(struct scripted *world)
{
	size_t room = world->room_for_tables > 0 ? world->room_for_tables * 2 : 1024;
	struct scripted_table *tables;

	if (world->nr_tables * 2 < world->room_for_tables)
		return;
	tables = test_calloc(room, sizeof(*tables));
	for (size_t i = 0; i < world->room_for_tables; i++)
		if (world->tables[i].key != 0)
			*find_table(tables, room, world->tables[i].key) = world->tables[i];
	test_free(world->tables);
	world->tables = tables;
	world->room_for_tables = room;
}

static uint64_t table_key(uint64_t addr, unsigned shift)
{
	return (addr >> (shift + 9)) << 8 | shift;
}

static void clear(struct scripted *world, uint64_t addr)
{
	unsigned shift = shift_at(world, addr);
	unsigned index = (addr >> shift) & 511;
	struct scripted_table *table;

	make_room(world);
	table = find_table(world->tables, world->room_for_tables, table_key(addr, shift));
	if (table->key == 0) {
		table->key = table_key(addr, shift);
		world->nr_tables++;
	}
	table->cleared[index / 64] |= 1ull << index % 64;
	world->nr_cleared++;
}

/* Counts the call; asserts that it is allowed; fails it when the script says so. */
static int call(struct scripted *world, enum scripted_op op, struct tide_error *err)
{
	assert_true(world->nr_in_use > 0);
	assert_false(world->is_gone);
	if (++world->calls[op] != world->fail_call || op != world->fail_op)
		return 0;
	world->is_gone = world->fail_cause == TIDE_CAUSE_GONE;
	return error_set(err, world->fail_cause, world->is_gone ? -ESRCH : -EIO, "the script says so, call %d",
	                 (int)world->fail_call);
}

static int update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct scripted *world = ((struct scripted_state *)state)->world;

	*out = world->mapped.items;
	*nr = world->mapped.nr;
	return call(world, SCRIPTED_UPDATE, err);
}

static int prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct scripted *world = ((struct scripted_state *)state)->world;
	int result = call(world, SCRIPTED_PREPARE, err);

	if (result < 0)
		return result;
	world->nr_prepared++;
	world->nr_last_addrs = 0;
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(checks[i].addr % PAGE, 0);
		assert_true(i == 0 || checks[i].addr > checks[i - 1].addr);
		checks[i].state[0] = PREPARED + (world->now_ns != NULL ? *world->now_ns : 0);
		checks[i].state[1] = checks[i].addr;
		clear(world, checks[i].addr);
		if (i < sizeof(world->last_addrs) / sizeof(world->last_addrs[0]))
			world->last_addrs[world->nr_last_addrs++] = checks[i].addr;
	}
	return 0;
}

/* Was the warm page at `addr` used after `since_ns`? */
static bool was_used(const struct scripted *world, uint64_t addr, uint64_t since_ns)
{
	uint64_t phase = (addr * 0x9e3779b97f4a7c15u >> 20) % world->warm_ns;

	return (*world->now_ns + phase) / world->warm_ns > (since_ns + phase) / world->warm_ns;
}

static void answer(struct scripted *world, struct tide_check *one, uint64_t since_ns)
{
	uint64_t size = 1ull << shift_at(world, one->addr);
	uint64_t start = one->addr / size * size;

	world->nr_answers++;
	one->answer = TIDE_ANSWER_IDLE;
	one->reason = TIDE_REASON_NONE;
	one->page_start = one->page_end = 0;
	if (!meets(populated(world), one->addr, one->addr + PAGE))
		return;
	one->page_start = start;
	one->page_end = start + size;
	if (meets(&world->blind, start, start + size)) {
		one->answer = TIDE_ANSWER_UNOBSERVABLE;
		one->reason = (uint8_t)world->reason;
	} else if (meets(&world->hot, start, start + size)) {
		one->answer = TIDE_ANSWER_ACCESSED;
	} else if (meets(&world->warm, start, start + size) && was_used(world, one->addr, since_ns)) {
		one->answer = TIDE_ANSWER_ACCESSED;
	}
}

static int check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	struct scripted *world = ((struct scripted_state *)state)->world;
	int result = call(world, SCRIPTED_CHECK, err);

	for (size_t i = 0; i < nr; i++) {
		assert_true(checks[i].state[0] >= PREPARED);
		assert_int_equal(checks[i].state[1], checks[i].addr);
		if (result == 0)
			answer(world, &checks[i], checks[i].state[0] - PREPARED);
		checks[i].state[0] = 0;
	}
	return result;
}

static void reset(void *state)
{
	call(((struct scripted_state *)state)->world, SCRIPTED_RESET, NULL);
}

static int target_valid(void *state, struct tide_error *err)
{
	struct scripted *world = ((struct scripted_state *)state)->world;
	int result = call(world, SCRIPTED_VALID, err);

	if (result == 0)
		return 1;
	return world->is_gone ? 0 : result;
}

static void cleanup(void *state)
{
	struct scripted *world = ((struct scripted_state *)state)->world;

	assert_true(world->nr_in_use > 0);
	world->nr_in_use--;
	world->calls[SCRIPTED_CLEANUP]++;
}

/* Sets the bits of the table's entries that any of `ranges` meets inside [start, end). */
static void set_bits(uint64_t bits[8], const struct scripted_ranges *ranges, uint64_t table, unsigned shift,
                     const struct tide_range *within)
{
	for (size_t i = 0; i < ranges->nr; i++) {
		uint64_t start = ranges->items[i].start > within->start ? ranges->items[i].start : within->start;
		uint64_t end = ranges->items[i].end < within->end ? ranges->items[i].end : within->end;

		for (uint64_t addr = start >> shift << shift; addr < end; addr += 1ull << shift) {
			unsigned index = (unsigned)((addr - table) >> shift);

			bits[index / 64] |= 1ull << index % 64;
		}
	}
}

/* One table's part of `within`, which lies in one range of what is populated. */
static int hand_out(struct scripted *world, uint64_t table, unsigned shift, const struct tide_range *within,
                    tide_block_fn *fn, void *arg)
{
	static const uint64_t none[8];
	const struct scripted_ranges all = { .items = { *within }, .nr = 1 };
	uint64_t present[8] = { 0 };
	uint64_t young[8] = { 0 };
	const uint64_t *cleared = none;
	struct tide_block block = {
		.start = table, .nr_entries = 512, .entry_shift = shift, .present = present, .young = young
	};

	set_bits(present, &all, table, shift, within);
	set_bits(young, &world->hot, table, shift, within);
	if (world->room_for_tables > 0)
		cleared = find_table(world->tables, world->room_for_tables, table_key(table, shift))->cleared;
	for (unsigned i = 0; i < 8; i++) {
		if (!world->old_at_start)
			young[i] |= present[i] & ~cleared[i];
		block.nr_present += (uint32_t)__builtin_popcountll(present[i]);
		block.nr_young += (uint32_t)__builtin_popcountll(young[i]);
	}
	return fn(arg, &block);
}

/* The populated ranges are walked one by one, as mappings are: a table that two of them share comes twice. */
static int scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
                uint64_t *next, struct tide_error *err)
{
	struct scripted *world = ((struct scripted_state *)state)->world;
	const struct scripted_ranges *mappings = populated(world);
	uint64_t nr = 0;
	int result = call(world, SCRIPTED_SCAN, err);

	*next = start;
	for (size_t i = 0; i < mappings->nr && result == 0; i++) {
		struct tide_range part = mappings->items[i];

		part.start = part.start > start ? part.start : start;
		part.end = part.end < end ? part.end : end;
		while (part.start < part.end && result == 0) {
			unsigned shift = shift_at(world, part.start);
			uint64_t bytes = 512ull << shift;
			uint64_t table = part.start / bytes * bytes;
			uint64_t stop = part.end < table + bytes ? part.end : table + bytes;
			struct tide_range within = { part.start, stop };

			*next = part.start;
			if (nr + 512 > max_entries)
				return 0;
			nr += 512;
			world->nr_scanned += 512;
			if (nr > world->scan_max)
				world->scan_max = nr;
			result = hand_out(world, table, shift, &within, fn, arg);
			part.start = stop;
		}
	}
	if (result == 0)
		*next = end;
	return result;
}

static void cost(const void *state, struct tide_sensor_cost *out)
{
	const struct scripted *world = ((const struct scripted_state *)state)->world;

	*out = (struct tide_sensor_cost){
		.nr_read = world->nr_answers,
		.nr_scanned = world->nr_scanned,
		.nr_cleared = world->nr_cleared,
		.nr_calls = world->calls[SCRIPTED_PREPARE],
		.longest_hold_ns = world->scan_max,
	};
}

/* Both halves; like the walker, it goes no further than the first failure. */
static int turn(void *state, struct tide_check *old, size_t nr_old, struct tide_check *fresh, size_t nr_fresh,
                struct tide_error *err)
{
	int result = nr_old > 0 ? check(state, old, nr_old, err) : 0;

	assert_true(nr_old + nr_fresh > 0);
	return result < 0 || nr_fresh == 0 ? result : prepare(state, fresh, nr_fresh, err);
}

#define SCRIPTED_OPS(scan_member, ...)                                                                                 \
	{                                                                                                              \
		.name = "scripted", .summary = "scripted memory", .state_size = sizeof(struct scripted_state),         \
		.update = update, .prepare_access_checks = prepare, .check_accesses = check,                           \
		.reset_aggregated = reset, .target_valid = target_valid, .cleanup = cleanup, .scan = scan_member,      \
		.cost = cost, __VA_ARGS__                                                                              \
	}

const struct tide_sensor_ops scripted_sensor = SCRIPTED_OPS(scan);
const struct tide_sensor_ops scripted_sensor_without_scan = SCRIPTED_OPS(NULL);
const struct tide_sensor_ops scripted_sensor_that_turns = SCRIPTED_OPS(scan, .turn = turn);
const struct tide_sensor_ops scripted_sensor_for_writes = SCRIPTED_OPS(NULL, .flags = TIDE_SENSOR_TELLS_WRITES);

void scripted_fini(struct scripted *world)
{
	assert_int_equal(world->nr_in_use, 0);
	test_free(world->tables);
	world->tables = NULL;
}

/* The monitor frees it. */
static struct scripted_state *new_state(struct scripted *world)
{
	struct scripted_state *state = calloc(1, sizeof(*state));

	assert_non_null(state);
	state->world = world;
	world->nr_in_use++;
	return state;
}

int scripted_watch(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world,
                   const struct tide_range *ranges, size_t nr)
{
	return tide_monitor_add_target(run->monitor, ops, new_state(world), ranges, nr, &run->err);
}

int scripted_watch_with_writes(struct scripted_run *run, const struct tide_sensor_ops *ops, struct scripted *world,
                               struct scripted *writes, const struct tide_range *ranges, size_t nr)
{
	return tide_monitor_add_with_writes(run->monitor, ops, new_state(world), &scripted_sensor_for_writes,
	                                    new_state(writes), ranges, nr, &run->err);
}
