/* SPDX-License-Identifier: MIT */
/* What all reports begin with: which part of the record, which words for how hot. */
#ifndef REPORT_WINDOW_H
#define REPORT_WINDOW_H

#include "report/format.h"
#include "report/report.h"

/* Looks at samples that end in (from_us, to_us]. */
struct report_window {
	uint64_t from_us;
	uint64_t to_us;
};

/*
 * The last opts->last_us of the record, or with 0 the last `default_us`. A record without samples is an error: USAGE
 * when it is complete, CORRUPT when it was interrupted before the first one was stored. One without writes is, too,
 * when opts->writes asks for them: USAGE.
 */
int report_window(struct report_window *out, struct record_reader *reader, const struct report_opts *opts,
                  uint64_t default_us, struct tide_error *err);

/* "20 s" of 19.97 s: how long the window is, as people say it. */
struct format_text report_span(const struct report_window *window);

/* The columns to use: opts->width within what the reports can do. */
int report_width(const struct report_opts *opts);

/* Ends a report: the error of what could not fail openly, or of the stream. */
int report_end(struct record_reader *reader, FILE *out, struct tide_error *err);

/* bytes * part / whole, at most `bytes`. */
uint64_t report_part(uint64_t bytes, uint64_t part, uint64_t whole);

/* What a record's counts are of. */
enum report_subject {
	REPORT_ACCESSES,            /* reads or writes, which are not told apart */
	REPORT_ACCESSES_AND_WRITES, /* accesses, and which of them were writes */
	REPORT_WRITES,              /* nothing but writes was watched */
};
enum report_subject report_subject(const struct record_info *info);

enum heat {
	HEAT_UNMAPPED,     /* nothing there */
	HEAT_UNOBSERVABLE, /* more than half of the checks went unanswered and none of the rest said "accessed" */
	HEAT_COLD,         /* not accessed, as far as the answers go */
	HEAT_WARM,
	HEAT_HOT, /* accessed in at least half of the checks */
};

/* Of mean counts as well as of one sample's. */
enum heat heat_of(double nr_accesses, double nr_unobservable, double nr_checks);
const char *heat_name(enum heat heat);

#endif
