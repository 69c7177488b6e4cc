/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that holds a regions report against the truth:
 *
 *     tidemark report regions --json --last 3s FILE | oracle-compare --truth LOG --record FILE --last 3s [limits]
 *
 * Prints precision, recall, F1 and the unobservable share, in bytes of the workload's area; unobservable hot bytes
 * count as missed. Of what, and the limits: see usage_text. A monitor that sees accesses and writes of a page cannot
 * tell one that is only written from one that is also read: both are written, and --apart asks for no more.
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

#include "judge.h"
#include "units.h"

/*
 * Busy: for this share of the time the workload neither ran nor slept as it wanted, or the checks took so many times as
 * long as planned. On an idle machine it is at most 0.07 and 1.16.
 */
#define BUSY_LATE  0.15
#define BUSY_CHECK 1.25

enum {
	OPT_TRUTH = NR_LIMITS,
	OPT_RECORD,
	OPT_WHAT,
	OPT_APART,
	OPT_BUSY_MARGIN,
	OPT_UNTIL,
	OPT_LAST,
	OPT_SAMPLING,
	OPT_JSON,
	OPT_HELP,
};

static const struct option options[] = {
	{ "min-precision", required_argument, NULL, MIN_PRECISION },
	{ "min-recall", required_argument, NULL, MIN_RECALL },
	{ "min-unobservable", required_argument, NULL, MIN_UNOBSERVABLE },
	{ "max-unobservable", required_argument, NULL, MAX_UNOBSERVABLE },
	{ "max-wrong-cold", required_argument, NULL, MAX_WRONG_COLD },
	{ "truth", required_argument, NULL, OPT_TRUTH },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "what", required_argument, NULL, OPT_WHAT },
	{ "apart", no_argument, NULL, OPT_APART },
	{ "busy-margin", required_argument, NULL, OPT_BUSY_MARGIN },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "last", required_argument, NULL, OPT_LAST },
	{ "sampling", required_argument, NULL, OPT_SAMPLING },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static const char usage_text[] =
        "usage: oracle-compare --truth LOG [--what accesses|writes | --apart] [--record FILE] [--busy-margin 0.25]\n"
        "                      [--until UNIX_US] [--last 3s] [--sampling 5ms] [--json] [LIMITS] [REPORT]\n"
        "limits, from 0 to 1: --min-precision --min-recall --min-unobservable --max-unobservable --max-wrong-cold\n"
        "\n"
        "--what accesses  hot is what was read or written in at least half of the checks; regions are called so by\n"
        "                 nr_accesses (default)\n"
        "--what writes    hot is what was written in at least half of the checks; regions are called so by nr_writes\n"
        "--apart          judges two sets of one report, each by all limits: reads-only, what is hot and not\n"
        "                 write-hot, and writes, what is write-hot, read or not; says how many of the read-only bytes\n"
        "                 were called write-hot, and how many of those that are written and hardly read were not\n";

struct comparison {
	const char *truth_path;
	const char *record_path; /* NULL: checks were made as planned */
	const char *report_path; /* NULL: standard input */
	uint64_t until_us;
	uint64_t last_ns;
	uint64_t sampling_ns;
	bool json;
	bool help;
	bool apart;
	bool what_given;
	enum set what;
	struct limits limits;
	struct truth truth;
	struct report report;
	struct checks checks;
	double margin;    /* on a busy machine, shares so near to a half are not judged */
	double planned_s; /* sampling interval */
	struct judgement judgements[2];
	size_t nr_judgements;
};

static int parse_what(struct comparison *c, const char *value)
{
	c->what_given = true;
	c->what = strcmp(value, set_words(SET_WRITES)->name) == 0 ? SET_WRITES : SET_ACCESSES;
	return strcmp(value, set_words(c->what)->name) == 0 ? 0 : -EINVAL;
}

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
	case OPT_WHAT:
		return parse_what(c, value);
	case OPT_APART:
		c->apart = true;
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
	case OPT_HELP:
		c->help = true;
		return 0;
	case '?':
		return -EINVAL;
	default:
		c->limits.given[option] = true;
		return units_share(value, &c->limits.values[option]);
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
	if (c->help)
		return 0;
	return c->truth_path && optind + 1 >= argc && !(c->apart && c->what_given) ? 0 : -EINVAL;
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

static int compare(struct comparison *c)
{
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
	c->nr_judgements = c->apart ? 2 : 1;
	if (c->apart)
		return judge_apart(c->judgements, &c->truth, &c->report, margin);
	return judge(&c->judgements[0], c->what, &c->truth, &c->report, margin);
}

/*
 * Where nothing was hot, no limit is put to the test; a workload that can hardly run makes nothing hot. And nothing is
 * told apart by a pattern that makes one of the two sets empty.
 */
static bool tested(const struct comparison *c, const struct judgement *judgement)
{
	if (!c->limits.given[MIN_RECALL] || judgement->score.hot > 0)
		return true;
	if (was_busy(c) ? c->margin > 0 : !c->apart)
		return true;
	fprintf(stderr, "the workload made nothing %s\n", set_words(judgement->set)->is);
	return false;
}

static bool limits_met(const struct comparison *c)
{
	bool ok = true;

	for (size_t i = 0; i < c->nr_judgements; i++) {
		ok &= judge_limits(&c->judgements[i], &c->limits);
		ok &= tested(c, &c->judgements[i]);
	}
	return ok;
}

/* How much of the one set was taken for the other. */
static void print_mistaken(const struct judgement *judgement)
{
	bool reads = judgement->set == SET_READS_ONLY;

	printf("; of %.1f MiB %s %.2f %% (%.1f MiB) %s called %s", judgement->apart / 1048576,
	       set_words(reads ? SET_READS_ONLY : SET_WRITES_ONLY)->is,
	       judgement->apart > 0 ? judgement->mistaken / judgement->apart * 100 : 0, judgement->mistaken / 1048576,
	       reads ? "were" : "were not", set_words(SET_WRITES)->is);
}

static void print_text(const struct comparison *c, const struct judgement *judgement)
{
	const struct set_words *words = set_words(judgement->set);
	const struct score *score = &judgement->score;

	printf("%s", c->truth.pattern);
	if (judgement->set != SET_ACCESSES)
		printf(", %s", words->name);
	printf(": precision %.3f, recall %.3f, F1 %.3f, unobservable %.2f %%, %s %.2f %%; "
	       "%.1f MiB %s of %.0f, %.1f MiB called %s",
	       score_precision(score), score_recall(score), score_f1(score), score_unobservable(score) * 100,
	       words->missed, score_wrong_cold(score) * 100, score->hot / 1048576, words->is, score->area / 1048576,
	       score->claimed / 1048576, words->is);
	if (c->apart)
		print_mistaken(judgement);
	printf("; swept every %.3f ms, longest gap %.1f ms, late for %.0f %% of the time; checked every %.1f ms",
	       c->truth.sweeps > 0 ? c->truth.covered_s * 1e3 / c->truth.sweeps : 0, c->truth.max_gap_s * 1e3,
	       late_share(c) * 100, c->checks.interval_s * 1e3);
	if (score->undecided > 0)
		printf("; %.1f MiB undecided", score->undecided / 1048576);
	putchar('\n');
}

static void print_json(const struct comparison *c, const struct judgement *judgement)
{
	const struct score *score = &judgement->score;
	json_t *object =
	        json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "schema",
	                  "tidemark-accuracy/1", "pattern", c->truth.pattern, "what", set_words(judgement->set)->name,
	                  "precision", score_precision(score), "recall", score_recall(score), "f1", score_f1(score),
	                  "unobservable", score_unobservable(score), "wrong_cold", score_wrong_cold(score),
	                  "area_bytes", score->area, "hot_bytes", score->hot, "claimed_bytes", score->claimed,
	                  "found_bytes", score->found, "hot_unobservable_bytes", score->hot_unobservable);

	if (c->apart) {
		json_object_set_new(object, "apart_bytes", json_real(judgement->apart));
		json_object_set_new(object, "mistaken_bytes", json_real(judgement->mistaken));
	}
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
}

int main(int argc, char **argv)
{
	struct comparison c = { .last_ns = UINT64_MAX, .sampling_ns = 5000000 };
	int rc;

	if (parse(&c, argc, argv) < 0) {
		fputs(usage_text, stderr);
		return 2;
	}
	if (c.help) {
		fputs(usage_text, stdout);
		return 0;
	}
	rc = compare(&c);
	if (rc == 0) {
		for (size_t i = 0; i < c.nr_judgements; i++)
			(c.json ? print_json : print_text)(&c, &c.judgements[i]);
		rc = limits_met(&c) ? 0 : was_busy(&c) ? 3 : 1;
	} else {
		rc = 2;
	}
	truth_fini(&c.truth);
	report_fini(&c.report);
	return rc;
}
