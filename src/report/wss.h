/* SPDX-License-Identifier: MIT */
/* The working set report between its halves: what is computed, and how it is written or drawn. */
#ifndef REPORT_WSS_H
#define REPORT_WSS_H

#include "base/vec.h"
#include "report/window.h"

/* One target's numbers in one sample. */
struct wss_sizes {
	uint64_t used;
	uint64_t hot;
};

/* The samples of a stretch of time; sums are weighted by `time_us`, that they have in it. */
struct wss_column {
	double time_us; /* 0: the target was not there */
	double used;
	double hot;
	double mapped;
	double unobservable;
	uint64_t most_used; /* in one sample */
};

struct wss_usage {
	const struct record_target *target;
	VEC(struct wss_sizes) kept;
	uint64_t stride; /* one of so many samples is kept */
	uint64_t nr_samples;
	struct wss_sizes now; /* of the sample that is being added up */
	uint64_t mapped;      /* in its regions */
	uint64_t unobservable;
	double all_mapped; /* over all samples */
	double all_unobservable;
	struct wss_column *columns; /* wss->nr_columns */
};

struct wss {
	struct record_reader *reader;
	struct wss_usage *usages;
	size_t nr_targets;
	struct report_window window;
	bool writes;       /* of writes: what is `used` was written, `hot` often so */
	bool exact;        /* every page was looked at: `mapped` is what was present, nothing is known as hot */
	size_t nr_columns; /* 0: how it went is of no interest */
};

enum { WSS_LEAST, WSS_MEDIAN = 2, WSS_MOST = 4, WSS_NR_PERCENTILES };
extern const int wss_percentiles[WSS_NR_PERCENTILES];

struct wss_distribution {
	uint64_t used[WSS_NR_PERCENTILES];
	uint64_t hot[WSS_NR_PERCENTILES];
};

/* Whether a working set is of writes: when it was asked for, or when nothing else was watched. */
bool wss_is_of_writes(const struct record_info *info, const struct report_opts *opts);

/* Adds the window's samples up. reader, window, writes and nr_columns are set. 0 or negative; wss_fini() in any case.
 */
int wss_init(struct wss *wss, struct tide_error *err);
void wss_fini(struct wss *wss);

/* Of a usage that has samples, which it sorts. */
void wss_distribute(struct wss_usage *usage, struct wss_distribution *out);
double wss_unobservable_share(const struct wss_usage *usage);
double wss_cpu_share(const struct record_info *info);

void wss_write_text(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                    int width, FILE *out);
int wss_write_json(const struct wss *wss, const struct wss_usage *usage, const struct wss_distribution *sizes,
                   FILE *out, struct tide_error *err);

#endif
