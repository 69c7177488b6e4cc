/* SPDX-License-Identifier: MIT */
/*
 * This file reports the working set size: the bytes in regions that were accessed, sample by sample, and how they are
 * distributed over the samples. Only bytes that were mapped count, and of them only those that could be seen. In exact
 * mode regions do not matter: each sample says how many bytes were accessed, of those that were present.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/vec.h"
#include "report/format.h"
#include "report/json.h"
#include "report/window.h"

/* Percentiles are exact up to so many samples; of more, every second, fourth, ... is kept. */
#define MAX_KEPT ((size_t)1 << 20)

/* One target's numbers in one sample. */
struct sizes {
	uint64_t used;
	uint64_t hot;
};

struct usage {
	const struct record_target *target;
	VEC(struct sizes) kept;
	uint64_t stride; /* one of so many samples is kept */
	uint64_t nr_samples;
	struct sizes now; /* of the sample that is being added up */
	uint64_t all;     /* that were mapped, in its regions; in exact mode: present */
	uint64_t unobservable;
	double sum_all; /* over all samples */
	double sum_unobservable;
};

struct wss {
	struct record_reader *reader;
	struct usage *usages;
	size_t nr_targets;
	struct report_window window;
	bool exact;
};

static int keep(struct usage *usage)
{
	if (usage->nr_samples++ % usage->stride != 0)
		return 0;
	if (usage->kept.nr == MAX_KEPT) {
		for (size_t i = 0; i < MAX_KEPT / 2; i++)
			usage->kept.items[i] = usage->kept.items[2 * i];
		usage->kept.nr = MAX_KEPT / 2;
		usage->stride *= 2;
	}
	return vec_push(&usage->kept, usage->now);
}

static void add_region(struct wss *wss, struct usage *usage, const struct record_sample *sample,
                       const struct tide_region *region)
{
	uint64_t mapped = record_mapped_bytes(wss->reader, region->target, region->start, region->end, sample->end_us);
	uint64_t unseen = report_part(mapped, region->nr_unobservable, sample->nr_checks);
	enum heat heat = heat_of(region->nr_accesses, region->nr_unobservable, sample->nr_checks);

	usage->all += mapped;
	usage->unobservable += unseen;
	if (region->nr_accesses > 0)
		usage->now.used += mapped - unseen;
	if (heat == HEAT_HOT)
		usage->now.hot += mapped - unseen;
}

static int end_sample(struct usage *usage)
{
	usage->sum_all += (double)usage->all;
	usage->sum_unobservable += (double)usage->unobservable;
	return keep(usage) < 0 ? -ENOMEM : 0;
}

/* A target that is gone has no regions, and no sizes any more. */
static int add_regions(struct wss *wss, const struct record_sample *sample)
{
	size_t i = 0;
	int result = 0;

	while (i < sample->nr_regions && result == 0) {
		uint32_t index = sample->regions[i].target;
		struct usage *usage = &wss->usages[index];

		usage->now = (struct sizes){ 0 };
		usage->all = usage->unobservable = 0;
		for (; i < sample->nr_regions && sample->regions[i].target == index; i++)
			add_region(wss, usage, sample, &sample->regions[i]);
		result = end_sample(usage);
	}
	return result;
}

static int add_exact(struct wss *wss, const struct record_sample *sample)
{
	int result = 0;

	for (size_t i = 0; i < wss->nr_targets && result == 0; i++) {
		const struct tide_idle *idle = &sample->idle[i];
		struct usage *usage = &wss->usages[i];

		if (idle->present_bytes == 0)
			continue;
		usage->now = (struct sizes){ .used = idle->accessed_bytes };
		usage->all = idle->present_bytes;
		usage->unobservable = idle->unobservable_bytes;
		result = end_sample(usage);
	}
	return result;
}

static int add_sample(void *arg, const struct record_sample *sample)
{
	struct wss *wss = arg;

	return wss->exact ? add_exact(wss, sample) : add_regions(wss, sample);
}

static int by_used(const void *a, const void *b)
{
	const struct sizes *x = a;
	const struct sizes *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

static int by_hot(const void *a, const void *b)
{
	const struct sizes *x = a;
	const struct sizes *y = b;

	return x->hot < y->hot ? -1 : x->hot > y->hot;
}

static const int percentiles[] = { 0, 25, 50, 75, 100 };
#define NR_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))
#define MEDIAN         2

struct distribution {
	uint64_t used[NR_PERCENTILES];
	uint64_t hot[NR_PERCENTILES];
};

/* Nearest rank: always a size that was seen. */
static void distribute(struct usage *usage, struct distribution *out)
{
	size_t last = usage->kept.nr - 1;

	qsort(usage->kept.items, usage->kept.nr, sizeof(usage->kept.items[0]), by_used);
	for (size_t i = 0; i < NR_PERCENTILES; i++)
		out->used[i] = usage->kept.items[(last * (size_t)percentiles[i] + 50) / 100].used;
	qsort(usage->kept.items, usage->kept.nr, sizeof(usage->kept.items[0]), by_hot);
	for (size_t i = 0; i < NR_PERCENTILES; i++)
		out->hot[i] = usage->kept.items[(last * (size_t)percentiles[i] + 50) / 100].hot;
}

static double unobservable_share(const struct usage *usage)
{
	return usage->sum_all > 0 ? usage->sum_unobservable / usage->sum_all : 0;
}

static double cpu_share(const struct record_info *info)
{
	return info->cost.wall_ns > 0 ? (double)info->cost.cpu_ns / (double)info->cost.wall_ns : 0;
}

static void write_headline(const struct wss *wss, const struct usage *usage, const struct distribution *sizes,
                           int width, FILE *out)
{
	const struct record_info *info = record_info(wss->reader);
	char sentence[800];
	int length = snprintf(
	        sentence, sizeof(sentence), "%s (pid %" PRId64 ") used %s of %s %s (%smedian of %s intervals of %s)",
	        format_name(usage->target->name, 40).s, usage->target->pid, format_bytes(sizes->used[MEDIAN]).s,
	        format_bytes(usage->all).s, wss->exact ? "present" : "mapped", wss->exact ? "exact: every page; " : "",
	        format_count(usage->nr_samples).s, format_duration(info->aggregation_us).s);

	if (!wss->exact)
		length += snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; %s hot",
		                   format_bytes(sizes->hot[MEDIAN]).s);
	length += snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; %s unobservable",
	                   format_percent(unobservable_share(usage)).s);
	if (info->cost.wall_ns > 0)
		snprintf(sentence + length, sizeof(sentence) - (size_t)length, "; watching cost %s CPU",
		         format_percent(cpu_share(info)).s);
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

static void write_text(const struct wss *wss, const struct usage *usage, const struct distribution *sizes, int width,
                       FILE *out)
{
	static const char *const names[] = { "least", "", "median", "", "most" };
	int bar = wss->exact ? width - 31 : width - 42;

	write_headline(wss, usage, sizes, width, out);
	if (wss->exact)
		fprintf(out, "\n%24s%s\n", "accessed", bar >= 32 ? "   all: what is present" : "");
	else
		fprintf(out, "\n%24s %10s%s\n", "accessed", "of it hot",
		        bar >= 32 ? "   # hot, = warm; all: what is mapped" : "");
	for (size_t i = 0; i < NR_PERCENTILES; i++) {
		fprintf(out, "%-6s %5d %% %9s", names[i], percentiles[i], format_bytes(sizes->used[i]).s);
		if (!wss->exact)
			fprintf(out, " %10s", format_bytes(sizes->hot[i]).s);
		if (bar >= 10)
			write_bar(sizes->hot[i], sizes->used[i], usage->all, bar, out);
		else
			fputc('\n', out);
	}
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

static int write_json(const struct wss *wss, const struct usage *usage, const struct distribution *sizes, FILE *out,
                      struct tide_error *err)
{
	const struct record_info *info = record_info(wss->reader);
	json_int_t pid = usage->target->pid;
	json_t *summary;
	int result = 0;

	for (size_t i = 0; i < NR_PERCENTILES && result == 0; i++) {
		json_t *line = json_pack("{s:i, s:o, s:I}", "percentile", percentiles[i], "bytes",
		                         json_number(sizes->used[i]), "pid", pid);

		result = json_line(out, add_hot(wss, line, sizes->hot[i]), err);
	}
	if (result < 0)
		return result;
	summary = json_pack("{s:b, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "summary", 1, "pid", pid, "name",
	                    json_text(usage->target->name), "exact", wss->exact, "used_bytes",
	                    json_number(sizes->used[MEDIAN]), wss->exact ? "present_bytes" : "mapped_bytes",
	                    json_number(usage->all), "unobservable_share", json_share(unobservable_share(usage)),
	                    "nr_samples", json_number(usage->nr_samples), "cpu_share", json_share(cpu_share(info)));
	return json_line(out, add_hot(wss, summary, sizes->hot[MEDIAN]), err);
}

static int write_usages(const struct wss *wss, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(wss->reader);
	int result = 0;
	int nr = 0;

	if (opts->json)
		result = json_line(out, json_header("wss", info, wss->window.from_us, wss->window.to_us), err);
	for (size_t i = 0; i < wss->nr_targets && result == 0; i++) {
		struct usage *usage = &wss->usages[i];
		struct distribution sizes;

		if (usage->kept.nr == 0)
			continue;
		distribute(usage, &sizes);
		if (!opts->json && nr++ > 0)
			fputc('\n', out);
		if (opts->json)
			result = write_json(wss, usage, &sizes, out, err);
		else
			write_text(wss, usage, &sizes, report_width(opts), out);
	}
	return result;
}

int report_wss(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	struct wss wss = { .reader = reader, .exact = record_info(reader)->exact != 0 };
	const struct record_target *targets;
	int result = report_window(&wss.window, reader, opts, UINT64_MAX, err);

	if (result < 0)
		return result;
	wss.nr_targets = record_targets(reader, &targets);
	wss.usages = calloc(wss.nr_targets + 1, sizeof(*wss.usages));
	if (wss.usages == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (size_t i = 0; i < wss.nr_targets; i++) {
		wss.usages[i].target = &targets[i];
		wss.usages[i].stride = 1;
	}
	result = record_for_each(reader, wss.window.from_us, wss.window.to_us, add_sample, &wss, err);
	if (result == -ENOMEM)
		error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	if (result == 0)
		result = write_usages(&wss, opts, out, err);
	for (size_t i = 0; i < wss.nr_targets; i++)
		vec_free(&wss.usages[i].kept);
	free(wss.usages);
	return result < 0 ? result : report_end(reader, out, err);
}
