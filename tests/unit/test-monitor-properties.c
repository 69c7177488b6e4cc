/* SPDX-License-Identifier: MIT */
/*
 * This file tests what holds for every seed: the rig judges each sample (order, overlap, alignment, maximum), here come
 * conservation, repeatability and how well the result fits the truth.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/rng.h"
#include "scripted-sensor.h"

#define NR_SEEDS 120u

/* Ranges of 1 to 2,000 pages each, with gaps of up to as many between; ascending. */
static void draw(struct scripted_ranges *ranges, struct rng *rng, unsigned nr)
{
	uint64_t at = GIB(1);

	ranges->nr = 0;
	for (unsigned i = 0; i < nr; i++) {
		uint64_t bytes = 4096 * (1 + rng_below(rng, 2000));

		at += 4096 * rng_below(rng, 2000);
		scripted_add(ranges, at, bytes);
		at += bytes;
	}
}

static struct tide_monitor_opts draw_opts(struct rng *rng, uint64_t seed)
{
	struct tide_monitor_opts opts = { .size = sizeof(opts), .sampling_us = 1000, .seed = seed };

	opts.aggregation_us = 1000 * (1 + rng_below(rng, 20));
	opts.update_us = opts.aggregation_us * (1 + rng_below(rng, 5));
	opts.min_nr_regions = (uint32_t)(3 + rng_below(rng, 20));
	opts.max_nr_regions = opts.min_nr_regions + (uint32_t)rng_below(rng, 200);
	opts.flags = rng_below(rng, 2) ? TIDE_MONITOR_UNGUIDED : 0;
	return opts;
}

/* A digest of 30 samples of random memory under random options; nothing mapped changes. */
static uint64_t live(uint64_t seed, uint64_t engine_seed)
{
	struct scripted worlds[2] = { { .reason = TIDE_REASON_LOCKED }, { .reason = TIDE_REASON_SHARED } };
	struct tide_monitor_opts opts;
	struct scripted_run run;
	uint64_t bytes = 0;
	uint64_t digest = 0;
	struct rng rng;

	rng_init(&rng, seed);
	opts = draw_opts(&rng, engine_seed);
	scripted_open(&run, &opts);
	for (unsigned i = 0; i < 2; i++) {
		draw(&worlds[i].mapped, &rng, 1 + (unsigned)rng_below(&rng, 20));
		draw(&worlds[i].hot, &rng, (unsigned)rng_below(&rng, 20));
		draw(&worlds[i].blind, &rng, (unsigned)rng_below(&rng, 3));
		/* At most three regions for a target: more than the maximum would be possible otherwise. */
		if (opts.max_nr_regions < 6)
			worlds[i].mapped.nr = 1;
		assert_int_equal(scripted_watch(&run, &scripted_sensor, &worlds[i], NULL, 0), (int)i);
	}
	for (unsigned i = 0; i < 30; i++) {
		const struct tide_sample *sample = scripted_sample(&run);

		bytes = i == 0 ? scripted_bytes(sample) : bytes;
		assert_int_equal(scripted_bytes(sample), bytes);
		for (size_t k = 0; k < sample->nr_regions; k++)
			digest = (digest + sample->regions[k].end + sample->regions[k].nr_accesses * 3 +
			          sample->regions[k].age * 7 + sample->regions[k].nr_unobservable) *
			         0x9e3779b97f4a7c15u;
	}
	scripted_close(&run);
	scripted_fini(&worlds[0]);
	scripted_fini(&worlds[1]);
	return digest;
}

static void samples_hold_their_properties_whatever_the_seed(void **unused)
{
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++)
		live(seed, seed);
}

static void the_same_seed_gives_the_same_result_and_another_one_another(void **unused)
{
	unsigned nr_others = 0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		uint64_t digest = live(seed, 7);

		assert_int_equal(live(seed, 7), digest);
		nr_others += live(seed, 8) != digest;
	}
	assert_true(nr_others > 15);
}

static uint64_t bytes_of(const struct scripted_ranges *ranges)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ranges->nr; i++)
		bytes += ranges->items[i].end - ranges->items[i].start;
	return bytes;
}

/*
 * One to three mappings, others at every update: the three regions are the mappings themselves. An interval ends with
 * an update, so a sample covers what was mapped when the one before it came.
 */
static void A3_samples_cover_what_is_mapped_while_it_changes(void **unused)
{
	for (uint64_t seed = 0; seed < NR_SEEDS; seed++) {
		struct scripted world = { 0 };
		struct tide_monitor_opts opts;
		struct scripted_run run;
		uint64_t bytes;
		struct rng rng;

		rng_init(&rng, seed);
		opts = draw_opts(&rng, seed);
		opts.update_us = opts.aggregation_us;
		draw(&world.mapped, &rng, 3);
		draw(&world.hot, &rng, 20);
		scripted_open(&run, &opts);
		assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, NULL, 0), 0);
		bytes = bytes_of(&world.mapped);
		for (unsigned i = 0; i < 40; i++) {
			assert_int_equal(scripted_bytes(scripted_sample(&run)), bytes);
			bytes = bytes_of(&world.mapped);
			draw(&world.mapped, &rng, 1 + (unsigned)rng_below(&rng, 3));
		}
		scripted_close(&run);
		scripted_fini(&world);
	}
}

/* 1 GiB, a tenth of it hot in three pieces, everything young at the start. Mean over the last samples of 100. */
static struct scripted_accuracy converge(uint64_t seed, uint32_t flags)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts), .seed = seed, .flags = flags };
	struct scripted_accuracy mean = { 0 };
	struct scripted world = { 0 };
	struct scripted_run run;

	scripted_add(&world.mapped, GIB(100), GIB(1));
	scripted_add(&world.hot, GIB(100) + MIB(111), MIB(20));
	scripted_add(&world.hot, GIB(100) + MIB(400), MIB(32));
	scripted_add(&world.hot, GIB(100) + MIB(777), MIB(50));
	scripted_open(&run, &opts);
	assert_int_equal(scripted_watch(&run, &scripted_sensor, &world, NULL, 0), 0);
	scripted_samples(&run, 90);
	for (unsigned i = 0; i < 10; i++) {
		struct scripted_accuracy accuracy = scripted_accuracy(&world, scripted_sample(&run));

		mean.precision += accuracy.precision / 10;
		mean.recall += accuracy.recall / 10;
	}
	scripted_close(&run);
	scripted_fini(&world);
	return mean;
}

static void regions_converge_to_what_is_hot(void **unused)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct scripted_accuracy accuracy = converge(seed, 0);

		assert_true(accuracy.precision >= 0.9);
		assert_true(accuracy.recall >= 0.9);
	}
}

static void regions_converge_unguided_too(void **unused)
{
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct scripted_accuracy accuracy = converge(seed, TIDE_MONITOR_UNGUIDED);

		assert_true(accuracy.precision >= 0.9);
		assert_true(accuracy.recall >= 0.9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_hold_their_properties_whatever_the_seed),
		cmocka_unit_test(the_same_seed_gives_the_same_result_and_another_one_another),
		cmocka_unit_test(A3_samples_cover_what_is_mapped_while_it_changes),
		cmocka_unit_test(regions_converge_to_what_is_hot),
		cmocka_unit_test(regions_converge_unguided_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
