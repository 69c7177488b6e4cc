/* SPDX-License-Identifier: MIT */
/* This file says what a prediction came to. */
#include <errno.h>
#include <inttypes.h>

#include "base/error.h"
#include "record-model.h"
#include "report/format.h"
#include "report/json.h"

#define GOOD "0.9"

static const char *share_text(char buf[16], double share)
{
	if (share < 0)
		snprintf(buf, 16, "none");
	else
		snprintf(buf, 16, "%.3f", share);
	return buf;
}

static void write_accuracy(FILE *out, const char *what, const struct prediction_accuracy *accuracy, uint64_t nr_samples)
{
	char precision[16];
	char recall[16];

	fprintf(out, "%-12sprecision %s, recall %s, over the last %" PRIu64 " intervals:\n", what,
	        share_text(precision, accuracy->precision), share_text(recall, accuracy->recall),
	        nr_samples < PREDICTION_LAST ? nr_samples : PREDICTION_LAST);
	fprintf(out, "            %s is hot", format_bytes((uint64_t)accuracy->hot).s);
	fprintf(out, ", %s was taken for hot\n", format_bytes((uint64_t)accuracy->found).s);
}

static void write_watched(FILE *out, const struct prediction_subject *subject, const struct prediction_verdict *verdict)
{
	const struct tide_monitor_opts *monitor = subject->monitor;

	fprintf(out, "model       %s: ", format_name(subject->name, 60).s);
	fprintf(out, "%s mapped\n", format_bytes(verdict->mapped_bytes).s);
	fprintf(out, "watched     %s of virtual time, ", format_duration(verdict->duration_ns / 1000).s);
	fprintf(out, "%s intervals\n", format_count(verdict->nr_samples).s);
	fprintf(out, "attributes  sampling %s, ", format_duration(verdict->intervals.sampling_us).s);
	fprintf(out, "aggregation %s, ", format_duration(verdict->intervals.aggregation_us).s);
	fprintf(out, "update %s%s\n", format_duration(verdict->intervals.update_us).s,
	        monitor->flags & TIDE_MONITOR_AUTO_TUNE ? " (as tuned, at the end)" : "");
	fprintf(out, "            %s to %s regions, %s, seed %" PRIu64 "\n", format_count(monitor->min_nr_regions).s,
	        format_count(monitor->max_nr_regions).s, monitor->flags & TIDE_MONITOR_UNGUIDED ? "unguided" : "guided",
	        monitor->seed);
}

static uint64_t a_second(uint64_t nr, const struct prediction_verdict *verdict)
{
	return verdict->duration_ns > 0 ? (uint64_t)((double)nr * 1e9 / (double)verdict->duration_ns + 0.5) : 0;
}

static void write_cost(FILE *out, const struct prediction_verdict *verdict)
{
	fprintf(out, "regions     %s at the end, ", format_count(verdict->nr_regions).s);
	fprintf(out, "%.0f on average, %s at most\n", verdict->mean_nr_regions,
	        format_count(verdict->max_nr_regions).s);
	fprintf(out, "cost        a second: %s pages looked at one by one, ",
	        format_count(a_second(verdict->cost.nr_read, verdict)).s);
	fprintf(out, "%s in bulk, ", format_count(a_second(verdict->cost.nr_scanned, verdict)).s);
	fprintf(out, "%s cleared\n", format_count(a_second(verdict->cost.nr_cleared, verdict)).s);
	fprintf(out, "            at %d, %d and %d ns each: %s of one CPU\n", PREDICTION_READ_NS, PREDICTION_SCAN_NS,
	        PREDICTION_CLEAR_NS, format_percent(verdict->cpu_share).s);
}

static void write_text(FILE *out, const struct prediction_subject *subject, const struct prediction_verdict *verdict)
{
	write_watched(out, subject, verdict);
	write_accuracy(out, "accesses", &verdict->accesses, verdict->nr_samples);
	if (verdict->good_sample > 0)
		fprintf(out, "            both " GOOD " or more first after %s, in interval %s\n",
		        format_duration(verdict->good_ns / 1000).s, format_count(verdict->good_sample).s);
	else
		fputs("            never were both " GOOD " or more\n", out);
	if (subject->has_writes)
		write_accuracy(out, "writes", &verdict->writes, verdict->nr_samples);
	if (verdict->unobservable > 0)
		fprintf(out, "            %s of what was watched could not be seen\n",
		        format_percent(verdict->unobservable).s);
	write_cost(out, verdict);
}

/* A share that may be undefined. */
static json_t *maybe_share(double share)
{
	return share < 0 ? json_null() : json_share(share);
}

static json_t *make_header(const struct prediction_subject *subject, const struct prediction_verdict *verdict)
{
	const struct tide_monitor_opts *monitor = subject->monitor;

	return json_pack(
	        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:b, s:o, s:o, s:o}", "schema", "tidemark/1",
	        "report", "model", "version", TIDEMARK_VERSION, "model", json_text(subject->name), "duration_us",
	        json_number(verdict->duration_ns / 1000), "sampling_us", json_number(verdict->intervals.sampling_us),
	        "aggregation_us", json_number(verdict->intervals.aggregation_us), "update_us",
	        json_number(verdict->intervals.update_us), "min_nr_regions", (int)monitor->min_nr_regions,
	        "max_nr_regions", (int)monitor->max_nr_regions, "guided", (monitor->flags & TIDE_MONITOR_UNGUIDED) == 0,
	        "seed", json_number(monitor->seed), "nr_samples", json_number(verdict->nr_samples), "mapped_bytes",
	        json_number(verdict->mapped_bytes));
}

static json_t *make_accuracy(const char *of, const struct prediction_accuracy *accuracy)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "of", of, "precision", maybe_share(accuracy->precision), "recall",
	                 maybe_share(accuracy->recall), "hot_bytes", json_number((uint64_t)accuracy->hot),
	                 "found_bytes", json_number((uint64_t)accuracy->found));
}

static json_t *make_cost(const struct prediction_verdict *verdict)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "of", "cost", "nr_regions",
	                 json_number(verdict->nr_regions), "max_nr_regions", json_number(verdict->max_nr_regions),
	                 "mean_nr_regions", json_share(verdict->mean_nr_regions), "good_after_us",
	                 verdict->good_sample > 0 ? json_number(verdict->good_ns / 1000) : json_null(), "good_interval",
	                 verdict->good_sample > 0 ? json_number(verdict->good_sample) : json_null(),
	                 "unobservable_share", json_share(verdict->unobservable), "nr_read",
	                 json_number(verdict->cost.nr_read), "nr_scanned", json_number(verdict->cost.nr_scanned),
	                 "nr_cleared", json_number(verdict->cost.nr_cleared), "cpu_share",
	                 json_share(verdict->cpu_share));
}

static int write_json(FILE *out, const struct prediction_subject *subject, const struct prediction_verdict *verdict,
                      struct tide_error *err)
{
	int result = json_line(out, make_header(subject, verdict), err);

	if (result == 0)
		result = json_line(out, make_accuracy("accesses", &verdict->accesses), err);
	if (result == 0 && subject->has_writes)
		result = json_line(out, make_accuracy("writes", &verdict->writes), err);
	return result < 0 ? result : json_line(out, make_cost(verdict), err);
}

int prediction_print(FILE *out, const struct prediction_subject *subject, const struct prediction_verdict *verdict,
                     bool json, struct tide_error *err)
{
	if (json)
		return write_json(out, subject, verdict, err);
	write_text(out, subject, verdict);
	return ferror(out) ? error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the verdict could not be written") : 0;
}
