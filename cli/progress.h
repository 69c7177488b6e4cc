/* SPDX-License-Identifier: MIT */
/* What was seen so far, and the line that says so while it goes on. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/session.h>

struct options;

enum progress_mode {
	PROGRESS_OFF,
	PROGRESS_LINES,    /* one line after the other */
	PROGRESS_IN_PLACE, /* one line, rewritten: a terminal */
};

struct progress {
	enum progress_mode mode;
	uint64_t nr_samples;
	uint64_t nr_regions;       /* of the last sample */
	double watched_bytes;      /* summed over all samples; more than 64 bits in the long run */
	double unobservable_bytes; /* of those */
	uint64_t shown_ns;         /* wall time at which the line was last shown */
	bool on_screen;            /* a line in place waits to be cleared */
};

/* What the options want; a line in place is for a terminal that nobody else writes to. */
enum progress_mode progress_choose(const struct options *options);

void progress_begin(struct progress *progress, enum progress_mode mode);

/* Counts a sample, and shows the line when a second has passed since it was last shown. */
void progress_note(struct progress *progress, const struct tide_sample *sample, const struct tide_session_cost *cost);

/* Clears the line, so that others can write. */
void progress_end(struct progress *progress);

#define PROGRESS_COST_SIZE 320

/* "cost 0.8 % CPU; 1.2 % unobservable; longest hold of its lock 0.21 ms" */
void progress_cost_text(const struct progress *progress, const struct tide_session_cost *cost, char *buf, size_t size);

#endif
