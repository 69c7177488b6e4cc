/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that holds a regions report against the truth:
 *
 *     tidemark report regions --json --last 3s FILE | oracle-compare --truth LOG --until UNIX_US --last 3s [limits]
 *
 * Prints precision, recall, F1 and the unobservable share, in bytes of the workload's area; unobservable hot bytes
 * count as missed. Limits: --min-precision, --min-recall, --max-unobservable, --min-unobservable, --max-wrong-cold.
 * Exit: 0 all limits are met, 1 not, 2 usage or unreadable input.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "units.h"

enum limit {
	MIN_PRECISION,
	MIN_RECALL,
	MIN_UNOBSERVABLE,
	MAX_UNOBSERVABLE,
	MAX_WRONG_COLD,
	NR_LIMITS,
	OPT_TRUTH = NR_LIMITS,
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
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "last", required_argument, NULL, OPT_LAST },
	{ "sampling", required_argument, NULL, OPT_SAMPLING },
	{ "json", no_argument, NULL, OPT_JSON },
	{ 0 },
};

struct comparison {
	const char *truth_path;
	const char *report_path; /* NULL: standard input */
	uint64_t until_us;
	uint64_t last_ns;
	uint64_t sampling_ns;
	bool json;
	bool given[NR_LIMITS];
	double limits[NR_LIMITS];
	struct truth truth;
	struct report report;
	struct score score;
};

static int parse_option(struct comparison *c, int option, const char *value)
{
	char *rest = NULL;

	switch (option) {
	case OPT_TRUTH:
		c->truth_path = value;
		return 0;
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

static int compare(struct comparison *c)
{
	struct span *hot = NULL;
	double sampling_s;
	uint64_t last_us;
	size_t nr_hot = 0;
	int rc = read_report(c);

	if (rc < 0)
		return rc;
	if (!c->until_us)
		c->until_us = truth_last_us(c->truth_path);
	last_us = c->last_ns / 1000 < c->until_us ? c->last_ns / 1000 : c->until_us;
	sampling_s = c->report.sampling_s > 0 ? c->report.sampling_s : (double)c->sampling_ns / 1e9;
	rc = truth_read(&c->truth, c->truth_path, c->until_us - last_us, c->until_us, sampling_s);
	if (rc < 0)
		return rc;
	rc = score_hot_spans(c->truth.heats.items, c->truth.heats.nr, c->truth.covered_s, c->truth.area, &hot, &nr_hot);
	if (rc == 0)
		score_compare(&c->score, c->truth.area, hot, nr_hot, c->report.verdicts.items, c->report.verdicts.nr);
	free(hot);
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

static void print_text(const struct comparison *c)
{
	const struct score *score = &c->score;

	printf("%s: precision %.3f, recall %.3f, F1 %.3f, unobservable %.2f %%, hot called cold %.2f %%; "
	       "%.1f MiB hot of %.0f, %.1f MiB called hot; swept every %.3f ms, longest gap %.1f ms\n",
	       c->truth.pattern, score_precision(score), score_recall(score), score_f1(score),
	       score_unobservable(score) * 100, score_wrong_cold(score) * 100, score->hot / 1048576,
	       score->area / 1048576, score->claimed / 1048576,
	       c->truth.sweeps > 0 ? c->truth.covered_s * 1e3 / c->truth.sweeps : 0, c->truth.max_gap_s * 1e3);
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
		        "usage: oracle-compare --truth LOG [--until UNIX_US] [--last 3s] [--sampling 5ms] [--json] "
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
		rc = limits_met(&c) ? 0 : 1;
	} else {
		rc = 2;
	}
	truth_fini(&c.truth);
	report_fini(&c.report);
	return rc;
}
