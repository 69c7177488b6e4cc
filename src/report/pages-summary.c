/* SPDX-License-Identifier: MIT */
/* This file writes the summary of a process's pages: the mappings that hold most first, and all in all. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/scope.h"
#include "report/format.h"
#include "report/json.h"
#include "report/pages.h"

enum {
	NAME_COLUMNS = 40,
};

static const char *const count_names[] = {
#define NAME(id, name) [SUMMARY_##id] = #name,
	SUMMARY_COUNTS(NAME)
};

/* A column that would say 0 in every row is left out, where nobody would miss it. */
struct columns {
	bool shown[NR_SUMMARY_COUNTS];
};

static int most_first(const void *a, const void *b)
{
	const struct summary_row *x = *(const struct summary_row *const *)a;
	const struct summary_row *y = *(const struct summary_row *const *)b;
	uint64_t x_bytes = x->bytes[SUMMARY_PRESENT] + x->bytes[SUMMARY_SWAPPED];
	uint64_t y_bytes = y->bytes[SUMMARY_PRESENT] + y->bytes[SUMMARY_SWAPPED];

	if (x_bytes != y_bytes)
		return x_bytes > y_bytes ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static struct summary_row total_of(const struct summary *summary)
{
	struct summary_row total = { 0 };

	for (size_t i = 0; i < summary->rows.nr; i++) {
		const struct summary_row *row = &summary->rows.items[i];

		total.end += row->end - row->start;
		for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
			total.bytes[c] += row->bytes[c];
	}
	return total;
}

static json_t *json_count(const struct summary *summary, const struct summary_row *row, unsigned count)
{
	return summary->told & 1u << count ? json_number(row->bytes[count]) : json_null();
}

/* Takes over `object`, to which the counts are added. */
static int json_row(FILE *out, const struct summary *summary, const struct summary_row *row, json_t *object,
                    struct tide_error *err)
{
	if (object != NULL && json_object_set_new(object, "mapped_bytes", json_number(row->end - row->start)) < 0) {
		json_decref(object);
		object = NULL;
	}
	for (unsigned c = 0; object != NULL && c < NR_SUMMARY_COUNTS; c++) {
		char key[32];

		snprintf(key, sizeof(key), "%s_bytes", count_names[c]);
		if (json_object_set_new(object, key, json_count(summary, row, c)) < 0) {
			json_decref(object);
			object = NULL;
		}
	}
	return json_line(out, object, err);
}

static int write_json(FILE *out, const struct tide_target *target, const struct tide_pages *pages,
                      const struct summary *summary, const struct summary_row *const *rows, size_t nr,
                      struct tide_error *err)
{
	struct summary_row total = total_of(summary);
	int result = json_line(out,
	                       json_pack("{s:s, s:s, s:i, s:o, s:s, s:b}", "schema", "tidemark/1", "report",
	                                 "pages-summary", "pid", (int)tide_target_pid(target), "name",
	                                 json_text(tide_target_name(target)), "source", tide_pages_source(pages),
	                                 "secondary_tables", (int)summary->has_notifiers),
	                       err);

	for (size_t i = 0; i < nr && result == 0; i++)
		result = json_row(out, summary, rows[i],
		                  json_pack("{s:o, s:o, s:o}", "mapping", json_text(summary_name(summary, rows[i])),
		                            "start", json_address(rows[i]->start), "end", json_address(rows[i]->end)),
		                  err);
	if (result == 0)
		result = json_row(out, summary, &total, json_pack("{s:b}", "total", 1), err);
	return result;
}

static void text_row(FILE *out, const struct summary *summary, const struct columns *columns,
                     const struct summary_row *row, const char *range, const char *name)
{
	fprintf(out, "%-27s %9s", range, format_bytes(row->end - row->start).s);
	for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
		if (columns->shown[c])
			fprintf(out, " %9s", summary->told & 1u << c ? format_bytes(row->bytes[c]).s : "-");
	fprintf(out, "%s%s\n", *name ? "  " : "", name);
}

static void write_text(FILE *out, const struct tide_target *target, const struct summary *summary,
                       const struct summary_row *const *rows, size_t nr)
{
	struct summary_row total = total_of(summary);
	struct columns columns = { 0 };
	size_t nr_empty = 0;

	for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
		columns.shown[c] = c != SUMMARY_SWAPPED || total.bytes[c] > 0;
	fprintf(out, "%s (pid %d): %s present of %s mapped, in %s mappings\n\n%-27s %9s",
	        format_name(tide_target_name(target), 40).s, tide_target_pid(target),
	        format_bytes(total.bytes[SUMMARY_PRESENT]).s, format_bytes(total.end).s,
	        format_count(summary->rows.nr).s, "address", "mapped");
	for (unsigned c = 0; c < NR_SUMMARY_COUNTS; c++)
		if (columns.shown[c])
			fprintf(out, " %9s", count_names[c]);
	fprintf(out, "  mapping\n");
	for (size_t i = 0; i < nr; i++) {
		char range[40];

		if (rows[i]->bytes[SUMMARY_PRESENT] + rows[i]->bytes[SUMMARY_SWAPPED] == 0) {
			nr_empty = nr - i;
			break;
		}
		snprintf(range, sizeof(range), "%" PRIx64 "-%" PRIx64, rows[i]->start, rows[i]->end);
		text_row(out, summary, &columns, rows[i], range,
		         format_mapping(summary_name(summary, rows[i]), NAME_COLUMNS).s);
	}
	if (nr < summary->rows.nr)
		fprintf(out, "and %s more that hold less\n", format_count(summary->rows.nr - nr).s);
	else if (nr_empty > 0)
		fprintf(out, "and %s of which nothing is present\n", format_count(nr_empty).s);
	text_row(out, summary, &columns, &total, "total", "");
}

int pages_report_summary(FILE *out, bool json, const struct tide_target *target, const struct tide_pages *pages,
                         const struct summary *summary, uint64_t limit, struct tide_error *err)
{
	size_t nr = summary->rows.nr;
	scope_free const struct summary_row **rows = malloc((nr + 1) * sizeof(struct summary_row *));

	if (rows == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (size_t i = 0; i < nr; i++)
		rows[i] = &summary->rows.items[i];
	qsort(rows, nr, sizeof(struct summary_row *), most_first);
	if (limit > 0 && nr > limit)
		nr = limit;
	if (json)
		return write_json(out, target, pages, summary, rows, nr, err);
	write_text(out, target, summary, rows, nr);
	return ferror(out) ? error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the report could not be written") : 0;
}
