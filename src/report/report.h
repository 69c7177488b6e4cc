/* SPDX-License-Identifier: MIT */
/* Records as people and programs read them: each report is one function from a record to a stream. */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "record/record.h"

struct report_opts {
	uint64_t last_us; /* look at the last so many microseconds only; 0: the report's default; UINT64_MAX: everything
	                   */
	bool json;        /* one object per line, the first {"schema":"tidemark/1",...} */
	bool color;       /* ANSI 256 colours; false: plain ASCII */
	int width;        /* columns; 0: 80 */
	int height;       /* rows of the heatmap; 0: default */
	bool writes;      /* wss: of writes, not of accesses; a record without them is an error */
	size_t top;       /* regions: at most so many, hottest first, in text; 0: default; SIZE_MAX: all */
};

typedef int report_fn(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err);

struct picture; /* report/picture.h */

/* Draws a report on the sheet that it begins. */
typedef int report_draw_fn(struct record_reader *reader, const struct report_opts *opts, struct picture *picture,
                           struct tide_error *err);

report_draw_fn heatmap_draw;
report_draw_fn wss_draw;

report_fn report_heatmap;
report_fn report_wss;
report_fn report_regions;
report_fn report_ages;
report_fn report_info;

/* One array drives dispatch, help and completions. Terminated by a NULL name. */
struct report {
	const char *name;
	const char *summary;
	report_fn *write;
	report_draw_fn *draw; /* NULL: there is no picture of it */
	bool tells_writes;    /* of a record that has them */
};
extern const struct report reports[];

#endif
