/* SPDX-License-Identifier: MIT */
/*
 * This file tests the monitoring engine from end to end, in virtual time: the regions find what is hot, whatever is
 * mapped, and the work that takes does not grow with it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "modelled.h"
#include "verify/prediction.h"

#define NR_SEEDS 4u

/*
 * Guided, a TiB is first scanned in so many intervals: passes come every three, and keep 12,288 huge pages or read
 * 8 GiB of base pages; the last one's scouts are heard three later.
 */
#define HUGE_ROUND (44u * 3)
#define BASE_ROUND (129u * 3)

static struct prediction_verdict predict(struct workload *workload, const struct prediction_opts *opts)
{
	struct tide_error err = { 0 };
	struct prediction_verdict verdict;
	struct prediction *prediction = NULL;
	const struct tide_sample *sample;
	int result = prediction_open(&prediction, workload, opts, &err);

	assert_int_equal(result, 0);
	do
		result = prediction_next(prediction, &sample, &err);
	while (result == 1);
	assert_int_equal(result, 0);
	prediction_verdict(prediction, &verdict);
	prediction_close(prediction);
	return verdict;
}

static struct prediction_verdict predict_hot_set(uint64_t mapped_bytes, unsigned page_shift, uint64_t hot_bytes,
                                                 uint64_t seed, uint32_t flags)
{
	const struct prediction_opts opts = {
		.monitor = { .size = sizeof(opts.monitor), .seed = seed, .flags = flags },
		.duration_us = 60000000,
	};
	struct prediction_verdict verdict;
	struct workload workload;

	modelled_hot_set(&workload, mapped_bytes, page_shift, hot_bytes);
	workload.seed = seed;
	assert_int_equal(workload_check(&workload, NULL), 0);
	verdict = predict(&workload, &opts);
	workload_fini(&workload);
	assert_int_equal(verdict.nr_samples, 600);
	return verdict;
}

static void assert_found(const struct prediction_verdict *verdict)
{
	assert_true(verdict->accesses.precision >= 0.9);
	assert_true(verdict->accesses.recall >= 0.9);
}

static void guided_a_gigabyte_is_found_in_a_terabyte_within_one_round(void **unused)
{
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct prediction_verdict verdict = predict_hot_set(TIB(1), 21, GIB(1), seed, 0);

		assert_in_range(verdict.good_sample, 1, HUGE_ROUND);
		assert_found(&verdict);
	}
}

/* By chance: DAMON's own way comes there as well, early or late, and when it does the regions are as good. */
static void unguided_it_is_found_some_time(void **unused)
{
	uint64_t earliest = UINT64_MAX;
	uint64_t latest = 0;

	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct prediction_verdict verdict = predict_hot_set(TIB(1), 21, GIB(1), seed, TIDE_MONITOR_UNGUIDED);

		assert_int_equal(verdict.cost.nr_scanned, 0);
		if (verdict.good_sample == 0)
			continue;
		assert_true(verdict.accesses.precision >= 0.9);
		if (verdict.good_sample > latest)
			latest = verdict.good_sample;
		if (verdict.good_sample < earliest)
			earliest = verdict.good_sample;
	}
	assert_true(earliest < HUGE_ROUND);
	assert_true(latest > 2 * earliest);
}

/* 64 MiB of a TiB, one page in 16,384: chance finds it never within the minute, a look at the tables always. */
static void what_is_too_small_for_chance_needs_guidance(void **unused)
{
	unsigned nr_found = 0;

	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct prediction_verdict guided = predict_hot_set(TIB(1), 21, MIB(64), seed, 0);
		struct prediction_verdict unguided = predict_hot_set(TIB(1), 21, MIB(64), seed, TIDE_MONITOR_UNGUIDED);

		assert_in_range(guided.good_sample, 1, HUGE_ROUND);
		assert_found(&guided);
		nr_found += unguided.good_sample > 0;
	}
	assert_true(nr_found < NR_SEEDS);
}

/* No more looks than in a small space, but for two at each scout of `nr_passes`; 8 GiB at most are read in a pass. */
static void assert_bounded(const struct prediction_verdict *large, const struct prediction_verdict *small,
                           uint64_t nr_passes)
{
	assert_true(large->cost.nr_read <= small->cost.nr_read * 5 / 4 + nr_passes * 2 * 4096);
	assert_true(large->cost.nr_scanned <= nr_passes * (UINT64_C(2) << 20));
	assert_true(large->max_nr_regions <= 1000);
}

static void work_does_not_grow_with_what_is_mapped(void **unused)
{
	static const uint32_t flags[] = { 0, TIDE_MONITOR_UNGUIDED };

	for (size_t i = 0; i < 2; i++) {
		struct prediction_verdict small = predict_hot_set(GIB(16), 12, GIB(1), 1, flags[i]);
		struct prediction_verdict large = predict_hot_set(TIB(1), 12, GIB(1), 1, flags[i]);
		struct prediction_verdict huge = predict_hot_set(TIB(64), 12, GIB(1), 1, flags[i]);

		assert_found(&small);
		assert_true(small.cost.nr_read <= 600u * 20 * 2 * 50); /* 50 regions */
		assert_bounded(&small, &small, 4 + 600 / 11);
		/* One in three intervals in the first round, later one in eleven. */
		assert_bounded(&large, &small, i == 0 ? 128 + (600 - BASE_ROUND) / 11 + 1 : 0);
		assert_bounded(&huge, &small, i == 0 ? 600 / 3 : 0);
		if (i == 0)
			assert_in_range(large.good_sample, 1, BASE_ROUND);
	}
}

static void the_same_is_the_same(void **unused)
{
	struct prediction_verdict once = predict_hot_set(GIB(64), 12, GIB(1), 3, 0);
	struct prediction_verdict twice = predict_hot_set(GIB(64), 12, GIB(1), 3, 0);
	struct prediction_verdict other = predict_hot_set(GIB(64), 12, GIB(1), 4, 0);

	assert_memory_equal(&once.accesses, &twice.accesses, sizeof(once.accesses));
	assert_int_equal(once.good_sample, twice.good_sample);
	assert_int_equal(once.nr_regions, twice.nr_regions);
	assert_int_equal(once.cost.nr_read, twice.cost.nr_read);
	assert_int_equal(once.cost.nr_cleared, twice.cost.nr_cleared);
	assert_int_not_equal(once.cost.nr_read, other.cost.nr_read);
}

/* Half of what is hot cannot be seen: it is missed, and said to be unobservable. */
static void what_cannot_be_seen_is_missed(void **unused)
{
	const struct prediction_opts opts = { .monitor = { .size = sizeof(opts.monitor) }, .duration_us = 20000000 };
	struct prediction_verdict verdict;
	struct workload workload;
	uint64_t hot;

	modelled_hot_set(&workload, GIB(4), 12, GIB(1));
	hot = workload.sets.items[0].offset;
	assert_int_equal(
	        vec_push(&workload.blinds,
	                 ((struct workload_blind){ .offset = hot, .bytes = MIB(512), .reason = TIDE_REASON_LOCKED })),
	        0);
	verdict = predict(&workload, &opts);
	workload_fini(&workload);
	assert_true(verdict.accesses.precision >= 0.9);
	assert_true(verdict.accesses.recall > 0.4 && verdict.accesses.recall < 0.55);
	assert_true(verdict.unobservable > 0.08 && verdict.unobservable < 0.15);
}

static void writes_are_found_beside_reads(void **unused)
{
	const struct prediction_opts opts = { .monitor = { .size = sizeof(opts.monitor) },
		                              .duration_us = 20000000,
		                              .writes = true };
	struct prediction_verdict verdict;
	struct workload workload;

	modelled_hot_set(&workload, GIB(16), 12, GIB(1));
	modelled_use(&workload, (struct workload_set){ .offset = GIB(2), .bytes = MIB(512), .write_ns = MS(2) });
	verdict = predict(&workload, &opts);
	workload_fini(&workload);
	assert_found(&verdict);
	assert_true(verdict.writes.precision >= 0.9);
	assert_true(verdict.writes.recall >= 0.9);
	assert_true(verdict.writes.hot == (double)MIB(512));
	assert_true(verdict.accesses.hot == (double)(GIB(1) + MIB(512)));
}

/* An update interval later the new mapping is watched, and the one that went is not. */
static void mappings_that_come_and_go_are_followed(void **unused)
{
	const struct prediction_opts opts = { .monitor = { .size = sizeof(opts.monitor) }, .duration_us = 20000000 };
	struct prediction_verdict verdict;
	struct workload workload;

	modelled_hot_set(&workload, GIB(4), 12, GIB(1));
	modelled_map(&workload,
	             (struct workload_mapping){ .start = TIB(2), .end = TIB(2) + GIB(1), .from_ns = SEC(8) });
	workload.mappings.items[0].until_ns = SEC(12);
	modelled_use(&workload, (struct workload_set){ .mapping = 1, .bytes = MIB(256), .read_ns = MS(1) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	verdict = predict(&workload, &opts);
	workload_fini(&workload);
	assert_found(&verdict);
	assert_int_equal(verdict.mapped_bytes, GIB(1));
	assert_true(verdict.accesses.hot == (double)MIB(256));
}

static void the_end_of_all_memory_is_the_end(void **unused)
{
	const struct prediction_opts opts = { .monitor = { .size = sizeof(opts.monitor) }, .duration_us = 20000000 };
	struct prediction *prediction = NULL;
	const struct tide_sample *sample;
	struct tide_error err = { 0 };
	struct workload workload;
	int result;

	modelled_hot_set(&workload, GIB(4), 12, GIB(1));
	workload.mappings.items[0].until_ns = SEC(3);
	assert_int_equal(prediction_open(&prediction, &workload, &opts, &err), 0);
	do
		result = prediction_next(prediction, &sample, &err);
	while (result == 1);
	assert_int_equal(result < 0, 1);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
	prediction_close(prediction);
	workload_fini(&workload);
}

static void what_makes_no_sense_is_refused(void **unused)
{
	struct prediction_opts opts = { .monitor = { .size = sizeof(opts.monitor), .flags = TIDE_MONITOR_EXACT },
		                        .duration_us = 20000000 };
	struct prediction *prediction = NULL;
	struct tide_error err = { 0 };
	struct workload workload;

	modelled_hot_set(&workload, GIB(4), 12, GIB(1));
	assert_true(prediction_open(&prediction, &workload, &opts, &err) < 0);
	assert_non_null(strstr(err.text, "nothing to predict"));
	opts.monitor.flags = 0;
	opts.duration_us = 1000;
	assert_true(prediction_open(&prediction, &workload, &opts, &err) < 0);
	assert_non_null(strstr(err.text, "shorter than one aggregation interval"));
	assert_null(prediction);
	workload_fini(&workload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guided_a_gigabyte_is_found_in_a_terabyte_within_one_round),
		cmocka_unit_test(unguided_it_is_found_some_time),
		cmocka_unit_test(what_is_too_small_for_chance_needs_guidance),
		cmocka_unit_test(work_does_not_grow_with_what_is_mapped),
		cmocka_unit_test(the_same_is_the_same),
		cmocka_unit_test(what_cannot_be_seen_is_missed),
		cmocka_unit_test(writes_are_found_beside_reads),
		cmocka_unit_test(mappings_that_come_and_go_are_followed),
		cmocka_unit_test(the_end_of_all_memory_is_the_end),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
