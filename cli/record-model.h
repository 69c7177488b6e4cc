/* SPDX-License-Identifier: MIT */
/* `record --model`: a workload that a file describes, watched in virtual time, instead of a process. */
#ifndef CLI_RECORD_MODEL_H
#define CLI_RECORD_MODEL_H

#include <stdio.h>

#include "options.h"
#include "verify/prediction.h"

/* Does what the verb does, all of it; `path`: where to record to. Returns the exit code. */
int record_model(const struct options *options, const char *path);

/* What a verdict is about. */
struct prediction_subject {
	const char *name;
	const struct tide_monitor_opts *monitor; /* in use */
	bool has_writes;
};

/* Prints the verdict: for people, or as JSON, one object per line. 0 or negative. */
int prediction_print(FILE *out, const struct prediction_subject *subject, const struct prediction_verdict *verdict,
                     bool json, struct tide_error *err);

#endif
