/* SPDX-License-Identifier: MIT */
/* This file tests the judgement of written pages: truth logs and reports by hand, right and wrong ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "oracle/judge.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* One second of an area of 1000 bytes: read from 100, written from 300, both from 500, each 100 long. */
#define HEADER     "{\"schema\":\"tidemark-truth/1\",\"pattern\":\"made\",\"start\":\"0x0\",\"end\":\"0x3e8\"}\n"
#define SLICE(hot) "{\"from_unix_us\":1000000,\"to_unix_us\":2000000,\"sweeps\":1000,\"hot\":[" hot "]}\n"
#define HOT(start, end, access, probability)                                                                           \
	"{\"start\":\"" start "\",\"end\":\"" end "\",\"access\":\"" access "\",\"probability\":" probability          \
	",\"sweeps_per_s\":" SWEEPS_PER_S "}"
#define SWEEPS_PER_S "200"
#define SAMPLING_S   0.005
#define THREE_SETS                                                                                                     \
	HEADER SLICE(HOT("0x64", "0xc8", "read", "1") "," HOT("0x12c", "0x190", "write",                               \
	                                                      "1") "," HOT("0x1f4", "0x258", "both", "1"))

/* Of 20 checks. */
struct said {
	unsigned start;
	unsigned end;
	double nr_accesses;
	double nr_writes;
	unsigned unobservable_bytes;
};

static const struct said right[] = {
	{ 0, 100, 0, 0, 0 },   { 100, 200, 20, 0, 0 },  { 200, 300, 1, 1, 0 },  { 300, 400, 20, 20, 0 },
	{ 400, 500, 0, 0, 0 }, { 500, 600, 19, 18, 0 }, { 600, 1000, 0, 0, 0 },
};

static const struct limits ninety = {
	.given = { [MIN_PRECISION] = true, [MIN_RECALL] = true },
	.values = { [MIN_PRECISION] = 0.9, [MIN_RECALL] = 0.9 },
};

static void assert_near(double value, double expected)
{
	if (fabs(value - expected) > 1e-6)
		print_error("%f is not %f\n", value, expected);
	assert_true(fabs(value - expected) <= 1e-6);
}

static int read_truth(struct truth *truth, const char *log)
{
	char path[] = "/tmp/unit-judge.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int rc;

	assert_non_null(file);
	fputs(log, file);
	fclose(file);
	rc = truth_read(truth, path, 1000000, 2000000, SAMPLING_S);
	unlink(path);
	return rc;
}

static void read_regions(struct report *report, const struct said *said, size_t nr)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	fprintf(file, "{\"schema\":\"tidemark/1\",\"nr_checks\":20}\n");
	for (size_t i = 0; i < nr; i++)
		fprintf(file,
		        "{\"start\":\"0x%x\",\"end\":\"0x%x\",\"nr_accesses\":%g,\"nr_writes\":%g,"
		        "\"unobservable_bytes\":%u}\n",
		        said[i].start, said[i].end, said[i].nr_accesses, said[i].nr_writes, said[i].unobservable_bytes);
	fclose(file);
	file = fmemopen(text, size, "r");
	assert_int_equal(report_read(report, file, "made"), 0);
	fclose(file);
	free(text);
}

static void judge_one(struct judgement *judgement, enum set set, const char *log, double margin,
                      const struct said *said, size_t nr)
{
	struct truth truth;
	struct report report;

	assert_int_equal(read_truth(&truth, log), 0);
	read_regions(&report, said, nr);
	assert_int_equal(judge(judgement, set, &truth, &report, margin), 0);
	truth_fini(&truth);
	report_fini(&report);
}

static void judge_both(struct judgement judgements[2], const char *log, const struct said *said, size_t nr)
{
	struct truth truth;
	struct report report;

	assert_int_equal(read_truth(&truth, log), 0);
	read_regions(&report, said, nr);
	assert_int_equal(judge_apart(judgements, &truth, &report, 0), 0);
	truth_fini(&truth);
	report_fini(&report);
}

static void assert_scores(const struct judgement *judgement, double precision, double recall)
{
	assert_near(score_precision(&judgement->score), precision);
	assert_near(score_recall(&judgement->score), recall);
	assert_int_equal(judge_limits(judgement, &ninety), precision >= 0.9 && recall >= 0.9);
}

static void what_is_both_read_and_written_is_in_each_truth(void **unused)
{
	struct truth truth;

	assert_int_equal(read_truth(&truth, THREE_SETS), 0);
	assert_int_equal(truth.heats[TOUCH_ANY].nr, 3);
	assert_int_equal(truth.heats[TOUCH_READ].nr, 2);
	assert_int_equal(truth.heats[TOUCH_WRITE].nr, 2);
	assert_int_equal(truth.heats[TOUCH_READ].items[0].start, 100);
	assert_int_equal(truth.heats[TOUCH_WRITE].items[0].start, 300);
	assert_int_equal(truth.heats[TOUCH_READ].items[1].start, 500);
	assert_int_equal(truth.heats[TOUCH_WRITE].items[1].start, 500);
	truth_fini(&truth);
}

static void an_unknown_access_is_refused(void **unused)
{
	struct truth truth;

	assert_true(read_truth(&truth, HEADER SLICE(HOT("0x64", "0xc8", "fetch", "1"))) < 0);
}

static void a_right_report_scores_one_by_every_set(void **unused)
{
	struct judgement judgements[2];
	struct judgement one;

	judge_one(&one, SET_ACCESSES, THREE_SETS, 0, right, NR(right));
	assert_near(one.score.hot, 300);
	assert_scores(&one, 1, 1);
	judge_one(&one, SET_WRITES, THREE_SETS, 0, right, NR(right));
	assert_near(one.score.hot, 200);
	assert_scores(&one, 1, 1);
	judge_both(judgements, THREE_SETS, right, NR(right));
	assert_int_equal(judgements[0].set, SET_READS_ONLY);
	assert_near(judgements[0].score.hot, 100);
	assert_scores(&judgements[0], 1, 1);
	assert_near(judgements[0].apart, 100);
	assert_near(judgements[0].mistaken, 0);
	assert_int_equal(judgements[1].set, SET_WRITES);
	assert_near(judgements[1].score.hot, 200);
	assert_scores(&judgements[1], 1, 1);
	assert_near(judgements[1].apart, 100);
	assert_near(judgements[1].mistaken, 0);
}

static void every_access_called_a_write_fails(void **unused)
{
	const struct said said[] = { { 100, 200, 20, 20, 0 }, { 300, 400, 20, 20, 0 }, { 500, 600, 20, 20, 0 } };
	struct judgement judgements[2];
	struct judgement one;

	judge_one(&one, SET_ACCESSES, THREE_SETS, 0, said, NR(said));
	assert_scores(&one, 1, 1);
	judge_one(&one, SET_WRITES, THREE_SETS, 0, said, NR(said));
	assert_scores(&one, 2.0 / 3, 1);
	judge_both(judgements, THREE_SETS, said, NR(said));
	assert_scores(&judgements[0], 1, 0);
	assert_near(judgements[0].mistaken, 100);
	assert_scores(&judgements[1], 2.0 / 3, 1);
	assert_near(judgements[1].mistaken, 0);
}

static void writes_that_are_not_told_fail(void **unused)
{
	const struct said said[] = { { 100, 200, 20, 0, 0 }, { 300, 400, 20, 0, 0 }, { 500, 600, 20, 0, 0 } };
	struct judgement judgements[2];
	struct judgement one;

	judge_one(&one, SET_WRITES, THREE_SETS, 0, said, NR(said));
	assert_scores(&one, 1, 0);
	judge_both(judgements, THREE_SETS, said, NR(said));
	assert_scores(&judgements[0], 1.0 / 3, 1);
	assert_near(judgements[0].mistaken, 0);
	assert_scores(&judgements[1], 1, 0);
	assert_near(judgements[1].mistaken, 100);
}

static void sets_that_are_swapped_fail(void **unused)
{
	const struct said said[] = { { 100, 200, 20, 20, 0 }, { 300, 400, 20, 0, 0 }, { 500, 600, 20, 20, 0 } };
	struct judgement judgements[2];

	judge_both(judgements, THREE_SETS, said, NR(said));
	assert_scores(&judgements[0], 0, 0);
	assert_near(judgements[0].mistaken, 100);
	assert_scores(&judgements[1], 0.5, 0.5);
	assert_near(judgements[1].mistaken, 100);
}

static void half_of_the_checks_makes_write_hot(void **unused)
{
	const struct said half[] = { { 300, 400, 20, 10, 0 }, { 500, 600, 20, 10, 0 } };
	const struct said less[] = { { 300, 400, 20, 10, 0 }, { 500, 600, 20, 9.9, 0 } };
	struct judgement one;

	judge_one(&one, SET_WRITES, THREE_SETS, 0, half, NR(half));
	assert_scores(&one, 1, 1);
	judge_one(&one, SET_WRITES, THREE_SETS, 0, less, NR(less));
	assert_scores(&one, 1, 0.5);
}

static void unobservable_written_bytes_are_missed(void **unused)
{
	const struct said said[] = { { 100, 200, 20, 0, 50 }, { 300, 400, 20, 20, 40 }, { 500, 600, 0, 0, 100 } };
	struct judgement judgements[2];
	struct judgement one;

	judge_one(&one, SET_WRITES, THREE_SETS, 0, said, NR(said));
	assert_scores(&one, 1, 0.3);
	assert_near(score_wrong_cold(&one.score), 0);
	judge_both(judgements, THREE_SETS, said, NR(said));
	assert_scores(&judgements[0], 1, 0.5);
	assert_scores(&judgements[1], 1, 0.3);
	assert_near(judgements[0].mistaken, 0);
	assert_near(judgements[1].mistaken, 40);
}

static void what_is_hot_and_seldom_written_is_only_read(void **unused)
{
	const char *log = HEADER SLICE(HOT("0x64", "0xc8", "read", "1") "," HOT("0x64", "0xc8", "write", "0.1"));
	const struct said said[] = { { 100, 200, 20, 2, 0 } };
	struct judgement judgements[2];

	judge_both(judgements, log, said, NR(said));
	assert_near(judgements[0].score.hot, 100);
	assert_scores(&judgements[0], 1, 1);
	assert_near(judgements[1].score.hot, 0);
}

static void on_a_busy_machine_what_is_written_now_and_then_is_not_judged(void **unused)
{
	const char *log =
	        HEADER SLICE(HOT("0x64", "0xc8", "both", "1") "," HOT("0x12c", "0x190", "write", "0.6") "," HOT(
	                "0x1f4", "0x258", "read", "1") "," HOT("0x1f4", "0x258", "write", "0.4"));
	const struct said said[] = { { 100, 200, 20, 20, 0 }, { 300, 400, 20, 9, 0 }, { 500, 600, 20, 11, 0 } };
	struct judgement one;

	judge_one(&one, SET_WRITES, log, 0, said, NR(said));
	assert_scores(&one, 0.5, 0.5);
	judge_one(&one, SET_WRITES, log, 0.25, said, NR(said));
	assert_near(one.score.undecided, 200);
	assert_scores(&one, 1, 1);
	/* What may be written and what may not be hot leave nothing that is surely only read. */
	judge_one(&one, SET_READS_ONLY, log, 0.25, said, NR(said));
	assert_near(one.score.hot, 0);
	assert_near(one.score.undecided, 200);
	assert_scores(&one, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_both_read_and_written_is_in_each_truth),
		cmocka_unit_test(an_unknown_access_is_refused),
		cmocka_unit_test(a_right_report_scores_one_by_every_set),
		cmocka_unit_test(every_access_called_a_write_fails),
		cmocka_unit_test(writes_that_are_not_told_fail),
		cmocka_unit_test(sets_that_are_swapped_fail),
		cmocka_unit_test(half_of_the_checks_makes_write_hot),
		cmocka_unit_test(unobservable_written_bytes_are_missed),
		cmocka_unit_test(what_is_hot_and_seldom_written_is_only_read),
		cmocka_unit_test(on_a_busy_machine_what_is_written_now_and_then_is_not_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
