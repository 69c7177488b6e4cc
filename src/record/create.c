/* SPDX-License-Identifier: MIT */
/*
 * This file creates records. A new record is made whole beside its final name, then renamed, so that no half-made one
 * is ever found there. Then it is switched to a write-ahead log: a commit is one write without fsync(2), and the kernel
 * holds what was written when the recorder is killed. Power loss may cost more than a second, never the record.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/file.h"
#include "record/schema.h"
#include "record/writer.h"

static const char *const statement_sql[NR_WRITER_STATEMENTS] = {
	[WRITER_TARGET] = "INSERT INTO target(id, pid, name) VALUES(?1, ?2, ?3)",
	[WRITER_SAMPLE] = "INSERT INTO sample VALUES(?1, ?2, ?3, ?4)",
	[WRITER_SPAN] = "INSERT INTO span VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[WRITER_IDLE] = "INSERT INTO idle VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
	[WRITER_REASON] = "INSERT INTO reason VALUES(?1, ?2, ?3)",
	[WRITER_MAPPING] = ("INSERT INTO mapping(id, target, start, \"end\", since_us, permissions, name) "
	                    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
	[WRITER_MAPPING_END] = "UPDATE mapping SET until_us = ?2 WHERE id = ?1",
	[WRITER_META] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
};

static int out_of_memory(struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

static int prepare_statements(struct record_writer *writer, struct tide_error *err)
{
	int result = 0;

	for (int i = 0; i < NR_WRITER_STATEMENTS && result == 0; i++)
		result = db_prepare(&writer->db, &writer->statements[i], statement_sql[i], err);
	return result;
}

static void close_connection(struct record_writer *writer)
{
	for (int i = 0; i < NR_WRITER_STATEMENTS; i++) {
		sqlite3_finalize(writer->statements[i]);
		writer->statements[i] = NULL;
	}
	sqlite3_close(writer->db.sqlite);
	writer->db.sqlite = NULL;
}

/* Opens `file`; "" is SQLite's name for a temporary file without a name. */
static int open_connection(struct record_writer *writer, const char *file, struct tide_error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(file, &writer->db.sqlite, flags, NULL) != SQLITE_OK)
		return db_error(&writer->db, err);
	sqlite3_extended_result_codes(writer->db.sqlite, 1);
	sqlite3_busy_timeout(writer->db.sqlite, 2000);
	return 0;
}

static int fill(struct record_writer *writer, const struct record_info *info, struct tide_error *err)
{
	int result = db_exec(&writer->db, "PRAGMA journal_mode = MEMORY; BEGIN", err);

	if (result == 0)
		result = schema_create(&writer->db, err);
	if (result == 0)
		result = prepare_statements(writer, err);
	if (result == 0)
		result = writer_put_info(writer, info, err);
	return result < 0 ? result : db_exec(&writer->db, "COMMIT", err);
}

/*
 * The log of the old record must not be beside the new one, SQLite would take it for the new one's: it goes back
 * into its file. That needs the record for ourselves, which tells whether somebody uses it.
 */
static int settle_old(const char *path, struct tide_error *err)
{
	struct db db = { .path = strdup(path) };
	int result = 0;

	if (db.path == NULL)
		return out_of_memory(err);
	if (sqlite3_open_v2(path, &db.sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK) {
		sqlite3_db_config(db.sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		sqlite3_db_config(db.sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_exec(db.sqlite, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE; ROLLBACK", NULL, NULL, NULL);
		result = sqlite3_errcode(db.sqlite) & 0xff;
	}
	db_fini(&db);
	if (result == SQLITE_BUSY || result == SQLITE_LOCKED)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY,
		                 "%.120s is being written or read by another process: choose another path", path);
	return 0;
}

/* A damaged old record may have kept its log; it goes when the new one is ready. */
static void remove_old_log(const char *path)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		scope_free char *name = NULL;

		if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
			name = NULL;
		else
			unlink(name);
	}
}

/* Makes the record beside `path`, gives it its name and opens it there. */
static int create_file(struct record_writer *writer, const char *path, bool replaces, const struct record_info *info,
                       struct tide_error *err)
{
	scope_free char *fresh = NULL;
	int result = file_create_beside(path, &fresh, err);

	if (result < 0)
		return result;
	result = open_connection(writer, fresh, err);
	if (result == 0)
		result = fill(writer, info, err);
	close_connection(writer);
	if (result == 0 && replaces)
		result = settle_old(path, err);
	if (result == 0) {
		remove_old_log(path);
		result = file_install(fresh, path, replaces, err);
	}
	if (result < 0) {
		file_remove(fresh);
		return result;
	}
	result = open_connection(writer, path, err);
	/* Where the file system cannot share memory the mode stays DELETE: slower, as safe. */
	if (result == 0)
		result = db_exec(&writer->db, "PRAGMA synchronous = NORMAL; PRAGMA journal_mode = WAL", err);
	return result < 0 ? result : prepare_statements(writer, err);
}

static int create_unnamed(struct record_writer *writer, const struct record_info *info, struct tide_error *err)
{
	int result = open_connection(writer, "", err);

	return result < 0 ? result : fill(writer, info, err);
}

int record_create(struct record_writer **out, const char *path, const struct record_info *info, struct tide_error *err)
{
	struct record_writer *writer = calloc(1, sizeof(*writer));
	scope_free char *resolved = NULL;
	bool replaces = false;
	int result = 0;

	*out = NULL;
	if (writer == NULL)
		return out_of_memory(err);
	writer->next_sample = writer->next_region = writer->next_mapping = 1;
	writer->in_file = path != NULL;
	writer->exact = info->exact != 0;
	writer->db.path = strdup(path != NULL ? path : "the temporary record");
	if (writer->db.path == NULL)
		result = out_of_memory(err);
	if (result == 0 && path != NULL)
		result = file_resolve(path, &resolved, &replaces, err);
	if (result == 0)
		result = path != NULL ? create_file(writer, resolved, replaces, info, err)
		                      : create_unnamed(writer, info, err);
	if (result < 0) {
		writer_free(writer);
		return result;
	}
	*out = writer;
	return 0;
}

void writer_free(struct record_writer *writer)
{
	if (writer == NULL)
		return;
	close_connection(writer);
	db_fini(&writer->db);
	writer_free_layouts(writer);
	free(writer);
}
