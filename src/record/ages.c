/* SPDX-License-Identifier: MIT */
/* This file writes the ages of exact mode as text and reads them back; what it reads may come from anywhere. */
#include "record/ages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "record/number.h"
#include "record/schema.h"

/* "[18446744073709551615,18446744073709551615]," */
#define AGE_ROOM 44

bool ages_are_sound(const struct tide_idle *idle)
{
	uint64_t rest = idle->present_bytes;

	if (idle->present_bytes > SCHEMA_NUMBER_MAX || idle->unobservable_bytes > rest || idle->accessed_bytes > rest)
		return false;
	rest -= idle->unobservable_bytes;
	for (size_t i = 0; i < idle->nr_ages; i++) {
		const struct tide_age *age = &idle->ages[i];

		if (age->bytes > rest || age->idle_us > SCHEMA_NUMBER_MAX ||
		    (i > 0 && age->idle_us <= idle->ages[i - 1].idle_us))
			return false;
		rest -= age->bytes;
	}
	return rest == 0;
}

char *ages_pack(const struct tide_age *ages, size_t nr)
{
	char *text = malloc(nr * AGE_ROOM + 3);
	char *to = text;

	if (text == NULL)
		return NULL;
	*to++ = '[';
	for (size_t i = 0; i < nr; i++) {
		if (i > 0)
			*to++ = ',';
		*to++ = '[';
		to = number_put(to, ages[i].idle_us);
		*to++ = ',';
		to = number_put(to, ages[i].bytes);
		*to++ = ']';
	}
	memcpy(to, "]", 2);
	return text;
}

static const char *take_age(const char *at, struct tide_age *out)
{
	if (*at != '[')
		return NULL;
	at = number_take(at + 1, SCHEMA_NUMBER_MAX, &out->idle_us);
	if (at == NULL || *at != ',')
		return NULL;
	at = number_take(at + 1, SCHEMA_NUMBER_MAX, &out->bytes);
	return at != NULL && *at == ']' ? at + 1 : NULL;
}

/* Adds what the text says to cursor->ages. -EBADMSG or -ENOMEM without a sentence yet. */
static int parse(struct ages_cursor *cursor, const char *text, size_t size, size_t *nr)
{
	const char *at = text;

	*nr = 0;
	if (strcmp(text, "[]") == 0)
		return size == 2 ? 0 : -EBADMSG;
	if (*at != '[')
		return -EBADMSG;
	do {
		struct tide_age age;

		at = take_age(at + 1, &age);
		if (at == NULL)
			return -EBADMSG;
		if (vec_push(&cursor->ages, age) < 0)
			return -ENOMEM;
		++*nr;
	} while (*at == ',');
	return *at == ']' && at + 1 == text + size ? 0 : -EBADMSG;
}

int ages_open(struct ages_cursor *cursor, const struct db *db, uint32_t nr_targets, int64_t first_sample,
              struct tide_error *err)
{
	int result;

	*cursor = (struct ages_cursor){ .db = db, .nr_targets = nr_targets };
	cursor->idle = calloc(nr_targets + (size_t)1, sizeof(*cursor->idle));
	if (cursor->idle == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	result = db_prepare(db, &cursor->stmt,
	                    "SELECT sample, target, present_bytes, accessed_bytes, unobservable_bytes, ages FROM idle "
	                    "WHERE sample >= ?1 ORDER BY sample, target",
	                    err);
	if (result < 0)
		return result;
	sqlite3_bind_int64(cursor->stmt, 1, first_sample);
	result = db_step(db, cursor->stmt, err);
	cursor->is_there = result > 0;
	return result < 0 ? result : 0;
}

void ages_close(struct ages_cursor *cursor)
{
	sqlite3_finalize(cursor->stmt);
	free(cursor->idle);
	vec_free(&cursor->ages);
}

/* The row under the cursor; its ages are the last of cursor->ages, to which the pointer is set later. */
static int take_row(struct ages_cursor *cursor, int64_t *floor, struct tide_error *err)
{
	const struct db *db = cursor->db;
	int64_t target = sqlite3_column_int64(cursor->stmt, 1);
	size_t before = cursor->ages.nr;
	struct tide_idle idle = { 0 };
	const char *text;
	size_t size;
	int result;

	if (db_number(db, cursor->stmt, 2, SCHEMA_NUMBER_MAX, &idle.present_bytes, err) < 0 ||
	    db_number(db, cursor->stmt, 3, SCHEMA_NUMBER_MAX, &idle.accessed_bytes, err) < 0 ||
	    db_number(db, cursor->stmt, 4, SCHEMA_NUMBER_MAX, &idle.unobservable_bytes, err) < 0)
		return -EBADMSG;
	result = db_text(db, cursor->stmt, 5, &text, &size, err);
	if (result < 0)
		return result;
	result = parse(cursor, text, size, &idle.nr_ages);
	if (result == -ENOMEM)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	idle.ages = cursor->ages.items + before;
	if (result < 0 || target <= *floor || target >= cursor->nr_targets || !ages_are_sound(&idle))
		return db_damaged(db, err, "the ages of sample %lld make no sense",
		                  (long long)sqlite3_column_int64(cursor->stmt, 0));
	*floor = target;
	cursor->idle[target] = idle;
	return 0;
}

int ages_take(struct ages_cursor *cursor, int64_t sample, const struct tide_idle **out, struct tide_error *err)
{
	const struct tide_age *ages;
	int64_t floor = -1;

	*out = NULL;
	if (cursor->stmt == NULL)
		return 0;
	cursor->ages.nr = 0;
	memset(cursor->idle, 0, cursor->nr_targets * sizeof(*cursor->idle));
	while (cursor->is_there) {
		int64_t owner = sqlite3_column_int64(cursor->stmt, 0);
		int result;

		if (owner > sample)
			break;
		if (owner < sample)
			return db_damaged(cursor->db, err, "ages belong to no sample");
		result = take_row(cursor, &floor, err);
		if (result == 0)
			result = db_step(cursor->db, cursor->stmt, err);
		if (result < 0)
			return result;
		cursor->is_there = result > 0;
	}
	ages = cursor->ages.items;
	for (uint32_t i = 0; i < cursor->nr_targets; i++) {
		cursor->idle[i].ages = ages;
		ages += cursor->idle[i].nr_ages;
	}
	*out = cursor->idle;
	return 0;
}
