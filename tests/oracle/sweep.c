/* SPDX-License-Identifier: MIT */
/* This file touches hot pages at a steady pace and counts what it did. */
#include "sweep.h"

#include <stdlib.h>
#include <time.h>

#define LINE           64u
#define LINES_PER_PAGE (ORACLE_PAGE / LINE)

uint64_t clock_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t *sweep_shuffle(uint64_t nr, struct rng *rng)
{
	uint32_t *order = malloc(nr * sizeof(*order));

	for (uint64_t i = 0; order && i < nr; i++) {
		uint64_t other = rng_below(rng, i + 1);

		order[i] = order[other];
		order[other] = (uint32_t)i;
	}
	return order;
}

/*
 * Neighbouring pages are touched in different cache lines: the same line of every page would fall into the same few
 * cache sets, and each touch would wait for memory. The first line keeps what populate() wrote.
 */
static inline void touch(uint8_t *page, uint64_t number, enum access access)
{
	volatile uint64_t *word = (volatile uint64_t *)(page + number % LINES_PER_PAGE * LINE);

	if (access & ACCESS_READ)
		(void)*word;
	if (access & ACCESS_WRITE)
		*word = number;
}

static uint64_t touch_range(const struct area *area, const struct hot_range *range, struct rng *rng)
{
	uint64_t nr = range->piece->size / ORACLE_PAGE;
	uint8_t *start = area->start + range->offset;
	uint64_t limit = (uint64_t)(range->piece->probability * 0x1p53);
	enum access access = range->piece->access;
	uint64_t touched = 0;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t number = range->order ? range->order[i] : i;

		if (limit < 1ull << 53 && rng_next(rng) >> 11 >= limit)
			continue;
		touch(start + number * ORACLE_PAGE, number, access);
		touched++;
	}
	return touched;
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec at = { .tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

void sweep_until(const struct area *area, const struct hot_range *ranges, size_t nr, uint64_t tick_ns,
                 uint64_t until_ns, struct rng *rng, struct sweep_count *count)
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	uint64_t begin = start;
	uint64_t asleep = 0;
	uint64_t used;

	*count = (struct sweep_count){ 0 };
	while (begin < until_ns) {
		uint64_t now;

		for (size_t i = 0; i < nr; i++)
			count->nr_touches += touch_range(area, &ranges[i], rng);
		now = clock_now(CLOCK_MONOTONIC);
		count->nr_sweeps++;
		count->busy_ns += now - begin;
		if (tick_ns && now < begin + tick_ns) {
			asleep += begin + tick_ns - now;
			sleep_until(begin + tick_ns);
			now = clock_now(CLOCK_MONOTONIC);
		}
		if (now - begin > count->max_gap_ns)
			count->max_gap_ns = now - begin;
		begin = now;
	}
	used = clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu + asleep;
	count->late_ns = begin - start > used ? begin - start - used : 0;
}
