/* SPDX-License-Identifier: MIT */
/* This file records what the monitor would find in a workload that does not exist. */
#include "record-model.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "output.h"
#include "progress.h"
#include "record/writer.h"
#include "recording.h"
#include "say.h"
#include "stop.h"
#include "store-path.h"
#include "units.h"
#include "workload-file.h"

#define DEFAULT_DURATION_US UINT64_C(60000000)

struct model_recording {
	const struct options *options;
	const char *path; /* where to record to */
	bool path_is_new; /* there was no file */
	struct workload workload;
	struct prediction *prediction;
	struct record_writer *writer; /* NULL before the first sample */
	struct progress progress;
};

/* What is said of a process means nothing to a model, and is refused rather than ignored. */
static int check_usage(const struct options *options, struct tide_error *err)
{
	const char *other = NULL;

	if (options->pids.nr != 0)
		other = "-p";
	else if (options->command != NULL)
		other = "a command";
	else if (options->children)
		other = "--children";
	else if (options->sensor != NULL)
		other = "--sensor";
	else if (options->exact)
		other = "--exact";
	else if (options->monitor.max_stall_us != 0)
		other = "--max-stall";
	if (other == NULL)
		return 0;
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "--model watches no process: leave %s out%s", other,
	                 options->exact ? ", as a look at every page misses nothing" : "");
}

static const char *name_of(const struct model_recording *recording)
{
	const char *slash = strrchr(recording->options->model, '/');

	if (recording->workload.name != NULL)
		return recording->workload.name;
	return slash != NULL ? slash + 1 : recording->options->model;
}

static int create_store(struct model_recording *recording, struct tide_error *err)
{
	struct record_info info = recording_info(prediction_monitor(recording->prediction));
	int result;

	info.sensor = "model";
	info.sensor_why = "virtual time: nothing of this happened, and the cost is what it would be";
	info.writes = recording->options->writes ? "model" : NULL;
	info.kernel = "(none)";
	info.started_unix_us = (uint64_t)time(NULL) * 1000000;
	result = record_create(&recording->writer, recording->path, &info, err);
	if (result < 0 && recording->path_is_new)
		store_path_remove(recording->path);
	return result;
}

static int store(struct model_recording *recording, const struct tide_sample *sample, struct tide_error *err)
{
	const struct record_source source = { .name = name_of(recording),
		                              .layout = prediction_layout(recording->prediction) };
	struct tide_session_cost cost;
	struct tide_intervals intervals;
	int result = recording->writer == NULL ? create_store(recording, err) : 0;

	if (result < 0)
		return result;
	prediction_cost(recording->prediction, &cost);
	record_set_cost(recording->writer, &cost);
	tide_monitor_intervals(prediction_monitor(recording->prediction), &intervals);
	record_set_intervals(recording->writer, &intervals);
	progress_note(&recording->progress, sample, &cost);
	return record_put(recording->writer, sample, &source, err);
}

static int open_all(struct model_recording *recording, struct tide_error *err)
{
	const struct options *options = recording->options;
	const struct prediction_opts opts = {
		.monitor = options->monitor,
		.duration_us = options->duration_us != 0 ? options->duration_us : DEFAULT_DURATION_US,
		.writes = options->writes,
		.ranges = options->ranges.items,
		.nr_ranges = options->ranges.nr,
	};
	int result = store_path_check(recording->path, err);

	if (result == 0)
		result = workload_read(&recording->workload, options->model, err);
	recording->workload.seed = options->monitor.seed;
	return result < 0 ? result : prediction_open(&recording->prediction, &recording->workload, &opts, err);
}

/* To the end, or to a signal, or to that of the model's memory: each is as good an end. */
static int run(struct model_recording *recording, const struct stop *stop, struct tide_error *err)
{
	const struct tide_sample *sample;
	bool from_terminal;
	int result;

	progress_begin(&recording->progress, progress_choose(recording->options));
	do {
		result = prediction_next(recording->prediction, &sample, err);
		if (result == 1)
			result = store(recording, sample, err) < 0 ? -1 : 1;
	} while (result == 1 && stop_take(stop, &from_terminal) == 0);
	progress_end(&recording->progress);
	if (result >= 0)
		return 0;
	if (err->cause != TIDE_CAUSE_GONE || recording->progress.nr_samples == 0)
		return err->code;
	if (!recording->options->quiet)
		say("%s: that is the end", err->text);
	return 0;
}

static int tell(const struct model_recording *recording, struct tide_error *err)
{
	const struct prediction_subject subject = {
		.name = name_of(recording),
		.monitor = tide_monitor_options(prediction_monitor(recording->prediction)),
		.has_writes = recording->options->writes,
	};
	struct prediction_verdict verdict;
	char time[UNITS_TEXT_SIZE];

	prediction_verdict(recording->prediction, &verdict);
	if (!recording->options->quiet)
		say("recorded %s of virtual time: %llu samples in %s",
		    units_duration_text(time, verdict.duration_ns / 1000),
		    (unsigned long long)recording->progress.nr_samples, recording->path);
	return output_judge(prediction_print(stdout, &subject, &verdict, recording->options->json, err));
}

int record_model(const struct options *options, const char *path)
{
	struct model_recording recording = { .options = options, .path = path, .path_is_new = access(path, F_OK) < 0 };
	struct stop stop = { .fd = -1 };
	struct tide_error err = { 0 };
	int result = check_usage(options, &err);

	if (result == 0)
		result = stop_open(&stop, &err);
	if (result == 0)
		result = open_all(&recording, &err);
	if (result == 0)
		result = run(&recording, &stop, &err);
	if (result == 0)
		result = record_finish(take_ptr(recording.writer), &err);
	if (result == 0)
		result = tell(&recording, &err);
	record_finish(recording.writer, NULL);
	prediction_close(recording.prediction);
	workload_fini(&recording.workload);
	stop_close(&stop);
	return result < 0 ? (int)say_error(&err) : EXIT_DONE;
}
