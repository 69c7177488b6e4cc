/* SPDX-License-Identifier: MIT */
/* This file stores samples as they come, one transaction a second. */
#include "record/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/ages.h"
#include "record/pack.h"
#include "record/schema.h"

#define COMMIT_NS UINT64_C(1000000000)

/*
 * A new span begins at a gap of so many bytes: the spans alone tell where was watched, and smaller gaps do not pay for
 * a row.
 */
#define SPAN_GAP_BYTES (UINT64_C(64) << 20)

static int begin(struct record_writer *writer, uint64_t at_ns, struct tide_error *err)
{
	int result;

	if (writer->in_transaction)
		return 0;
	result = db_exec(&writer->db, "BEGIN IMMEDIATE", err);
	if (result < 0)
		return result;
	writer->in_transaction = true;
	writer->transaction_ns = at_ns;
	return 0;
}

static int commit(struct record_writer *writer, struct tide_error *err)
{
	int result;

	if (!writer->in_transaction)
		return 0;
	result = writer_put_cost(writer, err);
	if (result == 0)
		result = db_exec(&writer->db, "COMMIT", err);
	if (result == 0)
		writer->in_transaction = false;
	return result;
}

static uint64_t to_us(const struct record_writer *writer, uint64_t at_ns)
{
	return at_ns > writer->origin_ns ? (at_ns - writer->origin_ns) / 1000 : 0;
}

/* What the reader relies on. A sample that breaks it is a mistake of the caller, not worth a damaged record. */
static int check_sample(const struct record_writer *writer, const struct tide_sample *sample, struct tide_error *err)
{
	uint64_t floor = 0;
	uint32_t target = 0;

	if (sample->nr_checks == 0 || sample->end_ns < sample->start_ns || sample->end_ns < writer->last_end_ns)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "sample without checks, or older than the one before");
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		if (region->target != target)
			floor = 0;
		if (region->target < target || region->target >= sample->nr_targets || region->start < floor ||
		    region->end <= region->start || region->end > SCHEMA_NUMBER_MAX ||
		    (region->start | region->end) % SCHEMA_PAGE_SIZE != 0)
			return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
			                 "region %zu of the sample is out of order, empty or not page-aligned", i);
		target = region->target;
		floor = region->end;
	}
	if (writer->exact && sample->idle == NULL && sample->nr_targets > 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "sample of exact mode without ages");
	for (uint32_t i = 0; writer->exact && i < sample->nr_targets; i++) {
		if (!ages_are_sound(&sample->idle[i]))
			return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
			                 "ages of target %u are out of order or do not add up", i);
	}
	return 0;
}

static int put_targets(struct record_writer *writer, const struct tide_sample *sample,
                       const struct record_source *sources, struct tide_error *err)
{
	uint64_t since_us = to_us(writer, sample->start_ns);

	for (; writer->nr_targets < sample->nr_targets; writer->nr_targets++) {
		const struct record_source *source = &sources[writer->nr_targets];
		int64_t values[] = { writer->nr_targets, source->pid };
		int result;

		sqlite3_bind_text(writer->statements[WRITER_TARGET], 3, source->name, -1, SQLITE_STATIC);
		result = db_put(&writer->db, writer->statements[WRITER_TARGET], values, 2, err);
		if (result < 0)
			return result;
	}
	for (uint32_t i = 0; i < sample->nr_targets; i++) {
		int result = writer_put_layout(writer, i, sources[i].layout, since_us, err);

		if (result < 0)
			return result;
	}
	return 0;
}

/* Stores the first of `nr` regions that lie close together, and as many more as one row takes. */
static int put_span(struct record_writer *writer, const struct tide_region *regions, size_t nr, size_t *taken,
                    struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_SPAN];
	char text[PACK_ROOM];
	size_t size;
	int64_t row[] = {
		writer->next_sample, regions[0].target, (int64_t)regions[0].start, 0, writer->next_region, 0
	};

	*taken = pack_regions(text, &size, regions, nr);
	row[3] = (int64_t)regions[*taken - 1].end;
	row[5] = (int64_t)*taken;
	writer->next_region += row[5];
	if (sqlite3_bind_text(stmt, 7, text, (int)size, SQLITE_STATIC) != SQLITE_OK)
		return db_error(&writer->db, err);
	return db_put(&writer->db, stmt, row, 6, err);
}

/* How many regions from regions[0] on lie close together. */
static size_t run_length(const struct tide_region *regions, size_t nr)
{
	size_t i = 1;

	while (i < nr && regions[i].target == regions[0].target &&
	       regions[i].start - regions[i - 1].end < SPAN_GAP_BYTES)
		i++;
	return i;
}

static int put_regions(struct record_writer *writer, const struct tide_sample *sample, struct tide_error *err)
{
	size_t i = 0;
	int result = 0;

	while (i < sample->nr_regions && result == 0) {
		size_t run = run_length(&sample->regions[i], sample->nr_regions - i);

		for (size_t taken = 0; run > 0 && result == 0; i += taken, run -= taken)
			result = put_span(writer, &sample->regions[i], run, &taken, err);
	}
	return result;
}

static int put_reasons(struct record_writer *writer, const struct tide_sample *sample, struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_REASON];
	int result = 0;

	for (int i = 1; i < TIDE_NR_REASONS && result == 0; i++) {
		if (sample->reasons[i] == 0)
			continue;
		sqlite3_bind_int64(stmt, 1, writer->next_sample);
		sqlite3_bind_text(stmt, 2, tide_reason_name((enum tide_reason)i), -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 3, (int64_t)sample->reasons[i]);
		result = db_run(&writer->db, stmt, err);
	}
	return result;
}

static int put_idle(struct record_writer *writer, const struct tide_sample *sample, struct tide_error *err)
{
	sqlite3_stmt *stmt = writer->statements[WRITER_IDLE];
	int result = 0;

	for (uint32_t i = 0; writer->exact && i < sample->nr_targets && result == 0; i++) {
		const struct tide_idle *idle = &sample->idle[i];
		int64_t row[] = { writer->next_sample, i, (int64_t)idle->present_bytes, (int64_t)idle->accessed_bytes,
			          (int64_t)idle->unobservable_bytes };
		scope_free char *ages = ages_pack(idle->ages, idle->nr_ages);

		if (ages == NULL)
			return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
		if (sqlite3_bind_text(stmt, 6, ages, -1, SQLITE_STATIC) != SQLITE_OK)
			return db_error(&writer->db, err);
		result = db_put(&writer->db, stmt, row, 5, err);
	}
	return result;
}

static int put_sample(struct record_writer *writer, const struct tide_sample *sample,
                      const struct record_source *sources, struct tide_error *err)
{
	int64_t row[] = { writer->next_sample, (int64_t)to_us(writer, sample->start_ns),
		          (int64_t)to_us(writer, sample->end_ns), sample->nr_checks };
	int result = put_targets(writer, sample, sources, err);

	if (result == 0)
		result = db_put(&writer->db, writer->statements[WRITER_SAMPLE], row, 4, err);
	if (result == 0)
		result = put_regions(writer, sample, err);
	if (result == 0)
		result = put_reasons(writer, sample, err);
	if (result == 0)
		result = put_idle(writer, sample, err);
	writer->next_sample++;
	writer->last_end_ns = sample->end_ns;
	return result;
}

static int repeat_error(const struct record_writer *writer, struct tide_error *err)
{
	if (err != NULL)
		*err = writer->failed;
	return writer->failed.code;
}

/* From here on the record stays as it was at the last commit; the writer repeats its error. */
static int fail(struct record_writer *writer, const struct tide_error *why, struct tide_error *err)
{
	writer->failed = *why;
	sqlite3_exec(writer->db.sqlite, "ROLLBACK", NULL, NULL, NULL);
	writer->in_transaction = false;
	return repeat_error(writer, err);
}

int record_put(struct record_writer *writer, const struct tide_sample *sample, const struct record_source *sources,
               struct tide_error *err)
{
	struct tide_error why = { 0 };
	uint64_t interval_ns = sample->end_ns - sample->start_ns;
	int result;

	if (writer->failed.code != 0)
		return repeat_error(writer, err);
	result = check_sample(writer, sample, &why);
	if (writer->next_sample == 1)
		writer->origin_ns = sample->start_ns;
	if (result == 0)
		result = begin(writer, sample->start_ns, &why);
	if (result == 0)
		result = put_sample(writer, sample, sources, &why);
	/* Not when the second is over, but while it still holds: the next sample comes an interval later. */
	if (result == 0 && sample->end_ns - writer->transaction_ns + interval_ns > COMMIT_NS)
		result = commit(writer, &why);
	return result < 0 ? fail(writer, &why, err) : 0;
}

void record_set_cost(struct record_writer *writer, const struct tide_session_cost *cost)
{
	writer->cost = *cost;
	writer->cost_is_new = true;
}

void record_set_intervals(struct record_writer *writer, const struct tide_intervals *intervals)
{
	writer->latest = *intervals;
}

static int finish(struct record_writer *writer, struct tide_error *err)
{
	int result = begin(writer, 0, err);

	if (result == 0)
		result = writer_put_complete(writer, err);
	if (result == 0)
		result = commit(writer, err);
	/*
	 * One file without a log beside it. A reader that has it open now keeps the log, which is as good. What is
	 * written for it is two bytes of the first page, and not worth a journal: one that were left behind by a kill
	 * would have to be rolled back by somebody who may write.
	 */
	if (result == 0)
		sqlite3_exec(writer->db.sqlite, "PRAGMA journal_mode = MEMORY", NULL, NULL, NULL);
	return result;
}

int record_finish(struct record_writer *writer, struct tide_error *err)
{
	int result = 0;

	if (writer == NULL)
		return 0;
	if (writer->failed.code != 0)
		result = repeat_error(writer, err);
	else if (writer->in_file)
		result = finish(writer, err);
	writer_free(writer);
	return result;
}
