/* SPDX-License-Identifier: MIT */
/*
 * This file makes every allocation and every system call of recording and of reporting fail once, and every write of a
 * report: nothing leaks, no half record poses as a whole one, and no report is cut short without saying so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-nth.h"
#include "fail-store.h"
#include "record/writer.h"
#include "report/report.h"
#include "synthetic.h"

/* 13 samples of a second: a commit after each, and the end. */
#define NR_SAMPLES 13

static const struct synthetic_opts opts = { .nr_regions = 100, .unobservable = true, .exact = true, .growing = true };

/* Each failure in turn, or one of so many. */
static unsigned stride = 1;

struct place {
	char dir[64];
	char file[96];
};

/* What one round of failures is. */
struct round {
	enum fail_kind kind;
	int error;
};

static const struct round rounds[] = {
	{ FAIL_ALLOCATION, 0 },
	{ FAIL_CALL, EIO },
	{ FAIL_CALL, ENOSPC },
};
#define NR_ROUNDS (sizeof(rounds) / sizeof(rounds[0]))

static void run_shell(const char *command, const char *argument)
{
	char line[256];

	snprintf(line, sizeof(line), command, argument);
	assert_int_equal(system(line), 0);
}

/* No subprocess: this is done thousands of times. */
static void empty(const char *dir)
{
	DIR *listing = opendir(dir);
	struct dirent *entry;

	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL)
		unlinkat(dirfd(listing), entry->d_name, 0);
	closedir(listing);
}

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	/* In memory where there is such a place: thousands of records are made, and each waits for the disk. */
	strcpy(place->dir,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/tidemark-test-XXXXXX" : "/tmp/tidemark-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->file, sizeof(place->file), "%s/t.db", place->dir);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	run_shell("rm -rf %s", place->dir);
	free(place);
	return 0;
}

static int put_samples(struct record_writer *writer, struct tide_error *err)
{
	struct synthetic *synthetic;
	int result = 0;

	fail_store_pause();
	synthetic = synthetic_new(&opts);
	for (int i = 0; i < NR_SAMPLES && result == 0; i++) {
		const struct tide_sample *sample = synthetic_next(synthetic);
		struct tide_session_cost cost = { .wall_ns = (uint64_t)i + 1 };

		fail_store_resume();
		record_set_cost(writer, &cost);
		result = record_put(writer, sample, synthetic_sources(synthetic), err);
		fail_store_pause();
	}
	synthetic_free(synthetic);
	fail_store_resume();
	return result;
}

static int record(const char *path, struct tide_error *err)
{
	struct record_writer *writer = NULL;
	int result = record_create(&writer, path, &synthetic_exact_info, err);
	int finished;

	if (result < 0)
		return result;
	result = put_samples(writer, err);
	/* Both must say so: a caller may look at one only. */
	finished = record_finish(writer, result < 0 ? NULL : err);
	assert_true(result == 0 || finished == result);
	return finished;
}

static int count_sample(void *arg, const struct record_sample *sample)
{
	++*(uint64_t *)arg;
	return 0;
}

/*
 * What cannot be opened was left with its journal: where even that could not be removed, and nothing was recorded yet.
 */
static bool is_stub(const char *path)
{
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };
	int result = record_open(&reader, path, &err);

	record_close(reader);
	return result == -EACCES && strstr(err.text, "in the middle of a write") != NULL;
}

/* How many samples the record holds, having read them all; *complete is what it says of itself. */
static uint64_t count_samples(const char *path, uint32_t *complete)
{
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };
	uint64_t nr = 0;

	if (record_open(&reader, path, &err) < 0 || record_for_each(reader, 0, UINT64_MAX, count_sample, &nr, &err) < 0)
		fail_msg("%s failed, then: %s", fail_store_name(), err.text);
	*complete = record_info(reader)->complete;
	assert_int_equal(record_info(reader)->nr_samples, nr);
	record_close(reader);
	return nr;
}

/* Files beside the record and its log. */
static void check_litter(const char *dir)
{
	DIR *listing = opendir(dir);
	struct dirent *entry;

	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL) {
		if (entry->d_name[0] != '.' && strncmp(entry->d_name, "t.db", 4) == 0 &&
		    strstr(entry->d_name, ".new-") != NULL)
			fail_msg("%s failed, and %s was left", fail_store_name(), entry->d_name);
	}
	closedir(listing);
}

static void check_error(int result, const struct tide_error *err)
{
	if (result < 0 && (err->code != result || err->text[0] == 0))
		fail_msg("%s failed: %d without a sentence", fail_store_name(), result);
}

/* What is left after recording came to `result`. A record that is complete holds all; an old one held nothing. */
static void check_record(const struct place *place, int result, bool replaced)
{
	uint32_t complete;
	uint64_t nr;

	if (strcmp(fail_store_name(), "unlink") != 0 && strcmp(fail_store_name(), "asprintf") != 0)
		check_litter(place->dir);
	if (access(place->file, F_OK) < 0) {
		assert_true(result < 0 && !replaced);
		return;
	}
	if (result < 0 && strcmp(fail_store_name(), "unlink") == 0 && is_stub(place->file))
		return;
	nr = count_samples(place->file, &complete);
	if (complete ? nr != NR_SAMPLES && (nr != 0 || !replaced) : result == 0 || nr > NR_SAMPLES)
		fail_msg("%s failed: %d, complete %u, %llu samples", fail_store_name(), result, complete,
		         (unsigned long long)nr);
	assert_true(result < 0 || nr == NR_SAMPLES);
}

/* Makes the old record if there is to be one, then a new one with each failure; returns how many there were. */
static unsigned record_round(const struct place *place, const struct round *round, bool replace)
{
	unsigned nth = 1;
	bool reached = true;

	for (; reached; nth += stride) {
		struct tide_error err = { 0 };
		unsigned nr_open;
		int result;

		empty(place->dir);
		if (replace) {
			struct record_writer *old = NULL;

			assert_int_equal(record_create(&old, place->file, &synthetic_info, NULL), 0);
			assert_int_equal(record_finish(old, NULL), 0);
		}
		nr_open = fail_nth_descriptors();
		fail_store_arm(round->kind, nth, round->error);
		result = record(place->file, &err);
		reached = fail_store_disarm();
		check_error(result, &err);
		assert_int_equal(fail_nth_descriptors(), nr_open);
		assert_int_equal(sqlite3_memory_used(), 0);
		check_record(place, result, replace);
	}
	return nth - stride;
}

static void a_record_is_whole_or_says_that_it_is_not(void **state)
{
	for (size_t i = 0; i < NR_ROUNDS; i++) {
		unsigned nr = record_round(*state, &rounds[i], false);

		print_message("%u failures of a new record\n", nr);
		assert_true(nr > 100);
	}
}

static void an_old_record_is_there_until_the_new_one_is(void **state)
{
	for (size_t i = 0; i < NR_ROUNDS; i++)
		print_message("%u failures of a record in place of another\n", record_round(*state, &rounds[i], true));
}

struct print {
	const struct report *report;
	struct report_opts opts;
};

static int print_file(const struct print *print, const char *path, FILE *out, struct tide_error *err)
{
	struct record_reader *reader = NULL;
	int result = record_open(&reader, path, err);

	if (result == 0)
		result = print->report->write(reader, &print->opts, out, err);
	record_close(reader);
	return result;
}

/* The report as text, which the caller frees. */
static char *print_text(const struct print *print, const char *path, int *result, struct tide_error *err)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	*result = print_file(print, path, out, err);
	fail_store_pause();
	fclose(out);
	fail_store_resume();
	return text;
}

static unsigned report_round(const struct round *round, const struct print *print, const char *path)
{
	struct tide_error err = { 0 };
	unsigned nr_open = fail_nth_descriptors();
	unsigned nth = 1;
	bool reached = true;
	int result;
	char *whole = print_text(print, path, &result, &err);

	assert_int_equal(result, 0);
	for (; reached; nth += stride) {
		char *text;

		err = (struct tide_error){ 0 };
		fail_store_arm(round->kind, nth, round->error);
		text = print_text(print, path, &result, &err);
		reached = fail_store_disarm();
		check_error(result, &err);
		assert_int_equal(fail_nth_descriptors(), nr_open);
		assert_int_equal(sqlite3_memory_used(), 0);
		if (result == 0 && strcmp(text, whole) != 0)
			fail_msg("%s failed, and report %s said without an error:\n%s", fail_store_name(),
			         print->report->name, text);
		free(text);
	}
	free(whole);
	return nth - stride;
}

static void report_all(const char *path, const char *what)
{
	for (const struct report *report = reports; report->name != NULL; report++) {
		for (int json = 0; json < 2; json++) {
			struct print print = { .report = report, .opts = { .json = json, .height = 5 } };
			unsigned nr = 0;

			for (size_t i = 0; i < NR_ROUNDS; i++)
				nr += report_round(&rounds[i], &print, path);
			assert_true(nr > 100);
			print_message("%u failures of report %s%s of %s\n", nr, report->name, json ? " in JSON" : "",
			              what);
		}
	}
}

static void a_report_is_whole_or_an_error(void **state)
{
	struct place *place = *state;

	assert_int_equal(record(place->file, NULL), 0);
	report_all(place->file, "a whole record");
}

/* As after a kill: the log holds most of it, and its index cannot be made, so that a private copy is read. */
static void so_it_is_of_a_copy(void **state)
{
	struct place *place = *state;
	struct record_writer *writer = NULL;
	struct print print = { .report = &reports[0], .opts = { .json = true } };
	char line[512];
	unsigned nr = 0;

	assert_int_equal(record_create(&writer, place->file, &synthetic_exact_info, NULL), 0);
	assert_int_equal(put_samples(writer, NULL), 0);
	snprintf(line, sizeof(line),
	         "cd %s && mkdir c && cp t.db c/c.db && cp t.db-wal c/c.db-wal && ln -s no c/c.db-shm", place->dir);
	assert_int_equal(system(line), 0);
	assert_int_equal(record_finish(writer, NULL), 0);
	snprintf(line, sizeof(line), "%s/c/c.db", place->dir);
	setenv("TMPDIR", place->dir, 1);
	for (size_t i = 0; i < NR_ROUNDS; i++)
		nr += report_round(&rounds[i], &print, line);
	unsetenv("TMPDIR");
	print_message("%u failures of a report of a copy\n", nr);
}

static void so_it_is_of_a_record_without_file(void **state)
{
	for (size_t i = 0; i < NR_ROUNDS; i++) {
		bool reached = true;

		for (unsigned nth = 1; reached; nth += stride) {
			struct tide_error err = { 0 };
			struct record_writer *writer = NULL;
			struct record_reader *reader = NULL;
			FILE *nowhere = fopen("/dev/null", "w");
			int result;

			fail_store_arm(rounds[i].kind, nth, rounds[i].error);
			result = record_create(&writer, NULL, &synthetic_exact_info, &err);
			if (result == 0)
				result = put_samples(writer, &err);
			if (result == 0)
				result = record_open_writer(&reader, writer, &err);
			if (result == 0)
				result = report_ages(reader, &(struct report_opts){ 0 }, nowhere, &err);
			record_close(reader);
			record_finish(writer, NULL);
			reached = fail_store_disarm();
			check_error(result, &err);
			assert_int_equal(sqlite3_memory_used(), 0);
			fclose(nowhere);
		}
	}
}

/* A stream that takes so many writes and then none. */
static ssize_t take_some(void *cookie, const char *bytes, size_t size)
{
	unsigned *left = cookie;

	if (*left == 0) {
		errno = ENOSPC;
		return 0;
	}
	--*left;
	return (ssize_t)size;
}

static void a_write_that_fails_is_an_error(void **state)
{
	struct place *place = *state;

	assert_int_equal(record(place->file, NULL), 0);
	for (const struct report *report = reports; report->name != NULL; report++) {
		for (int json = 0; json < 2; json++) {
			struct print print = { .report = report, .opts = { .json = json } };
			unsigned nr = 0;
			int result = -1;

			for (; result < 0; nr++) {
				unsigned left = nr;
				char buffer[64];
				struct tide_error err = { 0 };
				FILE *out = fopencookie(&left, "w", (cookie_io_functions_t){ .write = take_some });

				assert_non_null(out);
				setvbuf(out, buffer, _IOFBF, sizeof(buffer));
				result = print_file(&print, place->file, out, &err);
				check_error(result, &err);
				assert_true((result < 0) == (ferror(out) != 0));
				fclose(out);
			}
			assert_true(nr > 2);
		}
	}
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_whole_or_says_that_it_is_not),
		TEST(an_old_record_is_there_until_the_new_one_is),
		TEST(a_report_is_whole_or_an_error),
		TEST(so_it_is_of_a_copy),
		TEST(so_it_is_of_a_record_without_file),
		TEST(a_write_that_fails_is_an_error),
	};

	if (argc > 1)
		stride = (unsigned)atoi(argv[1]);
	fail_store_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
