/* SPDX-License-Identifier: MIT */
/* This file records: a session's samples into a store. */
#include "recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "say.h"
#include "store-path.h"

static uint64_t clock_us(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* The sensor that tells writes, beside the one for accesses or alone; NULL: none does. */
static const char *writes_told_by(const struct tide_session *session)
{
	const struct tide_sensor_ops *beside = tide_session_writes(session);
	const struct tide_sensor_ops *alone = tide_session_sensor(session, NULL);

	if (beside != NULL)
		return beside->name;
	return alone->flags & TIDE_SENSOR_TELLS_WRITES ? alone->name : NULL;
}

struct record_info recording_info(const struct tide_monitor *monitor)
{
	const struct tide_monitor_opts *opts = tide_monitor_options(monitor);

	return (struct record_info){
		.tool_version = TIDEMARK_VERSION,
		.sampling_us = opts->sampling_us,
		.aggregation_us = opts->aggregation_us,
		.update_us = opts->update_us,
		.goal_bp = opts->goal_bp,
		.min_sampling_us = opts->min_sampling_us,
		.max_sampling_us = opts->max_sampling_us,
		.min_nr_regions = opts->min_nr_regions,
		.max_nr_regions = opts->max_nr_regions,
		.exact = (opts->flags & TIDE_MONITOR_EXACT) != 0,
	};
}

static int create_store(struct recording *recording, const struct tide_sample *sample, struct tide_error *err)
{
	const struct tide_monitor *monitor = tide_session_monitor(recording->session);
	struct record_info info = recording_info(monitor);
	struct utsname kernel;
	int result;

	uname(&kernel);
	info.kernel = kernel.release;
	info.sensor = tide_session_sensor(recording->session, &info.sensor_why)->name;
	info.writes = writes_told_by(recording->session);
	/* The record begins when the first interval did. */
	info.started_unix_us = clock_us(CLOCK_REALTIME) - (clock_us(CLOCK_MONOTONIC) - sample->start_ns / 1000);
	result = record_create(&recording->writer, recording->path, &info, err);
	if (result < 0 && recording->path_is_new)
		store_path_remove(recording->path);
	return result;
}

static int store_sample(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                        struct tide_error *err)
{
	struct recording *recording = arg;
	struct tide_intervals intervals;
	int result = 0;

	if (recording->writer == NULL)
		result = create_store(recording, sample, err);
	if (result < 0)
		return result;
	tide_session_cost(recording->session, &recording->cost);
	record_set_cost(recording->writer, &recording->cost);
	tide_monitor_intervals(tide_session_monitor(recording->session), &intervals);
	record_set_intervals(recording->writer, &intervals);
	result = record_append(recording->writer, sample, targets, err);
	if (result == 0)
		progress_note(&recording->progress, sample, &recording->cost);
	return result;
}

int recording_open(struct recording *recording, const struct options *options, const char *path, uint64_t duration_us,
                   struct tide_error *err)
{
	struct tide_session_opts opts = {
		.size = sizeof(opts),
		.monitor = options->monitor,
		.sensor = options->sensor,
		.duration_us = duration_us,
		.flags = (options->children ? TIDE_SESSION_CHILDREN : 0) | (options->writes ? TIDE_SESSION_WRITES : 0),
	};
	int result = path != NULL ? store_path_check(path, err) : 0;

	*recording = (struct recording){ .options = options, .path = path, .duration_us = duration_us };
	recording->path_is_new = path != NULL && access(path, F_OK) < 0;
	progress_begin(&recording->progress, progress_choose(options));
	if (result == 0)
		result = tide_session_open(&recording->session, &opts, err);
	if (result == 0)
		result = tide_session_add_sink(recording->session, store_sample, recording, err);
	return result;
}

int recording_watch(struct recording *recording, pid_t pid, struct tide_error *err)
{
	const struct options *options = recording->options;
	const struct tide_sensor_ops *sensor;
	const struct tide_target *target;
	const char *why;
	int index = tide_session_add_pid(recording->session, pid, options->ranges.items, options->ranges.nr, err);

	if (index < 0)
		return index;
	if (options->quiet)
		return 0;
	target = tide_session_target(recording->session, (size_t)index);
	sensor = tide_session_sensor(recording->session, &why);
	say("watching process %d (%s) with the sensor \"%s\"%s: %s", (int)pid, tide_target_name(target), sensor->name,
	    tide_session_writes(recording->session) != NULL ? ", its writes with \"writes\"" : "", why);
	if (tide_target_is_32bit(target))
		say("note: process %d is a 32-bit program: watched through the same page tables", (int)pid);
	return 0;
}

void recording_run(struct recording *recording, const struct stop *stop)
{
	bool from_terminal;
	int result = tide_session_run(recording->session, stop->fd, &recording->end);

	if (result < 0)
		recording->ending = recording->end.cause == TIDE_CAUSE_GONE ? ENDED_BY_TARGET : ENDED_BY_ERROR;
	else
		recording->ending = stop_take(stop, &from_terminal) != 0 ? ENDED_BY_STOP : ENDED_BY_DURATION;
	progress_end(&recording->progress);
	tide_session_cost(recording->session, &recording->cost);
	if (recording->writer != NULL)
		record_set_cost(recording->writer, &recording->cost);
}

int recording_finish(struct recording *recording, struct tide_error *err)
{
	int result = record_finish(recording->writer, err);

	if (recording->writer != NULL && recording->path != NULL && recording->progress.nr_samples == 0)
		store_path_remove(recording->path);
	recording->writer = NULL;
	return result;
}

const char *recording_whom(const struct recording *recording, char *buf, size_t size)
{
	const struct options *options = recording->options;
	const struct tide_target *target = tide_session_target(recording->session, 0);

	size_t nr_asked = options->command != NULL ? 1 : options->pids.nr;
	size_t nr_targets = nr_asked;
	int length;

	while (tide_session_target(recording->session, nr_targets) != NULL)
		nr_targets++;
	if (nr_asked > 1)
		length = snprintf(buf, size, "%zu processes", nr_asked);
	else
		length = snprintf(buf, size, "process %d (%s)", (int)tide_target_pid(target), tide_target_name(target));
	if (nr_targets > nr_asked)
		snprintf(buf + length, size - (size_t)length, " and what %s started (%zu more)",
		         nr_asked > 1 ? "they" : "it", nr_targets - nr_asked);
	return buf;
}

void recording_close(struct recording *recording)
{
	tide_session_close(recording->session);
	record_finish(recording->writer, NULL);
	recording->session = NULL;
	recording->writer = NULL;
}
