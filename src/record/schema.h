/* SPDX-License-Identifier: MIT */
/* What a record's tables look like; docs/record.md explains them to people. */
#ifndef RECORD_SCHEMA_H
#define RECORD_SCHEMA_H

#include "record/db.h"

#define SCHEMA_APPLICATION_ID 0x7469646d /* "tidm": file(1) and we know a record by it */
#define SCHEMA_VERSION        3          /* SQLite's user_version */
#define SCHEMA_OLDEST         2          /* that readers take: without counts of writes that could not be told */

/* The unit of offsets in span.regions on every architecture; a larger page is a multiple of it. */
#define SCHEMA_PAGE_SHIFT 12
#define SCHEMA_PAGE_SIZE  (UINT64_C(1) << SCHEMA_PAGE_SHIFT)

/* Addresses and times fit SQLite's signed integers. */
#define SCHEMA_NUMBER_MAX ((uint64_t)INT64_MAX)

/* Makes the tables of an empty file. */
int schema_create(const struct db *db, struct tide_error *err);

/* 0 when the tables are, to the letter, those that schema_create makes: nothing else is ever read from a file. */
int schema_check(const struct db *db, struct tide_error *err);

#endif
