/* SPDX-License-Identifier: MIT */
/* This file calls SQLite and turns its results into error sentences. */
#include "record/db.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

void db_fini(struct db *db)
{
	sqlite3_close(db->sqlite);
	free(db->path);
	*db = (struct db){ 0 };
}

void db_stmt_cleanup(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int disk_full(const struct db *db, struct tide_error *err)
{
	return error_set(
	        err, TIDE_CAUSE_LIMIT, -ENOSPC,
	        "%.120s: the disk is full; what was stored before stays readable: free space or choose another path",
	        db->path);
}

/*
 * SQLITE_IOERR and SQLITE_CANTOPEN come with the system's own number, but not out of a failed COMMIT: there errno is
 * all there is, which the calls below clear before they begin.
 */
static int system_error(const struct db *db, struct tide_error *err)
{
	int left = errno;
	int number = sqlite3_system_errno(db->sqlite);

	if (number == 0)
		number = left;

	switch (number) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return disk_full(db, err);
	case EROFS:
		return error_set(err, TIDE_CAUSE_DENIED, -EROFS, "%.120s: the file system is read-only", db->path);
	case 0:
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "%.120s: %s", db->path, sqlite3_errmsg(db->sqlite));
	default:
		return error_system(err, -number, "%s", db->path);
	}
}

int db_error(const struct db *db, struct tide_error *err)
{
	if (db->sqlite == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "%.120s: out of memory", db->path);
	switch (sqlite3_errcode(db->sqlite) & 0xff) {
	case SQLITE_FULL:
		return disk_full(db, err);
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG:
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "%.120s: out of memory", db->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return db_damaged(db, err, "%s", sqlite3_errmsg(db->sqlite));
	case SQLITE_READONLY:
		if (sqlite3_extended_errcode(db->sqlite) == SQLITE_READONLY_ROLLBACK)
			return error_set(
			        err, TIDE_CAUSE_DENIED, -EACCES,
			        "%.120s was left in the middle of a write: open it with sqlite3 once, which puts "
			        "it right",
			        db->path);
		return error_set(err, TIDE_CAUSE_DENIED, -EACCES, "%.120s cannot be written: %s", db->path,
		                 sqlite3_errmsg(db->sqlite));
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return error_set(err, TIDE_CAUSE_DENIED, -EACCES, "%.120s cannot be written: %s", db->path,
		                 sqlite3_errmsg(db->sqlite));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY, "%.120s is in use by another process: try again",
		                 db->path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system_error(db, err);
	default:
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "%.120s: %s", db->path, sqlite3_errmsg(db->sqlite));
	}
}

int db_damaged(const struct db *db, struct tide_error *err, const char *fmt, ...)
{
	char what[100];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(err, TIDE_CAUSE_CORRUPT, -EBADMSG, "%.120s is damaged: %s", db->path, what);
}

int db_exec(const struct db *db, const char *sql, struct tide_error *err)
{
	errno = 0;
	return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(db, err);
}

int db_prepare(const struct db *db, sqlite3_stmt **out, const char *sql, struct tide_error *err)
{
	*out = NULL;
	errno = 0;
	return sqlite3_prepare_v3(db->sqlite, sql, -1, 0, out, NULL) == SQLITE_OK ? 0 : db_error(db, err);
}

int db_step(const struct db *db, sqlite3_stmt *stmt, struct tide_error *err)
{
	errno = 0;
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return db_error(db, err);
	}
}

int db_run(const struct db *db, sqlite3_stmt *stmt, struct tide_error *err)
{
	int result = db_step(db, stmt, err);

	sqlite3_reset(stmt);
	return result < 0 ? result : 0;
}

int db_put(const struct db *db, sqlite3_stmt *stmt, const int64_t *values, int nr, struct tide_error *err)
{
	for (int i = 0; i < nr; i++) {
		if (sqlite3_bind_int64(stmt, i + 1, values[i]) != SQLITE_OK)
			return db_error(db, err);
	}
	return db_run(db, stmt, err);
}

int db_number(const struct db *db, sqlite3_stmt *stmt, int column, uint64_t max, uint64_t *out, struct tide_error *err)
{
	int64_t value = sqlite3_column_int64(stmt, column);

	if (value < 0 || (uint64_t)value > max)
		return db_damaged(db, err, "%s is %lld", sqlite3_column_name(stmt, column), (long long)value);
	*out = (uint64_t)value;
	return 0;
}

int db_text(const struct db *db, sqlite3_stmt *stmt, int column, const char **out, size_t *size, struct tide_error *err)
{
	*out = (const char *)sqlite3_column_text(stmt, column);
	*size = (size_t)sqlite3_column_bytes(stmt, column);
	if (*out == NULL && sqlite3_column_type(stmt, column) != SQLITE_NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "%.120s: out of memory", db->path);
	if (*out == NULL)
		*out = "";
	return 0;
}
