/* SPDX-License-Identifier: MIT */
/*
 * This file opens records for reading. The file may come from anywhere: SQLite is told to trust nothing in it, and
 * nothing but tables that look to the letter like ours is read. And it may lie anywhere: when its log cannot be used in
 * place, a private copy is read instead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/file.h"
#include "record/reader.h"
#include "record/schema.h"

static int refuse(const char *path, const struct file_facts *facts, struct tide_error *err)
{
	switch (facts->kind) {
	case FILE_ABSENT:
		return error_set(err, TIDE_CAUSE_SYSTEM, -ENOENT, "%.150s: no such file", path);
	case FILE_DIRECTORY:
		return error_set(err, TIDE_CAUSE_CORRUPT, -EISDIR, "%.150s is a directory, not a tidemark record",
		                 path);
	case FILE_TRUNCATED:
		return error_set(
		        err, TIDE_CAUSE_CORRUPT, -EBADMSG,
		        "%.120s is truncated: %llu of %llu bytes are there; take the record again or copy it anew",
		        path, (unsigned long long)facts->size_bytes, (unsigned long long)facts->wanted_bytes);
	case FILE_RECORD:
		if (facts->version > SCHEMA_VERSION)
			return error_set(
			        err, TIDE_CAUSE_CORRUPT, -EPROTO,
			        "%.120s was written by a newer tidemark (schema %u, this one reads %d): use that one",
			        path, facts->version, SCHEMA_VERSION);
		if (facts->version < 1)
			return error_set(err, TIDE_CAUSE_CORRUPT, -EBADMSG,
			                 "%.120s is damaged: it has no schema version", path);
		if (facts->version < SCHEMA_OLDEST)
			return error_set(err, TIDE_CAUSE_CORRUPT, -EPROTO,
			                 "%.120s was written by an earlier tidemark (schema %u, this one reads %d and "
			                 "later): record again",
			                 path, facts->version, SCHEMA_OLDEST);
		return 0;
	default:
		return error_set(err, TIDE_CAUSE_CORRUPT, -EBADMSG, "%.150s is not a tidemark record", path);
	}
}

static int harden(const struct db *db, struct tide_error *err)
{
	sqlite3_extended_result_codes(db->sqlite, 1);
	sqlite3_busy_timeout(db->sqlite, 2000);
	sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, 1 << 20);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return db_exec(db, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0", err);
}

/* "file:..." with everything but plain characters written as %XX. */
static char *make_uri(const char *path, const char *query)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	char *uri = malloc(3 * strlen(path) + strlen(query) + 8);
	char *to = uri;

	if (uri == NULL)
		return NULL;
	to += sprintf(to, "file:");
	for (; *path != 0; path++)
		to += sprintf(to, strchr(plain, *path) != NULL ? "%c" : "%%%02X", (unsigned char)*path);
	memcpy(to, query, strlen(query) + 1);
	return uri;
}

/* Opens and reads once, so that what SQLite wants to do to the file has been done, or refused. */
static int connect_at(struct db *db, const char *file, const char *query, struct tide_error *err)
{
	scope_free char *uri = make_uri(file, query);
	int result;

	if (uri == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (sqlite3_open_v2(uri, &db->sqlite, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL) !=
	    SQLITE_OK)
		result = db_error(db, err);
	else
		result = harden(db, err);
	if (result == 0)
		result = db_exec(db, "BEGIN; SELECT count(*) FROM sqlite_schema", err);
	if (result < 0) {
		sqlite3_close(db->sqlite);
		db->sqlite = NULL;
	}
	return result;
}

static int connect_copy(struct db *db, const char *path, struct tide_error *err)
{
	scope_free char *copy = NULL;
	int result = file_copy_private(path, &copy, err);

	if (result < 0)
		return result;
	result = connect_at(db, copy, "", err);
	file_remove_private(copy);
	return result;
}

int reader_connect(struct db *db, const char *path, uint64_t *size_bytes, struct tide_error *err)
{
	struct file_facts facts;
	int result = file_look(path, &facts, err);

	if (result == 0)
		result = refuse(path, &facts, err);
	if (result < 0)
		return result;
	*size_bytes = facts.size_bytes + facts.log_bytes;
	result = connect_at(db, path, "", err);
	if (result == 0 || result == -EBADMSG || result == -EBUSY || result == -ENOMEM || !facts.uses_log)
		return result;
	/* The directory is read-only. Without a log the file is all there is, and immutable for us. */
	return facts.log_bytes == 0 ? connect_at(db, path, "?immutable=1", err) : connect_copy(db, path, err);
}
