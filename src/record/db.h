/* SPDX-License-Identifier: MIT */
/* SQLite as this room uses it: results turned into error sentences that name the file. */
#ifndef RECORD_DB_H
#define RECORD_DB_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/error.h>

/* A connection and the name people know the file by. */
struct db {
	sqlite3 *sqlite;
	char *path;
};

/* Closes the connection and frees the name. Accepts a zeroed one. */
void db_fini(struct db *db);

/* Fills `err` from the connection's last failure, which must have been one. Returns the negative errno. */
int db_error(const struct db *db, struct tide_error *err);

/* The sentence for a value that no tidemark writes: "PATH is damaged: ...". Returns -EBADMSG. */
int db_damaged(const struct db *db, struct tide_error *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

int db_exec(const struct db *db, const char *sql, struct tide_error *err);
int db_prepare(const struct db *db, sqlite3_stmt **out, const char *sql, struct tide_error *err);

/* 1 a row is there, 0 no more, negative on error. */
int db_step(const struct db *db, sqlite3_stmt *stmt, struct tide_error *err);

/* Runs a statement that returns nothing and makes it ready for the next time. */
int db_run(const struct db *db, sqlite3_stmt *stmt, struct tide_error *err);

/* Binds `nr` integers to the first parameters, then as db_run. */
int db_put(const struct db *db, sqlite3_stmt *stmt, const int64_t *values, int nr, struct tide_error *err);

/* The column as a number in [0, max]; db_damaged otherwise. */
int db_number(const struct db *db, sqlite3_stmt *stmt, int column, uint64_t max, uint64_t *out, struct tide_error *err);

/* The column as text with a NUL behind it, valid until the next step; "" for NULL. */
int db_text(const struct db *db, sqlite3_stmt *stmt, int column, const char **out, size_t *size,
            struct tide_error *err);

#define scope_stmt __attribute__((cleanup(db_stmt_cleanup)))
void db_stmt_cleanup(sqlite3_stmt **stmt);

#endif
