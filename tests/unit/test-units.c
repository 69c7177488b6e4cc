/* SPDX-License-Identifier: MIT */
/* This file tests durations and sizes as people write them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "units.h"

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} rows[] = {
		{ "5ms", 5000 },      { "10s", 10000000 },   { "1m", 60000000 }, { "1min", 60000000 },
		{ "2h", 7200000000 }, { "1d", 86400000000 }, { "750us", 750 },   { "750µs", 750 },
		{ "1.5s", 1500000 },  { "0.25ms", 250 },     { ".5s", 500000 },  { "0", 0 },
		{ "0ms", 0 },         { "10", 10000000 },    { "0.5", 500000 },  { "36500d", UNITS_MAX_DURATION_US },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tide_error err = { 0 };
		uint64_t us = 1;

		assert_int_equal(units_parse_duration(rows[i].text, 1000000, &us, &err), 0);
		assert_int_equal(us, rows[i].us);
	}
}

static void bad_durations_get_a_sentence(void **state)
{
	static const struct {
		const char *text;
		const char *sentence;
	} rows[] = {
		{ "", "not a duration" },
		{ "x", "not a duration" },
		{ "-5ms", "not a duration" },
		{ "+5ms", "not a duration" },
		{ " 5ms", "not a duration" },
		{ ".", "not a duration" },
		{ "5.", "not a duration" },
		{ "inf", "not a duration" },
		{ "1e3s", "no unit of time that is known" },
		{ "0x10s", "no unit of time that is known" },
		{ "1.2.3s", "no unit of time that is known" },
		{ "5 ms", "no unit of time that is known" },
		{ "5MS", "no unit of time that is known" },
		{ "5msx", "no unit of time that is known" },
		{ "0.5us", "less than a microsecond" },
		{ "36501d", "longer than a hundred years" },
		{ "999999999999999999d", "longer than a hundred years" },
		{ "9999999999999999999s", "not a duration" },
		{ "10", "lacks a unit: write 10ms or 10s" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tide_error err = { 0 };
		uint64_t us = 77;

		assert_true(units_parse_duration(rows[i].text, 0, &us, &err) < 0);
		assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
		assert_non_null(strstr(err.text, rows[i].sentence));
		assert_int_equal(us, 77);
	}
}

static void sizes_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {
		{ "4096", 4096 },          { "0", 0 },        { "1B", 1 },
		{ "64KiB", 65536 },        { "64K", 65536 },  { "64kB", 64000 },
		{ "1.5GiB", 1610612736 },  { "2M", 2097152 }, { "2MB", 2000000 },
		{ "1TiB", 1099511627776 },
	};
	static const char *const bad[] = { "", "GiB", "-1", "1gib", "1 GiB", "1X", "1.", "0x10", "99999999999TiB" };
	struct tide_error err = { 0 };
	uint64_t bytes = 1;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(units_parse_size(rows[i].text, &bytes, &err), 0);
		assert_int_equal(bytes, rows[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (struct tide_error){ 0 };
		assert_true(units_parse_size(bad[i], &bytes, &err) < 0);
		assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
		assert_true(err.text[0] != 0);
	}
}

static void counts_keep_their_bounds(void **state)
{
	static const char *const bad[] = { "", "0", "11", "x", "1x", "1.0", "-1", "99999999999999999999" };
	struct tide_error err = { 0 };
	uint64_t count = 0;

	assert_int_equal(units_parse_count("1", "a thing", 1, 10, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(units_parse_count("10", "a thing", 1, 10, &count, &err), 0);
	assert_int_equal(count, 10);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_true(units_parse_count(bad[i], "a thing", 1, 10, &count, &err) < 0);
		assert_non_null(strstr(err.text, "is not a thing"));
	}
}

static void texts_carry_their_unit(void **state)
{
	char buf[UNITS_TEXT_SIZE];

	assert_string_equal(units_duration_text(buf, 12), "12 us");
	assert_string_equal(units_duration_text(buf, 350000), "350 ms");
	assert_string_equal(units_duration_text(buf, 999999), "1.0 s");
	assert_string_equal(units_duration_text(buf, 2140000), "2.1 s");
	assert_string_equal(units_duration_text(buf, 200000000), "3 min 20 s");
	assert_string_equal(units_duration_text(buf, 5400000000), "1 h 30 min");
	assert_string_equal(units_duration_text(buf, UINT64_MAX), "5124095576 h 1 min");
	assert_string_equal(units_size_text(buf, 512), "512 B");
	assert_string_equal(units_size_text(buf, 1024), "1.0 KiB");
	assert_string_equal(units_size_text(buf, 1048575), "1.0 MiB");
	assert_string_equal(units_size_text(buf, 3328599654), "3.1 GiB");
	assert_string_equal(units_size_text(buf, 3ull << 50), "3072.0 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read),     cmocka_unit_test(bad_durations_get_a_sentence),
		cmocka_unit_test(sizes_are_read),         cmocka_unit_test(counts_keep_their_bounds),
		cmocka_unit_test(texts_carry_their_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
