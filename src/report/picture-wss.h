/* SPDX-License-Identifier: MIT */
/* A working set's panel between its two halves: the curves, and the words about them. */
#ifndef REPORT_PICTURE_WSS_H
#define REPORT_PICTURE_WSS_H

#include "report/picture.h"
#include "report/wss.h"

/* Of writes as in heatmaps. */
#define WSS_HOT_COLOR          0x932667u
#define WSS_WARM_COLOR         0xfcb040u
#define WSS_WRITTEN_HOT_COLOR  0xa24c00u
#define WSS_WRITTEN_WARM_COLOR 0xf6a45bu
#define WSS_MAPPED_COLOR       0x2b5c8au
#define WSS_MARK_COLOR         PALETTE_INK
#define WSS_PEAK_COLOR         0xc07000u

struct wss_panel {
	cairo_t *cr;
	const struct wss *wss;
	const struct wss_usage *usage;
	struct wss_distribution sizes;
	struct draw_box plot;
	double top_bytes; /* what the upper edge stands for */
	bool cut;         /* what is mapped lies above it */
	bool peaks;       /* a column is many intervals' mean, and what stands out of it is shown */
};

double wss_y_of(const struct wss_panel *panel, double bytes);

/* Above the plot. */
void wss_draw_head(const struct wss_panel *panel, const uint64_t *reasons, const struct draw_box *box);

/* To the right of it: what its lines are. */
void wss_draw_notes(const struct wss_panel *panel);

/* The keys of the legend; the last one is of peaks. */
const struct picture_key *wss_keys(const struct wss *wss, size_t *nr);

#endif
