/* SPDX-License-Identifier: MIT */
/* This file finds where a target was watched and had memory: sets of address ranges, collected, merged and intersected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"
#include "record/reader.h"
#include "record/schema.h"

/* A set is merged when it has doubled since the last time, so that the same ranges again and again take no memory. */
struct set {
	VEC(struct tide_range) ranges;
	size_t merge_at;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int by_start(const void *a, const void *b)
{
	const struct tide_range *x = a;
	const struct tide_range *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void merge(struct set *set)
{
	size_t nr = 0;

	if (set->ranges.nr > 0)
		qsort(set->ranges.items, set->ranges.nr, sizeof(set->ranges.items[0]), by_start);
	for (size_t i = 0; i < set->ranges.nr; i++) {
		struct tide_range *range = &set->ranges.items[i];
		struct tide_range *last = nr > 0 ? &set->ranges.items[nr - 1] : NULL;

		if (last == NULL || range->start > last->end)
			set->ranges.items[nr++] = *range;
		else if (range->end > last->end)
			last->end = range->end;
	}
	set->ranges.nr = nr;
	set->merge_at = nr > 2048 ? 2 * nr : 4096;
}

static int add(struct set *set, struct tide_range range, struct tide_error *err)
{
	if (vec_push(&set->ranges, range) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (set->ranges.nr >= 4096 && set->ranges.nr >= set->merge_at)
		merge(set);
	return 0;
}

/* Which rows count: of `target`, and begun before `to_us`, ended after `from_us`. */
struct filter {
	uint32_t target;
	uint64_t from_us;
	uint64_t to_us;
};

static bool passes(const struct filter *filter, sqlite3_stmt *stmt)
{
	const char *permissions = (const char *)sqlite3_column_text(stmt, 6);

	if (sqlite3_column_int64(stmt, 3) != filter->target)
		return false;
	if (sqlite3_column_int64(stmt, 4) >= (int64_t)smaller(filter->to_us, INT64_MAX))
		return false;
	if (sqlite3_column_type(stmt, 5) != SQLITE_NULL &&
	    sqlite3_column_int64(stmt, 5) <= (int64_t)smaller(filter->from_us, INT64_MAX))
		return false;
	return permissions != NULL && strpbrk(permissions, "rwx") != NULL;
}

/*
 * Adds [column 0, column 1) of the rows that pass. Column 2 is ascending; where a damaged file leads in circles it is
 * not. Rows are filtered here rather than by SQLite, which would go round such a circle unseen.
 */
static int collect(struct record_reader *reader, sqlite3_stmt *stmt, const struct filter *filter, struct set *set,
                   struct tide_error *err)
{
	int64_t floor = INT64_MIN;
	int result;

	while ((result = db_step(&reader->db, stmt, err)) > 0) {
		struct tide_range range;

		if (sqlite3_column_int64(stmt, 2) <= floor)
			return db_damaged(&reader->db, err, "rows are out of order");
		floor = sqlite3_column_int64(stmt, 2);
		if (!passes(filter, stmt))
			continue;
		if (db_number(&reader->db, stmt, 0, SCHEMA_NUMBER_MAX, &range.start, err) < 0 ||
		    db_number(&reader->db, stmt, 1, SCHEMA_NUMBER_MAX, &range.end, err) < 0)
			return -EBADMSG;
		if (range.start >= range.end)
			return db_damaged(&reader->db, err, "a range of addresses is empty");
		result = add(set, range, err);
		if (result < 0)
			return result;
	}
	merge(set);
	return result;
}

static int collect_spans(struct record_reader *reader, const struct filter *filter, struct set *set,
                         struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int64_t first = 0;
	int64_t after = 0;
	int result = reader_seek(reader, filter->from_us, &first, err);

	if (result == 0)
		result = reader_seek(reader, filter->to_us, &after, err);
	if (result == 0)
		result = db_prepare(&reader->db, &stmt,
		                    "SELECT start, \"end\", first_region, target, 0, NULL, 'r' FROM span "
		                    "WHERE sample >= ?1 AND sample < ?2 ORDER BY sample, first_region",
		                    err);
	if (result < 0)
		return result;
	sqlite3_bind_int64(stmt, 1, first);
	sqlite3_bind_int64(stmt, 2, after);
	return collect(reader, stmt, filter, set, err);
}

static int collect_mappings(struct record_reader *reader, const struct filter *filter, struct set *set,
                            struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int result = db_prepare(
	        &reader->db, &stmt,
	        "SELECT start, \"end\", id, target, since_us, until_us, permissions FROM mapping ORDER BY id", err);

	return result < 0 ? result : collect(reader, stmt, filter, set, err);
}

/* What is in both sets, in a new one. */
static int intersect(const struct set *a, const struct set *b, struct set *out, struct tide_error *err)
{
	size_t i = 0;
	size_t j = 0;
	int result = 0;

	while (i < a->ranges.nr && j < b->ranges.nr && result == 0) {
		const struct tide_range *x = &a->ranges.items[i];
		const struct tide_range *y = &b->ranges.items[j];
		struct tide_range both = { .start = x->start > y->start ? x->start : y->start,
			                   .end = x->end < y->end ? x->end : y->end };

		if (both.start < both.end)
			result = add(out, both, err);
		if (x->end < y->end)
			i++;
		else
			j++;
	}
	return result;
}

int record_ranges(struct record_reader *reader, uint32_t target, uint64_t from_us, uint64_t to_us,
                  struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct filter filter = { target, from_us, to_us };
	struct set watched = { 0 };
	struct set mapped = { 0 };
	struct set both = { 0 };
	int result;

	*out = NULL;
	*nr = 0;
	if (target >= reader->targets.nr)
		return 0;
	result = collect_spans(reader, &filter, &watched, err);
	if (result == 0 && reader->has_layout[target]) {
		result = collect_mappings(reader, &filter, &mapped, err);
		if (result == 0)
			result = intersect(&watched, &mapped, &both, err);
		vec_free(&watched.ranges);
		watched = both;
	}
	vec_free(&mapped.ranges);
	if (result < 0) {
		vec_free(&watched.ranges);
		return result;
	}
	*out = watched.ranges.items;
	*nr = watched.ranges.nr;
	return 0;
}
