/* SPDX-License-Identifier: MIT */
/* This file reports what was recorded, how, and what that cost. */
#include <inttypes.h>
#include <string.h>

#include "report/format.h"
#include "report/json.h"
#include "report/window.h"

static double share(uint64_t part, uint64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : 0;
}

/* The reason may begin with the name already. */
static void write_sensor(const struct record_info *info, FILE *out)
{
	bool named = strncmp(info->sensor_why, info->sensor, strlen(info->sensor)) == 0;

	fputs("sensor      ", out);
	if (!named || info->sensor_why[0] == 0)
		fprintf(out, "%s: ", format_name(info->sensor, 20).s);
	fprintf(out, "%s\n", format_name(info->sensor_why, 79).s);
}

static void write_writes(const struct record_info *info, FILE *out)
{
	if (record_has_only_writes(info))
		fputs("writes      nothing else was watched: an access is a write here, and reads went unseen\n", out);
	else if (info->writes != NULL)
		fprintf(out, "writes      told beside accesses, by the sensor %s\n", format_name(info->writes, 20).s);
}

static void write_tuning(const struct record_info *info, FILE *out)
{
	if (info->goal_bp == 0)
		return;
	fprintf(out, "tuned       to see %s of all possible accesses; ", format_percent(info->goal_bp / 1e4).s);
	fprintf(out, "sampling %s", format_duration(info->min_sampling_us).s);
	fprintf(out, " to %s\n", format_duration(info->max_sampling_us).s);
	fprintf(out, "            at the end sampling %s, ", format_duration(info->latest.sampling_us).s);
	fprintf(out, "aggregation %s\n", format_duration(info->latest.aggregation_us).s);
}

static void write_ways(uint32_t ways, FILE *out)
{
	for (uint32_t way = 1; way < TIDE_NR_WAYS; way++) {
		if ((ways & UINT32_C(1) << way) != 0)
			fprintf(out, "way         %s: %s\n", tide_way_name((enum tide_way)way),
			        tide_way_sentence((enum tide_way)way));
	}
}

static void write_mode(const struct record_info *info, FILE *out)
{
	if (info->exact) {
		fprintf(out, "mode        exact: every page, once in each interval of %s\n",
		        format_duration(info->aggregation_us).s);
		write_ways(info->cost.sensor.ways, out);
		return;
	}
	fprintf(out, "intervals   sampling %s, ", format_duration(info->sampling_us).s);
	fprintf(out, "aggregation %s, ", format_duration(info->aggregation_us).s);
	fprintf(out, "update %s\n", format_duration(info->update_us).s);
}

/* What clearing a whole process at once did to it. */
static void write_stalls(const struct tide_session_cost *cost, FILE *out)
{
	const struct tide_sensor_cost *sensor = &cost->sensor;

	if (sensor->nr_stalls == 0)
		return;
	fprintf(out, "            the target stalled %s times, %s at most", format_count(sensor->nr_stalls).s,
	        format_duration_short(sensor->longest_stall_ns / 1000).s);
	fprintf(out, ", %s of the time\n", format_percent(share(sensor->stall_ns, cost->wall_ns)).s);
	fprintf(out, "            blind between looking and clearing: %s, %s of the time\n",
	        format_duration_short(sensor->blind_ns / 1000).s,
	        format_percent(share(sensor->blind_ns, cost->wall_ns)).s);
}

static void write_record(const struct record_info *info, FILE *out)
{
	fprintf(out, "recorded    %s, from %s\n", format_duration(info->duration_us).s,
	        format_time(info->started_unix_us).s);
	fprintf(out, "state       %s\n",
	        info->complete ? "complete"
	                       : "interrupted, or still being written: at most the last second is missing");
	fprintf(out, "with        tidemark %s on Linux %s\n", format_name(info->tool_version, 20).s,
	        format_name(info->kernel, 40).s);
	write_sensor(info, out);
	write_writes(info, out);
	write_mode(info, out);
	write_tuning(info, out);
	fprintf(out, "regions     at least %s, at most %s\n", format_count(info->min_nr_regions).s,
	        format_count(info->max_nr_regions).s);
	fprintf(out, "samples     %s, with %s regions", format_count(info->nr_samples).s,
	        format_count(info->nr_regions).s);
	fprintf(out, " in %s of file\n", format_bytes(info->size_bytes).s);
}

static void write_cost(const struct tide_session_cost *cost, FILE *out)
{
	if (cost->wall_ns == 0)
		return;
	fprintf(out, "cost        %s of one CPU", format_percent(share(cost->cpu_ns, cost->wall_ns)).s);
	fprintf(out, "; the target's mmap lock held for %s at most\n",
	        format_duration_short(cost->sensor.longest_hold_ns / 1000).s);
	fprintf(out, "            %s pages looked at one by one", format_count(cost->sensor.nr_read).s);
	fprintf(out, ", %s in bulk", format_count(cost->sensor.nr_scanned).s);
	fprintf(out, ", %s cleared\n", format_count(cost->sensor.nr_cleared).s);
	write_stalls(cost, out);
	fprintf(out, "            first sample after %s\n", format_duration_short(cost->first_sample_ns / 1000).s);
}

static void write_reasons(const uint64_t counts[TIDE_NR_REASONS], bool exact, FILE *out)
{
	uint64_t all = 0;

	for (int i = 1; i < TIDE_NR_REASONS; i++)
		all += counts[i];
	fprintf(out, "unanswered  %s %s\n", format_count(all).s,
	        exact ? "pages of 4 KiB, over all intervals" : "checks");
	for (int i = 1; i < TIDE_NR_REASONS; i++) {
		if (counts[i] > 0)
			fprintf(out, "%16s  %s: %s\n", format_count(counts[i]).s, tide_reason_name((enum tide_reason)i),
			        tide_reason_sentence((enum tide_reason)i));
	}
}

static void write_text(struct record_reader *reader, const uint64_t counts[TIDE_NR_REASONS], FILE *out)
{
	const struct record_target *targets;
	size_t nr = record_targets(reader, &targets);

	for (size_t i = 0; i < nr; i++)
		fprintf(out, "%-10s  %s (pid %" PRId64 ")\n", i == 0 ? nr > 1 ? "targets" : "target" : "",
		        format_name(targets[i].name, 40).s, targets[i].pid);
	write_record(record_info(reader), out);
	write_cost(&record_info(reader)->cost, out);
	write_reasons(counts, record_info(reader)->exact != 0, out);
}

/* Joins two objects; both are taken over. NULL when memory was out. */
static json_t *join(json_t *object, json_t *more)
{
	if (object == NULL || more == NULL || json_object_update(object, more) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(more);
	return object;
}

static json_t *make_ways(uint32_t ways)
{
	json_t *names = json_array();

	for (uint32_t way = 1; way < TIDE_NR_WAYS; way++) {
		if ((ways & UINT32_C(1) << way) == 0)
			continue;
		if (json_array_append_new(names, json_string(tide_way_name((enum tide_way)way))) < 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

static json_t *make_stalls(const struct tide_sensor_cost *cost)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "nr_stalls", json_number(cost->nr_stalls), "longest_stall_us",
	                 json_number(cost->longest_stall_ns / 1000), "stall_us", json_number(cost->stall_ns / 1000),
	                 "blind_us", json_number(cost->blind_ns / 1000));
}

static json_t *make_record(const struct record_info *info)
{
	const struct tide_session_cost *cost = &info->cost;
	json_t *record =
	        json_pack("{s:b, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o}", "exact", info->exact != 0, "kernel",
	                  json_text(info->kernel), "sensor_why", json_text(info->sensor_why), "update_us",
	                  json_number(info->update_us), "min_nr_regions", (int)info->min_nr_regions, "max_nr_regions",
	                  (int)info->max_nr_regions, "duration_us", json_number(info->duration_us), "nr_samples",
	                  json_number(info->nr_samples), "nr_regions", json_number(info->nr_regions), "size_bytes",
	                  json_number(info->size_bytes));

	record = join(record,
	              json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "cost_wall_us",
	                        json_number(cost->wall_ns / 1000), "cost_cpu_us", json_number(cost->cpu_ns / 1000),
	                        "cpu_share", json_share(share(cost->cpu_ns, cost->wall_ns)), "longest_hold_us",
	                        json_number(cost->sensor.longest_hold_ns / 1000), "first_sample_us",
	                        json_number(cost->first_sample_ns / 1000), "nr_read", json_number(cost->sensor.nr_read),
	                        "nr_scanned", json_number(cost->sensor.nr_scanned), "nr_cleared",
	                        json_number(cost->sensor.nr_cleared)));
	if (info->exact)
		record = join(record, json_pack("{s:o}", "ways", make_ways(cost->sensor.ways)));
	return info->exact || cost->sensor.nr_stalls > 0 ? join(record, make_stalls(&cost->sensor)) : record;
}

/* Only of a record whose intervals were tuned. */
static json_t *make_tuning(const struct record_info *info)
{
	if (info->goal_bp == 0)
		return json_object();
	return json_pack("{s:i, s:o, s:o, s:o, s:o}", "goal_bp", (int)info->goal_bp, "min_sampling_us",
	                 json_number(info->min_sampling_us), "max_sampling_us", json_number(info->max_sampling_us),
	                 "latest_sampling_us", json_number(info->latest.sampling_us), "latest_aggregation_us",
	                 json_number(info->latest.aggregation_us));
}

static int write_json(struct record_reader *reader, const uint64_t counts[TIDE_NR_REASONS], FILE *out,
                      struct tide_error *err)
{
	const struct record_info *info = record_info(reader);
	const struct record_target *targets;
	size_t nr = record_targets(reader, &targets);
	json_t *head = join(json_header("info", info, 0, info->duration_us), make_record(info));
	int result = json_line(out, join(head, make_tuning(info)), err);

	for (size_t i = 0; i < nr && result == 0; i++)
		result = json_line(out,
		                   json_pack("{s:i, s:I, s:o}", "target", (int)i, "pid", (json_int_t)targets[i].pid,
		                             "name", json_text(targets[i].name)),
		                   err);
	for (int i = 1; i < TIDE_NR_REASONS && result == 0; i++) {
		if (counts[i] > 0)
			result = json_line(out,
			                   json_pack("{s:s, s:o}", "reason", tide_reason_name((enum tide_reason)i),
			                             "nr_checks", json_number(counts[i])),
			                   err);
	}
	return result;
}

int report_info(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	uint64_t counts[TIDE_NR_REASONS];
	int result = record_reasons(reader, 0, UINT64_MAX, counts, err);

	if (result == 0 && opts->json)
		result = write_json(reader, counts, out, err);
	else if (result == 0)
		write_text(reader, counts, out);
	return result < 0 ? result : report_end(reader, out, err);
}
