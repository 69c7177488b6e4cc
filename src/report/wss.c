/* SPDX-License-Identifier: MIT */
/*
 * This file reports the working set size: the bytes in regions that were accessed, or written, sample by sample, and
 * how they are distributed over the samples. Only bytes that were mapped count, and of them only those that could be
 * seen.
 */
#include "report/wss.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "report/json.h"

/* Percentiles are exact up to so many samples; of more, every second, fourth, ... is kept. */
#define MAX_KEPT ((size_t)1 << 20)

static int keep(struct wss_usage *usage)
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

/* Each column that the sample lasts into gets its share of it. */
static void add_to_columns(const struct wss *wss, struct wss_usage *usage, const struct record_sample *sample)
{
	double step = (double)(wss->window.to_us - wss->window.from_us) / (double)wss->nr_columns;
	double start = sample->start_us > wss->window.from_us ? (double)(sample->start_us - wss->window.from_us) : 0;
	double end = (double)(sample->end_us - wss->window.from_us);

	for (size_t i = wss->nr_columns > 0 ? (size_t)(start / step) : 0; i < wss->nr_columns && step * (double)i < end;
	     i++) {
		struct wss_column *column = &usage->columns[i];
		double from = step * (double)i > start ? step * (double)i : start;
		double to = step * (double)(i + 1) < end ? step * (double)(i + 1) : end;
		double time_us = to > from ? to - from : 0;

		column->time_us += time_us;
		column->used += time_us * (double)usage->now.used;
		column->hot += time_us * (double)usage->now.hot;
		column->mapped += time_us * (double)usage->mapped;
		column->unobservable += time_us * (double)usage->unobservable;
		if (time_us > 0 && usage->now.used > column->most_used)
			column->most_used = usage->now.used;
	}
}

static void add_region(struct wss *wss, struct wss_usage *usage, const struct record_sample *sample,
                       const struct tide_region *region)
{
	uint64_t mapped = record_mapped_bytes(wss->reader, region->target, region->start, region->end, sample->end_us);
	uint32_t nr_found = wss->writes ? region->nr_writes : region->nr_accesses;
	uint32_t nr_unseen = wss->writes ? region->nr_writes_unobservable : region->nr_unobservable;
	uint64_t unseen = report_part(mapped, nr_unseen, sample->nr_checks);
	enum heat heat = heat_of(nr_found, nr_unseen, sample->nr_checks);

	usage->mapped += mapped;
	usage->unobservable += unseen;
	if (nr_found > 0)
		usage->now.used += mapped - unseen;
	if (heat == HEAT_HOT)
		usage->now.hot += mapped - unseen;
}

static int end_sample(const struct wss *wss, struct wss_usage *usage, const struct record_sample *sample)
{
	usage->all_mapped += (double)usage->mapped;
	usage->all_unobservable += (double)usage->unobservable;
	add_to_columns(wss, usage, sample);
	return keep(usage) < 0 ? -ENOMEM : 0;
}

/* A target that is gone has no regions, and no sizes any more. */
static int add_regions(struct wss *wss, const struct record_sample *sample)
{
	size_t i = 0;
	int result = 0;

	while (i < sample->nr_regions && result == 0) {
		uint32_t index = sample->regions[i].target;
		struct wss_usage *usage = &wss->usages[index];

		usage->now = (struct wss_sizes){ 0 };
		usage->mapped = usage->unobservable = 0;
		for (; i < sample->nr_regions && sample->regions[i].target == index; i++)
			add_region(wss, usage, sample, &sample->regions[i]);
		result = end_sample(wss, usage, sample);
	}
	return result;
}

/* Exact mode knows the sums, to the page; how often a page was accessed it does not. */
static int add_exact(struct wss *wss, const struct record_sample *sample)
{
	int result = 0;

	for (size_t i = 0; i < wss->nr_targets && result == 0; i++) {
		const struct tide_idle *idle = &sample->idle[i];
		struct wss_usage *usage = &wss->usages[i];

		if (idle->present_bytes == 0)
			continue;
		usage->now = (struct wss_sizes){ .used = idle->accessed_bytes };
		usage->mapped = idle->present_bytes;
		usage->unobservable = idle->unobservable_bytes;
		result = end_sample(wss, usage, sample);
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
	const struct wss_sizes *x = a;
	const struct wss_sizes *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

static int by_hot(const void *a, const void *b)
{
	const struct wss_sizes *x = a;
	const struct wss_sizes *y = b;

	return x->hot < y->hot ? -1 : x->hot > y->hot;
}

const int wss_percentiles[WSS_NR_PERCENTILES] = { 0, 25, 50, 75, 100 };

/* Nearest rank: always a size that was seen. */
void wss_distribute(struct wss_usage *usage, struct wss_distribution *out)
{
	size_t last = usage->kept.nr - 1;

	qsort(usage->kept.items, usage->kept.nr, sizeof(usage->kept.items[0]), by_used);
	for (size_t i = 0; i < WSS_NR_PERCENTILES; i++)
		out->used[i] = usage->kept.items[(last * (size_t)wss_percentiles[i] + 50) / 100].used;
	qsort(usage->kept.items, usage->kept.nr, sizeof(usage->kept.items[0]), by_hot);
	for (size_t i = 0; i < WSS_NR_PERCENTILES; i++)
		out->hot[i] = usage->kept.items[(last * (size_t)wss_percentiles[i] + 50) / 100].hot;
}

double wss_unobservable_share(const struct wss_usage *usage)
{
	return usage->all_mapped > 0 ? usage->all_unobservable / usage->all_mapped : 0;
}

double wss_cpu_share(const struct record_info *info)
{
	return info->cost.wall_ns > 0 ? (double)info->cost.cpu_ns / (double)info->cost.wall_ns : 0;
}

bool wss_is_of_writes(const struct record_info *info, const struct report_opts *opts)
{
	return opts->writes || report_subject(info) == REPORT_WRITES;
}

int wss_init(struct wss *wss, struct tide_error *err)
{
	const struct record_target *targets;
	int result;

	/* The sums of exact mode are of accesses. */
	wss->exact = record_info(wss->reader)->exact != 0 && !wss->writes;
	wss->nr_targets = record_targets(wss->reader, &targets);
	wss->usages = calloc(wss->nr_targets + 1, sizeof(*wss->usages));
	if (wss->usages == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (size_t i = 0; i < wss->nr_targets; i++) {
		wss->usages[i].target = &targets[i];
		wss->usages[i].stride = 1;
		wss->usages[i].columns = calloc(wss->nr_columns + 1, sizeof(*wss->usages[i].columns));
		if (wss->usages[i].columns == NULL)
			return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	}
	result = record_for_each(wss->reader, wss->window.from_us, wss->window.to_us, add_sample, wss, err);
	if (result == -ENOMEM)
		error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return result;
}

void wss_fini(struct wss *wss)
{
	for (size_t i = 0; wss->usages != NULL && i < wss->nr_targets; i++) {
		vec_free(&wss->usages[i].kept);
		free(wss->usages[i].columns);
	}
	free(wss->usages);
}

static int write_usages(const struct wss *wss, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	const struct record_info *info = record_info(wss->reader);
	int result = 0;
	int nr = 0;

	if (opts->json)
		result = json_line(out, json_header("wss", info, wss->window.from_us, wss->window.to_us), err);
	for (size_t i = 0; i < wss->nr_targets && result == 0; i++) {
		struct wss_usage *usage = &wss->usages[i];
		struct wss_distribution sizes;

		if (usage->kept.nr == 0)
			continue;
		wss_distribute(usage, &sizes);
		if (!opts->json && nr++ > 0)
			fputc('\n', out);
		if (opts->json)
			result = wss_write_json(wss, usage, &sizes, out, err);
		else
			wss_write_text(wss, usage, &sizes, report_width(opts), out);
	}
	return result;
}

int report_wss(struct record_reader *reader, const struct report_opts *opts, FILE *out, struct tide_error *err)
{
	struct wss wss = { .reader = reader, .writes = wss_is_of_writes(record_info(reader), opts) };
	int result = report_window(&wss.window, reader, opts, UINT64_MAX, err);

	if (result < 0)
		return result;
	result = wss_init(&wss, err);
	if (result == 0)
		result = write_usages(&wss, opts, out, err);
	wss_fini(&wss);
	return result < 0 ? result : report_end(reader, out, err);
}
