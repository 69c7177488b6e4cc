/* SPDX-License-Identifier: MIT */
/*
 * This file sums up what is pinned for devices. A page costs about 100 ns, so a process that never pinned anything is
 * not looked at; the parts of a huge page are pinned together, so it is looked at once.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/scope.h"
#include "pages/pinned.h"
#include "pages/summary_work.h"

enum {
	NR_LOOKS = WALKER_MAX_SAMPLES,
};

#define HUGE_BYTES (UINT64_C(2) << 20)
#define PAGE_BYTES 4096u

/* Addresses that wait to be looked at, each for all up to the next one's start, or to its own end. */
struct batch {
	struct tide_page_run runs[SUMMARY_NR_RUNS];
	size_t nr;
	uint64_t starts[NR_LOOKS];
	uint64_t ends[NR_LOOKS];
	uint8_t answers[NR_LOOKS];
};

static int look(struct summary_work *work, struct batch *batch, struct tide_error *err)
{
	static const bool pinned[NR_SUMMARY_COUNTS] = { [SUMMARY_PINNED] = true };
	int result = pinned_look(work->walker, batch->starts, batch->nr, batch->answers, err);

	for (size_t i = 0; result == 0 && i < batch->nr; i++)
		if (batch->answers[i] == PINNED_YES)
			summary_add(work, batch->starts[i], batch->ends[i], pinned);
	batch->nr = 0;
	return result;
}

static int look_at_run(struct summary_work *work, struct batch *batch, const struct tide_page_run *run,
                       struct tide_error *err)
{
	uint64_t step = run->categories & TIDE_PAGE_HUGE ? HUGE_BYTES : PAGE_BYTES;
	uint64_t at = run->start;

	while (at < run->end) {
		uint64_t end = (at / step + 1) * step;
		int result = batch->nr == NR_LOOKS ? look(work, batch, err) : 0;

		if (result != 0)
			return result;
		batch->starts[batch->nr] = at;
		batch->ends[batch->nr++] = end < run->end ? end : run->end;
		at = end;
	}
	return 0;
}

/* 1 some page may be pinned, 0 none was ever, or negative. */
static int ever_pinned(struct summary_work *work, struct tide_error *err)
{
	uint64_t flag = pinned_flag(work->walker);
	uint64_t flags = 0;
	int result = flag != 0 ? walker_mm_flags(work->walker, &flags, err) : 0;

	return result < 0 ? result : flag == 0 || (flags & flag) != 0;
}

int summary_take_pins(struct summary_work *work, struct tide_pages *pages, struct tide_error *err)
{
	struct tide_pages_query query = {
		.size = sizeof(query),
		.start = work->range.start,
		.end = work->range.end,
		.all_of = TIDE_PAGE_PRESENT,
		.returned = tide_pages_categories(pages) & TIDE_PAGE_HUGE,
	};
	scope_free struct batch *batch = calloc(1, sizeof(*batch));
	int result = ever_pinned(work, err);

	if (result <= 0)
		return result;
	if (batch == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (; query.start < query.end; query.start = query.next) {
		long nr = tide_pages_get(pages, &query, batch->runs, SUMMARY_NR_RUNS, err);

		result = nr < 0 ? (int)nr : 0;
		for (long i = 0; i < nr && result == 0; i++)
			result = look_at_run(work, batch, &batch->runs[i], err);
		if (result == 0)
			result = look(work, batch, err);
		if (result == 0)
			result = summary_pause(work, query.next);
		if (result != 0)
			return result;
	}
	return 0;
}
