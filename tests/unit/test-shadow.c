/* SPDX-License-Identifier: MIT */
/* This file tests the shadow of watched memory: which changes it calls lost, which not, and what it costs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "scripted-watch.h"
#include "target/target.h"
#include "verify/page-hash.h"
#include "verify/shadow.h"

#define PAGEMAP_IS_FILE (UINT64_C(5) << 61)

struct rig {
	struct tide_watch watch;
	struct shadow *shadow;
};

/* Where the shadow finds a file called "pagemap". */
static int procfs = -1;

int target_procfs(const struct tide_target *target)
{
	return procfs;
}

static void begin(struct rig *rig, const struct tide_range *ranges, size_t nr)
{
	scripted_init(&rig->watch);
	assert_int_equal(shadow_new(&rig->shadow, &rig->watch, NULL, ranges, nr, NULL), 0);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	begin(rig, NULL, 0);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	shadow_free(rig->shadow);
	free(rig);
	return 0;
}

static void report(struct rig *rig, size_t page, size_t nr)
{
	struct tide_run run = { .start = scripted_address(page), .end = scripted_address(page + nr) };

	assert_int_equal(shadow_note(rig->shadow, &run, 1, NULL), 0);
}

/* Ends an epoch. The number of writes lost, the first of them in `*first`. */
static size_t judge(struct rig *rig, uint64_t *first)
{
	const uint64_t *lost;
	size_t nr;

	assert_int_equal(shadow_judge(rig->shadow, &lost, &nr, NULL), 0);
	if (nr > 0 && first != NULL)
		*first = lost[0];
	assert_int_equal(shadow_look(rig->shadow, NULL), 0);
	return nr;
}

static uint64_t suspected(const struct rig *rig)
{
	struct shadow_counts counts;

	shadow_count(rig->shadow, &counts);
	return counts.nr_suspected;
}

static void a_change_that_nobody_reports_is_lost(void **state)
{
	struct rig *rig = *state;
	struct shadow_counts counts;
	uint64_t first = 0;

	scripted_write(&rig->watch, 700, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 700, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 1);
	assert_int_equal(judge(rig, &first), 1);
	assert_int_equal(first, scripted_address(700));
	assert_int_equal(judge(rig, NULL), 0);
	shadow_count(rig->shadow, &counts);
	assert_int_equal(counts.nr_lost, 1);
	assert_int_equal(counts.nr_verified, 1);
}

static void a_change_may_be_reported_by_this_epoch_or_the_next(void **state)
{
	struct rig *rig = *state;

	scripted_write(&rig->watch, 5, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 5, 2);
	report(rig, 4, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 0);
	scripted_write(&rig->watch, 5, 3);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 1);
	report(rig, 5, 1);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 0);
}

static void a_report_of_the_neighbours_is_none(void **state)
{
	struct rig *rig = *state;

	scripted_write(&rig->watch, 9, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 9, 2);
	report(rig, 10, 3);
	report(rig, 7, 2); /* not ascending, as nobody should */
	assert_int_equal(judge(rig, NULL), 0);
	report(rig, 8, 1);
	report(rig, 10, 1);
	assert_int_equal(judge(rig, NULL), 1);
}

static void memory_that_vanishes_or_appears_has_changed(void **state)
{
	struct rig *rig = *state;

	scripted_write(&rig->watch, 1, 1);
	scripted_write(&rig->watch, 2, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_zap(&rig->watch, 1);
	scripted_zap(&rig->watch, 2);
	report(rig, 2, 1);
	scripted_write(&rig->watch, 3, 1);
	scripted_write(&rig->watch, 4, 0); /* present, and as absent ones read */
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 2);
}

static void a_shared_page_may_appear_with_contents_but_not_change(void **state)
{
	struct rig *rig = *state;

	rig->watch.mappings[0].flags |= TIDE_MAPPING_SHARED;
	rig->watch.mappings[0].inode = 3;
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 1, 1);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 0);
	scripted_write(&rig->watch, 1, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 1);
	scripted_zap(&rig->watch, 1); /* unmapped only: it is still the file's */
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 0);
}

static void what_was_unmapped_meanwhile_is_not_lost(void **state)
{
	struct rig *rig = *state;

	scripted_write(&rig->watch, 2, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 2, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 1);
	rig->watch.mappings[0].start = scripted_address(3);
	assert_int_equal(judge(rig, NULL), 0);
}

static void a_new_mapping_is_reported_by_the_next_epoch(void **state)
{
	struct rig *rig = *state;

	rig->watch.mappings[0].end = scripted_address(100);
	assert_int_equal(judge(rig, NULL), 0);
	rig->watch.mappings[0].end = scripted_address(200);
	scripted_write(&rig->watch, 150, 7);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 1);
	report(rig, 100, 100);
	assert_int_equal(judge(rig, NULL), 0);
}

/* Makes /proc/PID/pagemap say that of one page. */
static void put_pagemap(const char *path, size_t page, uint64_t entry)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_int_equal(pwrite(fd, &entry, sizeof(entry), (off_t)(scripted_address(page) / 4096 * 8)), sizeof(entry));
	close(fd);
}

static void a_page_that_is_still_the_files_is_not_judged(void **state)
{
	char dir[] = "/tmp/tidemark-shadow.XXXXXX";
	struct rig *rig = *state;
	char path[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pagemap", dir);
	procfs = open(dir, O_RDONLY | O_DIRECTORY);
	rig->watch.mappings[0].inode = 3;
	put_pagemap(path, 1, PAGEMAP_IS_FILE);
	put_pagemap(path, 2, 0);
	scripted_write(&rig->watch, 1, 1);
	scripted_write(&rig->watch, 2, 1);
	assert_int_equal(judge(rig, NULL), 0);
	scripted_write(&rig->watch, 1, 2);
	scripted_write(&rig->watch, 2, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 1);
	unlink(path);
	rmdir(dir);
	close(procfs);
	procfs = -1;
}

/* In memory that was not armed: nobody can report it, and it is zeros as it was. */
static void a_page_that_came_and_went_between_collects_is_not_judged(void **state)
{
	char dir[] = "/tmp/tidemark-shadow.XXXXXX";
	struct rig *rig = *state;
	char path[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pagemap", dir);
	procfs = open(dir, O_RDONLY | O_DIRECTORY);
	put_pagemap(path, 1, UINT64_C(1) << 63);
	put_pagemap(path, 2, 0);
	put_pagemap(path, 3, UINT64_C(1) << 62 | UINT64_C(1) << 57);
	put_pagemap(path, 4, UINT64_C(1) << 62);
	assert_int_equal(judge(rig, NULL), 0);
	for (size_t page = 1; page <= 4; page++)
		scripted_write(&rig->watch, page, 1);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 4);
	assert_int_equal(judge(rig, NULL), 2); /* what is present, and what may be swapped */
	unlink(path);
	rmdir(dir);
	close(procfs);
	procfs = -1;
}

static void only_the_ranges_are_looked_at(void **state)
{
	const struct tide_range ranges[] = {
		{ scripted_address(600), scripted_address(610) },
		{ scripted_address(20), scripted_address(30) },
		{ scripted_address(25), scripted_address(40) },
	};
	struct rig *rig = *state;

	shadow_free(rig->shadow);
	begin(rig, ranges, 3);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(rig->watch.nr_copied, 30);
	for (size_t page = 0; page < 700; page++)
		scripted_write(&rig->watch, page, 1);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(judge(rig, NULL), 30);
}

static void what_goes_while_it_is_read_is_not_judged(void **state)
{
	struct rig *rig = *state;

	scripted_write(&rig->watch, 3, 1);
	assert_int_equal(judge(rig, NULL), 0);
	rig->watch.vanished = 3;
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 0);
	rig->watch.vanished = 0;
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 0);
	scripted_write(&rig->watch, 3, 2);
	assert_int_equal(judge(rig, NULL), 0);
	assert_int_equal(suspected(rig), 1);
}

static void what_cannot_be_read_is_counted(void **state)
{
	struct rig *rig = *state;
	struct shadow_counts counts;
	struct tide_error err = { 0 };

	rig->watch.unreadable = scripted_address(1000);
	scripted_write(&rig->watch, 0, 1);
	assert_int_equal(judge(rig, NULL), 0);
	shadow_count(rig->shadow, &counts);
	assert_int_equal(counts.unreadable_bytes, 512 * 4096);
	assert_int_equal(counts.nr_verified, 1);
	rig->watch.copy_result = -ESRCH;
	assert_int_equal(shadow_look(rig->shadow, &err), -ESRCH);
	assert_int_equal(err.cause, TIDE_CAUSE_GONE);
}

static void a_page_costs_eight_bytes_and_an_absent_one_none(void **state)
{
	struct rig *rig = *state;
	struct shadow_counts counts;

	assert_int_equal(judge(rig, NULL), 0);
	shadow_count(rig->shadow, &counts);
	assert_int_equal(counts.memory_bytes, 0);
	for (size_t page = 0; page < SCRIPTED_PAGES; page++)
		scripted_write(&rig->watch, page, page + 1);
	report(rig, 0, SCRIPTED_PAGES);
	assert_int_equal(judge(rig, NULL), 0);
	shadow_count(rig->shadow, &counts);
	assert_true(counts.memory_bytes >= 8 * SCRIPTED_PAGES && counts.memory_bytes <= 10 * SCRIPTED_PAGES);
}

/* What was lost is found, all of it and nothing else, however writes, zaps and reports fall. */
static void random_epochs_are_judged_as_they_were(void **state)
{
	struct rig *rig = *state;
	bool silent[SCRIPTED_PAGES] = { false }; /* changed, and no report since */
	struct rng rng;

	rng_init(&rng, 4711);
	assert_int_equal(judge(rig, NULL), 0);
	for (uint64_t epoch = 1; epoch < 200; epoch++) {
		size_t nr_expected = 0;

		for (size_t page = 0; page < SCRIPTED_PAGES; page++)
			nr_expected += silent[page];
		for (size_t i = 0; i < 50; i++) {
			size_t page = rng_below(&rng, SCRIPTED_PAGES);

			nr_expected -= silent[page]; /* this epoch reports it */
			silent[page] = false;
			scripted_write(&rig->watch, page, epoch << 32 | i);
			report(rig, page, 1);
		}
		assert_int_equal(judge(rig, NULL), nr_expected);
		memset(silent, 0, sizeof(silent));
		for (size_t i = 0; i < 3; i++) { /* from here on belongs to the epoch that comes */
			size_t page = rng_below(&rng, SCRIPTED_PAGES);

			if (rng_below(&rng, 3) == 0 && rig->watch.contents[page] != 0)
				scripted_zap(&rig->watch, page);
			else
				scripted_write(&rig->watch, page, epoch << 32 | (100 + i));
			silent[page] = true;
		}
		nr_expected = 0;
		for (size_t page = 0; page < SCRIPTED_PAGES; page++)
			nr_expected += silent[page];
		assert_int_equal(judge(rig, NULL), 0);
		assert_int_equal(suspected(rig), nr_expected);
	}
}

static void every_word_of_a_page_counts(void **state)
{
	uint64_t page[512] = { 0 };
	uint64_t zeros = page_hash(page);

	for (size_t i = 0; i < 512; i++) {
		page[i] = 1;
		assert_int_not_equal(page_hash(page), zeros);
		page[i] = UINT64_C(1) << 63;
		assert_int_not_equal(page_hash(page), zeros);
		page[i] = 0;
	}
	page[0] = 1;
	zeros = page_hash(page);
	page[0] = 0;
	page[4] = 1; /* the same lane */
	assert_int_not_equal(page_hash(page), zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_change_that_nobody_reports_is_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_change_may_be_reported_by_this_epoch_or_the_next, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_report_of_the_neighbours_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_that_vanishes_or_appears_has_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_shared_page_may_appear_with_contents_but_not_change, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_was_unmapped_meanwhile_is_not_lost, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_mapping_is_reported_by_the_next_epoch, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_page_that_is_still_the_files_is_not_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_page_that_came_and_went_between_collects_is_not_judged, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(only_the_ranges_are_looked_at, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_goes_while_it_is_read_is_not_judged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_page_costs_eight_bytes_and_an_absent_one_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(random_epochs_are_judged_as_they_were, set_up, tear_down),
		cmocka_unit_test(every_word_of_a_page_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
