/* SPDX-License-Identifier: MIT */
/* This file reads from a record how often its pages were really checked. */
#include "input.h"

#include <errno.h>
#include <sqlite3.h>

static int read_sums(sqlite3 *db, struct checks *checks, uint64_t from_us, uint64_t to_us)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db,
	                            "SELECT count(*), total(end_us - start_us), total(nr_checks) FROM sample "
	                            "WHERE end_us > ?1 AND end_us <= ?2",
	                            -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)from_us);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)to_us);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW) {
		double nr_checks = sqlite3_column_double(stmt, 2);

		checks->nr_samples = sqlite3_column_double(stmt, 0);
		checks->interval_s = nr_checks > 0 ? sqlite3_column_double(stmt, 1) / 1e6 / nr_checks : 0;
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : -EIO;
}

int checks_read(struct checks *checks, const char *path, uint64_t from_us, uint64_t to_us)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? 0 : -EIO;

	*checks = (struct checks){ 0 };
	if (rc == 0)
		rc = read_sums(db, checks, from_us, to_us);
	if (rc < 0)
		fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
	sqlite3_close(db);
	if (rc == 0 && !(checks->interval_s > 0)) {
		fprintf(stderr, "%s: no check was made in the time of the report\n", path);
		rc = -ENODATA;
	}
	return rc;
}
