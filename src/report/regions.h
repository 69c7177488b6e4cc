/* SPDX-License-Identifier: MIT */
/* The regions report between its two halves: what is computed, and how it is written. */
#ifndef REPORT_REGIONS_H
#define REPORT_REGIONS_H

#include "base/vec.h"
#include "report/window.h"

/* A region of the last sample and its means over the window, as shares of the checks. */
struct region_mean {
	struct tide_region last;
	double weight;
	double accesses;
	double writes;
	double unobservable;
	double untold; /* as to writes */
	uint64_t unobservable_bytes;
	uint64_t mapped_bytes; /* at the end */
	uint64_t age_us;
	enum heat heat;
	const char *mapping; /* the record's */
};

struct regions {
	struct report_window window;
	uint64_t at_us; /* when the last sample ended */
	uint32_t nr_checks;
	VEC(struct region_mean) items; /* by target and address; the text joins and sorts them */
};

/* Which tenth of the whole a share lies in: 0 to 9. Finer differences are mostly chance. */
int regions_tenth(double share);

/* Makes one item of neighbours that a person would not tell apart. */
void regions_join(struct regions *regions);

void regions_write_text(struct regions *regions, struct record_reader *reader, const struct report_opts *opts,
                        FILE *out);

#endif
