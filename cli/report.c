/* SPDX-License-Identifier: MIT */
/* This file is the verb `report`. */
#include <errno.h>
#include <signal.h>

#include "base/error.h"
#include "nearest.h"
#include "output.h"
#include "say.h"
#include "verbs.h"

static int unknown_report(const char *word)
{
	struct nearest nearest;

	nearest_begin(&nearest, word);
	for (const struct report *report = reports; report->name != NULL; report++)
		nearest_try(&nearest, report->name);
	if (nearest.best != NULL)
		say("there is no report '%.40s': did you mean '%s'?", word, nearest.best);
	else
		say("there is no report '%.40s': \"tidemark help report\" lists them", word);
	return EXIT_USAGE;
}

/* A file that is not there is no target that went away. */
static int open_record(struct record_reader **out, const char *path, struct tide_error *err)
{
	int result = record_open(out, path, err);

	if (result < 0 && err->cause != TIDE_CAUSE_CORRUPT)
		err->cause = TIDE_CAUSE_SYSTEM;
	return result;
}

int verb_report(const struct verb *verb, const struct options *options)
{
	const struct report *report = output_find_report(options->args[0]);
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };
	int result;

	if (report == NULL)
		return unknown_report(options->args[0]);
	signal(SIGPIPE, SIG_IGN); /* a reader that has seen enough is no failure: output_close() judges */
	result = output_check_options(report, options, &err);
	if (result == 0)
		result = open_record(&reader, options->args[1], &err);
	if (result == 0)
		result = output_report(report, reader, options, &err);
	record_close(reader);
	return result < 0 ? (int)say_error(&err) : EXIT_DONE;
}
