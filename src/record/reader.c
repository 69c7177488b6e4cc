/* SPDX-License-Identifier: MIT */
/* This file opens and closes readers and answers what needs no search. */
#include "record/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/schema.h"
#include "record/writer.h"

static int reader_new(struct record_reader **out, const char *path, struct tide_error *err)
{
	struct record_reader *reader = calloc(1, sizeof(*reader));

	*out = NULL;
	if (reader == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	reader->db.path = strdup(path);
	if (reader->db.path == NULL) {
		free(reader);
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	*out = reader;
	return 0;
}

int record_open(struct record_reader **out, const char *path, struct tide_error *err)
{
	struct record_reader *reader;
	int result = reader_new(&reader, path, err);

	*out = NULL;
	if (result == 0)
		result = reader_connect(&reader->db, path, &reader->info.size_bytes, err);
	if (result == 0)
		result = schema_check(&reader->db, err);
	if (result == 0)
		result = reader_load(reader, err);
	if (result < 0) {
		record_close(reader);
		return result;
	}
	*out = reader;
	return 0;
}

static uint64_t pragma_number(const struct db *db, const char *sql)
{
	scope_stmt sqlite3_stmt *stmt = NULL;

	if (db_prepare(db, &stmt, sql, NULL) < 0 || db_step(db, stmt, NULL) <= 0)
		return 0;
	return (uint64_t)sqlite3_column_int64(stmt, 0);
}

int record_open_writer(struct record_reader **out, struct record_writer *writer, struct tide_error *err)
{
	struct record_reader *reader;
	int result = reader_new(&reader, writer->db.path, err);

	*out = NULL;
	if (reader == NULL)
		return result;
	reader->db.sqlite = writer->db.sqlite;
	reader->shared = true;
	reader->info.size_bytes =
	        pragma_number(&reader->db, "PRAGMA page_count") * pragma_number(&reader->db, "PRAGMA page_size");
	result = reader_load(reader, err);
	if (result < 0) {
		record_close(reader);
		return result;
	}
	/* The writer's is the newer one until the next commit. */
	if (writer->cost_is_new)
		reader->info.cost = writer->cost;
	*out = reader;
	return 0;
}

void record_close(struct record_reader *reader)
{
	if (reader == NULL)
		return;
	sqlite3_finalize(reader->next_mappings);
	if (reader->shared)
		reader->db.sqlite = NULL;
	db_fini(&reader->db);
	for (size_t i = 0; i < reader->texts.nr; i++)
		free(reader->texts.items[i]);
	vec_free(&reader->texts);
	vec_free(&reader->targets);
	live_layout_fini(&reader->layout);
	free(reader->has_layout);
	free(reader);
}

const struct record_info *record_info(const struct record_reader *reader)
{
	return &reader->info;
}

bool record_has_only_writes(const struct record_info *info)
{
	return info->writes != NULL && strcmp(info->sensor, info->writes) == 0;
}

size_t record_targets(const struct record_reader *reader, const struct record_target **out)
{
	*out = reader->targets.items;
	return reader->targets.nr;
}

int record_error(const struct record_reader *reader, struct tide_error *err)
{
	if (reader->failed.code != 0 && err != NULL)
		*err = reader->failed;
	return reader->failed.code;
}
