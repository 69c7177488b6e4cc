/* SPDX-License-Identifier: MIT */
/*
 * This file tests reports: the words and numbers they are made of, and whole ones against tests/golden/report, which
 * UPDATE_GOLDEN=1 writes anew.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/writer.h"
#include "report/axis.h"
#include "report/format.h"
#include "report/heatmap.h"
#include "report/report.h"
#include "report/ticks.h"
#include "report/window.h"
#include "synthetic.h"

/* A record without file, and a reader of it. */
struct made {
	struct record_writer *writer;
	struct record_reader *reader;
};

static struct made make(const struct synthetic_opts *opts, size_t nr_samples)
{
	struct synthetic *synthetic = synthetic_new(opts);
	struct tide_session_cost cost = { .wall_ns = UINT64_C(30000000000),
		                          .cpu_ns = 240000000,
		                          .first_sample_ns = 131000000,
		                          .sensor = { .nr_read = 60000,
		                                      .nr_scanned = 1234567,
		                                      .nr_cleared = 4321,
		                                      .nr_calls = 700,
		                                      .longest_hold_ns = 412000,
		                                      .nr_stalls = 27,
		                                      .longest_stall_ns = 8300000,
		                                      .stall_ns = 190000000,
		                                      .blind_ns = 44000000,
		                                      .ways = 1 << TIDE_WAY_REFS | 1 << TIDE_WAY_COLD } };
	struct tide_error err = { 0 };
	struct made made;

	if (!opts->exact)
		cost.sensor.nr_stalls = cost.sensor.ways = 0;
	if (record_create(&made.writer, NULL, synthetic_info_of(opts), &err) < 0 ||
	    synthetic_put(made.writer, synthetic, nr_samples, &err) < 0)
		fail_msg("%s", err.text);
	record_set_cost(made.writer, &cost);
	if (record_open_writer(&made.reader, made.writer, &err) < 0)
		fail_msg("%s", err.text);
	synthetic_free(synthetic);
	return made;
}

static void unmake(struct made *made)
{
	record_close(made->reader);
	assert_int_equal(record_finish(made->writer, NULL), 0);
}

static report_fn *find(const char *name)
{
	for (const struct report *report = reports; report->name != NULL; report++) {
		if (strcmp(report->name, name) == 0)
			return report->write;
	}
	fail_msg("no report %s", name);
	return NULL;
}

/* The report as a string, which the caller frees. */
static char *write_report(struct record_reader *reader, const char *name, const struct report_opts *opts)
{
	struct tide_error err = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (find(name)(reader, opts, out, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	fclose(out);
	return text;
}

static void compare_golden(const char *name, const char *text)
{
	char path[512];
	char wanted[1 << 16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/golden/report/%s", SOURCE_ROOT, name);
	if (getenv("UPDATE_GOLDEN") != NULL) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
	}
	file = fopen(path, "r");
	if (file == NULL)
		fail_msg("%s is missing: UPDATE_GOLDEN=1 writes it", path);
	wanted[fread(wanted, 1, sizeof(wanted) - 1, file)] = 0;
	fclose(file);
	if (strcmp(text, wanted) != 0)
		fail_msg("%s has changed (if so meant, UPDATE_GOLDEN=1); now it is:\n%s", name, text);
}

struct golden {
	const char *file;
	const char *report;
	struct report_opts opts;
};

static void compare_goldens(const struct synthetic_opts *opts, size_t nr_samples, const struct golden *goldens,
                            size_t nr)
{
	struct made made = make(opts, nr_samples);

	for (size_t i = 0; i < nr; i++) {
		char *text = write_report(made.reader, goldens[i].report, &goldens[i].opts);

		compare_golden(goldens[i].file, text);
		free(text);
	}
	unmake(&made);
}

static void reports_are_as_they_were(void **state)
{
	static const struct golden goldens[] = {
		{ "wss.txt", "wss", { .width = 80 } },
		{ "wss.json", "wss", { .json = true } },
		{ "heatmap-20.txt", "heatmap", { .width = 20 } },
		{ "heatmap-40.txt", "heatmap", { .width = 40 } },
		{ "heatmap-60.txt", "heatmap", { .width = 60 } },
		{ "heatmap-80.txt", "heatmap", { .width = 80 } },
		{ "heatmap-132.txt", "heatmap", { .width = 132 } },
		{ "heatmap-200.txt", "heatmap", { .width = 200 } },
		{ "heatmap-400.txt", "heatmap", { .width = 400 } },
		{ "heatmap-last.txt", "heatmap", { .width = 100, .last_us = 1500000, .height = 8 } },
		{ "heatmap-color.txt", "heatmap", { .width = 64, .color = true, .height = 6 } },
		{ "heatmap.json", "heatmap", { .width = 40, .json = true, .height = 4 } },
		{ "regions.txt", "regions", { .width = 80 } },
		{ "regions-all.txt", "regions", { .width = 100, .top = SIZE_MAX } },
		{ "regions.json", "regions", { .json = true, .last_us = 1000000 } },
		{ "ages.txt", "ages", { .width = 80 } },
		{ "ages-40.txt", "ages", { .width = 40 } },
		{ "ages.json", "ages", { .json = true } },
		{ "info.txt", "info", { 0 } },
		{ "info.json", "info", { .json = true } },
	};

	compare_goldens(&(struct synthetic_opts){ .nr_regions = 60, .unobservable = true, .growing = true }, 300,
	                goldens, sizeof(goldens) / sizeof(goldens[0]));
}

static void reports_of_exact_mode_are_as_they_were(void **state)
{
	static const struct golden goldens[] = {
		{ "exact-ages.txt", "ages", { .width = 80 } },
		{ "exact-ages-40.txt", "ages", { .width = 40 } },
		{ "exact-ages.json", "ages", { .json = true } },
		{ "exact-wss.txt", "wss", { .width = 80 } },
		{ "exact-wss-40.txt", "wss", { .width = 40 } },
		{ "exact-wss.json", "wss", { .json = true } },
		{ "exact-info.txt", "info", { 0 } },
		{ "exact-info.json", "info", { .json = true } },
	};

	compare_goldens(&(struct synthetic_opts){ .nr_regions = 60, .unobservable = true, .exact = true }, 90, goldens,
	                sizeof(goldens) / sizeof(goldens[0]));
}

static void reports_of_writes_are_as_they_were(void **state)
{
	static const struct golden goldens[] = {
		{ "rw-heatmap-20.txt", "heatmap", { .width = 20 } },
		{ "rw-heatmap-80.txt", "heatmap", { .width = 80 } },
		{ "rw-heatmap-color.txt", "heatmap", { .width = 64, .color = true, .height = 6 } },
		{ "rw-heatmap.json", "heatmap", { .width = 40, .json = true, .height = 4 } },
		{ "rw-wss.txt", "wss", { .width = 80, .writes = true } },
		{ "rw-wss.json", "wss", { .json = true, .writes = true } },
		{ "rw-regions.txt", "regions", { .width = 90 } },
		{ "rw-info.txt", "info", { 0 } },
		{ "rw-info.json", "info", { .json = true } },
	};

	compare_goldens(&(struct synthetic_opts){ .nr_regions = 60, .unobservable = true, .writes = true }, 300,
	                goldens, sizeof(goldens) / sizeof(goldens[0]));
}

static void two_targets_are_told_apart(void **state)
{
	struct made made = make(&(struct synthetic_opts){ .nr_regions = 40, .nr_targets = 2 }, 30);
	char *text = write_report(made.reader, "wss", &(struct report_opts){ 0 });

	compare_golden("wss-two.txt", text);
	free(text);
	text = write_report(made.reader, "regions", &(struct report_opts){ .top = 8 });
	compare_golden("regions-two.txt", text);
	free(text);
	unmake(&made);
}

static void every_json_line_is_an_object(void **state)
{
	struct made made = make(&(struct synthetic_opts){ .unobservable = true }, 50);

	for (const struct report *report = reports; report->name != NULL; report++) {
		char *text = write_report(made.reader, report->name, &(struct report_opts){ .json = true });
		int nr = 0;

		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

			assert_true(json_is_object(object));
			if (nr++ == 0) {
				assert_string_equal(json_string_value(json_object_get(object, "schema")), "tidemark/1");
				assert_string_equal(json_string_value(json_object_get(object, "report")), report->name);
			}
			json_decref(object);
		}
		assert_true(nr >= 2);
		free(text);
	}
	unmake(&made);
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text != 0) {
		size_t length = strcspn(text, "\n");

		longest = length > longest ? length : longest;
		text += length + (text[length] == '\n');
	}
	return longest;
}

static void heatmaps_keep_to_their_width(void **state)
{
	for (int writes = 0; writes < 2; writes++) {
		struct made made =
		        make(&(struct synthetic_opts){ .nr_regions = 60, .unobservable = true, .writes = writes }, 100);

		for (int width = 20; width <= 400; width++) {
			char *text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = width });

			if (longest_line(text) > (size_t)width)
				fail_msg("width %d: a line of %zu\n%s", width, longest_line(text), text);
			free(text);
		}
		unmake(&made);
	}
}

/* One region of 1 MiB per sample, to know every number of a report beforehand. */
static struct made make_one_of(const struct record_info *info, const struct tide_region *regions, size_t nr,
                               uint32_t nr_checks)
{
	static const struct record_source source = { .pid = 7, .name = "one" };
	struct made made;

	assert_int_equal(record_create(&made.writer, NULL, info, NULL), 0);
	for (size_t i = 0; i < nr; i++) {
		struct tide_sample sample = { .start_ns = i * 100000000,
			                      .end_ns = (i + 1) * 100000000,
			                      .nr_targets = 1,
			                      .nr_checks = nr_checks,
			                      .nr_regions = 1,
			                      .regions = &regions[i] };

		assert_int_equal(record_put(made.writer, &sample, &source, NULL), 0);
	}
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	return made;
}

static struct made make_one(const struct tide_region *regions, size_t nr, uint32_t nr_checks)
{
	return make_one_of(&synthetic_info, regions, nr, nr_checks);
}

/* Two come with the second sample, one of them is gone in the third: every report has all that it has seen. */
static void targets_that_begin_late_are_in_every_report(void **state)
{
	static const struct record_source sources[] = { { .pid = 7, .name = "first" },
		                                        { .pid = 8, .name = "second" },
		                                        { .pid = 9, .name = "third" } };
	const struct tide_region regions[] = { { .start = 0x100000, .end = 0x200000, .nr_accesses = 20 },
		                               { .start = 0x300000, .end = 0x400000, .nr_accesses = 20, .target = 1 },
		                               { .start = 0x500000, .end = 0x600000, .nr_accesses = 20, .target = 2 } };
	static const size_t nr_regions[] = { 1, 3, 2 };
	struct made made;

	assert_int_equal(record_create(&made.writer, NULL, &synthetic_info, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		struct tide_sample sample = { .start_ns = i * 100000000,
			                      .end_ns = (i + 1) * 100000000,
			                      .nr_targets = i == 0 ? 1 : 3,
			                      .nr_checks = 20,
			                      .nr_regions = nr_regions[i],
			                      .regions = regions };

		assert_int_equal(record_put(made.writer, &sample, sources, NULL), 0);
	}
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	for (const struct report *report = reports; report->name != NULL; report++) {
		for (int json = 0; json < 2; json++) {
			char *text =
			        write_report(made.reader, report->name, &(struct report_opts){ .json = json == 1 });
			bool is_regions = strcmp(report->name, "regions") == 0;

			assert_non_null(strstr(text, json ? "\"target\":0,\"pid\":7" : "first"));
			assert_non_null(strstr(text, json ? "\"target\":1,\"pid\":8" : "second"));
			/* The list of regions is the last sample's. */
			assert_true(is_regions || strstr(text, json ? "\"target\":2,\"pid\":9" : "third") != NULL);
			free(text);
		}
	}
	unmake(&made);
}

static void tuned_intervals_are_told(void **state)
{
	struct record_info info = synthetic_info;
	struct synthetic *synthetic = synthetic_new(&(struct synthetic_opts){ 0 });
	const struct tide_intervals latest = { .sampling_us = 60000, .aggregation_us = 1200000 };
	struct made made;
	char *text;

	info.goal_bp = 450;
	info.min_sampling_us = 5000;
	info.max_sampling_us = 10000000;
	assert_int_equal(record_create(&made.writer, NULL, &info, NULL), 0);
	assert_int_equal(synthetic_put(made.writer, synthetic, 10, NULL), 0);
	record_set_intervals(made.writer, &latest);
	record_set_cost(made.writer, &(struct tide_session_cost){ .wall_ns = 1 });
	assert_int_equal(synthetic_put(made.writer, synthetic, 20, NULL), 0);
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	text = write_report(made.reader, "info", &(struct report_opts){ 0 });
	assert_non_null(strstr(text, "tuned       to see 4.5 % of all possible accesses; sampling 5 ms to 10 s\n"));
	assert_non_null(strstr(text, "at the end sampling 60 ms, aggregation 1.2 s\n"));
	free(text);
	text = write_report(made.reader, "info", &(struct report_opts){ .json = true });
	assert_non_null(strstr(text, "\"goal_bp\":450,\"min_sampling_us\":5000,\"max_sampling_us\":10000000,"
	                             "\"latest_sampling_us\":60000,\"latest_aggregation_us\":1200000"));
	free(text);
	unmake(&made);
	synthetic_free(synthetic);
}

static void what_was_not_seen_is_never_cold_nor_used(void **state)
{
	/* Half of the checks were not answered; the rest said "accessed" in the first sample, "idle" in the second. */
	const struct tide_region regions[] = {
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 10, .nr_unobservable = 10 },
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 0, .nr_unobservable = 20 },
	};
	struct made made = make_one(regions, 2, 20);
	char *text = write_report(made.reader, "wss", &(struct report_opts){ .json = true });

	assert_non_null(strstr(text, "\"percentile\":0,\"bytes\":0,"));
	assert_non_null(
	        strstr(text, "\"percentile\":100,\"bytes\":524288,\"target\":0,\"pid\":7,\"hot_bytes\":524288"));
	assert_non_null(strstr(text, "\"unobservable_share\":0.75"));
	free(text);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 40, .height = 1 });
	/* Hot as far as it was seen, then not seen at all; on the last row before the axis. */
	assert_non_null(strstr(text, "|@@@@@@@@@@@???????????|"));
	free(text);
	text = write_report(made.reader, "ages", &(struct report_opts){ .json = true });
	assert_non_null(strstr(text, "\"accessed_bytes\":0,\"unobservable_bytes\":1048576,"));
	assert_non_null(strstr(text, "\"idle_bytes\":0"));
	assert_null(strstr(text, "\"idle_s\":"));
	free(text);
	unmake(&made);
}

/* In turn: read, written in every other access, written in each, warm so, and not at all. */
static const struct tide_region five_uses[] = {
	{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20, .nr_writes = 4 },
	{ .start = 0x100000, .end = 0x200000, .nr_accesses = 12, .nr_writes = 6 },
	{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20, .nr_writes = 15 },
	{ .start = 0x100000, .end = 0x200000, .nr_accesses = 4, .nr_writes = 4 },
	{ .start = 0x100000, .end = 0x200000 },
};

static void writes_are_letters_beside_the_points_of_reads(void **state)
{
	struct made made = make_one_of(&synthetic_writes_info, five_uses, 5, 20);
	char *text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 38, .height = 1 });

	assert_non_null(strstr(text, "|@@@@BBBBWWWWwwww....|"));
	assert_non_null(strstr(text, "how often its memory was\nread and written,"));
	free(text);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 38, .height = 1, .color = true });
	/* A colour for each, though two are as hot: once for each run. */
	assert_non_null(strstr(text, "|\x1b[48;5;153;38;5;16m@@@@\x1b[48;5;168;38;5;16mBBBB\x1b[48;5;222;38;5;16mWWWW"
	                             "\x1b[48;5;130;38;5;255mwwww\x1b[48;5;236;38;5;255m....\x1b[0m|"));
	free(text);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 22, .height = 1, .json = true });
	assert_non_null(strstr(text, "\"accessed\":[1,1,1,1,0.6,0.6,0.6,0.6,1,1,1,1,0.2,0.2,0.2,0.2,0,0,0,0],"));
	assert_non_null(strstr(text, "\"written\":[0.2,0.2,0.2,0.2,0.3,0.3,0.3,0.3,0.75,0.75,0.75,0.75,0.2,0.2,0.2,0.2,"
	                             "0,0,0,0]"));
	free(text);
	unmake(&made);
}

static void of_a_record_of_nothing_but_writes_no_report_speaks_of_reads(void **state)
{
	struct record_info info = synthetic_writes_info;
	struct tide_region regions[5];
	struct made made;
	struct tide_error err = { 0 };
	char *text;

	memcpy(regions, five_uses, sizeof(regions));
	for (size_t i = 0; i < 5; i++)
		regions[i].nr_accesses = regions[i].nr_writes;
	info.sensor = "writes";
	made = make_one_of(&info, regions, 5, 20);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 38, .height = 1 });
	assert_non_null(strstr(text, "|--------####----....|"));
	assert_non_null(strstr(text, "how often its memory was\nwritten,"));
	assert_non_null(strstr(text, "hot: written in at least"));
	assert_null(strstr(text, "read"));
	assert_null(strstr(text, "accessed"));
	free(text);
	text = write_report(made.reader, "wss", &(struct report_opts){ 0 });
	assert_non_null(strstr(text, "one (pid 7) wrote to 1 MiB of 1 MiB mapped"));
	assert_null(strstr(text, "accessed"));
	free(text);
	text = write_report(made.reader, "regions", &(struct report_opts){ .width = 100 });
	assert_non_null(strstr(text, "100000-200000                   1 MiB    29 %  warm"));
	assert_non_null(strstr(text, ": 1 regions, often written ones first"));
	assert_null(strstr(text, "accessed"));
	free(text);
	assert_int_equal(report_ages(made.reader, &(struct report_opts){ 0 }, stderr, &err), -ENODATA);
	assert_non_null(strstr(err.text, "what is not written may be read"));
	unmake(&made);
}

static void a_working_set_of_writes_counts_what_was_written(void **state)
{
	/* Accessed always; written often, then now and then, then partly unseen, then never. */
	const struct tide_region regions[] = {
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20, .nr_writes = 10 },
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20, .nr_writes = 1 },
		{ .start = 0x100000,
		  .end = 0x200000,
		  .nr_accesses = 10,
		  .nr_writes = 10,
		  .nr_unobservable = 10,
		  .nr_writes_unobservable = 10 },
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20 },
	};
	struct made made = make_one_of(&synthetic_writes_info, regions, 4, 20);
	char *text = write_report(made.reader, "wss", &(struct report_opts){ .json = true, .writes = true });

	assert_non_null(strstr(text, "\"sensor\":\"walk\""));
	assert_non_null(strstr(text, "\"writes\":\"writes\"}\n"));
	assert_non_null(strstr(text, "\"percentile\":0,\"bytes\":0,\"target\":0,\"pid\":7,\"hot_bytes\":0,"
	                             "\"what\":\"writes\"}"));
	assert_non_null(strstr(text, "\"percentile\":25,\"bytes\":524288,"));
	assert_non_null(strstr(text, "\"percentile\":100,\"bytes\":1048576,\"target\":0,\"pid\":7,"
	                             "\"hot_bytes\":1048576,\"what\":\"writes\"}"));
	assert_non_null(strstr(text, "\"written_bytes\":1048576,"));
	assert_null(strstr(text, "used_bytes"));
	free(text);
	/* The same record still has its accesses. */
	text = write_report(made.reader, "wss", &(struct report_opts){ .json = true });
	assert_non_null(strstr(text, "\"percentile\":25,\"bytes\":1048576,"));
	assert_non_null(strstr(text, "\"used_bytes\":1048576,"));
	assert_null(strstr(text, "\"what\""));
	free(text);
	unmake(&made);
}

/* Where too much is not known of the writes, it is not said that there were few. */
static void what_may_have_been_written_is_not_called_read(void **state)
{
	static const struct {
		struct heatmap_cell cell;
		enum heatmap_kind kind;
	} cases[] = {
		{ { .all = 1, .accessed = 1 }, HEATMAP_READ },
		{ { .all = 1, .accessed = 1, .untold = 0.2 }, HEATMAP_READ },
		{ { .all = 1, .accessed = 1, .untold = 1 }, HEATMAP_UNTOLD },
		{ { .all = 1, .accessed = 1, .untold = 0.3 }, HEATMAP_UNTOLD },
		{ { .all = 1, .accessed = 1, .written = 0.5, .untold = 0.2 }, HEATMAP_BOTH },
		{ { .all = 1, .accessed = 1, .written = 0.5, .untold = 0.5 }, HEATMAP_UNTOLD },
		{ { .all = 1, .accessed = 1, .written = 0.8, .untold = 0.2 }, HEATMAP_WRITTEN },
	};
	const struct heatmap heatmap = { .info = &synthetic_writes_info };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(heatmap_kind(&heatmap, &cases[i].cell), cases[i].kind);
}

/* Of regions, too; and it is no part of a working set of writes. */
static void what_may_have_been_written_is_unobservable(void **state)
{
	const struct tide_region region = {
		.start = 0x100000, .end = 0x200000, .nr_accesses = 20, .nr_writes_unobservable = 20
	};
	struct made made = make_one_of(&synthetic_writes_info, &region, 1, 20);
	char *text = write_report(made.reader, "wss", &(struct report_opts){ .writes = true });

	assert_non_null(strstr(text, "100 % unobservable"));
	free(text);
	text = write_report(made.reader, "regions", &(struct report_opts){ .json = true });
	assert_non_null(strstr(text, "\"unobservable_bytes\":0,"));
	assert_non_null(strstr(text, "\"unobservable_writes_bytes\":1048576"));
	free(text);
	text = write_report(made.reader, "regions", &(struct report_opts){ .width = 100 });
	assert_non_null(strstr(text, "   100 %       ?  hot"));
	free(text);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 80 });
	assert_non_null(strstr(text, "|AAAA"));
	free(text);
	unmake(&made);
}

static void writes_that_were_not_recorded_are_a_sentence(void **state)
{
	struct made made = make(&(struct synthetic_opts){ 0 }, 10);

	for (const struct report *report = reports; report->name != NULL; report++) {
		struct tide_error err = { 0 };

		if (!report->tells_writes)
			continue;
		assert_int_equal(report->write(made.reader, &(struct report_opts){ .writes = true }, stderr, &err),
		                 -ENODATA);
		assert_int_equal(err.cause, TIDE_CAUSE_USAGE);
		assert_string_equal(err.text, "the record has no writes: make one with \"tidemark record --writes\"");
	}
	unmake(&made);
}

/* The column is there because one looked, not because something was found. */
static void a_table_has_the_column_if_writes_were_recorded(void **state)
{
	const struct tide_region region = { .start = 0x100000, .end = 0x200000, .nr_accesses = 20 };
	struct made made = make_one_of(&synthetic_writes_info, &region, 1, 20);
	char *text = write_report(made.reader, "regions", &(struct report_opts){ .width = 100 });

	assert_non_null(strstr(text, "mapped accessed written  state"));
	assert_non_null(strstr(text, "1 MiB    100 %     0 %  hot"));
	free(text);
	unmake(&made);
	made = make_one(&region, 1, 20);
	text = write_report(made.reader, "regions", &(struct report_opts){ .width = 100 });
	assert_null(strstr(text, "written"));
	free(text);
	unmake(&made);
}

/* Two mappings of 1 MiB under one region: so many of them during ten samples, then during ten more. */
static char *heatmap_of_mappings(size_t nr_first, size_t nr_then, uint32_t nr_writes)
{
	struct tide_mapping mappings[] = {
		{ .start = 0x100000, .end = 0x200000, .flags = TIDE_MAPPING_READ, .name = "/lib/first.so" },
		{ .start = 0x200000, .end = 0x300000, .flags = TIDE_MAPPING_READ, .name = "/lib/second.so" },
	};
	const struct tide_region region = { .start = 0x100000, .end = 0x300000, .nr_writes = nr_writes };
	struct tide_layout layout = { .mappings = mappings };
	const struct record_source source = { .pid = 7, .name = "one", .layout = &layout };
	struct made made;
	char *text;

	assert_int_equal(
	        record_create(&made.writer, NULL, nr_writes > 0 ? &synthetic_writes_info : &synthetic_info, NULL), 0);
	for (size_t i = 0; i < 20; i++) {
		struct tide_sample sample = { .start_ns = i * 100000000,
			                      .end_ns = (i + 1) * 100000000,
			                      .nr_targets = 1,
			                      .nr_checks = 20,
			                      .nr_regions = 1,
			                      .regions = &region };

		layout.nr_mappings = i < 10 ? nr_first : nr_then;
		layout.generation = i < 10 ? 1 : 2;
		assert_int_equal(record_put(made.writer, &sample, &source, NULL), 0);
	}
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	text = write_report(made.reader, "heatmap", &(struct report_opts){ .width = 64, .height = 2 });
	unmake(&made);
	return text;
}

static void what_is_not_mapped_then_is_blank_and_not_cold(void **state)
{
	char *text = heatmap_of_mappings(1, 2, 0);

	assert_non_null(strstr(text, "1 MiB |......................| first.so\n"));
	assert_non_null(strstr(text, "1 MiB |           ...........| second.so\n"));
	free(text);
	/* What is gone keeps its name. */
	text = heatmap_of_mappings(2, 1, 0);
	assert_non_null(strstr(text, "1 MiB |...........           | second.so\n"));
	free(text);
	/* What was written was there, if only between two looks at the mappings. */
	text = heatmap_of_mappings(1, 2, 20);
	assert_non_null(strstr(text, "1 MiB |WWWWWWWWWWWWWWWWWWWWWW| second.so\n"));
	free(text);
}

/* One sample of these regions, of 20 checks each, as the table shows them. */
static char *table_of(const struct tide_region *regions, size_t nr)
{
	static const struct record_source source = { .pid = 7, .name = "one" };
	const struct tide_sample sample = {
		.end_ns = 100000000, .nr_targets = 1, .nr_checks = 20, .nr_regions = nr, .regions = regions
	};
	struct made made;
	char *text;

	assert_int_equal(record_create(&made.writer, NULL, &synthetic_info, NULL), 0);
	assert_int_equal(record_put(made.writer, &sample, &source, NULL), 0);
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	text = write_report(made.reader, "regions", &(struct report_opts){ .width = 100 });
	unmake(&made);
	return text;
}

static void of_hot_regions_the_one_of_which_most_is_used_comes_first(void **state)
{
	const struct tide_region regions[] = {
		{ .start = 0x100000, .end = 0x101000, .nr_accesses = 20 },
		{ .start = 0x200000, .end = 0x900000, .nr_accesses = 19 },
		{ .start = 0xa00000, .end = 0xf00000, .nr_accesses = 12 },
		/* As much of it is used as of the hot one before, but it is not hot. */
		{ .start = 0x1000000, .end = 0x2000000, .nr_accesses = 4 },
	};
	char *text = table_of(regions, 4);
	const char *first = strstr(text, "200000-900000");
	const char *second = strstr(text, "a00000-f00000");
	const char *third = strstr(text, "100000-101000");
	const char *fourth = strstr(text, "1000000-2000000");

	assert_non_null(first);
	assert_true(first < second && second < third && third < fourth);
	free(text);
}

static void neighbours_that_are_alike_share_a_row(void **state)
{
	const struct tide_region regions[] = {
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 20, .age = 30 },
		{ .start = 0x200000, .end = 0x300000, .nr_accesses = 19, .age = 20 },
		/* Younger, then colder, then not next to the one before. */
		{ .start = 0x300000, .end = 0x400000, .nr_accesses = 20, .age = 2 },
		{ .start = 0x400000, .end = 0x500000, .nr_accesses = 4, .age = 2 },
		{ .start = 0x600000, .end = 0x700000, .nr_accesses = 4, .age = 2 },
	};
	char *text = table_of(regions, 5);

	assert_non_null(strstr(text, ": 5 regions in 4 rows, hot ones first"));
	/* The mean, and the age that all of it has reached. */
	assert_non_null(strstr(text, "100000-300000                   2 MiB     98 %  hot       2 s"));
	assert_non_null(strstr(text, "300000-400000"));
	assert_non_null(strstr(text, "400000-500000"));
	assert_non_null(strstr(text, "600000-700000"));
	free(text);
}

static void regions_are_weighted_by_overlap(void **state)
{
	/* The first sample's region covers half of the last one's. */
	const struct tide_region regions[] = {
		{ .start = 0x100000, .end = 0x180000, .nr_accesses = 20 },
		{ .start = 0x100000, .end = 0x200000, .nr_accesses = 5, .age = 3 },
	};
	struct made made = make_one(regions, 2, 20);
	char *text = write_report(made.reader, "regions", &(struct report_opts){ .json = true });

	/* (20 * 1 + 5 * 2) / 3 */
	assert_non_null(strstr(text, "\"start\":\"0x100000\",\"end\":\"0x200000\",\"nr_accesses\":10,"));
	assert_non_null(strstr(text, "\"age_us\":300000,"));
	assert_non_null(strstr(text, "\"state\":\"hot\""));
	free(text);
	text = write_report(made.reader, "regions", &(struct report_opts){ .json = true, .last_us = 100000 });
	assert_non_null(strstr(text, "\"nr_accesses\":5,"));
	assert_non_null(strstr(text, "\"state\":\"warm\""));
	free(text);
	unmake(&made);
}

static void ages_keep_to_their_width(void **state)
{
	for (int exact = 0; exact < 2; exact++) {
		struct made made = make(&(struct synthetic_opts){ .exact = exact, .unobservable = true }, 70);

		for (int width = 40; width < 130; width += 3) {
			char *text = write_report(made.reader, "ages", &(struct report_opts){ .width = width });

			if (longest_line(text) > (size_t)width)
				fail_msg("width %d: a line of %zu\n%s", width, longest_line(text), text);
			free(text);
		}
		unmake(&made);
	}
}

static void an_empty_record_is_a_sentence(void **state)
{
	struct made made;
	char *text;

	assert_int_equal(record_create(&made.writer, NULL, &synthetic_info, NULL), 0);
	assert_int_equal(record_open_writer(&made.reader, made.writer, NULL), 0);
	for (const struct report *report = reports; report->name != NULL; report++) {
		struct tide_error err = { 0 };

		if (strcmp(report->name, "info") == 0)
			continue;
		assert_int_equal(report->write(made.reader, &(struct report_opts){ 0 }, stderr, &err), -ENODATA);
		assert_non_null(strstr(err.text, "the record is empty"));
	}
	text = write_report(made.reader, "info", &(struct report_opts){ 0 });
	assert_non_null(strstr(text, "samples     0,"));
	free(text);
	unmake(&made);
}

static void a_full_disk_is_an_error(void **state)
{
	struct made made = make(&(struct synthetic_opts){ 0 }, 5);
	FILE *full = fopen("/dev/full", "w");
	struct tide_error err = { 0 };

	assert_non_null(full);
	assert_int_equal(report_wss(made.reader, &(struct report_opts){ 0 }, full, &err), -EIO);
	fclose(full);
	unmake(&made);
}

static void numbers_are_as_people_write_them(void **state)
{
	assert_string_equal(format_bytes(0).s, "0 B");
	assert_string_equal(format_bytes(1023).s, "1023 B");
	assert_string_equal(format_bytes(4096).s, "4 KiB");
	assert_string_equal(format_bytes(UINT64_C(1288490189)).s, "1.2 GiB");
	assert_string_equal(format_bytes((UINT64_C(1) << 20) - 1).s, "1 MiB");
	assert_string_equal(format_bytes(UINT64_MAX).s, "16 EiB");
	assert_string_equal(format_duration(0).s, "0 s");
	assert_string_equal(format_duration(5000).s, "5 ms");
	assert_string_equal(format_duration(1500000).s, "1.5 s");
	assert_string_equal(format_duration(200000000).s, "3 min 20 s");
	assert_string_equal(format_duration(UINT64_C(7500000000)).s, "2 h 5 min");
	assert_string_equal(format_duration_short(200000000).s, "3.3 min");
	assert_string_equal(format_percent(0).s, "0 %");
	assert_string_equal(format_percent(0.0001).s, "<0.1 %");
	assert_string_equal(format_percent(0.008).s, "0.8 %");
	assert_string_equal(format_percent(0.999).s, ">99.9 %");
	assert_string_equal(format_percent(1).s, "100 %");
	assert_string_equal(format_count(1200000).s, "1,200,000");
	assert_string_equal(format_count(999).s, "999");
	assert_string_equal(format_time(UINT64_C(1795219200000000)).s, "2026-11-21 00:00:00 UTC");
}

static void names_cannot_hurt_a_terminal(void **state)
{
	assert_string_equal(format_name("a\x1b[31mb\n", 40).s, "a?[31mb?");
	assert_string_equal(format_name("\xc2\x9b"
	                                "1m",
	                                40)
	                            .s,
	                    "?1m");
	assert_string_equal(format_name("\xff\xc3\xa4\xc0\x80", 40).s, "?\xc3\xa4??");
	assert_string_equal(format_name("\xed\xa0\x80\xf4\x90\x80\x80", 40).s, "???????");
	assert_string_equal(format_mapping("/usr/lib/libc.so.6", 20).s, "libc.so.6");
	assert_string_equal(format_mapping("", 20).s, "(anon)");
	assert_string_equal(format_mapping("/", 20).s, "/");
	assert_string_equal(format_name("libverylongname.so.6", 12).s, "libve...so.6");
}

static void axes_squeeze_out_what_is_not_mapped(void **state)
{
	const struct tide_range ranges[] = { { 0x10000, 0x20000 },
		                             { 0x21000, 0x30000 },
		                             { 0x700000000000, 0x700000020000 } };
	struct axis axis;
	size_t hint = 0;
	uint64_t at = 0;

	assert_int_equal(axis_init(&axis, ranges, 3, &(struct axis_shape){ .height = 8, .max_gaps = 2 }), 0);
	assert_int_equal(axis_squeeze(&axis, 0, &hint), 0);
	assert_int_equal(axis_squeeze(&axis, 0x20800, &hint), 0x10000);
	assert_int_equal(axis_squeeze(&axis, 0x700000000800, &hint), 0x1f800);
	assert_int_equal(axis_squeeze(&axis, UINT64_MAX, &hint), 0x3f000);
	assert_int_equal(axis_squeeze(&axis, 0x10800, &hint), 0x800);
	assert_int_equal(axis.nr_rows, 8);
	for (size_t i = 0; i < axis.nr_rows; i++) {
		assert_int_equal(axis.rows[i].from, at);
		assert_true(axis.rows[i].to > at);
		at = axis.rows[i].to;
		/* Only the wide gap is drawn. */
		assert_int_equal(axis.rows[i].gap, axis.rows[i].start == 0x700000000000 ? 0x700000000000 - 0x30000 : 0);
	}
	assert_int_equal(at, 0x3f000);
	assert_int_equal(axis.rows[7].end, 0x700000020000);
	axis_fini(&axis);
}

/* Whatever the distance, and far into a record. */
static void marks_never_say_the_same_twice(void **state)
{
	for (uint64_t least = 1; least < UINT64_C(10000000000000); least = least * 3 / 2 + 1) {
		uint64_t step = ticks_time_step(least);

		assert_true(step >= least);
		for (uint64_t from = 0; from < 40 * step; from += 7 * step / 2) {
			uint64_t first = ticks_first(from, step);

			assert_true(first >= from && first - from < step && first % step == 0);
			assert_string_not_equal(ticks_time(first).s, ticks_time(first + step).s);
		}
	}
	assert_string_equal(ticks_time(0).s, "0 s");
	assert_string_equal(ticks_time(28250000).s, "28.25 s");
	assert_string_equal(ticks_time(UINT64_C(7050000000)).s, "1 h 57 min 30 s");
	assert_string_equal(ticks_time(UINT64_C(266400000000)).s, "3 d 2 h");
	assert_int_equal(ticks_bytes_step(3 << 20), 4 << 20);
	assert_string_equal(ticks_bytes(0).s, "0 B");
	assert_string_equal(ticks_bytes(9 << 17).s, "1.125 MiB");
	assert_string_equal(ticks_bytes(UINT64_C(1) << 40).s, "1 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_are_as_they_were),
		cmocka_unit_test(reports_of_exact_mode_are_as_they_were),
		cmocka_unit_test(reports_of_writes_are_as_they_were),
		cmocka_unit_test(two_targets_are_told_apart),
		cmocka_unit_test(every_json_line_is_an_object),
		cmocka_unit_test(heatmaps_keep_to_their_width),
		cmocka_unit_test(targets_that_begin_late_are_in_every_report),
		cmocka_unit_test(tuned_intervals_are_told),
		cmocka_unit_test(what_was_not_seen_is_never_cold_nor_used),
		cmocka_unit_test(writes_are_letters_beside_the_points_of_reads),
		cmocka_unit_test(of_a_record_of_nothing_but_writes_no_report_speaks_of_reads),
		cmocka_unit_test(a_working_set_of_writes_counts_what_was_written),
		cmocka_unit_test(what_may_have_been_written_is_not_called_read),
		cmocka_unit_test(what_may_have_been_written_is_unobservable),
		cmocka_unit_test(writes_that_were_not_recorded_are_a_sentence),
		cmocka_unit_test(a_table_has_the_column_if_writes_were_recorded),
		cmocka_unit_test(what_is_not_mapped_then_is_blank_and_not_cold),
		cmocka_unit_test(marks_never_say_the_same_twice),
		cmocka_unit_test(regions_are_weighted_by_overlap),
		cmocka_unit_test(of_hot_regions_the_one_of_which_most_is_used_comes_first),
		cmocka_unit_test(neighbours_that_are_alike_share_a_row),
		cmocka_unit_test(ages_keep_to_their_width),
		cmocka_unit_test(an_empty_record_is_a_sentence),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(numbers_are_as_people_write_them),
		cmocka_unit_test(names_cannot_hurt_a_terminal),
		cmocka_unit_test(axes_squeeze_out_what_is_not_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
