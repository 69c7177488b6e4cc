/* SPDX-License-Identifier: MIT */
/*
 * This file makes sure that the torture finds what it is for: each fault that is put in must be found, and the same
 * schedule without the fault must pass.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../kernel/need.h"
#include "case.h"
#include "faulty-pagemap.h"
#include "faulty-scan.h"
#include "pins-early.h"

enum {
	MAX_CASES = 30, /* until a fault must have been found */
	NR_DEVICE_WRITES = 30,
	NR_DESCRIPTOR_WRITES = 30,
};

/* What is put between a tracker and its kernel; disarm() tells how often it had its way. */
struct fault {
	void (*arm)(void);
	unsigned (*disarm)(void);
};

static const char *mutator;

/* With `fault`, until a write is lost, or not at all. */
static struct score run_cases(const struct tracker_ops *tracker, const char *family, const struct fault *fault,
                              unsigned nr, bool until_lost)
{
	struct case_opts opts = {
		.mutator = mutator,
		.family = family,
		.tracker = tracker,
		.silent = until_lost,
		.opened = fault != NULL ? fault->arm : NULL,
	};
	struct score score = { 0 };
	unsigned nr_faults = 0;
	unsigned flags = 0;

	for (opts.seed = 1; opts.seed <= nr && !(until_lost && score.lost > 0); opts.seed++) {
		struct tide_error err = { 0 };

		if (case_run(&opts, &score, &flags, &err) != 0)
			fail_msg("%s", err.text);
		nr_faults += fault != NULL ? fault->disarm() : 0;
	}
	assert_true((nr_faults > 0) == (fault != NULL));
	return score;
}

static void a_tracker_that_reports_everything_loses_nothing(void **state)
{
	struct score score = run_cases(&tracker_all, "mixed", NULL, 3, false);

	assert_true(score.compared > 1000);
	assert_int_equal(score.lost, 0);
	assert_int_equal(score.broken, 0);
}

/* As the judge's own reading does under a memory limit: it maps what was not mapped when it was copied. */
static void shared_pages_that_reading_maps_are_not_lost(void **state)
{
	static struct vmas vmas;
	struct tide_error err = { 0 };
	unsigned char page[PAGE];
	struct oracle oracle;
	uint64_t lost;
	struct rig rig;

	rig_start(&rig, mutator, 7, "shared", false);
	if (oracle_init(&oracle, &rig, &tracker_all, &(struct tracker_opts){ 0 }, &err) != 0)
		fail_msg("%s", err.text);
	rig_do(&rig, "descriptor", NR_DESCRIPTOR_WRITES);
	rig_done(&rig, -1);
	rig_hold(&rig);
	lost = oracle_judge(&oracle, 4096);
	proc_vmas(&oracle.proc, &vmas);
	for (size_t i = 0; i < vmas.nr; i++)
		for (uint64_t at = vmas.vma[i].start; vmas.vma[i].shared && at < vmas.vma[i].end; at += PAGE)
			proc_page(&oracle.proc, at, page);
	lost += oracle_compare(&oracle);
	oracle_fini(&oracle);
	rig_end(&rig);
	assert_int_equal(lost, 0);
}

static void a_naive_tracker_is_found_out(void **state)
{
	assert_true(run_cases(&tracker_naive, "move", NULL, MAX_CASES, true).lost > 0);
}

static void drop(void)
{
	faulty_scan_arm(FAULTY_DROP);
}

static void forget(void)
{
	faulty_scan_arm(FAULTY_FORGET);
}

static void leave_unarmed(void)
{
	faulty_scan_arm(FAULTY_NO_REARM);
}

static const struct fault drops = { drop, faulty_scan_disarm };
static const struct fault forgets = { forget, faulty_scan_disarm };
static const struct fault leaves_unarmed = { leave_unarmed, faulty_scan_disarm };
static const struct fault overlooks = { faulty_pagemap_arm, faulty_pagemap_disarm };

static void a_region_missing_from_a_scan_is_found(void **state)
{
	assert_true(run_cases(&tracker_watch, "cpu", &drops, MAX_CASES, true).lost > 0);
}

static void a_run_missing_from_soft_dirty_is_found(void **state)
{
	assert_int_equal(run_cases(&tracker_soft, "cpu", NULL, 3, false).lost, 0);
	assert_true(run_cases(&tracker_soft, "cpu", &overlooks, MAX_CASES, true).lost > 0);
}

static void a_page_not_armed_again_and_forgotten_is_found(void **state)
{
	assert_true(run_cases(&tracker_watch, "cpu", &forgets, MAX_CASES, true).lost > 0);
}

static void a_page_not_armed_again_is_reported_again(void **state)
{
	assert_int_equal(run_cases(&tracker_watch, "cpu", &leaves_unarmed, 3, false).lost, 0);
}

/*
 * Pages are pinned after the epoch has begun and before they are scanned; the device writes after their contents were
 * copied, and lets them go before the next look.
 */
static struct score pin_during_a_collect(const struct tracker_ops *tracker, const char *pins)
{
	struct tracker_opts opts = { .pins = pins };
	struct tide_error err = { 0 };
	struct oracle oracle;
	struct score score;
	struct rig rig;

	rig_start(&rig, mutator, 7, "ring", false);
	rig_do(&rig, "unregister", 1);
	rig_done(&rig, -1);
	if (oracle_init(&oracle, &rig, tracker, &opts, &err) != 0)
		fail_msg("%s", err.text);
	oracle.silent = true;
	while (oracle_collect(&oracle, 4096))
		;
	faulty_scan_before_next(&rig, "register");
	pins_early_begin();
	while (oracle_collect(&oracle, 4096))
		;
	pins_early_end();
	rig_do(&rig, "read-fixed", NR_DEVICE_WRITES);
	rig_done(&rig, -1);
	rig_do(&rig, "unregister", 1);
	rig_done(&rig, -1);
	rig_hold(&rig);
	oracle_judge(&oracle, 4096);
	score = oracle.score;
	oracle_fini(&oracle);
	rig_end(&rig);
	assert_int_equal(faulty_scan_disarm(), 1);
	return score;
}

static void B4_pages_pinned_during_a_collect_are_not_lost(void **state)
{
	assert_int_equal(pin_during_a_collect(&tracker_watch, "walker").lost, 0);
	assert_int_equal(pin_during_a_collect(&tracker_watch, "fdinfo").lost, 0);
}

static void B4_without_a_look_for_pins_they_are_lost(void **state)
{
	assert_true(pin_during_a_collect(&tracker_watch, "none").lost > 0);
}

static void B4_with_a_look_before_the_scan_they_are_lost(void **state)
{
	assert_true(pin_during_a_collect(&tracker_watch, "early").lost > 0);
}

/* Kernels forget that the half that never moved is tracked, and not that it is protected. */
static void E1_a_mapping_whose_neighbour_comes_back_loses_nothing(void **state)
{
	struct tracker_opts opts = { .pins = "none" };
	struct tide_error err = { 0 };
	struct oracle oracle;
	struct rig rig;

	rig_start(&rig, mutator, 7, "move", false);
	if (oracle_init(&oracle, &rig, &tracker_watch, &opts, &err) != 0)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < 8; i++) {
		rig_do(&rig, "part", 1);
		rig_done(&rig, -1);
		rig_hold(&rig);
		assert_int_equal(oracle_judge(&oracle, 4096), 0);
		rig_release(&rig);
	}
	oracle_fini(&oracle);
	rig_end(&rig);
}

static void *open_and_fill(const struct rig *rig, const struct tracker_opts *opts, struct tide_error *err)
{
	struct rig *mutator_rig = (struct rig *)rig;
	void *tracker = tracker_watch.open(rig, opts, err);

	rig_do(mutator_rig, "block-fill", 1);
	rig_done(mutator_rig, -1);
	return tracker;
}

/* Not there at the start, written when all was copied for the first time, then freed: zeros that must be reported. */
static void B3_a_block_filled_and_freed_in_the_first_epoch_is_not_lost(void **state)
{
	struct tracker_opts opts = { .pins = "none" };
	struct tracker_ops ops = tracker_watch;
	struct tide_error err = { 0 };
	struct oracle oracle;
	struct rig rig;

	ops.open = open_and_fill;
	rig_start(&rig, mutator, 7, "zap", false);
	rig_do(&rig, "block-free", 1);
	rig_done(&rig, -1);
	if (oracle_init(&oracle, &rig, &ops, &opts, &err) != 0)
		fail_msg("%s", err.text);
	rig_do(&rig, "block-zero", 1);
	rig_done(&rig, -1);
	rig_hold(&rig);
	assert_int_equal(oracle_judge(&oracle, 4096), 0);
	oracle_fini(&oracle);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest always[] = {
		cmocka_unit_test(a_tracker_that_reports_everything_loses_nothing),
		cmocka_unit_test(shared_pages_that_reading_maps_are_not_lost),
	};
	const struct CMUnitTest soft[] = {
		cmocka_unit_test(a_run_missing_from_soft_dirty_is_found),
	};
	const struct CMUnitTest watch[] = {
		cmocka_unit_test(a_naive_tracker_is_found_out),
		cmocka_unit_test(a_region_missing_from_a_scan_is_found),
		cmocka_unit_test(a_page_not_armed_again_and_forgotten_is_found),
		cmocka_unit_test(a_page_not_armed_again_is_reported_again),
		cmocka_unit_test(B4_pages_pinned_during_a_collect_are_not_lost),
		cmocka_unit_test(B4_without_a_look_for_pins_they_are_lost),
		cmocka_unit_test(B4_with_a_look_before_the_scan_they_are_lost),
		cmocka_unit_test(E1_a_mapping_whose_neighbour_comes_back_loses_nothing),
		cmocka_unit_test(B3_a_block_filled_and_freed_in_the_first_epoch_is_not_lost),
	};
	int failed;

	mutator = argv[1];
	if (need_walk() != 0)
		return 77;
	failed = cmocka_run_group_tests(always, NULL, NULL);
	if (tracker_soft_works())
		failed += cmocka_run_group_tests(soft, NULL, NULL);
	if (need_watch() == 0)
		failed += cmocka_run_group_tests(watch, NULL, NULL);
	return failed;
}
