/* SPDX-License-Identifier: MIT */
/* This file answers what was mapped where at a given time: the live layout, moved forward row by row of table mapping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/reader.h"
#include "record/schema.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void live_layout_fini(struct live_layout *layout)
{
	for (size_t i = 0; i < layout->mappings.nr; i++)
		free(layout->mappings.items[i].name);
	vec_free(&layout->mappings);
}

static void drop_ended(struct live_layout *layout, uint64_t at_us)
{
	size_t kept = 0;

	for (size_t i = 0; i < layout->mappings.nr; i++) {
		struct live_mapping *mapping = &layout->mappings.items[i];

		if (mapping->until_us >= at_us) {
			layout->mappings.items[kept++] = *mapping;
			continue;
		}
		layout->after_us = larger(layout->after_us, mapping->until_us);
		free(mapping->name);
	}
	layout->mappings.nr = kept;
}

/* The row as a mapping; its name is not copied yet. */
static int parse(struct record_reader *reader, sqlite3_stmt *stmt, struct live_mapping *out, struct tide_error *err)
{
	const char *permissions = (const char *)sqlite3_column_text(stmt, 4);
	uint64_t target = 0;

	*out = (struct live_mapping){ .until_us = UINT64_MAX };
	if (db_number(&reader->db, stmt, 1, UINT32_MAX, &target, err) < 0 ||
	    db_number(&reader->db, stmt, 2, SCHEMA_NUMBER_MAX, &out->start, err) < 0 ||
	    db_number(&reader->db, stmt, 3, SCHEMA_NUMBER_MAX, &out->end, err) < 0)
		return -EBADMSG;
	if (sqlite3_column_type(stmt, 7) != SQLITE_NULL &&
	    db_number(&reader->db, stmt, 7, SCHEMA_NUMBER_MAX, &out->until_us, err) < 0)
		return -EBADMSG;
	if (target >= reader->targets.nr || out->start >= out->end)
		return db_damaged(&reader->db, err, "mapping %lld makes no sense",
		                  (long long)sqlite3_column_int64(stmt, 0));
	out->target = (uint32_t)target;
	out->accessible = permissions != NULL && strpbrk(permissions, "rwx") != NULL;
	return 0;
}

static int take(struct live_layout *layout, const struct live_mapping *parsed, sqlite3_stmt *stmt,
                struct tide_error *err)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 5);
	struct live_mapping mapping = *parsed;

	mapping.name = strdup(name != NULL ? name : "");
	if (mapping.name == NULL || vec_push(&layout->mappings, mapping) < 0) {
		free(mapping.name);
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	return 0;
}

/* Takes the rows of mappings that began before `at_us`; notes when the next one begins. */
static int take_begun(struct record_reader *reader, uint64_t at_us, struct tide_error *err)
{
	struct live_layout *layout = &reader->layout;
	sqlite3_stmt *stmt = reader->next_mappings;
	int result;

	sqlite3_bind_int64(stmt, 1, layout->last_id);
	while ((result = db_step(&reader->db, stmt, err)) > 0) {
		int64_t id = sqlite3_column_int64(stmt, 0);
		struct live_mapping mapping;
		uint64_t since_us = 0;

		if (id <= layout->last_id)
			return db_damaged(&reader->db, err, "mapping %lld is out of order", (long long)id);
		result = db_number(&reader->db, stmt, 6, SCHEMA_NUMBER_MAX, &since_us, err);
		if (result < 0)
			return result;
		if (since_us >= at_us) {
			layout->to_us = since_us;
			return 0;
		}
		layout->last_id = id;
		layout->after_us = larger(layout->after_us, since_us);
		result = parse(reader, stmt, &mapping, err);
		if (result == 0 && mapping.until_us >= at_us)
			result = take(layout, &mapping, stmt, err);
		else if (result == 0)
			layout->after_us = larger(layout->after_us, mapping.until_us);
		if (result < 0)
			return result;
	}
	return result;
}

static int by_address(const void *a, const void *b)
{
	const struct live_mapping *x = a;
	const struct live_mapping *y = b;

	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* Puts the mappings from index `nr` on, which just came, among the `nr` before them, which are in order. */
static void sort_in(struct live_layout *layout, size_t nr)
{
	struct live_mapping *mappings = layout->mappings.items;

	if (layout->mappings.nr - nr > 16) {
		qsort(mappings, layout->mappings.nr, sizeof(mappings[0]), by_address);
		return;
	}
	for (; nr < layout->mappings.nr; nr++) {
		struct live_mapping mapping = mappings[nr];
		size_t low = 0;

		for (size_t high = nr; low < high;) {
			size_t middle = low + (high - low) / 2;

			if (by_address(&mappings[middle], &mapping) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		memmove(&mappings[low + 1], &mappings[low], (nr - low) * sizeof(mapping));
		mappings[low] = mapping;
	}
}

static int move(struct record_reader *reader, uint64_t at_us, struct tide_error *err)
{
	struct live_layout *layout = &reader->layout;
	uint64_t bytes = 0;
	size_t kept;
	int result = 0;

	if (at_us <= layout->after_us) {
		live_layout_fini(layout);
		*layout = (struct live_layout){ 0 };
	}
	if (reader->next_mappings == NULL)
		result = db_prepare(
		        &reader->db, &reader->next_mappings,
		        "SELECT id, target, start, \"end\", permissions, name, since_us, until_us FROM mapping "
		        "WHERE id > ?1 ORDER BY id",
		        err);
	if (result < 0)
		return result;
	layout->to_us = UINT64_MAX;
	drop_ended(layout, at_us);
	kept = layout->mappings.nr;
	result = take_begun(reader, at_us, err);
	sqlite3_reset(reader->next_mappings);
	sort_in(layout, kept);
	for (size_t i = 0; i < layout->mappings.nr; i++) {
		struct live_mapping *mapping = &layout->mappings.items[i];

		mapping->bytes_before = bytes;
		bytes += mapping->accessible ? mapping->end - mapping->start : 0;
		layout->to_us = smaller(layout->to_us, mapping->until_us);
	}
	return result;
}

/* Makes the live layout right for `at_us`; false when it could not be. */
static bool look_at(struct record_reader *reader, uint64_t at_us)
{
	const struct live_layout *layout = &reader->layout;

	/* The first mappings begin at 0, when nothing was measured yet. */
	if (at_us == 0)
		at_us = 1;
	if (reader->failed.code != 0)
		return false;
	if (at_us > layout->after_us && at_us <= layout->to_us)
		return true;
	return move(reader, at_us, &reader->failed) == 0;
}

static bool lies_before(const struct live_mapping *mapping, uint32_t target, uint64_t addr)
{
	return mapping->target < target || (mapping->target == target && mapping->end <= addr);
}

/*
 * The index of the first mapping of `target`, or behind it, that ends after `addr`. Regions are asked for in order, so
 * the answer is mostly the last one or a few steps behind it.
 */
static size_t first_after(struct live_layout *layout, uint32_t target, uint64_t addr)
{
	const struct live_mapping *mappings = layout->mappings.items;
	size_t low = layout->hint;
	size_t high = layout->mappings.nr;

	if (low > high || (low > 0 && !lies_before(&mappings[low - 1], target, addr)))
		low = 0;
	for (size_t step = 1; step <= high - low; step *= 2) {
		if (!lies_before(&mappings[low + step - 1], target, addr)) {
			high = low + step - 1;
			break;
		}
		low += step;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (lies_before(&mappings[middle], target, addr))
			low = middle + 1;
		else
			high = middle;
	}
	layout->hint = low;
	return low;
}

/* Accessible bytes before `addr` of `target` and of all targets before it. */
static uint64_t bytes_before(struct live_layout *layout, uint32_t target, uint64_t addr)
{
	size_t i = first_after(layout, target, addr);
	const struct live_mapping *mapping = &layout->mappings.items[i];

	if (i < layout->mappings.nr) {
		bool inside = mapping->target == target && mapping->accessible && mapping->start < addr;

		return mapping->bytes_before + (inside ? addr - mapping->start : 0);
	}
	if (i == 0)
		return 0;
	mapping--;
	return mapping->bytes_before + (mapping->accessible ? mapping->end - mapping->start : 0);
}

uint64_t record_mapped_bytes(struct record_reader *reader, uint32_t target, uint64_t start, uint64_t end,
                             uint64_t at_us)
{
	uint64_t before;

	if (target >= reader->targets.nr || start >= end)
		return 0;
	if (!reader->has_layout[target])
		return end - start;
	if (!look_at(reader, at_us))
		return 0;
	before = bytes_before(&reader->layout, target, start);
	/* In a damaged file mappings overlap; the answer stays within its bounds. */
	return smaller(bytes_before(&reader->layout, target, end) - before, end - start);
}

const char *record_mapping_name(struct record_reader *reader, uint32_t target, uint64_t start, uint64_t end,
                                uint64_t at_us)
{
	struct live_layout *layout = &reader->layout;
	const char *name = "";
	uint64_t most = 0;

	if (target >= reader->targets.nr || start >= end || !look_at(reader, at_us))
		return "";
	for (size_t i = first_after(layout, target, start); i < layout->mappings.nr; i++) {
		const struct live_mapping *mapping = &layout->mappings.items[i];
		uint64_t overlap;

		if (mapping->target != target || mapping->start >= end)
			break;
		overlap = smaller(mapping->end, end) - larger(mapping->start, start);
		if (mapping->end > start && mapping->accessible && overlap > most) {
			most = overlap;
			name = mapping->name;
		}
	}
	return name;
}
