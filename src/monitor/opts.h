/* SPDX-License-Identifier: MIT */
#ifndef MONITOR_OPTS_H
#define MONITOR_OPTS_H

#include <tidemark/monitor.h>

/* `out` = `opts` (may be NULL) with defaults filled in, or USAGE and a sentence. */
int monitor_opts_complete(struct tide_monitor_opts *out, const struct tide_monitor_opts *opts, struct tide_error *err);

/* USAGE unless ranges are ascending, disjoint, not empty and page-aligned. */
int monitor_ranges_check(const struct tide_range *ranges, size_t nr, struct tide_error *err);

#endif
