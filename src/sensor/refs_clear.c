/* SPDX-License-Identifier: MIT */
/*
 * This file makes a clearing bounded: how long it would take is estimated from what is present and from what the last
 * ones took, and more than allowed is refused.
 */
#include "sensor/refs.h"

#include <errno.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "sensor/clear_refs.h"

#define FIRST_PAGE_PS 25000u /* 25 ns a page: measured on 4 GiB of base pages */
#define LEAST_PAGE_PS 5000u
#define VMA_NS        200u
/* With less to clear, what a clearing takes is the call itself and says nothing about pages. */
#define MIN_ENTRIES 4096u

static uint64_t estimate_ns(struct refs_state *refs)
{
	if (refs->page_ps == 0)
		refs->page_ps = FIRST_PAGE_PS;
	return refs_nr_entries(&refs->now) * refs->page_ps / 1000 + refs->now.vmas.nr * VMA_NS;
}

int refs_clear_allowed(struct refs_state *refs, uint64_t max_stall_us, struct tide_error *err)
{
	uint64_t ns = estimate_ns(refs);
	uint64_t rss_bytes = 0;

	if (ns / 1000 <= max_stall_us)
		return 0;
	/* One clearing that was slow must not bar all that would follow. */
	refs->page_ps -= (refs->page_ps - FIRST_PAGE_PS) / 8 * (refs->page_ps > FIRST_PAGE_PS);
	for (size_t i = 0; i < refs->now.vmas.nr; i++)
		rss_bytes += refs->now.vmas.items[i].rss_bytes;
	return error_set(
	        err, TIDE_CAUSE_LIMIT, -E2BIG,
	        "process %d (%s) has %llu MiB present: each clearing of its accessed bits would keep it waiting "
	        "for about %.1f ms, and %.3g ms are allowed: allow that with --max-stall %llums",
	        (int)tide_target_pid(refs->target), tide_target_name(refs->target),
	        (unsigned long long)(rss_bytes >> 20), (double)ns / 1e6, (double)max_stall_us / 1e3,
	        (unsigned long long)ns * 3 / 2 / 1000000 + 1);
}

static void account(struct refs_state *refs, const struct clear_refs_time *took)
{
	uint64_t nr_entries = refs_nr_entries(&refs->now);
	struct tide_sensor_cost *cost = &refs->cost;

	cost->nr_calls++;
	cost->nr_cleared++;
	clear_refs_account(cost, took, refs->now.began_ns);
	if (nr_entries < MIN_ENTRIES)
		return;
	refs->page_ps = (refs->page_ps + took->cpu_ns * 1000 / nr_entries) / 2;
	if (refs->page_ps < LEAST_PAGE_PS)
		refs->page_ps = LEAST_PAGE_PS;
}

int refs_clear(struct refs_state *refs, struct tide_error *err)
{
	struct refs_look old = refs->cleared;
	struct clear_refs_time took = { 0 };
	int result = refs->now.is_valid ? 0 : refs_look(refs, err);

	if (result == 0)
		result = refs_clear_allowed(refs, refs->max_stall_us, err);
	if (result == 0)
		result = clear_refs_all(refs->target, &took, err);
	if (result < 0)
		return result;
	account(refs, &took);
	refs->cleared = refs->now;
	refs->now = old;
	refs->now.is_valid = false;
	refs->nr_clearings++;
	return 0;
}
