/* SPDX-License-Identifier: MIT */
/*
 * This file is a program that uses memory as a pattern file says and writes down what it did:
 *
 *     oracle-workload [--truth FILE] [--directory DIR] PATTERN
 *
 * When all memory is populated it prints "READY pid=N start=0x.. end=0x..". It ends after the last phase, on SIGTERM or
 * SIGINT, or when its parent dies; then a summary goes to stderr.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

/* Within a slice nothing moves, so that the truth log is exact. */
#define SLICE_NS 50000000u

struct workload {
	struct pattern pattern;
	struct area area;
	struct rng rng;
	FILE *truth;
	struct sweep_count total;
	uint64_t total_ns;
};

static bool asked_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT);
}

/* Where a piece is after `elapsed_ns` of its phase: a moving one starts again at the front when its end meets the end.
 */
static uint64_t piece_offset(const struct piece *piece, uint64_t area_size, uint64_t elapsed_ns)
{
	uint64_t moved = (uint64_t)((double)piece->speed * (double)elapsed_ns / 1e9);
	uint64_t room = area_size - piece->size + ORACLE_PAGE;
	uint64_t offset = piece->speed ? (piece->offset + moved) % room : piece->offset;

	return offset - offset % ORACLE_PAGE;
}

static struct hot_range *prepare_ranges(struct workload *w, const struct phase *phase)
{
	struct hot_range *ranges = calloc(phase->pieces.nr + 1, sizeof(*ranges));

	for (size_t i = 0; ranges && i < phase->pieces.nr; i++) {
		ranges[i].piece = &phase->pieces.items[i];
		if (w->pattern.random)
			ranges[i].order = sweep_shuffle(ranges[i].piece->size / ORACLE_PAGE, &w->rng);
	}
	return ranges;
}

static int run_slice(struct workload *w, const struct phase *phase, struct hot_range *ranges, uint64_t begin_ns,
                     uint64_t end_ns)
{
	struct truth_slice slice = { .phase = phase->name, .ranges = ranges, .nr_ranges = phase->pieces.nr };
	uint64_t until_ns;

	slice.from_unix_us = clock_now(CLOCK_REALTIME) / 1000;
	slice.from_ns = clock_now(CLOCK_MONOTONIC);
	until_ns = end_ns - slice.from_ns > SLICE_NS ? slice.from_ns + SLICE_NS : end_ns;
	for (size_t i = 0; i < phase->pieces.nr; i++)
		ranges[i].offset = piece_offset(ranges[i].piece, w->area.size, slice.from_ns - begin_ns);
	sweep_until(&w->area, ranges, phase->pieces.nr, w->pattern.tick_ns, until_ns, &w->rng, &slice.count);
	slice.to_ns = clock_now(CLOCK_MONOTONIC);
	slice.to_unix_us = clock_now(CLOCK_REALTIME) / 1000;
	w->total.nr_sweeps += slice.count.nr_sweeps;
	w->total.nr_touches += slice.count.nr_touches;
	w->total.busy_ns += slice.count.busy_ns;
	w->total_ns += slice.to_ns - slice.from_ns;
	if (slice.count.max_gap_ns > w->total.max_gap_ns)
		w->total.max_gap_ns = slice.count.max_gap_ns;
	return w->truth ? truth_add(w->truth, &w->area, &slice) : 0;
}

static int run_phase(struct workload *w, const struct phase *phase)
{
	struct hot_range *ranges = prepare_ranges(w, phase);
	uint64_t begin_ns = clock_now(CLOCK_MONOTONIC);
	uint64_t end_ns = phase->duration_ns == UINT64_MAX ? UINT64_MAX : begin_ns + phase->duration_ns;
	int rc = ranges ? 0 : -ENOMEM;

	while (rc == 0 && clock_now(CLOCK_MONOTONIC) < end_ns && !asked_to_end())
		rc = run_slice(w, phase, ranges, begin_ns, end_ns);
	for (size_t i = 0; ranges && i < phase->pieces.nr; i++)
		free(ranges[i].order);
	free(ranges);
	return rc;
}

static int run_phases(struct workload *w)
{
	int rc = 0;

	do {
		for (size_t i = 0; i < w->pattern.phases.nr && rc == 0 && !asked_to_end(); i++)
			rc = run_phase(w, &w->pattern.phases.items[i]);
	} while (rc == 0 && w->pattern.repeat && !asked_to_end());
	return rc;
}

static int run(struct workload *w, const char *directory)
{
	const struct pattern *pattern = &w->pattern;
	int rc = area_open(&w->area, pattern->kind, pattern->size, directory);

	if (rc < 0)
		return rc;
	rng_init(&w->rng, pattern->seed);
	rc = w->truth ? truth_begin(w->truth, pattern, &w->area) : 0;
	if (rc < 0)
		return rc;
	printf("READY pid=%d start=0x%" PRIxPTR " end=0x%" PRIxPTR "\n", getpid(), (uintptr_t)w->area.start,
	       (uintptr_t)w->area.start + w->area.size);
	fflush(stdout);
	rc = run_phases(w);
	if (w->total.nr_sweeps)
		fprintf(stderr,
		        "%s: %" PRIu64 " sweeps, one each %.3f ms, of which %.3f ms busy; longest gap %.3f ms\n",
		        pattern->name, w->total.nr_sweeps, (double)w->total_ns / 1e6 / (double)w->total.nr_sweeps,
		        (double)w->total.busy_ns / 1e6 / (double)w->total.nr_sweeps, (double)w->total.max_gap_ns / 1e6);
	return rc;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_TIMERSLACK, 1);
}

static int usage(void)
{
	fprintf(stderr, "usage: oracle-workload [--truth FILE] [--directory DIR] PATTERN\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "truth", required_argument, NULL, 't' },
		{ "directory", required_argument, NULL, 'd' },
		{ 0 },
	};
	const char *directory = "/var/tmp";
	const char *truth = NULL;
	struct workload w = { 0 };
	int option;
	int rc;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?')
			return usage();
		*(option == 't' ? &truth : &directory) = optarg;
	}
	if (optind + 1 != argc)
		return usage();
	if (pattern_read(&w.pattern, argv[optind]) < 0)
		return 2;
	block_signals();
	w.truth = truth ? fopen(truth, "we") : NULL;
	if (truth && !w.truth) {
		fprintf(stderr, "%s: %s\n", truth, strerror(errno));
		return 1;
	}
	rc = run(&w, directory);
	if (rc < 0)
		fprintf(stderr, "oracle-workload: %s\n", strerror(-rc));
	area_close(&w.area);
	if (w.truth && fclose(w.truth) != 0)
		rc = -1;
	pattern_fini(&w.pattern);
	return rc < 0;
}
