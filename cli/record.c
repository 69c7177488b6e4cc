/* SPDX-License-Identifier: MIT */
/* This file is the verb `record`. */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "command.h"
#include "record-model.h"
#include "recording.h"
#include "verbs.h"
#include "verdict.h"
#include "whom.h"

#define DEFAULT_OUTPUT "tidemark.db"

static int check_usage(const struct options *options, struct tide_error *err)
{
	if (options->pids.nr != 0 && options->command != NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "both -p and a command were given: watch one or the other");
	if (options->json)
		return error_set(
		        err, TIDE_CAUSE_USAGE, -EINVAL,
		        "--json prints the verdict about a --model: give both, or use report --json afterwards");
	if (options->pids.nr == 0 && options->command == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "nothing to watch: name a process with -p, or a command after --");
	return whom_check_ranges(options, err);
}

static int watch_all(struct recording *recording, const struct options *options, struct command *command,
                     const struct stop *stop, struct tide_error *err)
{
	int result = 0;

	if (options->command != NULL) {
		result = command_start(command, options->command, stop, err);
		if (result == 0)
			result = recording_watch(recording, command->pid, err);
		if (result < 0 && err->cause == TIDE_CAUSE_GONE)
			error_prefix(err, result, "the command ended before it could be watched");
		return result;
	}
	for (size_t i = 0; result == 0 && i < options->pids.nr; i++)
		result = recording_watch(recording, options->pids.items[i], err);
	return result;
}

/*
 * The command when the recording is over. It is waited for when it ended it itself, be it that it executed another
 * program and lives on; it is ended when the recording ended first. Returns whether it came to its own end.
 */
static bool settle(struct command *command, const struct recording *recording, const struct stop *stop)
{
	uint64_t left_ms = 0;
	uint64_t watched_us = recording->cost.wall_ns / 1000;
	bool ended;

	if (recording->duration_us > watched_us)
		left_ms = (recording->duration_us - watched_us) / 1000;
	if (recording->ending != ENDED_BY_TARGET)
		left_ms = 0;
	else if (recording->duration_us == 0)
		left_ms = INT32_MAX;
	ended = command_wait(command, stop, left_ms < INT32_MAX ? (int)left_ms : -1) == 1;
	if (!ended)
		command_end(command, stop);
	return ended;
}

/* Everything from the first sample on: to the end, the file completed, the command settled. */
static enum exit_code run(struct recording *recording, struct command *command, const struct stop *stop)
{
	bool has_command = recording->options->command != NULL;
	struct verdict verdict = { .verb = "recorded" };
	struct tide_error err = { 0 };
	enum exit_code code;
	char status[64];
	char remark[80];
	bool ended = false;
	int result;

	recording_run(recording, stop);
	result = recording_finish(recording, &err);
	if (has_command)
		ended = settle(command, recording, stop);
	verdict.natural = recording->duration_us == 0 || ended;
	if (ended && command_status_text(command, status, sizeof(status)) != NULL) {
		snprintf(remark, sizeof(remark), "the command %s", status);
		verdict.remark = remark;
	}
	code = verdict_say(recording, &verdict);
	if (result < 0)
		code = say_error(&err);
	return code;
}

int verb_record(const struct verb *verb, const struct options *options)
{
	const char *path = options->output != NULL ? options->output : DEFAULT_OUTPUT;
	struct recording recording = { 0 };
	struct command command = COMMAND_NONE;
	struct stop stop = { .fd = -1 };
	struct tide_error err = { 0 };
	enum exit_code code;
	int result;

	if (options->model != NULL)
		return record_model(options, path);
	result = check_usage(options, &err);
	if (result == 0)
		result = stop_open(&stop, &err);
	if (result == 0)
		result = recording_open(&recording, options, path, options->duration_us, &err);
	if (result == 0)
		result = watch_all(&recording, options, &command, &stop, &err);
	code = result == 0 ? run(&recording, &command, &stop) : say_error(&err);
	command_end(&command, &stop);
	recording_close(&recording);
	stop_close(&stop);
	return code;
}
