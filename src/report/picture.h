/* SPDX-License-Identifier: MIT */
/* Pictures of reports: one drawing, on paper of several formats. */
#ifndef REPORT_PICTURE_H
#define REPORT_PICTURE_H

#include <stdio.h>

#include "report/draw.h"
#include "report/window.h"

/* A format is where cairo draws, and how that becomes bytes of `out`. */
struct picture_format {
	const char *ending; /* of file names */
	cairo_surface_t *(*create)(FILE *out, int width, int height);
	cairo_status_t (*finish)(cairo_surface_t *surface, FILE *out);
};

/* Ended by a NULL ending. */
extern const struct picture_format picture_formats[];

/* The one whose ending, in any case, `path` has; NULL: none. */
const struct picture_format *picture_format_of(const char *path);

#define PICTURE_MIN_WIDTH  480
#define PICTURE_MIN_HEIGHT 320
#define PICTURE_MAX_SIZE   8192

struct picture {
	const struct picture_format *format;
	FILE *out;
	int width; /* pixels; 0: default */
	int height;
	cairo_surface_t *surface;
	cairo_t *cr;
};

/*
 * Draws `report`, which has a picture, as the picture's first members say. An error may leave something in `out`.
 * Errors: USAGE too small for what is to be in it; those of the report; SYSTEM it could not be written.
 */
TIDE_MUST_USE int picture_draw(const struct report *report, struct record_reader *reader,
                               const struct report_opts *opts, struct picture *picture, struct tide_error *err);

/* For the reports: an empty sheet for so many panels, one below the other. */
TIDE_MUST_USE int picture_begin(struct picture *picture, size_t nr_panels, struct tide_error *err);

/* From this unobservable share on, the figures are lower bounds, and nobody must overlook it. */
#define PICTURE_LARGE_DOUBT 0.05

/* What stands above a panel's plot. What there is no room for is left out. */
struct picture_head {
	const struct record_info *info;
	const struct record_target *target;
	const char *what;  /* "working set" */
	const char *facts; /* before when and how it was recorded */
	const struct report_window *window;
	double unobservable;     /* share */
	const uint64_t *reasons; /* TIDE_NR_REASONS */
};
void picture_head(cairo_t *cr, const struct picture_head *head, double x, double y, double width);

/* The panel of a target that was not watched in this time. */
void picture_absent(cairo_t *cr, const struct record_target *target, const struct draw_box *box);

/* The time below a plot: marks, what they say, what it is. */
void picture_time_axis(cairo_t *cr, const struct draw_box *plot, const struct report_window *window);

enum picture_sample {
	SAMPLE_COLOR,
	SAMPLE_RAMP, /* "warm" to "hot" */
	/* The same where writes are told apart, without the words: of none, of half, of all accesses. */
	SAMPLE_READ,
	SAMPLE_BOTH,
	SAMPLE_WRITTEN,
	SAMPLE_UNTOLD,
	SAMPLE_WORDS, /* nothing but them */
	SAMPLE_HATCH,
	SAMPLE_BLANK,
	SAMPLE_LINE,
	SAMPLE_DASHES,
	SAMPLE_GAP,
};

struct picture_key {
	enum picture_sample sample;
	uint32_t color;
	const char *text;
};

/* Samples with words, in as many lines as it takes; only measured when `draw` is false. Returns the height. */
double picture_legend(cairo_t *cr, const struct picture_key *keys, size_t nr_keys, double x, double y, double width,
                      bool draw);

/* A torn edge from left to right. */
void picture_tear(cairo_t *cr, double x, double y, double width);

#endif
