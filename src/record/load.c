/* SPDX-License-Identifier: MIT */
/* This file reads what a record says of itself: tables meta and target, and how many rows there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/info.h"
#include "record/reader.h"
#include "record/schema.h"

static int out_of_memory(struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

/* A copy of the column that lives as long as the reader. */
static int keep_text(struct record_reader *reader, sqlite3_stmt *stmt, int column, const char **out,
                     struct tide_error *err)
{
	const char *text;
	size_t size;
	char *copy;
	int result = db_text(&reader->db, stmt, column, &text, &size, err);

	if (result < 0)
		return result;
	copy = strdup(text);
	if (copy == NULL)
		return out_of_memory(err);
	if (vec_push(&reader->texts, copy) < 0) {
		free(copy);
		return out_of_memory(err);
	}
	*out = copy;
	return 0;
}

/* Names with commas between. A way that this version does not know is left out. */
static int take_ways(struct record_reader *reader, sqlite3_stmt *stmt, struct tide_error *err)
{
	const char *text;
	size_t size;
	int result = db_text(&reader->db, stmt, 1, &text, &size, err);

	if (result < 0)
		return result;
	reader->info.cost.sensor.ways = 0;
	while (*text != 0) {
		size_t length = strcspn(text, ",");

		for (uint32_t way = 1; way < TIDE_NR_WAYS; way++) {
			const char *name = tide_way_name((enum tide_way)way);

			if (strlen(name) == length && memcmp(text, name, length) == 0)
				reader->info.cost.sensor.ways |= UINT32_C(1) << way;
		}
		text += length + (text[length] == ',');
	}
	return 0;
}

/* One row of meta. Keys that this version does not know are left alone. */
static int take_meta(struct record_reader *reader, sqlite3_stmt *stmt, struct tide_error *err)
{
	const char *key;
	size_t size;
	uint64_t value = 0;
	int result = db_text(&reader->db, stmt, 0, &key, &size, err);

	if (result < 0)
		return result;
#define TAKE_TEXT(name)                                                                                                \
	if (strcmp(key, #name) == 0)                                                                                   \
		return keep_text(reader, stmt, 1, &reader->info.name, err);
#define TAKE_NUMBER(name, field)                                                                                       \
	if (strcmp(key, #name) == 0) {                                                                                 \
		uint64_t max = sizeof(reader->info.field) == 4 ? UINT32_MAX : INT64_MAX;                               \
                                                                                                                       \
		result = db_number(&reader->db, stmt, 1, max, &value, err);                                            \
		reader->info.field = (__typeof__(reader->info.field))value;                                            \
		return result;                                                                                         \
	}
	INFO_TEXTS(TAKE_TEXT)
	INFO_OPTIONAL_TEXTS(TAKE_TEXT)
	INFO_NUMBERS(TAKE_NUMBER)
	INFO_COSTS(TAKE_NUMBER)
	INFO_STALLS(TAKE_NUMBER)
#undef TAKE_NUMBER
#undef TAKE_TEXT
	if (strcmp(key, "ways") == 0)
		return take_ways(reader, stmt, err);
	return 0;
}

static int load_meta(struct record_reader *reader, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int result = db_prepare(&reader->db, &stmt, "SELECT key, value FROM meta ORDER BY key LIMIT 1000", err);

	while (result == 0) {
		result = db_step(&reader->db, stmt, err);
		if (result <= 0)
			return result;
		result = take_meta(reader, stmt, err);
	}
	return result;
}

static int load_targets(struct record_reader *reader, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int result = db_prepare(&reader->db, &stmt, "SELECT id, pid, name FROM target ORDER BY id LIMIT 100000", err);

	while (result == 0) {
		struct record_target target = { .index = (uint32_t)reader->targets.nr };

		result = db_step(&reader->db, stmt, err);
		if (result <= 0)
			return result;
		if (sqlite3_column_int64(stmt, 0) != (int64_t)reader->targets.nr)
			return db_damaged(&reader->db, err, "target %zu is missing", reader->targets.nr);
		target.pid = sqlite3_column_int64(stmt, 1);
		result = keep_text(reader, stmt, 2, &target.name, err);
		if (result == 0 && vec_push(&reader->targets, target) < 0)
			result = out_of_memory(err);
	}
	return result;
}

/* Samples and regions are numbered from 1 without gaps, which the readers of these tables check as they go. */
static int load_counts(struct record_reader *reader, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	struct record_info *info = &reader->info;
	int result = db_prepare(&reader->db, &stmt,
	                        "SELECT ifnull((SELECT max(id) FROM sample), 0) AS nr_samples, "
	                        "ifnull((SELECT first_region + nr_regions - 1 FROM span "
	                        "ORDER BY sample DESC, first_region DESC LIMIT 1), 0) AS nr_regions, "
	                        "ifnull((SELECT end_us FROM sample ORDER BY id DESC LIMIT 1), 0) AS duration_us",
	                        err);

	if (result == 0)
		result = db_step(&reader->db, stmt, err);
	if (result >= 0)
		result = db_number(&reader->db, stmt, 0, SCHEMA_NUMBER_MAX - 1, &info->nr_samples, err);
	if (result == 0)
		result = db_number(&reader->db, stmt, 1, SCHEMA_NUMBER_MAX - 1, &info->nr_regions, err);
	if (result == 0)
		result = db_number(&reader->db, stmt, 2, SCHEMA_NUMBER_MAX, &info->duration_us, err);
	return result;
}

/* Ends when each target was seen to have mappings: with the first rows, but for a target that has none. */
static int load_has_layout(struct record_reader *reader, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	size_t missing = reader->targets.nr;
	int64_t floor = INT64_MIN;
	int result = db_prepare(&reader->db, &stmt, "SELECT id, target FROM mapping ORDER BY id", err);

	reader->has_layout = calloc(reader->targets.nr + 1, sizeof(bool));
	if (reader->has_layout == NULL)
		return out_of_memory(err);
	while (missing > 0 && result >= 0) {
		int64_t target;

		result = db_step(&reader->db, stmt, err);
		if (result <= 0)
			return result;
		target = sqlite3_column_int64(stmt, 1);
		if (sqlite3_column_int64(stmt, 0) <= floor || target < 0 || (uint64_t)target >= reader->targets.nr)
			return db_damaged(&reader->db, err, "a mapping is out of order or nobody's");
		floor = sqlite3_column_int64(stmt, 0);
		missing -= !reader->has_layout[target];
		reader->has_layout[target] = true;
	}
	return result < 0 ? result : 0;
}

int reader_load(struct record_reader *reader, struct tide_error *err)
{
	int result;

	reader->info.tool_version = reader->info.sensor = reader->info.sensor_why = reader->info.kernel = "";
	result = load_meta(reader, err);
	/* No tidemark writes it empty; who else does means none. */
	if (reader->info.writes != NULL && reader->info.writes[0] == 0)
		reader->info.writes = NULL;
	if (result == 0)
		result = load_targets(reader, err);
	if (result == 0)
		result = load_counts(reader, err);
	return result < 0 ? result : load_has_layout(reader, err);
}
