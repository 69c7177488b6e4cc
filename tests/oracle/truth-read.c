/* SPDX-License-Identifier: MIT */
/* This file reads the part of a truth log that lies in a window of time. */
#include "input.h"

#include <errno.h>
#include <string.h>

#include "access.h"
#include "input-lines.h"
#include "truth.h"

struct window {
	struct truth *truth;
	uint64_t from_us;
	uint64_t to_us;
	double sampling_s;
};

static int read_header(struct truth *truth, const json_t *object)
{
	const char *pattern = json_string_value(json_object_get(object, "pattern"));

	snprintf(truth->pattern, sizeof(truth->pattern), "%s", pattern ? pattern : "?");
	if (lines_address(object, "start", &truth->area.start) < 0 ||
	    lines_address(object, "end", &truth->area.end) < 0)
		return -EINVAL;
	return truth->area.start < truth->area.end ? 0 : -EINVAL;
}

static int read_hot(const struct window *window, const json_t *hot, double weight)
{
	int access = access_by_name(json_string_value(json_object_get(hot, "access")));
	const bool touched[NR_TOUCHES] = {
		[TOUCH_ANY] = true,
		[TOUCH_READ] = access & ACCESS_READ,
		[TOUCH_WRITE] = access & ACCESS_WRITE,
	};
	struct heat heat = { .weight = weight };

	if (access < 0 || lines_address(hot, "start", &heat.start) < 0 || lines_address(hot, "end", &heat.end) < 0)
		return -EINVAL;
	heat.share = score_share(lines_number(hot, "probability", 1), lines_number(hot, "sweeps_per_s", 0),
	                         window->sampling_s);
	for (int touch = 0; touch < NR_TOUCHES; touch++) {
		if (touched[touch] && vec_push(&window->truth->heats[touch], heat) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_slice(void *arg, const json_t *object, size_t number)
{
	struct window *window = arg;
	struct truth *truth = window->truth;
	double from = lines_number(object, "from_unix_us", 0);
	double to = lines_number(object, "to_unix_us", 0);
	double begin = from > (double)window->from_us ? from : (double)window->from_us;
	double end = to < (double)window->to_us ? to : (double)window->to_us;
	double gap_s = lines_number(object, "max_gap_us", 0) / 1e6;
	const json_t *hot;
	size_t i;

	if (number == 1)
		return read_header(truth, object);
	if (begin >= end)
		return 0;
	truth->covered_s += (end - begin) / 1e6;
	truth->sweeps += lines_number(object, "sweeps", 0) * (end - begin) / (to - from);
	truth->busy_s += lines_number(object, "busy_us", 0) / 1e6 * (end - begin) / (to - from);
	truth->late_s += lines_number(object, "late_us", 0) / 1e6 * (end - begin) / (to - from);
	truth->max_gap_s = gap_s > truth->max_gap_s ? gap_s : truth->max_gap_s;
	json_array_foreach(json_object_get(object, "hot"), i, hot)
	{
		int rc = read_hot(window, hot, (end - begin) / 1e6);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_log(const char *path, lines_fn *fn, void *arg)
{
	FILE *file = fopen(path, "re");
	int rc;

	if (!file) {
		rc = -errno;
		fprintf(stderr, "%s: %s\n", path, strerror(-rc));
		return rc;
	}
	rc = lines_read(file, path, TRUTH_SCHEMA, fn, arg);
	if (rc < 0)
		fprintf(stderr, "%s: not a truth log, or its slices make no sense\n", path);
	fclose(file);
	return rc;
}

int truth_read(struct truth *truth, const char *path, uint64_t from_us, uint64_t to_us, double sampling_s)
{
	struct window window = { truth, from_us, to_us, sampling_s };
	int rc;

	*truth = (struct truth){ 0 };
	rc = read_log(path, read_slice, &window);
	if (rc == 0 && truth->covered_s <= 0) {
		fprintf(stderr, "%s: says nothing about the time of the report\n", path);
		rc = -ENODATA;
	}
	if (rc < 0)
		truth_fini(truth);
	return rc;
}

static int note_last(void *arg, const json_t *object, size_t number)
{
	uint64_t *last_us = arg;

	*last_us = (uint64_t)lines_number(object, "to_unix_us", 0);
	return 0;
}

uint64_t truth_last_us(const char *path)
{
	uint64_t last_us = 0;

	return read_log(path, note_last, &last_us) < 0 ? 0 : last_us;
}

void truth_fini(struct truth *truth)
{
	for (int touch = 0; touch < NR_TOUCHES; touch++)
		vec_free(&truth->heats[touch]);
}
