/* SPDX-License-Identifier: MIT */
/* This file counts what was seen, and shows it while it goes on. */
#include "progress.h"

#include <stdio.h>

#include "units.h"

#define SHOW_EVERY_NS 1000000000u

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

void progress_cost_text(const struct progress *progress, const struct tide_session_cost *cost, char *buf, size_t size)
{
	snprintf(buf, size, "cost %.1f %% CPU; %.1f %% unobservable; longest hold of its lock %.2f ms",
	         cpu_percent(cost), unobservable_percent(progress), (double)cost->sensor.longest_hold_ns / 1e6);
}

static void show(struct progress *progress, const struct tide_session_cost *cost)
{
	char time[UNITS_TEXT_SIZE];
	char text[160];
	bool in_place = progress->mode == PROGRESS_IN_PLACE;

	progress_cost_text(progress, cost, text, sizeof(text));
	fprintf(stderr, "%s%s: %llu samples, %llu regions; %s%s",
	        in_place ? "\r" : "tidemark: ", units_duration_text(time, cost->wall_ns / 1000),
	        (unsigned long long)progress->nr_samples, (unsigned long long)progress->nr_regions, text,
	        in_place ? "\033[K" : "\n");
	fflush(stderr);
	progress->on_screen = in_place;
}

void progress_note(struct progress *progress, const struct tide_sample *sample, const struct tide_session_cost *cost)
{
	progress->nr_samples++;
	progress->nr_regions = sample->nr_regions;
	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];

		progress->watched_bytes += (double)(region->end - region->start);
		progress->unobservable_bytes += (double)tide_region_unobservable_bytes(region, sample->nr_checks);
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
