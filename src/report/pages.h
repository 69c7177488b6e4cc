/* SPDX-License-Identifier: MIT */
/* Pages of a live process as people and programs read them: runs one by one as they are found, or a summary. */
#ifndef REPORT_PAGES_H
#define REPORT_PAGES_H

#include <stdbool.h>
#include <stdio.h>

#include <tidemark/pages.h>

#include "pages/summary.h"

struct pages_report {
	FILE *out;
	bool json;
	const char *what; /* which pages are listed, for people */
	uint64_t limit;   /* rows; 0: no limit */
	bool begun;
	uint64_t nr_rows;
	uint64_t bytes; /* of all rows */
	uint64_t next;  /* when not 0: the limit was reached, and there is more from here on */
	struct {
		struct tide_page_run run; /* a row that may still grow; empty: none */
		uint64_t mapping_start;
		char *name;
	} pending;
};

/* The head of the list, once. `returned`: which categories are told. */
int pages_report_begin(struct pages_report *report, const struct tide_target *target, const struct tide_pages *pages,
                       uint64_t returned, struct tide_error *err);

/* One more run, divided where mappings end. 1: the limit is reached, no more is wanted; 0; or negative. */
int pages_report_run(struct pages_report *report, const struct tide_layout *layout, const struct tide_page_run *run,
                     struct tide_error *err);

/* Ends the list, wherever it stands. 0 or negative. */
int pages_report_end(struct pages_report *report, struct tide_error *err);

/* Releases what is kept, also after a failure. */
void pages_report_fini(struct pages_report *report);

/* The whole summary, largest mappings first, at most `limit` (0: all) and their total. */
int pages_report_summary(FILE *out, bool json, const struct tide_target *target, const struct tide_pages *pages,
                         const struct summary *summary, uint64_t limit, struct tide_error *err);

#endif
