/* SPDX-License-Identifier: MIT */
/* What exact mode knows of one target, as a row of table idle: its ages are a text, "[[0,8192],[1000000,4096]]". */
#ifndef RECORD_AGES_H
#define RECORD_AGES_H

#include "base/vec.h"
#include "record/db.h"
#include "record/record.h"

/* The sums and ages of each target in one sample, read row by row. */
struct ages_cursor {
	const struct db *db;
	sqlite3_stmt *stmt; /* NULL: the record is not of exact mode */
	bool is_there;      /* it stands on a row that was not used yet */
	uint32_t nr_targets;
	struct tide_idle *idle; /* by target */
	VEC(struct tide_age) ages;
};

/* Whether `idle` is what its contract says: ascending ages that add up. */
bool ages_are_sound(const struct tide_idle *idle);

/* The ages as text, which the caller frees; NULL when memory is out. */
char *ages_pack(const struct tide_age *ages, size_t nr);

/* Stands before the first row of `first_sample`. */
int ages_open(struct ages_cursor *cursor, const struct db *db, uint32_t nr_targets, int64_t first_sample,
              struct tide_error *err);
void ages_close(struct ages_cursor *cursor);

/* Reads what belongs to `sample`; *out is by target, valid until the next call, NULL when not of exact mode. */
int ages_take(struct ages_cursor *cursor, int64_t sample, const struct tide_idle **out, struct tide_error *err);

#endif
