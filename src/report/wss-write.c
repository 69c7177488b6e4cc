/* SPDX-License-Identifier: MIT */
/* This file writes a working set's numbers, as people and as programs read them. */
#include <inttypes.h>

#include "report/format.h"
#include "report/json.h"
#include "report/wss.h"

/* Of a record whose intervals were tuned, the mean. */
static uint64_t interval_us(const struct record_info *info)
{
	return info->goal_bp != 0 && info->nr_samples > 0 ? info->duration_us / info->nr_samples : info->aggregation_us;
}

static void write_headline(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                           int width, FILE *out)
{
	const struct record_info *info = record_info(wss->reader);
	char sentence[512];
	int length = snprintf(
	        sentence, sizeof(sentence),
	        "%s (pid %" PRId64 ") used %s of %s mapped (median of %s intervals of %s%s); %s hot; %s unobservable",
	        format_name(usage->target->name, 40).s, usage->target->pid, format_bytes(sizes->used[WSS_MEDIAN]).s,
	        format_bytes(usage->mapped).s, format_count(usage->nr_samples).s, format_duration(interval_us(info)).s,
	        info->goal_bp != 0 ? " on average" : "", format_bytes(sizes->hot[WSS_MEDIAN]).s,
	        format_percent(wss_unobservable_share(usage)).s);

	if (info->cost.wall_ns > 0)
		snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; watching cost %s CPU",
		         format_percent(wss_cpu_share(info)).s);
	format_wrapped(out, sentence, width);
}

static void write_bar(uint64_t hot, uint64_t used, uint64_t all, int width, FILE *out)
{
	int hot_columns = (int)report_part((uint64_t)width, hot, all);
	int used_columns = (int)report_part((uint64_t)width, used, all);

	fputs("  |", out);
	for (int i = 0; i < width; i++)
		fputc(i < hot_columns ? '#' : i < used_columns ? '=' : ' ', out);
	fputs("|\n", out);
}

void wss_write_text(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                    int width, FILE *out)
{
	static const char *const names[] = { "least", "", "median", "", "most" };
	int bar = width - 42;

	write_headline(wss, usage, sizes, width, out);
	fprintf(out, "\n%24s %10s%s\n", "accessed", "of it hot",
	        bar >= 32 ? "   # hot, = warm; all: what is mapped" : "");
	for (size_t i = 0; i < WSS_NR_PERCENTILES; i++) {
		fprintf(out, "%-6s %5d %% %9s %10s", names[i], wss_percentiles[i], format_bytes(sizes->used[i]).s,
		        format_bytes(sizes->hot[i]).s);
		if (bar >= 10)
			write_bar(sizes->hot[i], sizes->used[i], usage->mapped, bar, out);
		else
			fputc('\n', out);
	}
}

int wss_write_json(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                   FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(wss->reader);
	int result = 0;

	for (size_t i = 0; i < WSS_NR_PERCENTILES && result == 0; i++)
		result =
		        json_line(out,
		                  json_pack("{s:i, s:o, s:o, s:i, s:I}", "percentile", wss_percentiles[i], "bytes",
		                            json_number(sizes->used[i]), "hot_bytes", json_number(sizes->hot[i]),
		                            "target", (int)usage->target->index, "pid", (json_int_t)usage->target->pid),
		                  err);
	if (result < 0)
		return result;
	return json_line(out,
	                 json_pack("{s:b, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "summary", 1, "target",
	                           (int)usage->target->index, "pid", (json_int_t)usage->target->pid, "name",
	                           json_text(usage->target->name), "used_bytes", json_number(sizes->used[WSS_MEDIAN]),
	                           "hot_bytes", json_number(sizes->hot[WSS_MEDIAN]), "mapped_bytes",
	                           json_number(usage->mapped), "unobservable_share",
	                           json_share(wss_unobservable_share(usage)), "nr_samples",
	                           json_number(usage->nr_samples), "cpu_share", json_share(wss_cpu_share(info))),
	                 err);
}
