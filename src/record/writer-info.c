/* SPDX-License-Identifier: MIT */
/* This file stores what a record says of itself: the rows of table meta. */
#include <stdio.h>

#include "record/info.h"
#include "record/writer.h"

static int put_text(struct record_writer *writer, const char *key, const char *value, struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_META];

	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, value != NULL ? value : "", -1, SQLITE_STATIC);
	return db_run(&writer->db, stmt, err);
}

static int put_number(struct record_writer *writer, const char *key, uint64_t value, struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_META];

	sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, value > INT64_MAX ? INT64_MAX : (int64_t)value);
	return db_run(&writer->db, stmt, err);
}

static int put_ways(struct record_writer *writer, uint32_t ways, struct tide_error *err)
{
	char names[128] = "";
	size_t used = 0;

	for (uint32_t way = 1; way < TIDE_NR_WAYS && used < sizeof(names); way++)
		if ((ways & UINT32_C(1) << way) != 0)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? "," : "",
			                         tide_way_name((enum tide_way)way));
	return put_text(writer, "ways", names, err);
}

int writer_put_info(struct record_writer *writer, const struct record_info *info, struct tide_error *err)
{
	int result = 0;

#define PUT_TEXT(key)                                                                                                  \
	if (result == 0)                                                                                               \
		result = put_text(writer, #key, info->key, err);
#define PUT_OPTIONAL_TEXT(key)                                                                                         \
	if (result == 0 && info->key != NULL)                                                                          \
		result = put_text(writer, #key, info->key, err);
#define PUT_NUMBER(key, field)                                                                                         \
	if (result == 0)                                                                                               \
		result = put_number(writer, #key, info->field, err);
	INFO_TEXTS(PUT_TEXT)
	INFO_OPTIONAL_TEXTS(PUT_OPTIONAL_TEXT)
	INFO_NUMBERS(PUT_NUMBER)
	INFO_COSTS(PUT_NUMBER)
#undef PUT_NUMBER
#undef PUT_OPTIONAL_TEXT
#undef PUT_TEXT
	/* Whatever the caller's info says: a record is not complete before its end. */
	return result < 0 ? result : put_number(writer, "complete", 0, err);
}

int writer_put_cost(struct record_writer *writer, struct tide_error *err)
{
	int result = 0;

	if (!writer->cost_is_new)
		return 0;
#define PUT_NUMBER(key, field)                                                                                         \
	if (result == 0)                                                                                               \
		result = put_number(writer, #key, writer->field, err);
	INFO_COSTS(PUT_NUMBER)
	if (writer->exact || writer->cost.sensor.nr_stalls > 0) {
		INFO_STALLS(PUT_NUMBER)
	}
	if (writer->exact && result == 0)
		result = put_ways(writer, writer->cost.sensor.ways, err);
#undef PUT_NUMBER
	writer->cost_is_new = false;
	return result;
}

int writer_put_complete(struct record_writer *writer, struct tide_error *err)
{
	return put_number(writer, "complete", 1, err);
}
