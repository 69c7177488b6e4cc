/* SPDX-License-Identifier: MIT */
/*
 * This file measures what it costs to learn which pages of 1 GiB were written. Each way has a process of its own that
 * writes the same pages; before a figure counts, the number of pages must be right.
 */
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "write-tracking.h"

enum way { BARE, NONE, WALKER, PINNED, FORK, NR_WAYS };

static const char *const names[NR_WAYS] = {
	[BARE] = "PAGEMAP_SCAN alone",
	[NONE] = "collect, pins none",
	[WALKER] = "collect, pins walker, nothing was ever pinned",
	[PINNED] = "collect, pins walker, one page pinned",
	[FORK] = "fork(), and memcmp of both",
};

struct harvest {
	struct subject subjects[NR_WAYS];
	struct watched watched[NR_WAYS];
	int pagemap;
	struct series times[NR_WAYS], ratios[NR_WAYS];
};

static bool is_watched(enum way way)
{
	return way == NONE || way == WALKER || way == PINNED;
}

static void prepare(struct harvest *self)
{
	/* All first: a child would inherit the descriptors of the watches. */
	for (enum way way = BARE; way < NR_WAYS; way++)
		subject_start(&self->subjects[way], GIB, MADV_NOHUGEPAGE);
	if (subject_do(&self->subjects[PINNED], ORDER_PIN, 0, 0) != 1)
		fail("cannot pin a page: io_uring is needed", 0);
	for (enum way way = BARE; way < NR_WAYS; way++)
		if (is_watched(way))
			watched_open(&self->watched[way], self->subjects[way].pid, self->subjects[way].arena, GIB,
			             way == NONE ? NULL : tide_pins_walker());
	subject_do(&self->subjects[BARE], ORDER_ARM, 0, 0);
	self->pagemap = open_pagemap(self->subjects[BARE].pid);
}

/* Microseconds. */
static double measure(struct harvest *self, enum way way, uint64_t per_10000, uint64_t seed)
{
	struct subject *subject = &self->subjects[way];
	uint64_t taken_ns = way == FORK ? subject_do(subject, ORDER_FORK, 0, 0) : 0;
	uint64_t written = subject_do(subject, ORDER_WRITE, per_10000, seed), found, began_ns;

	if (way == FORK) {
		taken_ns += subject_do(subject, ORDER_COMPARE, 0, 0);
		found = subject_more(subject);
	} else {
		began_ns = spent_ns();
		found = way == BARE ? bare_harvest(self->pagemap, subject->arena, GIB)
		                    : watched_collect(&self->watched[way]);
		taken_ns = spent_ns() - began_ns;
	}
	if (found != written) {
		fprintf(stderr, "%s: %lu pages were written, %lu reported\n", names[way], (unsigned long)written,
		        (unsigned long)found);
		_exit(1);
	}
	return (double)taken_ns / 1e3;
}

static void measure_all(struct harvest *self, uint64_t per_10000, size_t nr_pairs)
{
	for (enum way way = BARE; way < NR_WAYS; way++)
		self->times[way].nr = self->ratios[way].nr = 0;
	/* The first round warms up; after it the order alternates, so that a drift falls on all alike. */
	for (size_t pair = 0; pair <= nr_pairs; pair++) {
		for (int i = 0; i < NR_WAYS; i++) {
			enum way way = (enum way)(pair % 2 ? NR_WAYS - 1 - i : i);
			double spent = measure(self, way, per_10000, pair);

			if (pair > 0)
				series_add(&self->times[way], spent);
		}
		for (enum way way = BARE; way < NR_WAYS && pair > 0; way++)
			series_add_ratio(&self->ratios[way], &self->times[way], &self->times[BARE]);
	}
}

void bench_harvest(size_t nr_pairs)
{
	static const unsigned per_10000[] = { 0, 100, 1000, 10000 };
	struct harvest self = { 0 };

	prepare(&self);
	puts("### Harvest of 1 GiB in another process, 4 KiB pages\n\n"
	     "| written | way | processor time | ratio to PAGEMAP_SCAN alone |\n|---|---|---|---|");
	for (size_t i = 0; i < sizeof(per_10000) / sizeof(per_10000[0]); i++) {
		measure_all(&self, per_10000[i], nr_pairs);
		for (enum way way = BARE; way < NR_WAYS; way++)
			printf("| %u %% | %s | %s | %s |\n", per_10000[i] / 100, names[way],
			       series_text(&self.times[way], " us"), series_text(&self.ratios[way], ""));
	}
	for (enum way way = BARE; way < NR_WAYS; way++) {
		if (is_watched(way))
			watched_close(&self.watched[way]);
		subject_end(&self.subjects[way]);
	}
	close(self.pagemap);
	putchar('\n');
}
