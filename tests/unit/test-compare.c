/* SPDX-License-Identifier: MIT */
/* This file tests the arithmetic of precision and recall. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "oracle/score.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double value, double expected)
{
	if (fabs(value - expected) > 1e-6)
		print_error("%f is not %f\n", value, expected);
	assert_true(fabs(value - expected) <= 1e-6);
}

static void a_perfect_report_scores_one(void **unused)
{
	struct span hot[] = { { 100, 200 }, { 300, 400 } };
	struct verdict verdicts[] = {
		{ 300, 400, true, 0 }, { 0, 100, false, 0 }, { 100, 200, true, 0 }, { 200, 300, false, 0 }
	};
	struct score score;

	score_compare(&score, (struct span){ 0, 1000 }, hot, NR(hot), verdicts, NR(verdicts));
	assert_near(score_precision(&score), 1);
	assert_near(score_recall(&score), 1);
	assert_near(score_f1(&score), 1);
	assert_near(score_unobservable(&score), 0);
	assert_near(score_wrong_cold(&score), 0);
	assert_near(score.hot, 200);
}

static void too_much_costs_precision_and_too_little_recall(void **unused)
{
	struct span hot[] = { { 100, 200 }, { 300, 400 } };
	struct verdict verdicts[] = { { 50, 150, true, 0 }, { 350, 450, true, 0 } };
	struct score score;

	score_compare(&score, (struct span){ 0, 1000 }, hot, NR(hot), verdicts, NR(verdicts));
	assert_near(score.claimed, 200);
	assert_near(score.found, 100);
	assert_near(score_precision(&score), 0.5);
	assert_near(score_recall(&score), 0.5);
	assert_near(score_f1(&score), 0.5);
	assert_near(score_wrong_cold(&score), 0.5);
}

static void one_verdict_may_span_several_hot_pieces(void **unused)
{
	struct span hot[] = { { 0, 10 }, { 20, 30 }, { 40, 50 } };
	struct verdict verdicts[] = { { 0, 25, true, 0 }, { 25, 50, true, 0 } };
	struct score score;

	score_compare(&score, (struct span){ 0, 50 }, hot, NR(hot), verdicts, NR(verdicts));
	assert_near(score.found, 30);
	assert_near(score_precision(&score), 0.6);
	assert_near(score_recall(&score), 1);
}

static void unobservable_hot_bytes_are_missed_but_not_called_cold(void **unused)
{
	struct span hot[] = { { 0, 100 } };
	struct verdict verdicts[] = { { 0, 50, true, 0.2 }, { 50, 100, false, 1 } };
	struct score score;

	score_compare(&score, (struct span){ 0, 200 }, hot, NR(hot), verdicts, NR(verdicts));
	assert_near(score.found, 40);
	assert_near(score_recall(&score), 0.4);
	assert_near(score_precision(&score), 1);
	assert_near(score.hot_unobservable, 60);
	assert_near(score_unobservable(&score), 0.3);
	assert_near(score_wrong_cold(&score), 0);
}

static void outside_the_area_nothing_counts(void **unused)
{
	struct span hot[] = { { 1000, 1100 } };
	struct verdict verdicts[] = { { 0, 900, true, 0 }, { 900, 1050, true, 0 }, { 1950, 9000, true, 1 } };
	struct score score;

	score_compare(&score, (struct span){ 1000, 2000 }, hot, NR(hot), verdicts, NR(verdicts));
	assert_near(score.claimed, 50);
	assert_near(score_precision(&score), 1);
	assert_near(score_recall(&score), 0.5);
	assert_near(score_unobservable(&score), 0.05);
}

static void nothing_claimed_is_no_wrong_claim(void **unused)
{
	struct span hot[] = { { 0, 100 } };
	struct score score;

	score_compare(&score, (struct span){ 0, 200 }, hot, NR(hot), NULL, 0);
	assert_near(score_precision(&score), 1);
	assert_near(score_recall(&score), 0);
	assert_near(score_f1(&score), 0);
	assert_near(score_wrong_cold(&score), 1);
	score_compare(&score, (struct span){ 0, 200 }, NULL, 0, NULL, 0);
	assert_near(score_recall(&score), 1);
	assert_near(score_wrong_cold(&score), 0);
}

static void share_follows_probability_and_pace(void **unused)
{
	assert_near(score_share(1, 1000, 0.005), 1);
	assert_near(score_share(1, 100, 0.005), 0.5);
	assert_near(score_share(0.5, 400, 0.005), 0.75);
	assert_near(score_share(0.5, 100, 0.005), 0.25);
	assert_near(score_share(0, 1000, 0.005), 0);
}

static void what_moved_away_is_hot_by_its_mean(void **unused)
{
	/* One second at 0, one at 50, one at 100, each 100 long: a byte is hot that was covered in two of the three. */
	struct heat heats[] = { { 0, 100, 1, 1 }, { 50, 150, 1, 1 }, { 100, 200, 1, 1 } };
	struct span *spans = NULL;
	size_t nr = 0;

	assert_int_equal(score_hot_spans(heats, NR(heats), 3, 0.5, (struct span){ 0, 1000 }, &spans, &nr), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(spans[0].start, 50);
	assert_int_equal(spans[0].end, 150);
	free(spans);
}

static void what_is_undecided_is_neither_right_nor_wrong(void **unused)
{
	struct heat heats[] = { { 0, 100, 1, 1 }, { 100, 200, 0.6, 1 }, { 300, 400, 0.1, 1 } };
	struct verdict verdicts[] = { { 50, 150, true, 0 }, { 300, 350, true, 0 } };
	struct span area = { 0, 1000 };
	struct score score;
	struct score wide;
	struct span *sure = NULL;
	struct span *maybe = NULL;
	size_t nr_sure = 0;
	size_t nr_maybe = 0;

	assert_int_equal(score_hot_spans(heats, NR(heats), 1, 0.75, area, &sure, &nr_sure), 0);
	assert_int_equal(score_hot_spans(heats, NR(heats), 1, 0.25, area, &maybe, &nr_maybe), 0);
	score_compare(&score, area, sure, nr_sure, verdicts, NR(verdicts));
	score_compare(&wide, area, maybe, nr_maybe, verdicts, NR(verdicts));
	score_leave_undecided(&score, &wide);
	assert_near(score.undecided, 100);
	assert_near(score.hot, 100);
	/* 50 to 100 is right, 100 to 150 is not judged, 300 to 350 is wrong whatever happened. */
	assert_near(score.claimed, 100);
	assert_near(score_precision(&score), 0.5);
	assert_near(score_recall(&score), 0.5);
	free(sure);
	free(maybe);
}

static void holes_cut_spans(void **unused)
{
	const struct span spans[] = { { 0, 100 }, { 200, 300 }, { 400, 500 }, { 600, 700 } };
	const struct span holes[] = { { 20, 30 }, { 40, 250 }, { 290, 410 }, { 600, 700 }, { 900, 950 } };
	const struct span expected[] = { { 0, 20 }, { 30, 40 }, { 250, 290 }, { 410, 500 } };
	struct span *rest = NULL;
	size_t nr = 0;

	assert_int_equal(score_without(spans, NR(spans), holes, NR(holes), &rest, &nr), 0);
	assert_int_equal(nr, NR(expected));
	assert_memory_equal(rest, expected, sizeof(expected));
	free(rest);
	assert_int_equal(score_without(spans, NR(spans), NULL, 0, &rest, &nr), 0);
	assert_int_equal(nr, NR(spans));
	assert_memory_equal(rest, spans, sizeof(spans));
	free(rest);
}

static void slices_add_up_and_are_clipped_to_the_area(void **unused)
{
	struct heat heats[14];
	struct span *spans = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < NR(heats); i++)
		heats[i] = (struct heat){ 500, 700, 0.5, 0.1 };
	assert_int_equal(score_hot_spans(heats, NR(heats), 14 * 0.1, 0.5, (struct span){ 0, 600 }, &spans, &nr), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(spans[0].start, 500);
	assert_int_equal(spans[0].end, 600);
	free(spans);
	for (size_t i = 0; i < NR(heats); i++)
		heats[i].share = 0.49;
	assert_int_equal(score_hot_spans(heats, NR(heats), 14 * 0.1, 0.5, (struct span){ 0, 600 }, &spans, &nr), 0);
	assert_int_equal(nr, 0);
	free(spans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_perfect_report_scores_one),
		cmocka_unit_test(too_much_costs_precision_and_too_little_recall),
		cmocka_unit_test(one_verdict_may_span_several_hot_pieces),
		cmocka_unit_test(unobservable_hot_bytes_are_missed_but_not_called_cold),
		cmocka_unit_test(outside_the_area_nothing_counts),
		cmocka_unit_test(nothing_claimed_is_no_wrong_claim),
		cmocka_unit_test(share_follows_probability_and_pace),
		cmocka_unit_test(what_moved_away_is_hot_by_its_mean),
		cmocka_unit_test(what_is_undecided_is_neither_right_nor_wrong),
		cmocka_unit_test(holes_cut_spans),
		cmocka_unit_test(slices_add_up_and_are_clipped_to_the_area),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
