/* SPDX-License-Identifier: MIT */
/* This file holds the schema of a record, creates it and recognises it. */
#include "record/schema.h"

#include <stdio.h>
#include <string.h>

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

struct object {
	const char *name;
	const char *sql;
};

/*
 * A region row is kept to some 20 bytes: SQLite stores a number in as many bytes as it needs (0 and 1 in none), so
 * addresses are offsets into a span, and what is the same for a run of rows stands in the span. The columns that are
 * mostly small come as they are.
 */
static const struct object tables[] = {
	{ "meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID" },
	{ "target", "CREATE TABLE target(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, name TEXT NOT NULL)" },
	{ "sample", "CREATE TABLE sample(id INTEGER PRIMARY KEY, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, "
	            "nr_checks INTEGER NOT NULL)" },
	{ "span", "CREATE TABLE span(sample INTEGER NOT NULL, target INTEGER NOT NULL, start INTEGER NOT NULL, "
	          "\"end\" INTEGER NOT NULL, first_region INTEGER NOT NULL, nr_regions INTEGER NOT NULL, "
	          "PRIMARY KEY(sample, first_region)) WITHOUT ROWID" },
	{ "region",
	  "CREATE TABLE region(id INTEGER PRIMARY KEY, offset_pages INTEGER NOT NULL, nr_pages INTEGER NOT NULL, "
	  "nr_accesses INTEGER NOT NULL, nr_writes INTEGER NOT NULL, nr_unobservable INTEGER NOT NULL, "
	  "age INTEGER NOT NULL)" },
	{ "reason", "CREATE TABLE reason(sample INTEGER NOT NULL, reason TEXT NOT NULL, nr_checks INTEGER NOT NULL, "
	            "PRIMARY KEY(sample, reason)) WITHOUT ROWID" },
	{ "mapping",
	  "CREATE TABLE mapping(id INTEGER PRIMARY KEY, target INTEGER NOT NULL, start INTEGER NOT NULL, "
	  "\"end\" INTEGER NOT NULL, permissions TEXT NOT NULL, name TEXT NOT NULL, since_us INTEGER NOT NULL, "
	  "until_us INTEGER)" },
};

/* For people; no reader of ours depends on them. CROSS JOIN keeps the order of the loops: samples, spans, region rows.
 */
static const struct object views[] = {
	{ "regions",
	  "CREATE VIEW regions AS SELECT s.id AS sample, s.end_us AS time_us, s.end_us - s.start_us AS interval_us, "
	  "p.target, "
	  "p.start + r.offset_pages * 4096 AS start, p.start + (r.offset_pages + r.nr_pages) * 4096 AS \"end\", "
	  "r.nr_pages * 4096 AS size_bytes, s.nr_checks, r.nr_accesses, r.nr_writes, "
	  "r.nr_pages * 4096 * r.nr_unobservable / s.nr_checks AS unobservable_bytes, r.age "
	  "FROM sample s CROSS JOIN span p ON p.sample = s.id "
	  "CROSS JOIN region r ON r.id BETWEEN p.first_region AND p.first_region + p.nr_regions - 1" },
};

int schema_create(const struct db *db, struct tide_error *err)
{
	int result = db_exec(
	        db,
	        "PRAGMA application_id = " TEXT(SCHEMA_APPLICATION_ID) ";"
	                                                               "PRAGMA user_version = " TEXT(SCHEMA_VERSION),
	        err);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && result == 0; i++)
		result = db_exec(db, tables[i].sql, err);
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]) && result == 0; i++)
		result = db_exec(db, views[i].sql, err);
	return result;
}

int schema_check(const struct db *db, struct tide_error *err)
{
	scope_stmt sqlite3_stmt *stmt = NULL;
	int result = db_prepare(db, &stmt,
	                        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 AND sql = ?2", err);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && result >= 0; i++) {
		sqlite3_bind_text(stmt, 1, tables[i].name, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, tables[i].sql, -1, SQLITE_STATIC);
		result = db_step(db, stmt, err);
		if (result == 0)
			return db_damaged(db, err, "table %s is missing or not as tidemark makes it", tables[i].name);
		sqlite3_reset(stmt);
	}
	return result < 0 ? result : 0;
}
