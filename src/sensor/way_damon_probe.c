/* SPDX-License-Identifier: MIT */
/* This file tells whether the way "damon" works here, by a positive control on pages of our own. */
#include "sensor/way_damon.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/damon.h"
#include "kernel/fault.h"
#include "kernel/sys.h"
#include "sensor/walk.h"

#define PAGE_BYTES    4096u
#define NR_PAGES      512u
#define CONTROL_BYTES ((size_t)NR_PAGES * PAGE_BYTES)
#define MAX_ENTRIES   4096
/* Fresh pages wait in per-CPU batches of 31 for their LRU list, and cannot be cleared. */
#define MAX_LEFT (NR_PAGES / 8)
/* Others may clear the bits first. */
#define TRIES 3

struct control {
	struct walk_state walk;
	struct way_damon *way;
	volatile char *pages;
};

static int count(void *arg, const struct tide_block *block)
{
	*(uint32_t *)arg += block->nr_young;
	return 0;
}

static int nr_young(struct control *control, uint32_t *out, struct tide_error *why)
{
	uint64_t end = (uint64_t)(uintptr_t)control->pages + CONTROL_BYTES;
	uint64_t at = (uint64_t)(uintptr_t)control->pages;
	int result = 0;

	*out = 0;
	while (result == 0 && at < end)
		result = sensor_walk.scan(&control->walk, at, end, MAX_ENTRIES, count, out, &at, why);
	return result;
}

/* 1 the control held, 0 not; `young` says what was seen after use, again, and after clearing. */
static int try_once(struct control *control, uint32_t young[3], struct tide_error *why)
{
	struct tide_range range = { (uint64_t)(uintptr_t)control->pages,
		                    (uint64_t)(uintptr_t)control->pages + CONTROL_BYTES };
	int result;

	for (unsigned i = 0; i < NR_PAGES; i++)
		control->pages[(size_t)i * PAGE_BYTES]++;
	result = nr_young(control, &young[0], why);
	if (result == 0)
		result = nr_young(control, &young[1], why);
	if (result == 0)
		result = way_damon_clear(control->way, &range, 1, why);
	if (result == 0)
		result = nr_young(control, &young[2], why);
	return result < 0 ? result : young[0] == NR_PAGES && young[1] == NR_PAGES && young[2] <= MAX_LEFT;
}

static int run(struct control *control, struct tide_error *why)
{
	uint32_t young[3] = { 0 };
	int result = 0;

	/* Each try takes fresh pages: an access through an entry that is still in the TLB would set no bit. */
	for (int i = 0; result == 0 && i < TRIES; i++) {
		void *pages = NULL;

		result = sys_mmap(&pages, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (result < 0)
			return error_system(why, result, "mapping pages for the control");
		(void)sys_madvise(pages, CONTROL_BYTES, MADV_NOHUGEPAGE);
		control->pages = pages;
		result = try_once(control, young, why);
		sys_munmap(pages, CONTROL_BYTES);
	}
	if (result != 0)
		return result;
	return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "positive control failed: of %u pages that were used DAMON left %u young (%u, %u before)",
	                 NR_PAGES, young[2], young[0], young[1]);
}

/* With `held`, that the control holds is known: DAMON need only be to be had. */
static int run_on_self(bool held, struct tide_error *why)
{
	struct control control = { 0 };
	struct tide_target *self;
	int result = tide_target_open(&self, getpid(), why);

	if (result < 0)
		return result;
	control.walk.target = self;
	result = sensor_walk.init(&control.walk, self, why);
	if (result == 0) {
		result = way_damon_open(&control.way, self, why);
		if (result == 0)
			result = held ? 1 : run(&control, why);
		way_damon_close(control.way);
		sensor_walk.cleanup(&control.walk);
	}
	tide_target_close(self);
	return result;
}

/* What can be known without touching DAMON. */
static int look_first(struct tide_error *why)
{
	int can_watch;

	if (fault_forced("no-damon"))
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP, "switched off by TIDEMARK_FAULT=no-damon");
	can_watch = damon_watches_processes();
	/* Nothing is written to it on a guess. */
	if (can_watch < 0)
		return error_system(why, can_watch, "cannot find out whether this kernel's DAMON watches processes");
	if (can_watch == 0)
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "this kernel's DAMON, if it has one, cannot watch processes (CONFIG_DAMON_VADDR)");
	return 0;
}

static int ask(bool held, struct tide_error *why)
{
	int result = look_first(why);

	return result == 0 ? run_on_self(held, why) : result;
}

int way_damon_probe(struct tide_error *why)
{
	/* This process runs on one kernel: what that can and cannot do stays so. */
	static struct {
		bool held;
		struct tide_error failed; /* code 0: it has not */
	} known;
	struct tide_error error = { 0 };
	int result = known.failed.code != 0 ? 0 : ask(known.held, &error);

	if (result > 0)
		known.held = true;
	else if (error.cause == TIDE_CAUSE_UNSUPPORTED)
		known.failed = error;
	if (why != NULL)
		*why = known.failed.code != 0 ? known.failed : error;
	/* A plain no, with its reason; everything else could not be asked. */
	if (error.cause == TIDE_CAUSE_UNSUPPORTED || error.cause == TIDE_CAUSE_DENIED || error.cause == TIDE_CAUSE_BUSY)
		return 0;
	return result;
}
