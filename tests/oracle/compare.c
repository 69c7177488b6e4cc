/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that holds a regions report against the truth:
 *
 *     tidemark report regions --json --last 3s FILE | oracle-compare --truth LOG --record FILE --last 3s [limits]
 *
 * Prints precision, recall, F1 and the unobservable share, in bytes of the workload's area; unobservable hot bytes
 * count as missed. Limits: --min-precision, --min-recall, --max-unobservable, --min-unobservable, --max-wrong-cold.
 *
 * Both sides are judged by what they did, not by what was planned: the truth by the sweeps that were made, the checks
 * (with --record) by the time that each really looked at. These are means, and exact where a page is touched or not
 * touched. A page that is touched now and then, by a workload and looked at by a monitor that are both stopped at odd
 * moments, may be found more or less often than the means say: --busy-margin leaves shares so near to a half out of the
 * judgement, on a busy machine only.
 *
 * Exit: 0 all limits are met, 1 not, 2 usage or unreadable input, 3 not met while others had so much of the processors
 * that another run should decide.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "units.h"

/*
 * Busy: for this share of the time the workload neither ran nor slept as it wanted, or the checks took so many times as
 * long as planned. On an idle machine it is at most 0.07 and 1.16.
 */
#define BUSY_LATE  0.15
#define BUSY_CHECK 1.25

enum limit {
	MIN_PRECISION,
	MIN_RECALL,
	MIN_UNOBSERVABLE,
	MAX_UNOBSERVABLE,
	MAX_WRONG_COLD,
	NR_LIMITS,
	OPT_TRUTH = NR_LIMITS,
	OPT_RECORD,
	OPT_BUSY_MARGIN,
	OPT_UNTIL,
	OPT_LAST,
	OPT_SAMPLING,
	OPT_JSON,
};

static const struct option options[] = {
	{ "min-precision", required_argument, NULL, MIN_PRECISION },
	{ "min-recall", required_argument, NULL, MIN_RECALL },
	{ "min-unobservable", required_argument, NULL, MIN_UNOBSERVABLE },
	{ "max-unobservable", required_argument, NULL, MAX_UNOBSERVABLE },
	{ "max-wrong-cold", required_argument, NULL, MAX_WRONG_COLD },
	{ "truth", required_argument, NULL, OPT_TRUTH },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "busy-margin", required_argument, NULL, OPT_BUSY_MARGIN },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "last", required_argument, NULL, OPT_LAST },
	{ "sampling", required_argument, NULL, OPT_SAMPLING },
	{ "json", no_argument, NULL, OPT_JSON },
	{ 0 },
};

struct comparison {
	const char *truth_path;
	const char *record_path; /* NULL: checks were made as planned */
	const char *report_path; /* NULL: standard input */
	uint64_t until_us;
	uint64_t last_ns;
	uint64_t sampling_ns;
	bool json;
	bool given[NR_LIMITS];
	double limits[NR_LIMITS];
	struct truth truth;
	struct report report;
	struct checks checks;
	double margin;    /* on a busy machine, shares so near to a half are not judged */
	double planned_s; /* sampling interval */
	struct score score;
};

static int parse_option(struct comparison *c, int option, const char *value)
{
	char *rest = NULL;

	switch (option) {
	case OPT_TRUTH:
		c->truth_path = value;
		return 0;
	case OPT_RECORD:
		c->record_path = value;
		return 0;
	case OPT_BUSY_MARGIN:
		return units_share(value, &c->margin);
	case OPT_UNTIL:
		c->until_us = strtoull(value, &rest, 10);
		return *rest ? -EINVAL : 0;
	case OPT_LAST:
		return units_duration(value, &c->last_ns);
	case OPT_SAMPLING:
		return units_duration(value, &c->sampling_ns);
	case OPT_JSON:
		c->json = true;
		return 0;
	case '?':
		return -EINVAL;
	default:
		c->given[option] = true;
		return units_share(value, &c->limits[option]);
	}
}

static int parse(struct comparison *c, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (parse_option(c, option, optarg) < 0)
			return -EINVAL;
	}
	c->report_path = optind < argc ? argv[optind] : NULL;
	return c->truth_path && optind + 1 >= argc ? 0 : -EINVAL;
}

static int read_report(struct comparison *c)
{
	FILE *file = c->report_path ? fopen(c->report_path, "re") : stdin;
	int rc;

	if (!file) {
		fprintf(stderr, "%s: %s\n", c->report_path, strerror(errno));
		return -errno;
	}
	rc = report_read(&c->report, file, c->report_path ? c->report_path : "standard input");
	if (file != stdin)
		fclose(file);
	return rc;
}

/* The part of the truth that the report is about: until when (wall clock), and for how long. */
static void find_window(struct comparison *c, uint64_t *until_us, uint64_t *last_us)
{
	const struct report *report = &c->report;

	*until_us = c->until_us;
	if (!*until_us && report->started_unix_us && report->to_us)
		*until_us = report->started_unix_us + report->to_us;
	if (!*until_us)
		*until_us = truth_last_us(c->truth_path);
	*last_us = c->last_ns / 1000 < *until_us ? c->last_ns / 1000 : *until_us;
}

/* How long a check looks at its page. */
static int read_checks(struct comparison *c)
{
	int rc = 0;

	c->planned_s = c->report.sampling_s > 0 ? c->report.sampling_s : (double)c->sampling_ns / 1e9;
	c->checks.interval_s = c->planned_s;
	if (c->record_path)
		rc = checks_read(&c->checks, c->record_path, c->report.from_us, c->report.to_us);
	return rc;
}

static double late_share(const struct comparison *c)
{
	return c->truth.covered_s > 0 ? c->truth.late_s / c->truth.covered_s : 0;
}

static bool was_busy(const struct comparison *c)
{
	return late_share(c) > BUSY_LATE || c->checks.interval_s > BUSY_CHECK * c->planned_s;
}

/* Scores against what was touched in at least `share` of the checks. */
static int score_at(const struct comparison *c, double share, struct score *score)
{
	const struct truth *truth = &c->truth;
	struct span *hot = NULL;
	size_t nr_hot = 0;
	int rc = score_hot_spans(truth->heats[TOUCH_ANY].items, truth->heats[TOUCH_ANY].nr, truth->covered_s, share,
	                         truth->area, &hot, &nr_hot);

	if (rc == 0)
		score_compare(score, truth->area, hot, nr_hot, c->report.verdicts[SET_ACCESSES].items,
		              c->report.verdicts[SET_ACCESSES].nr);
	free(hot);
	return rc;
}

static int compare(struct comparison *c)
{
	struct score wide;
	uint64_t until_us;
	uint64_t last_us;
	double margin;
	int rc = read_report(c);

	if (rc == 0)
		rc = read_checks(c);
	if (rc < 0)
		return rc;
	find_window(c, &until_us, &last_us);
	rc = truth_read(&c->truth, c->truth_path, until_us - last_us, until_us, c->checks.interval_s);
	if (rc < 0)
		return rc;
	margin = was_busy(c) ? c->margin : 0;
	rc = score_at(c, 0.5 + margin, &c->score);
	if (rc == 0)
		rc = score_at(c, 0.5 - margin, &wide);
	if (rc == 0)
		score_leave_undecided(&c->score, &wide);
	return rc;
}

static bool check(const char *name, bool given, bool met, double value, double limit)
{
	if (given && !met)
		fprintf(stderr, "not met: %s is %.4f, the limit %.4f\n", name, value, limit);
	return !given || met;
}

static bool limits_met(const struct comparison *c)
{
	const struct score *score = &c->score;
	const double *limits = c->limits;
	double unobservable = score_unobservable(score);
	bool ok = true;

	ok &= check("precision", c->given[MIN_PRECISION], score_precision(score) >= limits[MIN_PRECISION],
	            score_precision(score), limits[MIN_PRECISION]);
	ok &= check("recall", c->given[MIN_RECALL], score_recall(score) >= limits[MIN_RECALL], score_recall(score),
	            limits[MIN_RECALL]);
	ok &= check("unobservable", c->given[MAX_UNOBSERVABLE], unobservable <= limits[MAX_UNOBSERVABLE], unobservable,
	            limits[MAX_UNOBSERVABLE]);
	ok &= check("unobservable", c->given[MIN_UNOBSERVABLE], unobservable >= limits[MIN_UNOBSERVABLE], unobservable,
	            limits[MIN_UNOBSERVABLE]);
	ok &= check("hot called cold", c->given[MAX_WRONG_COLD], score_wrong_cold(score) <= limits[MAX_WRONG_COLD],
	            score_wrong_cold(score), limits[MAX_WRONG_COLD]);
	return ok;
}

/* Where nothing was hot, no limit is put to the test; a workload that can hardly run makes nothing hot. */
static bool tested(const struct comparison *c)
{
	if (!c->given[MIN_RECALL] || c->score.hot > 0 || c->margin > 0 || !was_busy(c))
		return true;
	fprintf(stderr, "the workload made nothing hot\n");
	return false;
}

static void print_text(const struct comparison *c)
{
	const struct score *score = &c->score;
	char undecided[64] = "";

	if (score->undecided > 0)
		snprintf(undecided, sizeof(undecided), "; %.1f MiB undecided", score->undecided / 1048576);
	printf("%s: precision %.3f, recall %.3f, F1 %.3f, unobservable %.2f %%, hot called cold %.2f %%; "
	       "%.1f MiB hot of %.0f, %.1f MiB called hot; swept every %.3f ms, longest gap %.1f ms, late for "
	       "%.0f %% of the time; checked every %.1f ms%s\n",
	       c->truth.pattern, score_precision(score), score_recall(score), score_f1(score),
	       score_unobservable(score) * 100, score_wrong_cold(score) * 100, score->hot / 1048576,
	       score->area / 1048576, score->claimed / 1048576,
	       c->truth.sweeps > 0 ? c->truth.covered_s * 1e3 / c->truth.sweeps : 0, c->truth.max_gap_s * 1e3,
	       late_share(c) * 100, c->checks.interval_s * 1e3, undecided);
}

static void print_json(const struct comparison *c)
{
	const struct score *score = &c->score;
	json_t *object = json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "schema",
	                           "tidemark-accuracy/1", "pattern", c->truth.pattern, "precision",
	                           score_precision(score), "recall", score_recall(score), "f1", score_f1(score),
	                           "unobservable", score_unobservable(score), "wrong_cold", score_wrong_cold(score),
	                           "area_bytes", score->area, "hot_bytes", score->hot, "claimed_bytes", score->claimed,
	                           "found_bytes", score->found, "hot_unobservable_bytes", score->hot_unobservable);

	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
}

int main(int argc, char **argv)
{
	struct comparison c = { .last_ns = UINT64_MAX, .sampling_ns = 5000000 };
	int rc;

	if (parse(&c, argc, argv) < 0) {
		fprintf(stderr,
		        "usage: oracle-compare --truth LOG [--record FILE] [--busy-margin 0.25] [--until UNIX_US] "
		        "[--last 3s] [--sampling "
		        "5ms] [--json] "
		        "[LIMITS] [REPORT]\nlimits, from 0 to 1: --min-precision --min-recall --min-unobservable "
		        "--max-unobservable --max-wrong-cold\n");
		return 2;
	}
	rc = compare(&c);
	if (rc == 0) {
		if (c.json)
			print_json(&c);
		else
			print_text(&c);
		rc = limits_met(&c) && tested(&c) ? 0 : was_busy(&c) ? 3 : 1;
	} else {
		rc = 2;
	}
	truth_fini(&c.truth);
	report_fini(&c.report);
	return rc;
}
