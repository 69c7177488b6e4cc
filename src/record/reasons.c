/* SPDX-License-Identifier: MIT */
/* This file adds up why checks went unanswered. */
#include <string.h>

#include "record/reader.h"
#include "record/schema.h"

/* More in one sample than there will ever be: a damaged file that leads in circles. */
#define MAX_REASONS 1000

/* Reasons that this version does not know count as "unread": that they were not answered is what matters. */
static int find(const char *name)
{
	for (int i = 1; i < TIDE_NR_REASONS; i++) {
		if (name != NULL && strcmp(name, tide_reason_name((enum tide_reason)i)) == 0)
			return i;
	}
	return TIDE_REASON_UNREAD;
}

int record_reasons(struct record_reader *reader, uint64_t from_us, uint64_t to_us, uint64_t counts[TIDE_NR_REASONS],
                   struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int64_t first = 0;
	int64_t after = 0;
	int64_t floor = 0;
	int nr_same = 0;
	int result = reader_seek(reader, from_us, &first, err);

	memset(counts, 0, TIDE_NR_REASONS * sizeof(counts[0]));
	if (result == 0)
		result = reader_seek(reader, to_us, &after, err);
	if (result == 0)
		result = db_prepare(&reader->db, &stmt,
		                    "SELECT sample, reason, nr_checks FROM reason WHERE sample >= ?1 AND sample < ?2 "
		                    "ORDER BY sample, reason",
		                    err);
	if (result < 0)
		return result;
	sqlite3_bind_int64(stmt, 1, first);
	sqlite3_bind_int64(stmt, 2, after);
	while ((result = db_step(&reader->db, stmt, err)) > 0) {
		int64_t sample = sqlite3_column_int64(stmt, 0);
		uint64_t nr = 0;

		nr_same = sample == floor ? nr_same + 1 : 0;
		if (sample < floor || nr_same > MAX_REASONS)
			return db_damaged(&reader->db, err, "a reason is out of order");
		floor = sample;
		result = db_number(&reader->db, stmt, 2, SCHEMA_NUMBER_MAX, &nr, err);
		if (result < 0)
			return result;
		counts[find((const char *)sqlite3_column_text(stmt, 1))] += nr;
	}
	return result;
}
