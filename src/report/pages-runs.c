/* SPDX-License-Identifier: MIT */
/* This file lists runs of pages, by mapping, while they are found. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "report/format.h"
#include "report/json.h"
#include "report/pages.h"

enum {
	NAME_COLUMNS = 40,
	CATEGORY_COLUMNS = 23, /* "present file soft-dirty" */
};

/* In the order of their list, which is the order in which they are read best. */
static const uint64_t categories[] = {
#define BIT(id, bit, name, sentence) TIDE_PAGE_##id,
	TIDE_PAGE_CATEGORIES(BIT)
};
#define NR_CATEGORIES (sizeof(categories) / sizeof(categories[0]))

static json_t *json_categories(uint64_t mask)
{
	json_t *names = json_array();

	for (size_t i = 0; names != NULL && i < NR_CATEGORIES; i++) {
		if ((mask & categories[i]) == 0)
			continue;
		if (json_array_append_new(names, json_string(tide_page_category_name(categories[i]))) < 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

struct category_text {
	char s[80]; /* all names, and blanks between */
};

static struct category_text text_categories(uint64_t mask)
{
	struct category_text text = { "" };
	size_t at = 0;

	for (size_t i = 0; i < NR_CATEGORIES; i++)
		if (mask & categories[i])
			at += (size_t)snprintf(text.s + at, sizeof(text.s) - at, "%s%s", at > 0 ? " " : "",
			                       tide_page_category_name(categories[i]));
	return at > 0 ? text : (struct category_text){ "-" };
}

int pages_report_begin(struct pages_report *report, const struct tide_target *target, const struct tide_pages *pages,
                       uint64_t returned, struct tide_error *err)
{
	report->begun = true;
	if (report->json)
		return json_line(report->out,
		                 json_pack("{s:s, s:s, s:i, s:o, s:s, s:o}", "schema", "tidemark/1", "report", "pages",
		                           "pid", (int)tide_target_pid(target), "name",
		                           json_text(tide_target_name(target)), "source", tide_pages_source(pages),
		                           "returned", json_categories(returned)),
		                 err);
	fprintf(report->out, "%s (pid %d): %s\n\n%-27s %9s  %-*s  %s\n", format_name(tide_target_name(target), 40).s,
	        tide_target_pid(target), report->what, "address", "bytes", CATEGORY_COLUMNS, "categories", "mapping");
	return 0;
}

static int write_row(struct pages_report *report, struct tide_error *err)
{
	const struct tide_page_run *run = &report->pending.run;
	char range[40];

	report->nr_rows++;
	report->bytes += run->end - run->start;
	if (report->json)
		return json_line(report->out,
		                 json_pack("{s:o, s:o, s:o, s:o}", "start", json_address(run->start), "end",
		                           json_address(run->end), "categories", json_categories(run->categories),
		                           "mapping", json_text(report->pending.name)),
		                 err);
	snprintf(range, sizeof(range), "%" PRIx64 "-%" PRIx64, run->start, run->end);
	if (fprintf(report->out, "%-27s %9s  %-*s  %s\n", range, format_bytes(run->end - run->start).s,
	            CATEGORY_COLUMNS, text_categories(run->categories).s,
	            format_mapping(report->pending.name, NAME_COLUMNS).s) < 0)
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the report could not be written");
	return 0;
}

static int flush(struct pages_report *report, struct tide_error *err)
{
	int result = 0;

	if (report->pending.run.start < report->pending.run.end)
		result = write_row(report, err);
	report->pending.run = (struct tide_page_run){ 0 };
	return result;
}

/* A run that lies in one mapping: the pending row goes on with it, or it is the next one. */
static int add_row(struct pages_report *report, const struct tide_mapping *mapping, const struct tide_page_run *run,
                   struct tide_error *err)
{
	struct tide_page_run *last = &report->pending.run;
	int result;

	if (last->start < last->end && last->end == run->start && last->categories == run->categories &&
	    report->pending.mapping_start == mapping->start) {
		last->end = run->end;
		return 0;
	}
	result = flush(report, err);
	if (result < 0)
		return result;
	if (report->limit > 0 && report->nr_rows == report->limit) {
		report->next = run->start;
		return 1;
	}
	free(report->pending.name);
	report->pending.name = strdup(mapping->name);
	if (report->pending.name == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	report->pending.mapping_start = mapping->start;
	*last = *run;
	return 0;
}

int pages_report_run(struct pages_report *report, const struct tide_layout *layout, const struct tide_page_run *run,
                     struct tide_error *err)
{
	struct tide_page_run rest = *run;

	while (rest.start < rest.end) {
		static const struct tide_mapping gone = { .name = "" };
		const struct tide_mapping *mapping = tide_layout_find(layout, rest.start);
		struct tide_page_run part = rest;
		int result;

		if (mapping == NULL)
			mapping = &gone;
		else if (part.end > mapping->end)
			part.end = mapping->end;
		result = add_row(report, mapping, &part, err);
		if (result != 0)
			return result;
		rest.start = part.end;
	}
	return 0;
}

int pages_report_end(struct pages_report *report, struct tide_error *err)
{
	int result = flush(report, err);

	if (result == 0 && report->json && report->next != 0)
		result = json_line(report->out, json_pack("{s:o}", "next", json_address(report->next)), err);
	return result;
}

void pages_report_fini(struct pages_report *report)
{
	free(report->pending.name);
	report->pending.name = NULL;
}
