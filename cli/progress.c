/* SPDX-License-Identifier: MIT */
/* This file counts what was seen, and shows it while it goes on. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "options.h"
#include "units.h"

#define SHOW_EVERY_NS 1000000000u

enum progress_mode progress_choose(const struct options *options)
{
	if (options->quiet)
		return PROGRESS_OFF;
	if (isatty(STDERR_FILENO) && options->command == NULL)
		return PROGRESS_IN_PLACE;
	return options->progress ? PROGRESS_LINES : PROGRESS_OFF;
}

void progress_begin(struct progress *progress, enum progress_mode mode)
{
	*progress = (struct progress){ .mode = mode };
}

static double cpu_percent(const struct tide_session_cost *cost)
{
	return cost->wall_ns ? 100.0 * (double)cost->cpu_ns / (double)cost->wall_ns : 0;
}

static double unobservable_percent(const struct progress *progress)
{
	return progress->watched_bytes > 0 ? 100.0 * progress->unobservable_bytes / progress->watched_bytes : 0;
}

/* Of exact mode: how accesses were forgotten, and what that has cost beside the rest. */
static void ways_text(const struct tide_sensor_cost *cost, uint64_t wall_ns, char *buf, size_t size)
{
	size_t used = 0;

	for (int way = 1; way < TIDE_NR_WAYS && used < size; way++)
		if (cost->ways >> way & 1)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used == 0 ? "; forgot by " : " and ",
			                         tide_way_name(way));
	if (cost->nr_stalls > 0 && used < size)
		snprintf(buf + used, size - used,
		         ", which made it wait %.1f ms at most, and was blind for %.1f %% of the time",
		         (double)cost->longest_stall_ns / 1e6,
		         wall_ns > 0 ? 100.0 * (double)cost->blind_ns / (double)wall_ns : 0);
}

void progress_cost_text(const struct progress *progress, const struct tide_session_cost *cost, char *buf, size_t size)
{
	int used =
	        snprintf(buf, size, "cost %.1f %% CPU; %.1f %% unobservable; longest hold of its lock %.2f ms",
	                 cpu_percent(cost), unobservable_percent(progress), (double)cost->sensor.longest_hold_ns / 1e6);

	if (used > 0 && (size_t)used < size && cost->sensor.stopped_ns > 0)
		used += snprintf(buf + used, size - (size_t)used, "; stopped for %.1f ms at the beginning",
		                 (double)cost->sensor.stopped_ns / 1e6);
	if (used > 0 && (size_t)used < size)
		ways_text(&cost->sensor, cost->wall_ns, buf + used, size - (size_t)used);
}

static void show(struct progress *progress, const struct tide_session_cost *cost)
{
	char time[UNITS_TEXT_SIZE];
	char text[PROGRESS_COST_SIZE];
	bool in_place = progress->mode == PROGRESS_IN_PLACE;

	progress_cost_text(progress, cost, text, sizeof(text));
	fprintf(stderr, "%s%s: %llu samples, %llu regions; %s%s",
	        in_place ? "\r" : "tidemark: ", units_duration_text(time, cost->wall_ns / 1000),
	        (unsigned long long)progress->nr_samples, (unsigned long long)progress->nr_regions, text,
	        in_place ? "\033[K" : "\n");
	fflush(stderr);
	progress->on_screen = in_place;
}

/* As to accesses, or as to writes: whichever is more. */
static double unobservable_bytes(const struct tide_region *region, uint32_t nr_checks)
{
	struct tide_region worse = *region;

	if (worse.nr_unobservable < worse.nr_writes_unobservable)
		worse.nr_unobservable = worse.nr_writes_unobservable;
	return (double)tide_region_unobservable_bytes(&worse, nr_checks);
}

void progress_note(struct progress *progress, const struct tide_sample *sample, const struct tide_session_cost *cost)
{
	progress->nr_samples++;
	progress->nr_regions = sample->nr_regions;
	/* In exact mode what is there is known, not only where it may be. */
	for (uint32_t i = 0; sample->idle != NULL && i < sample->nr_targets; i++) {
		progress->watched_bytes += (double)sample->idle[i].present_bytes;
		progress->unobservable_bytes += (double)sample->idle[i].unobservable_bytes;
	}
	for (size_t i = 0; sample->idle == NULL && i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		progress->watched_bytes += (double)(region->end - region->start);
		progress->unobservable_bytes += unobservable_bytes(region, sample->nr_checks);
	}
	if (progress->mode == PROGRESS_OFF || cost->wall_ns < progress->shown_ns + SHOW_EVERY_NS)
		return;
	progress->shown_ns = cost->wall_ns;
	show(progress, cost);
}

void progress_end(struct progress *progress)
{
	if (progress->on_screen)
		fputs("\r\033[K", stderr);
	progress->on_screen = false;
}
