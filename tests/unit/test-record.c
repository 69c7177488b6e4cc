/* SPDX-License-Identifier: MIT */
/* This file tests records: what goes in comes out, in few bytes and constant memory, and other files are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/writer.h"
#include "synthetic.h"

struct place {
	char dir[64];
	char file[96];
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/tidemark-test-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->file, sizeof(place->file), "%s/t.db", place->dir);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", place->dir);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static void write_record(const char *path, const struct synthetic_opts *opts, size_t nr_samples)
{
	struct synthetic *synthetic = synthetic_new(opts);
	struct record_writer *writer = NULL;
	struct tide_error err = { 0 };

	if (record_create(&writer, path, synthetic_info_of(opts), &err) < 0 ||
	    synthetic_put(writer, synthetic, nr_samples, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(record_finish(writer, &err), 0);
	synthetic_free(synthetic);
}

static struct record_reader *open_record(const char *path)
{
	struct record_reader *reader = NULL;
	struct tide_error err = { 0 };

	if (record_open(&reader, path, &err) < 0)
		fail_msg("%s", err.text);
	return reader;
}

static void put_bytes(const char *path, const void *bytes, size_t size, long at)
{
	FILE *file = fopen(path, at == 0 ? "w" : "r+");

	assert_non_null(file);
	fseek(file, at, SEEK_SET);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/* Runs the same process again beside the record. */
struct comparison {
	struct synthetic *synthetic;
	size_t nr_samples;
	size_t nr_regions;
};

static int compare(void *arg, const struct record_sample *got)
{
	struct comparison *comparison = arg;
	const struct tide_sample *want = synthetic_next(comparison->synthetic);

	assert_int_equal(got->start_us, comparison->nr_samples * (want->end_ns - want->start_ns) / 1000);
	assert_int_equal(got->end_us, got->start_us + (want->end_ns - want->start_ns) / 1000);
	assert_int_equal(got->nr_checks, want->nr_checks);
	assert_int_equal(got->nr_regions, want->nr_regions);
	for (size_t i = 0; i < got->nr_regions; i++) {
		assert_int_equal(got->regions[i].start, want->regions[i].start);
		assert_int_equal(got->regions[i].end, want->regions[i].end);
		assert_int_equal(got->regions[i].nr_accesses, want->regions[i].nr_accesses);
		assert_int_equal(got->regions[i].nr_writes, want->regions[i].nr_writes);
		assert_int_equal(got->regions[i].nr_unobservable, want->regions[i].nr_unobservable);
		assert_int_equal(got->regions[i].age, want->regions[i].age);
		assert_int_equal(got->regions[i].target, want->regions[i].target);
	}
	assert_int_equal(got->idle != NULL, want->idle != NULL);
	for (size_t i = 0; want->idle != NULL && i < want->nr_targets; i++) {
		const struct tide_idle *idle = &got->idle[i];

		assert_int_equal(idle->present_bytes, want->idle[i].present_bytes);
		assert_int_equal(idle->accessed_bytes, want->idle[i].accessed_bytes);
		assert_int_equal(idle->unobservable_bytes, want->idle[i].unobservable_bytes);
		assert_int_equal(idle->nr_ages, want->idle[i].nr_ages);
		assert_memory_equal(idle->ages, want->idle[i].ages, idle->nr_ages * sizeof(idle->ages[0]));
	}
	comparison->nr_samples++;
	comparison->nr_regions += got->nr_regions;
	return 0;
}

static void samples_come_out_as_they_went_in(void **state)
{
	struct place *place = *state;
	struct synthetic_opts opts = { .nr_targets = 2, .unobservable = true, .growing = true, .seed = 3 };
	struct comparison comparison = { .synthetic = synthetic_new(&opts) };
	const struct record_target *targets;
	struct record_reader *reader;

	write_record(place->file, &opts, 57);
	reader = open_record(place->file);
	assert_int_equal(record_for_each(reader, 0, UINT64_MAX, compare, &comparison, NULL), 0);
	assert_int_equal(comparison.nr_samples, 57);
	assert_int_equal(record_info(reader)->nr_samples, 57);
	assert_int_equal(record_info(reader)->nr_regions, comparison.nr_regions);
	assert_int_equal(record_info(reader)->duration_us, 5700000);
	assert_int_equal(record_info(reader)->complete, 1);
	assert_int_equal(record_info(reader)->size_bytes, size_of(place->file));
	assert_int_equal(record_info(reader)->started_unix_us, synthetic_info.started_unix_us);
	assert_string_equal(record_info(reader)->sensor_why, synthetic_info.sensor_why);
	assert_int_equal(record_targets(reader, &targets), 2);
	assert_int_equal(targets[1].pid, 4243);
	assert_string_equal(targets[1].name, "worker");
	record_close(reader);
	synthetic_free(comparison.synthetic);
}

static void ages_of_exact_mode_come_out_as_they_went_in(void **state)
{
	struct place *place = *state;
	struct synthetic_opts opts = { .nr_targets = 2, .unobservable = true, .exact = true };
	struct tide_session_cost cost = { .sensor = { .ways = 1 << TIDE_WAY_RWP | 1 << TIDE_WAY_COLD,
		                                      .nr_stalls = 3,
		                                      .longest_stall_ns = 5,
		                                      .stall_ns = 7,
		                                      .blind_ns = 9 } };
	struct comparison comparison = { .synthetic = synthetic_new(&opts) };
	struct synthetic *synthetic = synthetic_new(&opts);
	const struct record_info *info;
	struct record_writer *writer;
	struct record_reader *reader;

	assert_int_equal(record_create(&writer, place->file, &synthetic_exact_info, NULL), 0);
	assert_int_equal(synthetic_put(writer, synthetic, 70, NULL), 0);
	record_set_cost(writer, &cost);
	assert_int_equal(record_finish(writer, NULL), 0);
	synthetic_free(synthetic);
	reader = open_record(place->file);
	assert_int_equal(record_for_each(reader, 0, UINT64_MAX, compare, &comparison, NULL), 0);
	assert_int_equal(comparison.nr_samples, 70);
	info = record_info(reader);
	assert_int_equal(info->exact, 1);
	assert_int_equal(info->cost.sensor.ways, cost.sensor.ways);
	assert_int_equal(info->cost.sensor.nr_stalls, 3);
	assert_int_equal(info->cost.sensor.longest_stall_ns, 5);
	assert_int_equal(info->cost.sensor.stall_ns, 7);
	assert_int_equal(info->cost.sensor.blind_ns, 9);
	record_close(reader);
	synthetic_free(comparison.synthetic);
}

static void ages_that_do_not_add_up_end_the_record(void **state)
{
	struct tide_idle idle = { .present_bytes = 4096 };
	struct tide_sample sample = { .nr_checks = 100, .nr_targets = 1, .end_ns = 5, .idle = &idle };
	const struct record_source source = { .pid = 1, .name = "one" };
	struct record_writer *writer;

	assert_int_equal(record_create(&writer, NULL, &synthetic_exact_info, NULL), 0);
	assert_int_equal(record_put(writer, &sample, &source, NULL), -EINVAL);
	record_finish(writer, NULL);
	assert_int_equal(record_create(&writer, NULL, &synthetic_exact_info, NULL), 0);
	sample.idle = NULL;
	assert_int_equal(record_put(writer, &sample, &source, NULL), -EINVAL);
	record_finish(writer, NULL);
}

struct window {
	uint64_t first_end_us;
	uint64_t last_end_us;
	size_t nr;
};

static int note(void *arg, const struct record_sample *sample)
{
	struct window *window = arg;

	if (window->nr++ == 0)
		window->first_end_us = sample->end_us;
	window->last_end_us = sample->end_us;
	return window->nr == 30 ? 7 : 0;
}

static void windows_are_open_below_and_closed_above(void **state)
{
	struct place *place = *state;
	struct window window = { 0 };
	struct window none = { 0 };
	struct record_reader *reader;

	write_record(place->file, &(struct synthetic_opts){ 0 }, 40);
	reader = open_record(place->file);
	assert_int_equal(record_for_each(reader, 1000000, 1500000, note, &window, NULL), 0);
	assert_int_equal(window.nr, 5);
	assert_int_equal(window.first_end_us, 1100000);
	assert_int_equal(window.last_end_us, 1500000);
	assert_int_equal(record_for_each(reader, 4000000, UINT64_MAX, note, &none, NULL), 0);
	assert_int_equal(none.nr, 0);
	assert_int_equal(record_for_each(reader, 0, UINT64_MAX, note, &none, NULL), 7);
	assert_int_equal(none.nr, 30);
	record_close(reader);
}

static void a_region_takes_at_most_18_bytes(void **state)
{
	struct place *place = *state;

	for (uint32_t nr_regions = 100; nr_regions <= 1000; nr_regions += 450) {
		struct synthetic_opts opts = { .nr_regions = nr_regions, .unobservable = true, .growing = true };
		struct record_reader *reader;
		const struct record_info *info;

		write_record(place->file, &opts, 200000 / nr_regions);
		reader = open_record(place->file);
		info = record_info(reader);
		print_message("%u regions a sample: %.2f bytes for each\n", nr_regions,
		              (double)info->size_bytes / (double)info->nr_regions);
		assert_true(info->size_bytes <= 18 * info->nr_regions);
		record_close(reader);
	}
}

static int ignore(void *arg, const struct record_sample *sample)
{
	return 0;
}

static void reading_takes_constant_memory(void **state)
{
	struct place *place = *state;
	sqlite3_int64 most[2];

	for (int i = 0; i < 2; i++) {
		struct record_reader *reader;

		write_record(place->file, &(struct synthetic_opts){ 0 }, i == 0 ? 500 : 5000);
		reader = open_record(place->file);
		sqlite3_memory_highwater(1);
		assert_int_equal(record_for_each(reader, 0, UINT64_MAX, ignore, NULL, NULL), 0);
		most[i] = sqlite3_memory_highwater(1);
		record_close(reader);
	}
	print_message("SQLite's most memory: %lld and %lld bytes\n", most[0], most[1]);
	assert_true(most[1] < 4 << 20);
	assert_int_equal(sqlite3_memory_used(), 0);
}

static void mappings_are_known_at_every_time(void **state)
{
	const uint64_t heap = UINT64_C(0x55d0a3c21000);
	const uint64_t mib = 1 << 20;
	struct place *place = *state;
	struct record_reader *reader;

	write_record(place->file, &(struct synthetic_opts){ .growing = true }, 100);
	reader = open_record(place->file);
	/* The heap grows by 1 MiB a second, from 32 MiB; what holds at a sample's end is what its interval began with.
	 */
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 0), 32 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 1000000), 32 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 1000001), 33 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 9500000), 41 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 2500000), 34 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap, heap + 64 * mib, 2000000), 33 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap + 20 * mib, heap + 25 * mib, 2500000), 5 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, heap - 40 * mib, heap + mib, 2500000), 4 * mib);
	assert_int_equal(record_mapped_bytes(reader, 0, 0, heap - 33 * mib, 2500000), 0);
	assert_int_equal(record_mapped_bytes(reader, 0, 0, INT64_MAX, 2500000), (3 + 34 + 1024 + 2 + 1) * mib);
	assert_int_equal(record_mapped_bytes(reader, 1, 0, INT64_MAX, 2500000), 0);
	assert_string_equal(record_mapping_name(reader, 0, heap - 32 * mib, heap + 3 * mib, 100000), "[heap]");
	assert_string_equal(record_mapping_name(reader, 0, heap - 32 * mib, heap + mib, 100000),
	                    "/usr/bin/redis-server");
	assert_string_equal(record_mapping_name(reader, 0, 0x1000, 0x2000, 100000), "");
	assert_int_equal(record_error(reader, NULL), 0);
	record_close(reader);
}

/* Ten layouts of eight mappings, of which one changes each time. */
static void only_changed_mappings_are_stored(void **state)
{
	struct place *place = *state;
	sqlite3_stmt *stmt;
	sqlite3 *db;

	write_record(place->file, &(struct synthetic_opts){ .growing = true }, 100);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*), count(until_us) FROM mapping", -1, &stmt, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 8 + 9);
	assert_int_equal(sqlite3_column_int(stmt, 1), 9);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void ranges_are_where_it_was_watched_and_mapped(void **state)
{
	const uint64_t heap = UINT64_C(0x55d0a3c21000);
	struct place *place = *state;
	struct record_reader *reader;
	struct tide_range *ranges;
	size_t nr;

	write_record(place->file, &(struct synthetic_opts){ .growing = true }, 100);
	reader = open_record(place->file);
	assert_int_equal(record_ranges(reader, 0, 0, UINT64_MAX, &ranges, &nr, NULL), 0);
	assert_int_equal(nr, 5);
	assert_int_equal(ranges[0].start, heap - (33 << 20));
	assert_int_equal(ranges[0].end, heap - (30 << 20));
	assert_int_equal(ranges[1].end, heap + (41 << 20));
	assert_int_equal(ranges[2].end - ranges[2].start, 1 << 30);
	free(ranges);
	assert_int_equal(record_ranges(reader, 0, 0, 1500000, &ranges, &nr, NULL), 0);
	assert_int_equal(ranges[1].end, heap + (33 << 20));
	free(ranges);
	record_close(reader);

	write_record(place->file, &(struct synthetic_opts){ .no_layout = true }, 10);
	reader = open_record(place->file);
	assert_int_equal(record_ranges(reader, 0, 0, UINT64_MAX, &ranges, &nr, NULL), 0);
	assert_int_equal(nr, 3);
	assert_int_equal(record_mapped_bytes(reader, 0, 0x1000, 0x3000, 5), 0x2000);
	free(ranges);
	record_close(reader);
}

static void reasons_add_up(void **state)
{
	struct place *place = *state;
	uint64_t all[TIDE_NR_REASONS];
	uint64_t half[TIDE_NR_REASONS];
	struct record_reader *reader;

	write_record(place->file, &(struct synthetic_opts){ .unobservable = true }, 20);
	reader = open_record(place->file);
	assert_int_equal(record_reasons(reader, 0, UINT64_MAX, all, NULL), 0);
	assert_int_equal(record_reasons(reader, 1000000, UINT64_MAX, half, NULL), 0);
	assert_true(half[TIDE_REASON_SHARED] > 0 && half[TIDE_REASON_SHARED] < all[TIDE_REASON_SHARED]);
	assert_int_equal(all[TIDE_REASON_LOCKED], 0);
	record_close(reader);
}

static void a_writer_without_file_can_be_read(void **state)
{
	struct synthetic_opts opts = { .seed = 9 };
	struct synthetic *synthetic = synthetic_new(&opts);
	struct comparison comparison = { .synthetic = synthetic_new(&opts) };
	struct tide_session_cost cost = { .wall_ns = 100, .cpu_ns = 3 };
	struct record_writer *writer;
	struct record_reader *reader;

	assert_int_equal(record_create(&writer, NULL, &synthetic_info, NULL), 0);
	assert_int_equal(synthetic_put(writer, synthetic, 13, NULL), 0);
	record_set_cost(writer, &cost);
	assert_int_equal(record_open_writer(&reader, writer, NULL), 0);
	assert_int_equal(record_for_each(reader, 0, UINT64_MAX, compare, &comparison, NULL), 0);
	assert_int_equal(comparison.nr_samples, 13);
	assert_int_equal(record_info(reader)->cost.cpu_ns, 3);
	assert_true(record_info(reader)->size_bytes > 0);
	record_close(reader);
	assert_int_equal(synthetic_put(writer, synthetic, 1, NULL), 0);
	assert_int_equal(record_finish(writer, NULL), 0);
	synthetic_free(synthetic);
	synthetic_free(comparison.synthetic);
}

static void a_sample_out_of_order_ends_the_record(void **state)
{
	struct place *place = *state;
	struct synthetic *synthetic = synthetic_new(&(struct synthetic_opts){ 0 });
	struct tide_region wrong[] = { { .start = 0x3000, .end = 0x5000 }, { .start = 0x4000, .end = 0x6000 } };
	struct tide_sample sample = { .nr_checks = 1,
		                      .nr_targets = 1,
		                      .nr_regions = 2,
		                      .regions = wrong,
		                      .start_ns = UINT64_C(1) << 50,
		                      .end_ns = UINT64_C(1) << 50 };
	struct tide_error err = { 0 };
	struct record_writer *writer;
	struct record_reader *reader;

	assert_int_equal(record_create(&writer, place->file, &synthetic_info, NULL), 0);
	assert_int_equal(synthetic_put(writer, synthetic, 15, NULL), 0);
	assert_int_equal(record_put(writer, &sample, synthetic_sources(synthetic), &err), -EINVAL);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_int_equal(synthetic_put(writer, synthetic, 1, NULL), -EINVAL);
	assert_int_equal(record_finish(writer, NULL), -EINVAL);
	synthetic_free(synthetic);
	reader = open_record(place->file);
	assert_int_equal(record_info(reader)->nr_samples, 10); /* the first second */
	assert_int_equal(record_info(reader)->complete, 0);
	record_close(reader);
}

static void refuses(const char *path, int code, enum tide_cause cause, const char *says)
{
	struct tide_error err = { 0 };
	struct record_reader *reader = NULL;

	assert_int_equal(record_open(&reader, path, &err), code);
	assert_null(reader);
	assert_int_equal(err.cause, cause);
	if (strstr(err.text, says) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, says);
}

static void what_is_no_record_is_not_opened(void **state)
{
	struct place *place = *state;
	char bytes[4096] = "SQLite format 3";

	refuses(place->file, -ENOENT, TIDE_CAUSE_SYSTEM, "no such file");
	refuses(place->dir, -EISDIR, TIDE_CAUSE_CORRUPT, "is a directory");
	refuses("/dev/full", -EBADMSG, TIDE_CAUSE_CORRUPT, "not a tidemark record");
	put_bytes(place->file, "", 0, 0);
	refuses(place->file, -EBADMSG, TIDE_CAUSE_CORRUPT, "not a tidemark record");
	put_bytes(place->file, bytes, sizeof(bytes), 0);
	refuses(place->file, -EBADMSG, TIDE_CAUSE_CORRUPT, "not a tidemark record");
	unlink(place->file);
	write_record(place->file, &(struct synthetic_opts){ 0 }, 20);
	put_bytes(place->file, "\0\0\0\4", 4, 60);
	refuses(place->file, -EPROTO, TIDE_CAUSE_CORRUPT, "newer tidemark (schema 4");
	put_bytes(place->file, "\0\0\0\1", 4, 60);
	refuses(place->file, -EPROTO, TIDE_CAUSE_CORRUPT, "earlier tidemark (schema 1");
	for (const char *version = "\2\3"; *version != 0; version++) {
		put_bytes(place->file, (const char[]){ 0, 0, 0, *version }, 4, 60);
		record_close(open_record(place->file));
	}
	assert_int_equal(truncate(place->file, 8192), 0);
	refuses(place->file, -EBADMSG, TIDE_CAUSE_CORRUPT, "truncated");
}

static void foreign_tables_are_not_read(void **state)
{
	struct place *place = *state;
	sqlite3 *db;

	write_record(place->file, &(struct synthetic_opts){ 0 }, 20);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "DROP TABLE span; CREATE VIEW span AS WITH RECURSIVE r(id) AS "
	                              "(SELECT 1 UNION ALL SELECT id + 1 FROM r) SELECT id FROM r",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(db);
	refuses(place->file, -EBADMSG, TIDE_CAUSE_CORRUPT, "table span is missing");
}

static void values_are_checked(void **state)
{
	static const char *const changes[] = {
		"UPDATE span SET regions = replace(regions, '[0', '[1') WHERE sample = 5",
		"UPDATE span SET regions = replace(regions, ',', ', ') WHERE sample = 5",
		"UPDATE span SET regions = regions || ' ' WHERE sample = 5",
		"UPDATE span SET regions = substr(regions, 1, 40) WHERE sample = 5",
		"UPDATE span SET regions = '' WHERE sample = 5",
		"UPDATE span SET regions = 17 WHERE sample = 5",
		"UPDATE span SET \"end\" = \"end\" + 4096 WHERE sample = 5",
		"DELETE FROM span WHERE sample = 5 AND target = 0",
		"DELETE FROM sample WHERE id = 5",
		"UPDATE sample SET nr_checks = 0 WHERE id = 5",
		"UPDATE sample SET end_us = start_us - 1 WHERE id = 5",
		"UPDATE span SET nr_regions = nr_regions + 1 WHERE sample = 5",
		"UPDATE span SET nr_regions = nr_regions - 1 WHERE sample = 5",
		"UPDATE span SET nr_regions = 1000000000000 WHERE sample = 5",
		"UPDATE span SET target = 1 WHERE sample = 5",
		"UPDATE span SET start = start + 1 WHERE sample = 5",
		"UPDATE idle SET present_bytes = present_bytes + 4096 WHERE sample = 5",
		"UPDATE idle SET ages = '[]' WHERE sample = 5",
		"UPDATE idle SET ages = ages || ' ' WHERE sample = 5",
		"UPDATE idle SET ages = replace(ages, '[0', '[[0') WHERE sample = 5",
		"UPDATE idle SET target = 1 WHERE sample = 5",
	};
	struct place *place = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct record_reader *reader;
		struct tide_error err = { 0 };
		sqlite3 *db;
		int result;

		write_record(place->file, &(struct synthetic_opts){ .exact = true }, 20);
		assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, changes[i], NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		reader = open_record(place->file);
		result = record_for_each(reader, 0, UINT64_MAX, ignore, NULL, &err);
		if (result != -EBADMSG || err.cause != TIDE_CAUSE_CORRUPT)
			fail_msg("%s: %d %s", changes[i], result, err.text);
		record_close(reader);
	}
}

static void nothing_else_is_ever_overwritten(void **state)
{
	struct place *place = *state;
	struct record_writer *writer;
	struct tide_error err = { 0 };
	char link[128];

	put_bytes(place->file, "precious", 8, 0);
	assert_int_equal(record_create(&writer, place->file, &synthetic_info, &err), -EEXIST);
	assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
	assert_int_equal(size_of(place->file), 8);
	assert_int_equal(record_create(&writer, place->dir, &synthetic_info, &err), -EISDIR);
	assert_int_equal(record_create(&writer, "/dev/full", &synthetic_info, &err), -EEXIST);
	assert_int_equal(record_create(&writer, "/nowhere/at/all", &synthetic_info, &err), -ENOENT);
	snprintf(link, sizeof(link), "%s/link", place->dir);
	assert_int_equal(symlink("nowhere", link), 0);
	assert_int_equal(record_create(&writer, link, &synthetic_info, &err), -EEXIST);
	unlink(link);
	/* A link to a record: the record is replaced, the link stays. */
	unlink(place->file);
	write_record(place->file, &(struct synthetic_opts){ 0 }, 20);
	assert_int_equal(symlink("t.db", link), 0);
	write_record(link, &(struct synthetic_opts){ 0 }, 30);
	record_close(open_record(place->file));
	assert_int_equal(readlink(link, err.text, sizeof(err.text)), 4);
}

static void an_old_record_is_replaced_but_not_one_in_use(void **state)
{
	struct synthetic *synthetic = synthetic_new(&(struct synthetic_opts){ 0 });
	struct place *place = *state;
	struct record_writer *first;
	struct record_writer *second;
	struct record_reader *reader;
	struct tide_error err = { 0 };

	assert_int_equal(record_create(&first, place->file, &synthetic_info, NULL), 0);
	assert_int_equal(synthetic_put(first, synthetic, 25, NULL), 0);
	assert_int_equal(record_create(&second, place->file, &synthetic_info, &err), -EBUSY);
	assert_int_equal(err.cause, TIDE_CAUSE_BUSY);
	/* While it is written it can be read: two seconds of it. */
	reader = open_record(place->file);
	assert_int_equal(record_info(reader)->nr_samples, 20);
	assert_int_equal(record_info(reader)->complete, 0);
	record_close(reader);
	assert_int_equal(synthetic_put(first, synthetic, 5, NULL), 0);
	assert_int_equal(record_finish(first, NULL), 0);
	write_record(place->file, &(struct synthetic_opts){ 0 }, 7);
	reader = open_record(place->file);
	assert_int_equal(record_info(reader)->nr_samples, 7);
	record_close(reader);
	assert_int_equal(rmdir(place->dir), -1);
	unlink(place->file);
	assert_int_equal(rmdir(place->dir), 0); /* nothing else was left in it */
	assert_int_equal(mkdir(place->dir, 0700), 0);
	synthetic_free(synthetic);
}

/* Runs one query on `db`; the number of rows it gave. */
static int run_query(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int nr = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sqlite3_errmsg(db), sql);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		nr++;
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	return nr;
}

static void the_manuals_queries_run(void **state)
{
	const char *begin = "```sql\n";
	struct place *place = *state;
	char manual[1 << 16] = "";
	FILE *file = fopen(SOURCE_ROOT "/docs/record.md", "r");
	sqlite3 *db;
	int nr = 0;

	assert_non_null(file);
	assert_true(fread(manual, 1, sizeof(manual) - 1, file) > 0);
	fclose(file);
	write_record(place->file,
	             &(struct synthetic_opts){ .unobservable = true, .growing = true, .writes = true, .exact = true },
	             100);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	for (char *query = strstr(manual, begin); query != NULL; nr++) {
		char *end = strstr(query + strlen(begin), "```");

		assert_non_null(end);
		*end = 0;
		if (run_query(db, query + strlen(begin)) == 0)
			fail_msg("no rows: %s", query);
		query = strstr(end + 1, begin);
	}
	assert_int_equal(nr, 6);
	assert_int_equal(run_query(db, "SELECT 1 FROM regions WHERE sample = 7 AND unobservable_bytes > 0 LIMIT 1"), 1);
	sqlite3_close(db);
}

/* The columns of view regions, folded into a few sums that notice when two change places. */
static int add_up(void *arg, const struct record_sample *sample)
{
	int64_t *sums = arg;

	for (size_t i = 0; i < sample->nr_regions; i++) {
		const struct tide_region *region = &sample->regions[i];
		int64_t bytes = (int64_t)(region->end - region->start);

		sums[0]++;
		sums[1] += (int64_t)(region->start ^ region->end) % 1000003 * (region->target + 1);
		sums[2] += (int64_t)(sample->end_us / 1000) * region->nr_accesses + bytes % 1000;
		sums[3] += (int64_t)(sample->end_us - sample->start_us) / sample->nr_checks + 3 * region->nr_writes;
		sums[4] += bytes * region->nr_unobservable / sample->nr_checks % 1000003 * region->age;
	}
	return 0;
}

/* The view for people and the reader for reports tell the same. */
static void the_view_says_what_the_reader_says(void **state)
{
	const struct synthetic_opts kinds[] = { { .nr_targets = 2, .unobservable = true, .nr_regions = 300 },
		                                { .holes = true, .writes = true, .unobservable = true } };
	struct place *place = *state;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct record_reader *reader;
		int64_t sums[5] = { 0 };
		sqlite3_stmt *stmt;
		sqlite3 *db;

		write_record(place->file, &kinds[k], 30);
		reader = open_record(place->file);
		assert_int_equal(record_for_each(reader, 0, UINT64_MAX, add_up, sums, NULL), 0);
		record_close(reader);
		assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
		assert_int_equal(
		        sqlite3_prepare_v2(db,
		                           "SELECT count(*), sum(((start | \"end\") - (start & \"end\")) % 1000003 * "
		                           "(target + 1)), sum(time_us / 1000 * nr_accesses + size_bytes % 1000), "
		                           "sum(interval_us / nr_checks + 3 * nr_writes), "
		                           "sum(unobservable_bytes % 1000003 * age) FROM regions",
		                           -1, &stmt, NULL),
		        SQLITE_OK);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		for (int i = 0; i < 5; i++) {
			assert_int_not_equal(sums[i], 0);
			assert_int_equal(sqlite3_column_int64(stmt, i), sums[i]);
		}
		sqlite3_finalize(stmt);
		sqlite3_close(db);
	}
}

static void a_record_that_is_not_exact_has_none_of_it(void **state)
{
	struct place *place = *state;
	sqlite3 *db;

	write_record(place->file, &(struct synthetic_opts){ 0 }, 20);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	assert_int_equal(run_query(db, "SELECT 1 FROM idle"), 0);
	assert_int_equal(run_query(db, "SELECT 1 FROM ages"), 0);
	assert_int_equal(run_query(db, "SELECT 1 FROM meta WHERE key LIKE '%stall%' OR key = 'ways'"), 0);
	assert_int_equal(run_query(db, "SELECT 1 FROM meta WHERE key = 'exact' AND value = 0"), 1);
	sqlite3_close(db);
}

/* Records that are older than the key have none either: they are read as they always were. */
static void a_record_knows_whether_it_has_writes(void **state)
{
	struct place *place = *state;
	struct record_info info = synthetic_writes_info;
	struct record_reader *reader;
	struct record_writer *writer;
	sqlite3 *db;

	write_record(place->file, &(struct synthetic_opts){ 0 }, 20);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	assert_int_equal(run_query(db, "SELECT 1 FROM meta WHERE key = 'writes'"), 0);
	sqlite3_close(db);
	reader = open_record(place->file);
	assert_null(record_info(reader)->writes);
	assert_false(record_has_only_writes(record_info(reader)));
	record_close(reader);

	write_record(place->file, &(struct synthetic_opts){ .writes = true }, 20);
	reader = open_record(place->file);
	assert_string_equal(record_info(reader)->writes, "writes");
	assert_false(record_has_only_writes(record_info(reader)));
	record_close(reader);
	assert_int_equal(sqlite3_open(place->file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "UPDATE meta SET value = '' WHERE key = 'writes'", NULL, NULL, NULL), 0);
	sqlite3_close(db);
	reader = open_record(place->file);
	assert_null(record_info(reader)->writes);
	record_close(reader);

	info.sensor = "writes";
	assert_int_equal(record_create(&writer, NULL, &info, NULL), 0);
	assert_int_equal(record_open_writer(&reader, writer, NULL), 0);
	assert_true(record_has_only_writes(record_info(reader)));
	record_close(reader);
	assert_int_equal(record_finish(writer, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
	const struct CMUnitTest tests[] = {
		TEST(samples_come_out_as_they_went_in),
		TEST(ages_of_exact_mode_come_out_as_they_went_in),
		TEST(ages_that_do_not_add_up_end_the_record),
		TEST(windows_are_open_below_and_closed_above),
		TEST(a_region_takes_at_most_18_bytes),
		TEST(reading_takes_constant_memory),
		TEST(mappings_are_known_at_every_time),
		TEST(only_changed_mappings_are_stored),
		TEST(ranges_are_where_it_was_watched_and_mapped),
		TEST(reasons_add_up),
		TEST(a_writer_without_file_can_be_read),
		TEST(a_sample_out_of_order_ends_the_record),
		TEST(what_is_no_record_is_not_opened),
		TEST(foreign_tables_are_not_read),
		TEST(values_are_checked),
		TEST(nothing_else_is_ever_overwritten),
		TEST(an_old_record_is_replaced_but_not_one_in_use),
		TEST(the_manuals_queries_run),
		TEST(the_view_says_what_the_reader_says),
		TEST(a_record_that_is_not_exact_has_none_of_it),
		TEST(a_record_knows_whether_it_has_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
