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
	char sentence[800];
	int length = snprintf(sentence, sizeof(sentence),
	                      "%s (pid %" PRId64 ") %s %s of %s %s (%smedian of %s intervals of %s%s)",
	                      format_name(usage->target->name, 40).s, usage->target->pid,
	                      wss->writes ? "wrote to" : "used", format_bytes(sizes->used[WSS_MEDIAN]).s,
	                      format_bytes(usage->mapped).s, wss->exact ? "present" : "mapped",
	                      wss->exact ? "exact: every page; " : "", format_count(usage->nr_samples).s,
	                      format_duration(interval_us(info)).s, info->goal_bp != 0 ? " on average" : "");

	if (!wss->exact)
		length += snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; %s hot",
		                   format_bytes(sizes->hot[WSS_MEDIAN]).s);
	length += snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; %s unobservable",
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
	int bar = wss->exact ? width - 31 : width - 42;

	write_headline(wss, usage, sizes, width, out);
	if (wss->exact)
		fprintf(out, "\n%24s%s\n", "accessed", bar >= 32 ? "   all: what is present" : "");
	else
		fprintf(out, "\n%24s %10s%s\n", wss->writes ? "written" : "accessed", "of it hot",
		        bar >= 32 ? "   # hot, = warm; all: what is mapped" : "");
	for (size_t i = 0; i < WSS_NR_PERCENTILES; i++) {
		fprintf(out, "%-6s %5d %% %9s", names[i], wss_percentiles[i], format_bytes(sizes->used[i]).s);
		if (!wss->exact)
			fprintf(out, " %10s", format_bytes(sizes->hot[i]).s);
		if (bar >= 10)
			write_bar(sizes->hot[i], sizes->used[i], usage->mapped, bar, out);
		else
			fputc('\n', out);
	}
}

/* Lines of accesses are as they were before there were writes. */
static json_t *add_what(const struct wss *wss, json_t *object)
{
	if (wss->writes && object != NULL && json_object_set_new(object, "what", json_string("writes")) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Exact mode does not tell how often a page was accessed. */
static json_t *add_hot(const struct wss *wss, json_t *object, uint64_t hot)
{
	if (!wss->exact && object != NULL && json_object_set_new(object, "hot_bytes", json_number(hot)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int wss_write_json(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                   FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(wss->reader);
	json_int_t pid = usage->target->pid;
	int target = (int)usage->target->index;
	json_t *summary;
	int result = 0;

	for (size_t i = 0; i < WSS_NR_PERCENTILES && result == 0; i++) {
		json_t *line = json_pack("{s:i, s:o, s:i, s:I}", "percentile", wss_percentiles[i], "bytes",
		                         json_number(sizes->used[i]), "target", target, "pid", pid);

		result = json_line(out, add_what(wss, add_hot(wss, line, sizes->hot[i])), err);
	}
	if (result < 0)
		return result;
	summary = json_pack("{s:b, s:i, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "summary", 1, "target", target, "pid",
	                    pid, "name", json_text(usage->target->name), "exact", wss->exact,
	                    wss->writes ? "written_bytes" : "used_bytes", json_number(sizes->used[WSS_MEDIAN]),
	                    wss->exact ? "present_bytes" : "mapped_bytes", json_number(usage->mapped),
	                    "unobservable_share", json_share(wss_unobservable_share(usage)), "nr_samples",
	                    json_number(usage->nr_samples), "cpu_share", json_share(wss_cpu_share(info)));
	return json_line(out, add_what(wss, add_hot(wss, summary, sizes->hot[WSS_MEDIAN])), err);
}
