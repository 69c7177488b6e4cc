/* SPDX-License-Identifier: MIT */
/* This file tests workloads: what is used when is what was said, adds up, and costs nothing for a page. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "modelled.h"

#define BASE TIB(1)

static const struct workload_mapping *only(const struct workload *workload)
{
	return &workload->mappings.items[0];
}

static bool used(const struct workload *workload, uint64_t addr, uint64_t since_ns, uint64_t until_ns)
{
	return workload_used(workload, only(workload), addr, since_ns, until_ns, WORKLOAD_USES);
}

/* Of the pages of [start, end), every `stride`th is asked; the share that was used. */
static double share_used(const struct workload *workload, uint64_t start, uint64_t end, uint64_t stride,
                         uint64_t since_ns, uint64_t until_ns)
{
	uint64_t nr = 0;
	uint64_t nr_used = 0;

	for (uint64_t addr = start; addr < end; addr += stride) {
		nr++;
		nr_used += used(workload, addr, since_ns, until_ns);
	}
	return (double)nr_used / (double)nr;
}

static void assert_near(double value, double wanted, double slack)
{
	if (value < wanted - slack || value > wanted + slack)
		fail_msg("%g is not near %g", value, wanted);
}

static void begin(struct workload *workload, uint64_t bytes)
{
	*workload = (struct workload){ .seed = 7 };
	modelled_map(workload, (struct workload_mapping){ .name = "heap", .start = BASE, .end = BASE + bytes });
}

static void a_page_is_used_with_the_chance_that_its_period_says(void **unused)
{
	struct workload workload;

	begin(&workload, GIB(1));
	modelled_use(&workload, (struct workload_set){ .bytes = MIB(512), .read_ns = MS(100) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	assert_near(share_used(&workload, BASE, BASE + MIB(512), 4096, MS(40), MS(45)), 0.05, 0.003);
	assert_near(share_used(&workload, BASE, BASE + MIB(512), 4096, SEC(40), SEC(40) + MS(50)), 0.5, 0.005);
	assert_near(share_used(&workload, BASE, BASE + MIB(512), 4096, MS(3), MS(103)), 1, 0);
	assert_near(share_used(&workload, BASE + MIB(512), BASE + GIB(1), 4096, 0, SEC(9999)), 0, 0);
	workload_fini(&workload);
}

static void reads_and_writes_are_two_things(void **unused)
{
	struct workload workload;
	unsigned nr[4] = { 0 };

	begin(&workload, MIB(64));
	modelled_use(&workload, (struct workload_set){ .bytes = MIB(64), .read_ns = MS(10), .write_ns = MS(20) });
	for (uint64_t addr = BASE; addr < BASE + MIB(64); addr += 4096)
		for (unsigned uses = WORKLOAD_READS; uses <= WORKLOAD_USES; uses++)
			nr[uses] += workload_used(&workload, only(&workload), addr, MS(50), MS(54), uses);
	assert_near(nr[WORKLOAD_READS] / 16384.0, 0.4, 0.02);
	assert_near(nr[WORKLOAD_WRITES] / 16384.0, 0.2, 0.02);
	assert_near(nr[WORKLOAD_USES] / 16384.0, 1 - 0.6 * 0.8, 0.02);
	workload_fini(&workload);
}

/* Whatever is asked about a time, and in how many pieces: it is one story. */
static void answers_add_up(void **unused)
{
	struct workload workload;

	begin(&workload, MIB(64));
	modelled_use(&workload, (struct workload_set){ .bytes = MIB(16), .read_ns = MS(70), .from_ns = MS(100) });
	modelled_use(&workload, (struct workload_set){ .bytes = MIB(4),
	                                               .read_ns = MS(9),
	                                               .share = 300000,
	                                               .move_bytes = MIB(1),
	                                               .move_ns = MS(30),
	                                               .until_ns = MS(800) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	for (uint64_t addr = BASE; addr < BASE + MIB(64); addr += MIB(1) + 4096) {
		bool pieces = false;

		for (uint64_t at = 0; at < SEC(1); at += MS(5))
			pieces = used(&workload, addr, at, at + MS(5)) || pieces;
		assert_int_equal(pieces, used(&workload, addr, 0, SEC(1)));
		assert_false(used(&workload, addr, MS(500), MS(500)));
	}
	workload_fini(&workload);
}

static void a_seed_is_a_story(void **unused)
{
	struct workload workload;
	struct workload other;
	unsigned nr_different = 0;

	begin(&workload, GIB(1));
	begin(&other, GIB(1));
	modelled_use(&workload, (struct workload_set){ .bytes = GIB(1), .read_ns = MS(100) });
	modelled_use(&other, (struct workload_set){ .bytes = GIB(1), .read_ns = MS(100) });
	for (unsigned i = 0; i < 2; i++) {
		for (uint64_t addr = BASE; addr < BASE + GIB(1); addr += MIB(1))
			nr_different += used(&workload, addr, SEC(1), SEC(1) + MS(50)) !=
			                used(&other, addr, SEC(1), SEC(1) + MS(50));
		if (i == 0)
			assert_int_equal(nr_different, 0);
		other.seed++;
	}
	assert_in_range(nr_different, 400, 624);
	workload_fini(&workload);
	workload_fini(&other);
}

/* 64 TiB: asked and summed up at once, with nothing kept. */
static void size_costs_nothing(void **unused)
{
	struct workload workload;
	struct workload_hots hots = { 0 };

	begin(&workload, TIB(64));
	modelled_use(&workload, (struct workload_set){ .bytes = TIB(64), .read_ns = SEC(100) });
	modelled_use(&workload, (struct workload_set){ .offset = TIB(50), .bytes = GIB(3), .write_ns = MS(1) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	assert_near(share_used(&workload, BASE, BASE + TIB(64), GIB(1) - 4096, 0, SEC(10)), 0.1, 0.01);
	assert_int_equal(workload_hot(&workload, SEC(5), MS(5), WORKLOAD_USES, &hots), 0);
	assert_int_equal(hots.list.nr, 1);
	assert_int_equal(hots.list.items[0].start, BASE + TIB(50));
	assert_int_equal(hots.list.items[0].end, BASE + TIB(50) + GIB(3));
	vec_free(&hots.list);
	workload_fini(&workload);
}

static void what_moves_is_used_where_it_is_and_goes_around(void **unused)
{
	struct workload workload;
	struct workload_hots hots = { 0 };

	begin(&workload, MIB(100));
	modelled_use(&workload, (struct workload_set){ .offset = MIB(80),
	                                               .bytes = MIB(20),
	                                               .read_ns = MS(1),
	                                               .from_ns = SEC(10),
	                                               .until_ns = SEC(20),
	                                               .move_bytes = MIB(10),
	                                               .move_ns = SEC(1) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	for (uint64_t at = SEC(9) + MS(500); at < SEC(21); at += SEC(1)) {
		uint64_t start = 80 + (at / SEC(1) - 10) * 10;

		for (uint64_t mib = 0; mib < 100; mib++) {
			bool is_hot = at > SEC(10) && at < SEC(20) && (mib + 200 - start) % 100 < 20;

			assert_int_equal(used(&workload, BASE + MIB(mib), at, at + MS(5)), is_hot);
		}
	}
	assert_int_equal(workload_hot(&workload, SEC(11) + 1, MS(5), WORKLOAD_USES, &hots), 0);
	assert_int_equal(hots.list.nr, 2);
	assert_int_equal(hots.list.items[0].end, BASE + MIB(10));
	assert_int_equal(hots.list.items[1].start, BASE + MIB(90));
	vec_free(&hots.list);
	workload_fini(&workload);
}

static double hot_mib(const struct workload *workload, uint64_t at_ns, unsigned uses)
{
	struct workload_hots hots = { 0 };
	double bytes = 0;

	assert_int_equal(workload_hot(workload, at_ns, MS(5), uses, &hots), 0);
	for (size_t i = 0; i < hots.list.nr; i++) {
		assert_true(i == 0 || hots.list.items[i].start >= hots.list.items[i - 1].end);
		bytes += hots.list.items[i].share * (double)(hots.list.items[i].end - hots.list.items[i].start);
	}
	vec_free(&hots.list);
	return bytes / (double)MIB(1);
}

/* What is calculated is what a look at every page would count. */
static void the_truth_is_what_pages_do(void **unused)
{
	struct workload workload;
	uint64_t nr_hot = 0;

	begin(&workload, MIB(256));
	modelled_use(&workload, (struct workload_set){ .bytes = MIB(200), .read_ns = MS(15), .share = 600000 });
	modelled_use(&workload, (struct workload_set){ .offset = MIB(50), .bytes = MIB(100), .write_ns = MS(8) });
	modelled_use(&workload,
	             (struct workload_set){ .offset = MIB(120), .bytes = MIB(60), .read_ns = MS(4), .share = 250000 });
	for (uint64_t addr = BASE; addr < BASE + MIB(256); addr += 4096) {
		unsigned nr = 0;

		for (uint64_t at = 0; at < MS(300); at += MS(5))
			nr += used(&workload, addr, at, at + MS(5));
		nr_hot += nr >= 30;
	}
	assert_near(hot_mib(&workload, MS(150), WORKLOAD_USES), 100 + 30 * 0.25, 0.001);
	assert_near(hot_mib(&workload, MS(150), WORKLOAD_WRITES), 100, 0);
	assert_near(hot_mib(&workload, MS(150), WORKLOAD_READS), 60 * 0.25, 0.001);
	assert_near((double)nr_hot * 4096 / (double)MIB(1), 107.5, 1);
	workload_fini(&workload);
}

static void mappings_come_and_go_with_their_sets(void **unused)
{
	struct workload workload;

	begin(&workload, MIB(10));
	modelled_map(&workload, (struct workload_mapping){ .start = BASE + GIB(1),
	                                                   .end = BASE + GIB(2),
	                                                   .page_shift = 21,
	                                                   .populated_bytes = MIB(512),
	                                                   .from_ns = SEC(1),
	                                                   .until_ns = SEC(2) });
	modelled_use(&workload, (struct workload_set){ .mapping = 1, .bytes = MIB(512), .read_ns = MS(1) });
	assert_int_equal(workload_check(&workload, NULL), 0);
	assert_null(workload_page(&workload, BASE + GIB(1), MS(999)));
	assert_ptr_equal(workload_page(&workload, BASE + GIB(1), SEC(1)), &workload.mappings.items[1]);
	assert_null(workload_page(&workload, BASE + GIB(1) + MIB(512), SEC(1)));
	assert_null(workload_page(&workload, BASE + GIB(1), SEC(2)));
	assert_null(workload_page(&workload, BASE + MIB(10), 0));
	assert_ptr_equal(workload_page(&workload, BASE, SEC(9)), &workload.mappings.items[0]);
	assert_int_equal(workload_generation(&workload, 0), 0);
	assert_int_equal(workload_generation(&workload, SEC(1)), 1);
	assert_int_equal(workload_generation(&workload, SEC(3)), 2);
	assert_near(hot_mib(&workload, MS(1500), WORKLOAD_USES), 512, 0);
	assert_near(hot_mib(&workload, MS(500), WORKLOAD_USES), 0, 0);
	workload_fini(&workload);
}

/* What the sentence must name. */
static void refused(struct workload *workload, const char *words)
{
	struct tide_error err = { 0 };

	assert_int_equal(workload_check(workload, &err) < 0, 1);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, words);
}

static void what_cannot_be_is_refused(void **unused)
{
	struct workload workload;

	begin(&workload, MIB(10));
	modelled_use(&workload, (struct workload_set){ .name = "hot", .bytes = MIB(10), .read_ns = 1 });
	assert_int_equal(workload_check(&workload, NULL), 0);
	workload.sets.items[0].bytes += 4096;
	refused(&workload, "set 1 hot: it ends beyond what is populated");
	workload.sets.items[0].bytes = 4095;
	refused(&workload, "begin and end at pages");
	workload.sets.items[0].bytes = UINT64_MAX - 4095;
	refused(&workload, "it ends beyond");
	workload.sets.items[0].bytes = MIB(1);
	workload.sets.items[0].read_ns = 0;
	refused(&workload, "neither read nor written");
	workload.sets.items[0].read_ns = 1;
	workload.sets.items[0].move_bytes = 4096;
	refused(&workload, "for 1 ms at least");
	workload.sets.items[0].move_bytes = 0;
	workload.sets.items[0].mapping = 1;
	refused(&workload, "in no mapping");
	workload.sets.items[0].mapping = 0;
	workload.sets.items[0].until_ns = workload.sets.items[0].from_ns;
	refused(&workload, "ends before it begins");
	workload.mappings.items[0].end += TIB(200);
	refused(&workload, "mapping 1 heap: it ends beyond the 128 TiB");
	workload.mappings.items[0].end = BASE;
	refused(&workload, "it has no size");
	workload_fini(&workload);
	refused(&workload, "nothing is mapped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_used_with_the_chance_that_its_period_says),
		cmocka_unit_test(reads_and_writes_are_two_things),
		cmocka_unit_test(answers_add_up),
		cmocka_unit_test(a_seed_is_a_story),
		cmocka_unit_test(size_costs_nothing),
		cmocka_unit_test(what_moves_is_used_where_it_is_and_goes_around),
		cmocka_unit_test(the_truth_is_what_pages_do),
		cmocka_unit_test(mappings_come_and_go_with_their_sets),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
