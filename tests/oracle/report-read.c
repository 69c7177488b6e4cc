/* SPDX-License-Identifier: MIT */
/* This file reads what tidemark said about regions. */
#include "input.h"

#include <errno.h>

#include "input-lines.h"

static int add_verdicts(struct report *report, struct verdict verdict, bool hot, bool write_hot)
{
	const bool in_set[NR_CLAIMS] = {
		[SET_ACCESSES] = hot,
		[SET_WRITES] = write_hot,
		[SET_READS_ONLY] = hot && !write_hot,
	};

	for (int set = 0; set < NR_CLAIMS; set++) {
		verdict.hot = in_set[set];
		if (vec_push(&report->verdicts[set], verdict) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_region(void *arg, const json_t *object, size_t number)
{
	struct report *report = arg;
	struct verdict verdict = { 0 };

	if (number == 1) {
		report->nr_checks = lines_number(object, "nr_checks", 0);
		report->sampling_s = lines_number(object, "sampling_us", 0) / 1e6;
		report->started_unix_us = (uint64_t)lines_number(object, "started_unix_us", 0);
		report->from_us = (uint64_t)lines_number(object, "from_us", 0);
		report->to_us = (uint64_t)lines_number(object, "to_us", 0);
		return report->nr_checks > 0 ? 0 : -EINVAL;
	}
	/* Objects of other kinds may stand between. */
	if (!json_object_get(object, "nr_accesses"))
		return 0;
	if (lines_address(object, "start", &verdict.start) < 0 || lines_address(object, "end", &verdict.end) < 0 ||
	    verdict.start >= verdict.end)
		return -EINVAL;
	verdict.unobservable = lines_number(object, "unobservable_bytes", 0) / (double)(verdict.end - verdict.start);
	if (verdict.unobservable < 0 || verdict.unobservable > 1)
		return -EINVAL;
	return add_verdicts(report, verdict, lines_number(object, "nr_accesses", 0) * 2 >= report->nr_checks,
	                    lines_number(object, "nr_writes", 0) * 2 >= report->nr_checks);
}

int report_read(struct report *report, FILE *file, const char *name)
{
	int rc;

	*report = (struct report){ 0 };
	rc = lines_read(file, name, "tidemark/1", read_region, report);
	if (rc < 0) {
		fprintf(stderr, "%s: not a regions report, or its regions make no sense\n", name);
		report_fini(report);
	}
	return rc;
}

void report_fini(struct report *report)
{
	for (int set = 0; set < NR_CLAIMS; set++)
		vec_free(&report->verdicts[set]);
}
