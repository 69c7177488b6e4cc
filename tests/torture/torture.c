/* SPDX-License-Identifier: MIT */
/*
 * This file runs cases until the time is over, and ends with a table.
 *
 * Exit: 0 all was well; 1 a write was lost, or a promise not kept; 2 the test itself failed; 77 cannot be done here.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "case.h"

static const char *const FAMILIES[] = {
	"cpu",  "kernel", "direct", "foreign", "ring",    "splice",  "zap",   "huge",
	"move", "fork",   "shared", "protect", "threads", "machine", "mixed",
};

enum {
	NR_FAMILIES = sizeof(FAMILIES) / sizeof(FAMILIES[0]),
	MAX_OVER_PERCENT = 2,
	ENOUGH_PAGES = 5000, /* below it, a share says nothing */
	MAX_ROWS = NR_FAMILIES,
};

struct row {
	const char *family;
	struct score score;
	unsigned flags;
};

struct torture {
	struct case_opts one;
	uint64_t seconds;
	uint64_t nr_cases; /* at most; 0: as many as fit into the time */
	struct row rows[MAX_ROWS];
	unsigned nr_rows;
};

static const struct option OPTIONS[] = {
	{ "mutator", required_argument, NULL, 'm' }, { "family", required_argument, NULL, 'f' },
	{ "seconds", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'r' },
	{ "cases", required_argument, NULL, 'c' },   { "tracker", required_argument, NULL, 't' },
	{ "soft-dirty", no_argument, NULL, 'd' },    { "pins", required_argument, NULL, 'p' },
	{ "ranges", no_argument, NULL, 'C' },        { NULL, 0, NULL, 0 },
};

static const struct tracker_ops *tracker_named(const char *name)
{
	const struct tracker_ops *all[] = { &tracker_watch,        &tracker_watch_list, &tracker_watch_soft,
		                            &tracker_watch_switch, &tracker_all,        &tracker_naive,
		                            &tracker_soft };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	fprintf(stderr, "no tracker %s\n", name);
	exit(2);
}

static void parse(struct torture *torture, int argc, char **argv)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		switch (letter) {
		case 'm':
			torture->one.mutator = optarg;
			break;
		case 'f':
			torture->rows[torture->nr_rows++ % MAX_ROWS].family = optarg;
			break;
		case 's':
			torture->seconds = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			torture->one.seed = strtoull(optarg, NULL, 0);
			break;
		case 'c':
			torture->nr_cases = strtoull(optarg, NULL, 0);
			break;
		case 't':
			torture->one.tracker = tracker_named(optarg);
			break;
		case 'p':
			torture->one.pins = optarg;
			break;
		case 'd':
			torture->one.beside = &tracker_soft;
			break;
		case 'C':
			torture->one.ranges = true;
			break;
		default:
			exit(2);
		}
	}
	if (torture->nr_rows == 0)
		for (; torture->nr_rows < NR_FAMILIES; torture->nr_rows++)
			torture->rows[torture->nr_rows].family = FAMILIES[torture->nr_rows];
	if (torture->one.mutator == NULL || torture->nr_rows > MAX_ROWS) {
		fprintf(stderr,
		        "usage: torture --mutator PROGRAM [--family NAME ...] [--seconds N] [--seed N] [--cases N]"
		        " [--tracker NAME] [--pins NAME] [--ranges] [--soft-dirty]\n");
		exit(2);
	}
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static void print_table(const struct torture *torture)
{
	printf("| %-8s | cases |     ops | epochs | collects |    pages |  over %% | pinned %% | invented | refused | "
	       "compared  | lost |\n",
	       "family");
	for (unsigned i = 0; i < torture->nr_rows; i++) {
		const struct row *row = &torture->rows[i];
		const struct score *score = &row->score;

		printf("| %-8s | %5lu | %7lu | %6lu | %8lu | %8lu | %7.2f | %8.2f | %8lu | %7lu | %9lu | %4lu |\n",
		       row->family, score->nr_cases, score->nr_ops, score->nr_epochs, score->nr_collects,
		       score->reported, percent(score->over, score->reported), percent(score->pinned, score->reported),
		       score->invented, score->nr_refused, score->compared, score->lost);
	}
}

/* What a run of all families could not do on this machine. */
static void print_skipped(const struct torture *torture)
{
	char line[256];
	FILE *list;

	snprintf(line, sizeof(line), "%s --list", torture->one.mutator);
	list = torture->nr_rows == NR_FAMILIES ? popen(line, "r") : NULL;
	while (list != NULL && fgets(line, sizeof(line), list) != NULL)
		if (strstr(line, " skipped: ") != NULL)
			printf("| %s", line);
	if (list != NULL)
		pclose(list);
}

/* Private memory whose pages and mappings stay where they are: there almost all is known exactly. */
static bool too_much_over(const struct row *row)
{
	return row->flags == 0 && row->score.reported >= ENOUGH_PAGES &&
	       percent(row->score.over, row->score.reported) > MAX_OVER_PERCENT;
}

/* Where mappings come and go, a neighbour that did not change may have to be reported with them. */
static bool invents(const struct row *row)
{
	return (row->flags & (OP_MOVES | OP_PINS)) == 0 && row->score.invented > 0;
}

static uint64_t nr_ops(const struct torture *torture)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < torture->nr_rows; i++)
		nr += torture->rows[i].score.nr_ops;
	return nr;
}

static int judge(const struct torture *torture)
{
	int result = 0;

	for (unsigned i = 0; i < torture->nr_rows; i++) {
		const struct row *row = &torture->rows[i];

		if (row->score.lost > 0 || row->score.broken > 0)
			result = 1;
		if (torture->one.tracker == &tracker_watch && too_much_over(row)) {
			fprintf(stderr, "%s: more than %d %% of what was reported is over\n", row->family,
			        MAX_OVER_PERCENT);
			result = 1;
		}
		if (torture->one.tracker == &tracker_watch && invents(row)) {
			fprintf(stderr, "%s: memory that is never written was reported\n", row->family);
			result = 1;
		}
	}
	return result;
}

static void run_case(struct torture *torture, struct row *row)
{
	uint64_t bad = row->score.lost + row->score.broken;
	struct tide_error err = { 0 };

	torture->one.family = row->family;
	if (case_run(&torture->one, &row->score, &row->flags, &err) != 0) {
		fprintf(stderr, "cannot watch: %s\n", err.text);
		exit(err.cause == TIDE_CAUSE_UNSUPPORTED || err.cause == TIDE_CAUSE_DENIED ? 77 : 2);
	}
	if (row->score.lost + row->score.broken > bad)
		fprintf(stderr, "again with: torture-run --mutator %s --family %s --seed 0x%lx --cases 1%s%s%s\n",
		        torture->one.mutator, row->family, torture->one.seed, torture->one.ranges ? " --ranges" : "",
		        torture->one.pins != NULL ? " --pins " : "",
		        torture->one.pins != NULL ? torture->one.pins : "");
}

int main(int argc, char **argv)
{
	static struct torture torture = { .one = { .tracker = &tracker_watch, .seed = 1 }, .seconds = 10 };
	const char *seconds = getenv("TORTURE_SECONDS");
	time_t start = time(NULL);

	if (seconds != NULL)
		torture.seconds = strtoull(seconds, NULL, 0);
	parse(&torture, argc, argv);
	if (torture.one.beside != NULL && !tracker_soft_works()) {
		fprintf(stderr, "this kernel has no soft-dirty bits\n");
		return 77;
	}
	for (uint64_t i = 0; torture.nr_cases == 0 || i < torture.nr_cases; i++) {
		/* Each family once, however slow the machine is. */
		if (i >= torture.nr_rows && (uint64_t)(time(NULL) - start) >= torture.seconds)
			break;
		run_case(&torture, &torture.rows[i % torture.nr_rows]);
		torture.one.seed++;
	}
	print_table(&torture);
	print_skipped(&torture);
	if (nr_ops(&torture) == 0) {
		fprintf(stderr, "nothing of these families can be done on this machine\n");
		return 77;
	}
	return judge(&torture);
}
