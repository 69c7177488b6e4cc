/* SPDX-License-Identifier: MIT */
/* A report's picture as a file, which is there wholly or as it was before. */
#ifndef CLI_PICTURE_FILE_H
#define CLI_PICTURE_FILE_H

#include "report/report.h"

struct options;

/*
 * Refuses what cannot become a picture: the report, the file's ending, its place, options that are of text. Nothing is
 * written yet. 0 or negative.
 */
int picture_file_check(const struct report *report, const struct options *options, struct tide_error *err);

/* Draws `report` into options->output. 0, or negative: the file that was there is as it was, and no other is. */
int picture_file_write(const struct report *report, struct record_reader *reader, const struct report_opts *opts,
                       const struct options *options, struct tide_error *err);

#endif
