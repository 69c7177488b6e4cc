/* SPDX-License-Identifier: MIT */
/* This file writes the truth log. */
#include "truth.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

/* Addresses outgrow a double: they are strings. */
static json_t *address(const void *at)
{
	return json_sprintf("0x%" PRIxPTR, (uintptr_t)at);
}

static int write_line(FILE *file, json_t *object)
{
	int rc = object ? json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(6)) : -1;

	json_decref(object);
	if (rc < 0 || fputc('\n', file) == EOF || fflush(file) == EOF)
		return errno ? -errno : -ENOMEM;
	return 0;
}

int truth_begin(FILE *file, const struct pattern *pattern, const struct area *area)
{
	return write_line(
	        file, json_pack("{s:s, s:i, s:s, s:s, s:o, s:o, s:I, s:I}", "schema", TRUTH_SCHEMA, "pid",
	                        (int)getpid(), "pattern", pattern->name, "page", page_kind_name(pattern->kind), "start",
	                        address(area->start), "end", address(area->start + area->size), "huge_bytes",
	                        (json_int_t)area_huge_bytes(area), "tick_us", (json_int_t)(pattern->tick_ns / 1000)));
}

int truth_add(FILE *file, const struct area *area, const struct truth_slice *slice)
{
	double seconds = (double)(slice->to_ns - slice->from_ns) / 1e9;
	json_t *hot = json_array();

	for (size_t i = 0; i < slice->nr_ranges; i++) {
		const struct hot_range *range = &slice->ranges[i];
		uint8_t *start = area->start + range->offset;

		json_array_append_new(hot, json_pack("{s:o, s:o, s:s, s:f, s:f}", "start", address(start), "end",
		                                     address(start + range->piece->size), "access",
		                                     access_name(range->piece->access), "probability",
		                                     range->piece->probability, "sweeps_per_s",
		                                     (double)slice->count.nr_sweeps / seconds));
	}
	return write_line(file,
	                  json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "phase", slice->phase,
	                            "from_ns", (json_int_t)slice->from_ns, "to_ns", (json_int_t)slice->to_ns,
	                            "from_unix_us", (json_int_t)slice->from_unix_us, "to_unix_us",
	                            (json_int_t)slice->to_unix_us, "sweeps", (json_int_t)slice->count.nr_sweeps,
	                            "touches", (json_int_t)slice->count.nr_touches, "busy_us",
	                            (json_int_t)(slice->count.busy_ns / 1000), "late_us",
	                            (json_int_t)(slice->count.late_ns / 1000), "max_gap_us",
	                            (json_int_t)(slice->count.max_gap_ns / 1000), "hot", hot));
}
