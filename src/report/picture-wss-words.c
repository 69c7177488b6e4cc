/* SPDX-License-Identifier: MIT */
/* This file writes the words of a working set's picture: above the plot, beside it, and in the legend. */
#include "report/picture-wss.h"

#include <math.h>
#include <string.h>

#include "report/format.h"
#include "report/palette.h"

#define NOTE_GAP 15

static const struct picture_key keys[] = {
	{ SAMPLE_COLOR, WSS_HOT_COLOR, "hot: in at least half of the checks" },
	{ SAMPLE_COLOR, WSS_WARM_COLOR, "warm: less often" },
	{ SAMPLE_HATCH, 0, "unobservable: used or not" },
	{ SAMPLE_LINE, WSS_MAPPED_COLOR, "mapped" },
	{ SAMPLE_DASHES, WSS_MARK_COLOR, "median and most of the working set" },
	/* Only where a pixel is the mean of several intervals. */
	{ SAMPLE_LINE, WSS_PEAK_COLOR, "most in one interval" },
};
/* Of exact mode, which does not tell how often. */
static const struct picture_key exact_keys[] = {
	{ SAMPLE_COLOR, WSS_WARM_COLOR, "accessed in the interval" },
	{ SAMPLE_HATCH, 0, "unobservable: used or not" },
	{ SAMPLE_LINE, WSS_MAPPED_COLOR, "present" },
	{ SAMPLE_DASHES, WSS_MARK_COLOR, "median and most of the working set" },
	{ SAMPLE_LINE, WSS_PEAK_COLOR, "most in one interval" },
};
static const struct picture_key writes_keys[] = {
	{ SAMPLE_COLOR, WSS_WRITTEN_HOT_COLOR, "hot: written in at least half of the checks" },
	{ SAMPLE_COLOR, WSS_WRITTEN_WARM_COLOR, "warm: less often" },
	{ SAMPLE_HATCH, 0, "unobservable: written or not" },
	{ SAMPLE_LINE, WSS_MAPPED_COLOR, "mapped" },
	{ SAMPLE_DASHES, WSS_MARK_COLOR, "median and most of what was written" },
	{ SAMPLE_LINE, WSS_PEAK_COLOR, "most in one interval" },
};
#define NR_KEYS(keys) (sizeof(keys) / sizeof((keys)[0]))

/* A word and a size to the right of the plot, at their height or as near to it as there is room. */
struct note {
	const char *word;
	uint64_t bytes;
	uint32_t color;
	double y;
};

/* Down from the first to where there is room, then up from the last, which must not leave the plot. */
static void spread(struct note *notes, size_t nr, double bottom)
{
	for (size_t i = 1; i < nr; i++)
		notes[i].y = fmax(notes[i].y, notes[i - 1].y + NOTE_GAP);
	for (size_t i = nr; i-- > 0;) {
		notes[i].y = fmin(notes[i].y, bottom);
		bottom = notes[i].y - NOTE_GAP;
	}
}

void wss_draw_notes(const struct wss_panel *panel)
{
	const struct wss_distribution *sizes = &panel->sizes;
	bool exact = panel->wss->exact;
	const char *all = exact ? "\xe2\x86\x91 present" : "\xe2\x86\x91 mapped";
	struct note notes[] = {
		{ panel->cut ? all : strchr(all, ' ') + 1, panel->usage->mapped, WSS_MAPPED_COLOR, panel->plot.y },
		{ "most", sizes->used[WSS_MOST], WSS_MARK_COLOR, 0 },
		{ "median", sizes->used[WSS_MEDIAN], WSS_MARK_COLOR, 0 },
		{ "hot, median", sizes->hot[WSS_MEDIAN], panel->wss->writes ? WSS_WRITTEN_HOT_COLOR : WSS_HOT_COLOR,
		  0 },
	};
	size_t nr = sizeof(notes) / sizeof(notes[0]) - exact;
	char text[96];

	for (size_t i = panel->cut; i < nr; i++)
		notes[i].y = wss_y_of(panel, (double)notes[i].bytes);
	spread(notes, nr, panel->plot.y + panel->plot.height);
	for (size_t i = 0; i < nr; i++) {
		struct draw_font font = draw_font;

		font.color = notes[i].color;
		snprintf(text, sizeof(text), "%s %s", notes[i].word, format_bytes(notes[i].bytes).s);
		draw_text(panel->cr, &font, panel->plot.x + panel->plot.width + 8, notes[i].y + 4, DRAW_LEFT, text);
	}
}

void wss_draw_head(const struct wss_panel *panel, const uint64_t *reasons, const struct draw_box *box)
{
	const struct record_info *info = record_info(panel->wss->reader);
	char facts[240];
	struct picture_head head = { .info = info,
		                     .target = panel->usage->target,
		                     .what = panel->wss->writes ? "working set of writes" : "working set",
		                     .facts = facts,
		                     .window = &panel->wss->window,
		                     .reasons = reasons,
		                     .unobservable = wss_unobservable_share(panel->usage) };
	int length = snprintf(facts, sizeof(facts), "%s%s of %s %s",
	                      head.unobservable >= PICTURE_LARGE_DOUBT ? "at least " : "",
	                      format_bytes(panel->sizes.used[WSS_MEDIAN]).s, format_bytes(panel->usage->mapped).s,
	                      panel->wss->writes ? "written" : "used");

	if (panel->wss->exact)
		length += snprintf(facts + length, sizeof(facts) - (size_t)length, " (median; exact: every page)");
	else
		length += snprintf(facts + length, sizeof(facts) - (size_t)length, ", %s hot (medians)",
		                   format_bytes(panel->sizes.hot[WSS_MEDIAN]).s);
	if (info->cost.wall_ns > 0)
		snprintf(facts + length, sizeof(facts) - (size_t)length, "; watching cost %s CPU",
		         format_percent(wss_cpu_share(info)).s);
	picture_head(panel->cr, &head, box->x, box->y, box->width);
}

const struct picture_key *wss_keys(const struct wss *wss, size_t *nr)
{
	if (wss->writes) {
		*nr = NR_KEYS(writes_keys);
		return writes_keys;
	}
	*nr = wss->exact ? NR_KEYS(exact_keys) : NR_KEYS(keys);
	return wss->exact ? exact_keys : keys;
}
