/* SPDX-License-Identifier: MIT */
/* This file lists the reports. */
#include "report/report.h"

const struct report reports[] = {
	{ "wss", "how much memory is in use: the working set size and its percentiles", report_wss, wss_draw, true },
	{ "heatmap", "what is used when: addresses against time", report_heatmap, heatmap_draw, true },
	{ "regions", "which regions are hot, and for how long", report_regions, NULL, true },
	{ "ages", "how much memory has been idle for how long", report_ages, NULL, false },
	{ "info", "what was recorded, how, and what it cost", report_info, NULL, false },
	{ 0 },
};
