/* SPDX-License-Identifier: MIT */
/*
 * This file tests the report of written memory: its sums, and whole reports against tests/golden/report, which
 * UPDATE_GOLDEN=1 writes anew.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/writes.h"

#define BASE UINT64_C(0x7f0000000000)
#define PAGE UINT64_C(4096)

static const struct tide_mapping mappings[] = {
	{ 0x55d000000000, 0x55d000100000, 0, 0, TIDE_MAPPING_WRITE, "[heap]" },
	{ BASE, BASE + 1000 * PAGE, 0, 0, TIDE_MAPPING_WRITE, "" },
	{ BASE + 1000 * PAGE, BASE + 2000 * PAGE, 0, 7, TIDE_MAPPING_SHARED,
	  "/dev/shm/a file with a long name\x1b[31m.so" },
	{ BASE + 3000 * PAGE, BASE + 3100 * PAGE, 0, 0, TIDE_MAPPING_WRITE, "[stack]" },
};
static const struct tide_layout layout = { 1, 4, mappings };

struct rig {
	struct tide_target *target;
	struct writes writes;
	FILE *out;
	char *text;
	size_t size;
};

static void begin(struct rig *rig, const struct writes_opts *opts)
{
	struct writes_opts all = *opts;

	*rig = (struct rig){ 0 };
	all.pins = "walker";
	all.version = "1.2.3";
	all.interval_us = 1000000;
	assert_int_equal(tide_target_open(&rig->target, getpid(), NULL), 0);
	rig->out = open_memstream(&rig->text, &rig->size);
	assert_int_equal(writes_begin(&rig->writes, &all, rig->target, rig->out, NULL), 0);
	/* As if it were always the same process, at the same time. */
	rig->writes.pid = 1234;
	rig->writes.name = "victim";
}

static void end(struct rig *rig)
{
	writes_fini(&rig->writes);
	fclose(rig->out);
	free(rig->text);
	tide_target_close(rig->target);
}

static void put(struct rig *rig, uint64_t start, uint64_t nr_pages, enum tide_certainty certainty, enum tide_why why)
{
	struct tide_run run = { start, start + nr_pages * PAGE, certainty, why };

	assert_int_equal(writes_run(&rig->writes, &layout, &run, NULL), 0);
}

static void end_epoch(struct rig *rig, struct tide_epoch epoch, const struct writes_verified *verified)
{
	for (size_t i = 0; i < rig->writes.mappings.nr; i++) {
		const struct writes_sum *sum = &rig->writes.mappings.items[i].sum;

		epoch.written_bytes += sum->written_bytes;
		epoch.over_bytes += sum->over_bytes;
		epoch.pinned_bytes += sum->pinned_bytes;
	}
	assert_int_equal(writes_epoch(&rig->writes, &epoch, epoch.number * 1000000 + 2000, verified, NULL), 0);
}

/* Two epochs with everything that there is. */
static void put_all(struct rig *rig, bool verified)
{
	const uint64_t lost[] = { BASE + 900 * PAGE, BASE + 901 * PAGE, BASE + 903 * PAGE };
	const struct writes_verified counts[] = { { 5000, 0, 0 }, { 5100, 3, 8192 } };

	put(rig, 0x55d000003000, 5, TIDE_EXACT, TIDE_WHY_NONE);
	put(rig, BASE, 100, TIDE_EXACT, TIDE_WHY_NONE);
	put(rig, BASE + 500 * PAGE, 10, TIDE_OVER, TIDE_WHY_NEW);
	put(rig, BASE + 1000 * PAGE, 1000, TIDE_OVER, TIDE_WHY_SHARED);
	put(rig, BASE + 3000 * PAGE, 2, TIDE_EXACT, TIDE_WHY_NONE);
	end_epoch(rig,
	          (struct tide_epoch){ .number = 1,
	                               .blind = TIDE_BLIND_REFERENCES,
	                               .nr_mappings = 4,
	                               .watched_bytes = 3 << 20,
	                               .armed_bytes = 2 << 20,
	                               .cost_ns = 1234567,
	                               .nr_calls = 9,
	                               .stopped_ns = 1100000 },
	          verified ? &counts[0] : NULL);
	put(rig, BASE + 990 * PAGE, 20, TIDE_PINNED, TIDE_WHY_PIN); /* over two mappings */
	put(rig, BASE + 2990 * PAGE, 1, TIDE_EXACT, TIDE_WHY_NONE); /* in none */
	if (verified)
		assert_int_equal(writes_lost(&rig->writes, &layout, lost, 3, NULL), 0);
	end_epoch(rig,
	          (struct tide_epoch){ .number = 2,
	                               .blind = TIDE_BLIND_REFERENCES,
	                               .nr_mappings = 4,
	                               .watched_bytes = 3 << 20,
	                               .armed_bytes = 2 << 20,
	                               .cost_ns = 2345678,
	                               .nr_calls = 8,
	                               .nr_looked = 21,
	                               .huge_lost_bytes = 2 << 20,
	                               .table_bytes = 8192,
	                               .stopped_ns = 1100000 },
	          verified ? &counts[1] : NULL);
	assert_int_equal(writes_end(&rig->writes, "count", NULL), 0);
}

static void compare_with_golden(const char *name, const char *text)
{
	char path[512];
	char golden[16384] = "";
	FILE *file;

	snprintf(path, sizeof(path), SOURCE_ROOT "/tests/golden/report/%s", name);
	file = fopen(path, getenv("UPDATE_GOLDEN") != NULL ? "w+" : "r");
	if (file == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	if (getenv("UPDATE_GOLDEN") != NULL)
		fputs(text, file);
	rewind(file);
	golden[fread(golden, 1, sizeof(golden) - 1, file)] = 0;
	fclose(file);
	assert_string_equal(text, golden);
}

static void the_table_is_as_it_was(void **state)
{
	struct rig rig;

	begin(&rig, &(struct writes_opts){ 0 });
	put_all(&rig, false);
	compare_with_golden("writes.txt", rig.text);
	end(&rig);
}

static void a_verified_table_with_runs_is_as_it_was(void **state)
{
	struct rig rig;

	begin(&rig, &(struct writes_opts){ .runs = true, .verified = true, .width = 120, .top = 1 });
	put_all(&rig, true);
	compare_with_golden("writes-verified.txt", rig.text);
	end(&rig);
}

static void the_json_is_as_it_was(void **state)
{
	struct rig rig;
	const char *second;

	begin(&rig, &(struct writes_opts){ .json = true, .runs = true, .verified = true });
	put_all(&rig, true);
	second = strchr(rig.text, '\n') + 1; /* the first line tells the time */
	assert_true(strncmp(rig.text, "{\"schema\":\"tidemark/1\",", 23) == 0);
	compare_with_golden("writes.json", second);
	end(&rig);
}

static void no_epoch_is_no_rate(void **state)
{
	struct rig rig;

	begin(&rig, &(struct writes_opts){ 0 });
	assert_int_equal(writes_end(&rig.writes, "gone", NULL), 0);
	assert_non_null(strstr(rig.text, "victim (pid 1234): 0 B written in 0.0 s\n"));
	end(&rig);
}

/* A program that maps and unmaps without end: the summary keeps what counts, and bounds what it keeps. */
static void the_summary_forgets_the_least(void **state)
{
	struct rig rig;

	begin(&rig, &(struct writes_opts){ 0 });
	for (uint64_t i = 0; i < 30000; i++) {
		struct tide_mapping mapping = { BASE + i * 100 * PAGE, BASE + i * 100 * PAGE + 50 * PAGE, 0, 0, 0, "" };
		struct tide_layout one = { 1, 1, &mapping };
		struct tide_run run = { mapping.start, mapping.start + (i == 7 ? 40 : 1) * PAGE, TIDE_EXACT, 0 };

		assert_int_equal(writes_run(&rig.writes, &one, &run, NULL), 0);
		end_epoch(&rig, (struct tide_epoch){ .number = i + 1 }, NULL);
	}
	assert_true(rig.writes.all_mappings.nr <= 10000);
	assert_int_equal(rig.writes.all.written_bytes, 30039 * PAGE);
	rewind(rig.out);
	assert_int_equal(writes_end(&rig.writes, "count", NULL), 0);
	assert_non_null(strstr(rig.text, "anon 7f00002bc000\n"));
	end(&rig);
}

static void what_cannot_be_printed_is_an_error(void **state)
{
	struct tide_error err = { 0 };
	struct tide_target *target;
	struct writes writes;
	FILE *full = fopen("/dev/full", "w");

	assert_int_equal(tide_target_open(&target, getpid(), NULL), 0);
	assert_int_equal(writes_begin(&writes, &(struct writes_opts){ 0 }, target, full, &err), -EIO);
	assert_int_equal(err.cause, TIDE_CAUSE_SYSTEM);
	writes_fini(&writes);
	fclose(full);
	tide_target_close(target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_as_it_was),
		cmocka_unit_test(a_verified_table_with_runs_is_as_it_was),
		cmocka_unit_test(the_json_is_as_it_was),
		cmocka_unit_test(no_epoch_is_no_rate),
		cmocka_unit_test(the_summary_forgets_the_least),
		cmocka_unit_test(what_cannot_be_printed_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
