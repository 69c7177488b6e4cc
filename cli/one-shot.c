/* SPDX-License-Identifier: MIT */
/* This file is the verbs that answer at once: `heatmap`, `wss`, `regions` and `ages` record into a store without a
 * name, and report. */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "output.h"
#include "recording.h"
#include "verbs.h"
#include "verdict.h"
#include "whom.h"

#define DEFAULT_DURATION_US 10000000u

static int check_usage(const char *name, const struct options *options, struct tide_error *err)
{
	if (options->pids.nr == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "nothing to watch: name a process with -p");
	if (whom_check_ranges(options, err) < 0)
		return err->code;
	return output_check_options(output_find_report(name), options, err);
}

static int print_report(const char *name, struct recording *recording, struct tide_error *err)
{
	struct record_reader *reader = NULL;
	int result;

	if (recording->writer == NULL)
		return 0; /* nothing was seen: the verdict says so */
	result = record_open_writer(&reader, recording->writer, err);
	if (result == 0)
		result = output_report(output_find_report(name), reader, recording->options, err);
	record_close(reader);
	return result;
}

int verb_one_shot(const struct verb *verb, const struct options *options)
{
	struct verdict verdict = { .verb = "watched" };
	char remark[160];
	uint64_t duration_us = options->duration_us ? options->duration_us : DEFAULT_DURATION_US;
	struct recording recording = { 0 };
	struct stop stop = { .fd = -1 };
	struct tide_error err = { 0 };
	int result = check_usage(verb->name, options, &err);
	enum exit_code code;

	if (result == 0)
		result = stop_open(&stop, &err);
	if (result == 0)
		result = recording_open(&recording, options, NULL, duration_us, &err);
	for (size_t i = 0; result == 0 && i < options->pids.nr; i++)
		result = recording_watch(&recording, options->pids.items[i], &err);
	if (result == 0) {
		recording_run(&recording, &stop);
		result = print_report(verb->name, &recording, &err);
	}
	if (options->output != NULL) {
		snprintf(remark, sizeof(remark), "drawn in %.120s", options->output);
		verdict.remark = remark;
	}
	code = result == 0 ? verdict_say(&recording, &verdict) : say_error(&err);
	recording_close(&recording);
	stop_close(&stop);
	return code;
}
