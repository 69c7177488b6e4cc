/* SPDX-License-Identifier: MIT */
/*
 * This file reads samples in order. Samples and spans lie in the file in the order in which they are read, so cursors
 * move forward side by side, and memory holds one sample. Nothing that a row says is used before it was checked.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "record/ages.h"
#include "record/pack.h"
#include "record/reader.h"
#include "record/schema.h"

struct cursors {
	const struct db *db;
	uint32_t nr_targets;
	sqlite3_stmt *sample;
	sqlite3_stmt *span;
	bool span_is_there;   /* the span cursor stands on a row that was not used yet */
	uint64_t next_region; /* the number that the next span begins with; 0: any */
	uint64_t last_end_us;
	VEC(struct tide_region) regions;
	struct ages_cursor ages;
};

static void close_cursors(struct cursors *cursors)
{
	sqlite3_finalize(cursors->sample);
	sqlite3_finalize(cursors->span);
	vec_free(&cursors->regions);
	ages_close(&cursors->ages);
}

static int open_cursors(struct cursors *cursors, int64_t first_sample, struct tide_error *err)
{
	const struct db *db = cursors->db;
	int result = db_prepare(db, &cursors->sample,
	                        "SELECT id, start_us, end_us, nr_checks FROM sample WHERE id >= ?1 ORDER BY id", err);

	if (result == 0)
		result =
		        db_prepare(db, &cursors->span,
		                   "SELECT sample, target, start, \"end\", first_region, nr_regions, regions FROM span "
		                   "WHERE sample >= ?1 ORDER BY sample, first_region",
		                   err);
	if (result < 0)
		return result;
	sqlite3_bind_int64(cursors->sample, 1, first_sample);
	sqlite3_bind_int64(cursors->span, 1, first_sample);
	result = db_step(db, cursors->span, err);
	cursors->span_is_there = result > 0;
	return result < 0 ? result : 0;
}

/* Adds the row's `nr` regions, of `target` and between `start` and `end`, to the sample. */
static int take_regions(struct cursors *cursors, uint32_t target, uint64_t start, uint64_t end, size_t nr,
                        struct tide_error *err)
{
	const char *text;
	size_t size;
	int result = db_text(cursors->db, cursors->span, 6, &text, &size, err);

	if (result < 0)
		return result;
	/* A region takes four characters or more: what a damaged row claims to hold takes no memory. */
	if (nr > size / 4)
		return db_damaged(cursors->db, err, "there are fewer than %zu regions in a span", nr);
	if (vec_reserve(&cursors->regions, cursors->regions.nr + nr) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (pack_parse(text, size, target, start, end, cursors->regions.items + cursors->regions.nr, nr) < 0)
		return db_damaged(cursors->db, err, "the regions from number %llu on make no sense",
		                  (unsigned long long)cursors->next_region);
	cursors->regions.nr += nr;
	return 0;
}

static int take_span(struct cursors *cursors, struct tide_error *err)
{
	sqlite3_stmt *stmt = cursors->span;
	const struct tide_region *last =
	        cursors->regions.nr > 0 ? &cursors->regions.items[cursors->regions.nr - 1] : NULL;
	uint64_t target = 0;
	uint64_t start = 0;
	uint64_t end = 0;
	uint64_t first = 0;
	uint64_t nr = 0;
	int result;

	if (db_number(cursors->db, stmt, 1, UINT32_MAX, &target, err) < 0 ||
	    db_number(cursors->db, stmt, 2, SCHEMA_NUMBER_MAX, &start, err) < 0 ||
	    db_number(cursors->db, stmt, 3, SCHEMA_NUMBER_MAX, &end, err) < 0 ||
	    db_number(cursors->db, stmt, 4, SCHEMA_NUMBER_MAX - READER_MAX_REGIONS, &first, err) < 0 ||
	    db_number(cursors->db, stmt, 5, READER_MAX_REGIONS - cursors->regions.nr, &nr, err) < 0)
		return -EBADMSG;
	if (target >= cursors->nr_targets || start >= end || (start | end) % SCHEMA_PAGE_SIZE != 0 || nr == 0 ||
	    first == 0 || (last != NULL && (target < last->target || (target == last->target && start < last->end))))
		return db_damaged(cursors->db, err, "the span of region %llu makes no sense",
		                  (unsigned long long)first);
	if (cursors->next_region != 0 && first != cursors->next_region)
		return db_damaged(cursors->db, err, "region %llu is missing", (unsigned long long)cursors->next_region);
	cursors->next_region = first;
	result = take_regions(cursors, (uint32_t)target, start, end, nr, err);
	cursors->next_region += nr;
	return result;
}

/* Reads the spans of `sample`; the span cursor ends on the first span of a later one. */
static int take_spans(struct cursors *cursors, int64_t sample, struct tide_error *err)
{
	cursors->regions.nr = 0;
	while (cursors->span_is_there) {
		int64_t owner = sqlite3_column_int64(cursors->span, 0);
		int result;

		if (owner > sample)
			break;
		if (owner < sample)
			return db_damaged(cursors->db, err, "a span belongs to no sample");
		result = take_span(cursors, err);
		if (result == 0)
			result = db_step(cursors->db, cursors->span, err);
		if (result < 0)
			return result;
		cursors->span_is_there = result > 0;
	}
	return 0;
}

static int take_sample(struct cursors *cursors, int64_t expected, struct record_sample *out, struct tide_error *err)
{
	uint64_t nr_checks = 0;

	if (sqlite3_column_int64(cursors->sample, 0) != expected)
		return db_damaged(cursors->db, err, "sample %lld is missing", (long long)expected);
	if (db_number(cursors->db, cursors->sample, 1, SCHEMA_NUMBER_MAX, &out->start_us, err) < 0 ||
	    db_number(cursors->db, cursors->sample, 2, SCHEMA_NUMBER_MAX, &out->end_us, err) < 0 ||
	    db_number(cursors->db, cursors->sample, 3, UINT32_MAX, &nr_checks, err) < 0)
		return -EBADMSG;
	if (nr_checks == 0 || out->end_us < out->start_us || out->end_us < cursors->last_end_us)
		return db_damaged(cursors->db, err, "sample %lld makes no sense", (long long)expected);
	out->nr_checks = (uint32_t)nr_checks;
	cursors->last_end_us = out->end_us;
	return take_spans(cursors, expected, err);
}

static int walk(struct cursors *cursors, int64_t id, uint64_t to_us, record_sample_fn *fn, void *arg,
                struct tide_error *err)
{
	for (;; id++) {
		struct record_sample sample = { 0 };
		int result = db_step(cursors->db, cursors->sample, err);

		if (result <= 0)
			return result;
		result = take_sample(cursors, id, &sample, err);
		if (result < 0)
			return result;
		if (sample.end_us > to_us)
			return 0;
		result = ages_take(&cursors->ages, id, &sample.idle, err);
		if (result < 0)
			return result;
		sample.nr_regions = cursors->regions.nr;
		sample.regions = cursors->regions.items;
		result = fn(arg, &sample);
		if (result != 0)
			return result;
	}
}

int record_for_each(struct record_reader *reader, uint64_t from_us, uint64_t to_us, record_sample_fn *fn, void *arg,
                    struct tide_error *err)
{
	struct cursors cursors = { .db = &reader->db, .nr_targets = (uint32_t)reader->targets.nr };
	int64_t first = 1;
	int result = reader_seek(reader, from_us, &first, err);

	if (result == 0)
		result = open_cursors(&cursors, first, err);
	if (result == 0 && reader->info.exact)
		result = ages_open(&cursors.ages, &reader->db, cursors.nr_targets, first, err);
	if (result == 0)
		result = walk(&cursors, first, to_us, fn, arg, err);
	close_cursors(&cursors);
	return result;
}

int reader_seek(struct record_reader *reader, uint64_t at_us, int64_t *sample, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int64_t low = 1;
	int64_t high = (int64_t)reader->info.nr_samples + 1;
	int result = db_prepare(&reader->db, &stmt, "SELECT end_us FROM sample WHERE id = ?1", err);

	while (low < high && result >= 0) {
		int64_t middle = low + (high - low) / 2;

		sqlite3_bind_int64(stmt, 1, middle);
		result = db_step(&reader->db, stmt, err);
		if (result == 0)
			return db_damaged(&reader->db, err, "sample %lld is missing", (long long)middle);
		if (result > 0 && sqlite3_column_int64(stmt, 0) > (int64_t)(at_us > INT64_MAX ? INT64_MAX : at_us))
			high = middle;
		else
			low = middle + 1;
		sqlite3_reset(stmt);
	}
	*sample = low;
	return result < 0 ? result : 0;
}
