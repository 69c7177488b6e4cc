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
 * A row for each region would cost more time to read than all the rest of a report: SQLite makes some millions of rows
 * a second. So a row of span holds a run of regions as text (pack.h). Times and addresses are as people write them.
 */
static const struct object tables[] = {
	{ "meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID" },
	{ "target", "CREATE TABLE target(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, name TEXT NOT NULL)" },
	{ "sample", "CREATE TABLE sample(id INTEGER PRIMARY KEY, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, "
	            "nr_checks INTEGER NOT NULL)" },
	{ "span", "CREATE TABLE span(sample INTEGER NOT NULL, target INTEGER NOT NULL, start INTEGER NOT NULL, "
	          "\"end\" INTEGER NOT NULL, first_region INTEGER NOT NULL, nr_regions INTEGER NOT NULL, "
	          "regions TEXT NOT NULL, PRIMARY KEY(sample, first_region)) WITHOUT ROWID" },
	{ "idle", "CREATE TABLE idle(sample INTEGER NOT NULL, target INTEGER NOT NULL, present_bytes INTEGER NOT NULL, "
	          "accessed_bytes INTEGER NOT NULL, unobservable_bytes INTEGER NOT NULL, ages TEXT NOT NULL, "
	          "PRIMARY KEY(sample, target)) WITHOUT ROWID" },
	{ "reason", "CREATE TABLE reason(sample INTEGER NOT NULL, reason TEXT NOT NULL, nr_checks INTEGER NOT NULL, "
	            "PRIMARY KEY(sample, reason)) WITHOUT ROWID" },
	{ "mapping",
	  "CREATE TABLE mapping(id INTEGER PRIMARY KEY, target INTEGER NOT NULL, start INTEGER NOT NULL, "
	  "\"end\" INTEGER NOT NULL, permissions TEXT NOT NULL, name TEXT NOT NULL, since_us INTEGER NOT NULL, "
	  "until_us INTEGER)" },
};

/*
 * For people; no reader of ours depends on them. CROSS JOIN keeps the order of the loops: samples, spans, regions. The
 * subquery gives names to where a region begins and where the next item of its text does.
 */
static const struct object views[] = {
	{ "regions",
	  "CREATE VIEW regions AS SELECT sample, time_us, interval_us, target, base + first * 4096 AS start, "
	  "base + behind * 4096 AS \"end\", (behind - first) * 4096 AS size_bytes, nr_checks, nr_accesses, nr_writes, "
	  "(behind - first) * 4096 * nr_unobservable / nr_checks AS unobservable_bytes, age, "
	  "(behind - first) * 4096 * nr_writes_unobservable / nr_checks AS unobservable_writes_bytes FROM "
	  "(SELECT s.id AS sample, s.end_us AS time_us, s.end_us - s.start_us AS interval_us, p.target, "
	  "p.start AS base, r.value ->> 0 AS first, "
	  "ifnull(p.regions -> (r.key + 1) ->> 0, p.regions ->> (r.key + 1)) AS behind, s.nr_checks, "
	  "ifnull(r.value ->> 1, 0) AS nr_accesses, ifnull(r.value ->> 2, 0) AS age, "
	  "ifnull(r.value ->> 3, 0) AS nr_unobservable, ifnull(r.value ->> 4, 0) AS nr_writes, "
	  "ifnull(r.value ->> 5, 0) AS nr_writes_unobservable "
	  "FROM sample s CROSS JOIN span p ON p.sample = s.id CROSS JOIN json_each(p.regions) r "
	  "WHERE r.type = 'array')" },
	{ "ages", "CREATE VIEW ages AS SELECT s.id AS sample, s.end_us AS time_us, i.target, a.value ->> 0 AS idle_us, "
	          "a.value ->> 1 AS bytes "
	          "FROM sample s CROSS JOIN idle i ON i.sample = s.id CROSS JOIN json_each(i.ages) a" },
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
