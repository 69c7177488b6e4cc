/* SPDX-License-Identifier: MIT */
/* Standard output carries data only: reports go there, and whether they arrived decides the exit code. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "report/report.h"

struct options;

/* The report called `name`, NULL when there is none. */
const struct report *output_find_report(const char *name);

/* What contradicts itself, or cannot be done with this report, is refused before anything is done for it. */
int output_check_options(const struct report *report, const struct options *options, struct tide_error *err);

/* --color, or what suits the terminal. */
bool output_wants_color(const struct options *options);

/* Prints a report as the options want it, or draws it into a file. 0 or negative. */
int output_report(const struct report *report, struct record_reader *reader, const struct options *options,
                  struct tide_error *err);

/* What became of printing: a failure for no other reason than a reader who has seen enough is none. */
int output_judge(int result);
/* The columns of --width, or of the terminal; 0: neither says. */
int output_width(const struct options *options);

/* Has the reader of a pipe or socket at standard output gone away? It had enough, that is no failure. */
bool output_reader_left(void);

/* Flushes standard output: `code`, or a failure's when what was printed did not arrive. A reader that left had enough.
 */
int output_close(int code);

#endif
