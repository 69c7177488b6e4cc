/* SPDX-License-Identifier: MIT */
/* This file is the verb `pages`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "option-parse.h"
#include "output.h"
#include "report/format.h"
#include "report/pages.h"
#include "say.h"
#include "stop.h"
#include "units.h"
#include "verbs.h"
#include "whom.h"

enum {
	NR_RUNS = 16384,
};

#define AT(member)                      offsetof(struct options, member)
#define CHOICE(id, bit, name, sentence) name " "
#define CATEGORIES                      TIDE_PAGE_CATEGORIES(CHOICE)
#define SHOW_EVERY_NS                   1000000000u

/* What is told unless the command line says what: these two say something only about a process that is watched. */
#define OF_WATCHED ((uint64_t)(TIDE_PAGE_WPALLOWED | TIDE_PAGE_WRITTEN))

static const struct option_spec specs[] = {
	{ "pid", 'p', "PID|NAME", "The process to look at: its number, or the name of the command that it runs",
	  option_parse_pids, 0, "@pid" },
	{ "range", 0, "START-END", "Look at these addresses (hexadecimal) only; may be given more than once",
	  option_parse_range, 0, NULL },
	{ "summary", 0, NULL, "Sum up: one row for each mapping, and all in all", option_parse_flag, AT(summary),
	  NULL },
	{ "all-of", 0, "LIST", "List pages that are in all of these categories", option_parse_categories, AT(all_of),
	  CATEGORIES },
	{ "any-of", 0, "LIST", "List pages that are in at least one of these", option_parse_categories, AT(any_of),
	  CATEGORIES },
	{ "inverted", 0, "LIST", "Take these as their opposite in --all-of and --any-of", option_parse_categories,
	  AT(inverted), CATEGORIES },
	{ "returned", 0, "LIST",
	  "Tell these of the pages that are listed, and join neighbours that agree in them (default: all that can be "
	  "told, "
	  "without written and wpallowed unless they are asked for)",
	  option_parse_categories, AT(returned), CATEGORIES },
	{ "limit", 0, "NUMBER", "Print at most so many rows", option_parse_limit, 0, NULL },
	{ "json", 0, NULL, "Print JSON, one object per line", option_parse_flag, AT(json), NULL },
	{ 0 },
};

const struct option_group option_group_pages = { "What to look at, and what to show", specs };

struct look {
	const struct options *options;
	struct stop stop;
	struct tide_target *target;
	struct tide_pages *pages;
	VEC(struct tide_range) ranges; /* ascending, apart, at least one */
	uint64_t began_ns;
	uint64_t shown_ns;
	bool shows;
	bool on_screen;
	bool interrupted;
};

static int check_usage(const struct options *options, struct tide_error *err)
{
	uint64_t asked = options->all_of | options->any_of;
	uint64_t idle = options->inverted & ~asked;

	if (whom_check_one(options, "look at", err) < 0)
		return err->code;
	if (options->summary && (asked | options->inverted | options->returned) != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--summary counts all categories: it takes none of the masks");
	if (idle != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "--inverted %s changes nothing: name it in --all-of or --any-of as well",
		                 tide_page_category_name(idle & -idle));
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct tide_range *x = a;
	const struct tide_range *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The user's ranges in order, joined where they meet; without any, everything. */
static int choose_ranges(struct look *look, struct tide_error *err)
{
	const struct tide_range everything = { 0, TIDE_PAGES_END };
	const struct options *options = look->options;
	size_t nr = options->ranges.nr > 0 ? options->ranges.nr : 1;
	size_t kept = 0;

	if (vec_reserve(&look->ranges, nr) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	memcpy(look->ranges.items, options->ranges.nr > 0 ? options->ranges.items : &everything,
	       nr * sizeof(everything));
	qsort(look->ranges.items, nr, sizeof(everything), by_start);
	for (size_t i = 0; i < nr; i++) {
		struct tide_range *last = kept > 0 ? &look->ranges.items[kept - 1] : NULL;
		struct tide_range range = look->ranges.items[i];

		if (range.end > TIDE_PAGES_END)
			range.end = TIDE_PAGES_END;
		if (range.start >= range.end)
			continue;
		if (last == NULL || range.start > last->end)
			look->ranges.items[kept++] = range;
		else if (range.end > last->end)
			last->end = range.end;
	}
	look->ranges.nr = kept;
	return kept > 0
	               ? 0
	               : error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "no process has memory at the addresses of --range");
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void clear_line(struct look *look)
{
	if (look->on_screen)
		fputs("\r\033[K", stderr);
	look->on_screen = false;
}

/* Between pieces of work: 1 when a signal wants the end; shows how far it is. A summary_pause_fn. */
static int pause_work(void *arg, uint64_t done, uint64_t all)
{
	struct look *look = arg;
	uint64_t now = now_ns();
	bool from_terminal;

	if (stop_take(&look->stop, &from_terminal) != 0) {
		look->interrupted = true;
		return 1;
	}
	if (!look->shows || now < look->shown_ns + SHOW_EVERY_NS)
		return 0;
	look->shown_ns = now;
	fprintf(stderr, "\rlooked at %s of %s\033[K", format_bytes(done).s, format_bytes(all).s);
	fflush(stderr);
	look->on_screen = true;
	return 0;
}

/* What of the mappings lies in [start, end). */
static uint64_t mapped_bytes(const struct tide_layout *layout, uint64_t start, uint64_t end)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < layout->nr_mappings; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];
		uint64_t from = mapping->start > start ? mapping->start : start;
		uint64_t to = mapping->end < end ? mapping->end : end;

		bytes += from < to ? to - from : 0;
	}
	return bytes;
}

static int pause_list(struct look *look, uint64_t next)
{
	const struct tide_layout *layout = tide_target_layout(look->target);
	uint64_t first = look->ranges.items[0].start;
	uint64_t end = look->ranges.items[look->ranges.nr - 1].end;

	return pause_work(look, mapped_bytes(layout, first, next), mapped_bytes(layout, first, end));
}

/* 0 at the end of the range, 1 the list is long enough or was interrupted, or negative. */
static int list_range(struct look *look, struct pages_report *report, struct tide_pages_query *query,
                      struct tide_page_run *runs, struct tide_error *err)
{
	for (; query->start < query->end; query->start = query->next) {
		long nr = tide_pages_get(look->pages, query, runs, NR_RUNS, err);
		int result = nr < 0 ? (int)nr : 0;

		/* The first answer says that there is one. */
		if (result == 0 && !report->begun)
			result = pages_report_begin(report, look->target, look->pages, query->returned, err);
		for (long i = 0; i < nr && result == 0; i++)
			result = pages_report_run(report, tide_target_layout(look->target), &runs[i], err);
		if (result == 0)
			result = pause_list(look, query->next);
		if (result != 0)
			return result;
	}
	return 0;
}

static int list_ranges(struct look *look, struct pages_report *report, struct tide_pages_query *query,
                       struct tide_error *err)
{
	scope_free struct tide_page_run *runs = malloc(NR_RUNS * sizeof(*runs));
	int result = 0;

	if (runs == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (size_t i = 0; i < look->ranges.nr && result == 0; i++) {
		query->start = look->ranges.items[i].start;
		query->end = look->ranges.items[i].end;
		result = list_range(look, report, query, runs, err);
	}
	return result;
}

static void say_list(const struct look *look, const struct pages_report *report)
{
	char time[UNITS_TEXT_SIZE];

	if (!look->options->quiet || look->interrupted)
		say("%s%s rows, %s of process %d (%s), in %s", look->interrupted ? "interrupted; " : "",
		    format_count(report->nr_rows).s, format_bytes(report->bytes).s, tide_target_pid(look->target),
		    tide_target_name(look->target), units_duration_text(time, (now_ns() - look->began_ns) / 1000));
	if (report->next != 0 && !look->options->quiet)
		say("there is more, from 0x%llx on: a greater --limit or a --range shows it",
		    (unsigned long long)report->next);
}

static int list(struct look *look, struct tide_error *err)
{
	const struct options *options = look->options;
	bool masks = (options->all_of | options->any_of) != 0;
	uint64_t known = tide_pages_categories(look->pages);
	struct tide_pages_query query = {
		.size = sizeof(query),
		.all_of = options->all_of,
		.any_of = masks ? options->any_of : TIDE_PAGE_PRESENT | TIDE_PAGE_SWAPPED,
		.inverted = options->inverted,
		.returned = options->returned ? options->returned
		                              : (known & ~OF_WATCHED) | options->all_of | options->any_of,
	};
	struct pages_report report = {
		.out = stdout,
		.json = options->json,
		.what = masks ? "pages that the masks select" : "pages that are present or swapped",
		.limit = options->limit,
	};
	struct tide_error late = { 0 };
	int result = list_ranges(look, &report, &query, err);

	clear_line(look);
	/* What was seen before a failure is kept. */
	if (pages_report_end(&report, &late) < 0 && result >= 0) {
		*err = late;
		result = late.code;
	}
	pages_report_fini(&report);
	if (result >= 0)
		say_list(look, &report);
	return result < 0 ? result : 0;
}

static int summarize(struct look *look, struct tide_error *err)
{
	const struct options *options = look->options;
	struct summary summary = { 0 };
	struct tide_error late = { 0 };
	int result = summary_take(&summary, look->target, look->pages, look->ranges.items, look->ranges.nr, pause_work,
	                          look, err);

	clear_line(look);
	if ((result >= 0 || summary.rows.nr > 0) &&
	    pages_report_summary(stdout, options->json, look->target, look->pages, &summary, options->limit, &late) <
	            0 &&
	    result >= 0) {
		*err = late;
		result = late.code;
	}
	if (result >= 0 && look->interrupted)
		say("interrupted: what was not looked at is missing");
	if (result >= 0 && summary.lack.code != 0 && !options->quiet)
		say("young, dirty and pinned are not known: %s", summary.lack.text);
	if (result >= 0 && summary.has_notifiers && !options->quiet)
		say("the memory is used through other page tables too (a virtual machine's, a device's): what they "
		    "used and wrote is not in young and dirty");
	summary_fini(&summary);
	return result < 0 ? result : 0;
}

int verb_pages(const struct verb *verb, const struct options *options)
{
	struct look look = { .options = options, .stop = { .fd = -1 } };
	struct tide_error err = { 0 };
	int result = check_usage(options, &err);

	(void)verb;
	if (result == 0)
		result = choose_ranges(&look, &err);
	if (result == 0)
		result = stop_open(&look.stop, &err);
	if (result == 0)
		result = tide_target_open(&look.target, options->pids.items[0], &err);
	if (result == 0)
		result = tide_pages_open(&look.pages, look.target, &err);
	if (result == 0) {
		look.began_ns = look.shown_ns = now_ns();
		look.shows = isatty(STDERR_FILENO) && !options->quiet && (options->summary || !isatty(STDOUT_FILENO));
		result = output_judge(options->summary ? summarize(&look, &err) : list(&look, &err));
	}
	tide_pages_close(look.pages);
	tide_target_close(look.target);
	vec_free(&look.ranges);
	stop_close(&look.stop);
	return result < 0 ? (int)say_error(&err) : EXIT_DONE;
}
