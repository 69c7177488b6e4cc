/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that says whether the engine finds a hot GiB, or 64 hot MiB, in ever more memory, and at what
 * cost, guided and not: a minute of virtual time at the default attributes, for several seeds.
 *
 *     model-terabyte [SEEDS]
 *
 * What is hot is read every 2 ms, all the rest once an hour. Looks, entries and the share of a processor are counted
 * work (src/verify/prediction.h); only what the prediction itself took is measured. Medians and spread; rows for a
 * Markdown table.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "modelled.h"
#include "series.h"
#include "verify/prediction.h"

#define DURATION_US UINT64_C(60000000)

/* Of one row. */
struct outcome {
	struct series found; /* intervals, of the seeds that found it */
	struct series precision;
	struct series recall;
	struct series nr_looks;   /* in an interval */
	struct series nr_scanned; /* in an interval, in thousands */
	struct series cpu;        /* percent */
	struct series spent;      /* seconds */
};

static double spent_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct prediction_verdict predict(const struct workload *workload, const struct prediction_opts *opts)
{
	struct prediction_verdict verdict;
	struct prediction *prediction = NULL;
	const struct tide_sample *sample;
	struct tide_error err = { 0 };
	int result = prediction_open(&prediction, workload, opts, &err);

	while (result >= 0 && (result = prediction_next(prediction, &sample, &err)) == 1)
		;
	if (result < 0) {
		fprintf(stderr, "model-terabyte: %s\n", err.text);
		exit(1);
	}
	prediction_verdict(prediction, &verdict);
	prediction_close(prediction);
	return verdict;
}

/* What is hot, and the pages that all memory is in. */
struct subject {
	const char *name;
	uint64_t hot_bytes;
	unsigned page_shift;
};

static void measure(struct outcome *outcome, const struct subject *subject, uint64_t bytes, uint32_t flags,
                    uint64_t seed)
{
	const struct prediction_opts opts = {
		.monitor = { .size = sizeof(opts.monitor), .seed = seed, .flags = flags },
		.duration_us = DURATION_US,
	};
	double began_s = spent_s();
	struct prediction_verdict verdict;
	struct workload workload;

	modelled_hot_set(&workload, bytes, subject->page_shift, subject->hot_bytes);
	workload.seed = seed;
	verdict = predict(&workload, &opts);
	workload_fini(&workload);
	if (verdict.good_sample > 0)
		series_add(&outcome->found, (double)verdict.good_sample);
	series_add(&outcome->precision, verdict.accesses.precision < 0 ? 0 : verdict.accesses.precision);
	series_add(&outcome->recall, verdict.accesses.recall);
	series_add(&outcome->nr_looks, (double)verdict.cost.nr_read / (double)verdict.nr_samples);
	series_add(&outcome->nr_scanned, (double)verdict.cost.nr_scanned / (double)verdict.nr_samples / 1e3);
	series_add(&outcome->cpu, 100 * verdict.cpu_share);
	series_add(&outcome->spent, spent_s() - began_s);
}

/* How many seeds found it, and after how many intervals: the median, and from which to which. */
static void print_found(const struct outcome *outcome)
{
	const struct series *found = &outcome->found;
	double low = found->values[0];
	double high = low;

	for (size_t i = 1; i < found->nr; i++) {
		low = found->values[i] < low ? found->values[i] : low;
		high = found->values[i] > high ? found->values[i] : high;
	}
	if (found->nr == 0)
		printf(" none |");
	else
		printf(" %zu: %.0f (%.0f to %.0f) |", found->nr, series_median(found), low, high);
}

static void print_accuracy(const struct outcome *outcome)
{
	printf(" %.3f, %.3f |", series_median(&outcome->precision), series_median(&outcome->recall));
}

static void print_looks(const struct outcome *outcome)
{
	printf(" %.0f + %.1f k |", series_median(&outcome->nr_looks), series_median(&outcome->nr_scanned));
}

static void print_cpu(const struct outcome *outcome)
{
	printf(" %.2f %% |", series_median(&outcome->cpu));
}

static void print_row(const struct subject *subject, uint64_t bytes, uint64_t nr_seeds)
{
	static void (*const columns[])(const struct outcome *outcome) = { print_found, print_accuracy, print_looks,
		                                                          print_cpu };
	static const uint32_t flags[] = { 0, TIDE_MONITOR_UNGUIDED };
	static struct outcome outcomes[2];

	for (size_t i = 0; i < 2; i++) {
		outcomes[i] = (struct outcome){ 0 };
		for (uint64_t seed = 0; seed < nr_seeds; seed++)
			measure(&outcomes[i], subject, bytes, flags[i], seed);
	}
	printf("| %" PRIu64 " %s |", bytes >> (bytes < TIB(1) ? 30 : 40), bytes < TIB(1) ? "GiB" : "TiB");
	for (size_t column = 0; column < sizeof(columns) / sizeof(columns[0]); column++)
		for (size_t i = 0; i < 2; i++)
			columns[column](&outcomes[i]);
	printf(" %.2f s |\n", series_median(&outcomes[0].spent) + series_median(&outcomes[1].spent));
	fflush(stdout);
}

static void print_table(const struct subject *subject, uint64_t nr_seeds)
{
	static const uint64_t sizes[] = { GIB(1), GIB(4), GIB(16), GIB(64), GIB(256), TIB(1), TIB(4), TIB(16) };

	printf("| %s | found, guided: after intervals | not guided | precision, recall, guided | not | "
	       "looks + entries in bulk, an interval, guided | not | CPU, guided | not | both took |\n"
	       "|---|---|---|---|---|---|---|---|---|---|\n",
	       subject->name);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		print_row(subject, sizes[i], nr_seeds);
	printf("\n");
}

int main(int argc, char **argv)
{
	static const struct subject subjects[] = {
		{ "1 GiB hot, 4 KiB pages", GIB(1), 12 },
		{ "1 GiB hot, 2 MiB pages", GIB(1), 21 },
		{ "64 MiB hot, 2 MiB pages", MIB(64), 21 },
	};
	uint64_t nr_seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 9;

	if (nr_seeds == 0 || nr_seeds > MAX_PAIRS) {
		fprintf(stderr, "Usage: model-terabyte [SEEDS, %d at most]\n", MAX_PAIRS);
		return 2;
	}
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		print_table(&subjects[i], nr_seeds);
	return 0;
}
