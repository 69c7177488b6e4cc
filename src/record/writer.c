/* SPDX-License-Identifier: MIT */
/* This file stores samples as they come, one transaction a second. */
#include "record/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "record/schema.h"

#define COMMIT_NS UINT64_C(1000000000)

/*
 * A new span begins at a gap of so many bytes. Offsets within a span stay short, and the spans alone tell where was
 * watched; smaller gaps do not pay for a row.
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

static int put_span(struct record_writer *writer, const struct tide_region *regions, size_t nr, struct tide_error *err)
{
	int64_t span[] = { writer->next_sample,          regions[0].target,   (int64_t)regions[0].start,
		           (int64_t)regions[nr - 1].end, writer->next_region, (int64_t)nr };
	int result = db_put(&writer->db, writer->statements[WRITER_SPAN], span, 6, err);

	for (size_t i = 0; i < nr && result == 0; i++) {
		const struct tide_region *region = &regions[i];
		int64_t row[] = {
			writer->next_region++,
			(int64_t)((region->start - regions[0].start) >> SCHEMA_PAGE_SHIFT),
			(int64_t)((region->end - region->start) >> SCHEMA_PAGE_SHIFT),
			region->nr_accesses,
			region->nr_writes,
			region->nr_unobservable,
			region->age,
		};

		result = db_put(&writer->db, writer->statements[WRITER_REGION], row, 7, err);
	}
	return result;
}

static int put_regions(struct record_writer *writer, const struct tide_sample *sample, struct tide_error *err)
{
	const struct tide_region *regions = sample->regions;
	size_t first = 0;
	int result = 0;

	for (size_t i = 1; i <= sample->nr_regions && result == 0; i++) {
		if (i < sample->nr_regions && regions[i].target == regions[i - 1].target &&
		    regions[i].start - regions[i - 1].end < SPAN_GAP_BYTES)
			continue;
		result = put_span(writer, &regions[first], i - first, err);
		first = i;
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
	/* One file without a log beside it. A reader that has it open now keeps the log, which is as good. */
	if (result == 0)
		sqlite3_exec(writer->db.sqlite, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
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
