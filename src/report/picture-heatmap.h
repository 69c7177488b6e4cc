/* SPDX-License-Identifier: MIT */
/* A heatmap's panel between its two halves: the cells and their axis, and the labels at either side. */
#ifndef REPORT_PICTURE_HEATMAP_H
#define REPORT_PICTURE_HEATMAP_H

#include "report/heatmap.h"
#include "report/picture.h"

/* What a gap takes of the height: with words, when it spares more than it takes; else a tear. */
#define GAP_HEIGHT        20
#define NARROW_GAP_HEIGHT 7
/* The least height of what lies between gaps: a label's. */
#define PART_HEIGHT 16

struct heatmap_panel {
	cairo_t *cr;
	const struct heatmap *heatmap;
	struct draw_box plot;
	double label_width; /* to the left of the plot */
	double name_width;  /* to the right of it */
	double row_height;
	uint64_t wide_gap; /* bytes, from which on it has words */
	double *tops;      /* y of each row, and behind the last one */
};

/* The y of a squeezed place in `row`. */
double heatmap_y_of(const struct heatmap_panel *panel, size_t row, uint64_t place);

/* Addresses to the left. */
void heatmap_draw_addresses(const struct heatmap_panel *panel);

/* Names and sizes of mappings to the right; of those that are too close to one another, the largest. 0 or -ENOMEM. */
int heatmap_draw_names(const struct heatmap_panel *panel);

#endif
