/* SPDX-License-Identifier: MIT */
/* This file asks the walker program about one target, in bounded pieces. */
#include "pages/walker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "pages/bases.h"
#include "pages/program.h"
#include "target/target.h"

/* The target's mmap must not wait longer than 1 ms for us: half of that, as the clock is looked at between steps only.
 */
#define BUDGET_NS 500000u

struct walker {
	struct tide_target *target;
	struct walker_program program;
	struct walker_cost cost;
	bool is_astray; /* attached to another process's thread */
};

static int attach_live_thread(struct walker *walker, struct tide_error *err)
{
	pid_t tid = 0;
	int result = target_live_thread(walker->target, &tid, err);

	if (result == 0)
		result = program_attach(&walker->program, tid, err);
	if (result == 0)
		walker->is_astray = false;
	return result;
}

/* The sentence for a target that is not there any more, as the target itself tells it. */
static int gone(struct walker *walker, struct tide_error *err)
{
	int valid = tide_target_valid(walker->target, err);

	if (valid == 0 && err != NULL)
		return err->code;
	return error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d (%s) is gone, or executed another program",
	                 tide_target_pid(walker->target), tide_target_name(walker->target));
}

/* One run; when the thread we iterate over has lost its mm, once more with another thread. */
static int run(struct walker *walker, struct tide_error *err)
{
	struct walker_query *query = walker->program.query;
	int result = walker->is_astray ? attach_live_thread(walker, err) : 0;

	for (int i = 0; result == 0 && i < 2; i++) {
		result = program_run(&walker->program, err);

		if (result < 0)
			return result;
		walker->cost.nr_runs++;
		if (query->longest_ns > walker->cost.longest_ns)
			walker->cost.longest_ns = query->longest_ns;
		if (query->status == WALKER_OTHER)
			return gone(walker, err);
		/* Every VMA was visited and the program saw no end of its work among them: there is no more. */
		if (query->status == WALKER_NOTHING && query->found_mm != 0)
			query->status = WALKER_DONE;
		if (query->status != WALKER_NOTHING)
			return 0;
		if (attach_live_thread(walker, err) < 0)
			return gone(walker, err);
	}
	return result < 0 ? result : gone(walker, err);
}

/* The first run learns who the target is; from then on the program refuses everybody else. */
static int learn_identity(struct walker *walker, struct tide_error *err)
{
	struct walker_query *query = walker->program.query;
	int result;

	query->mode = WALKER_SAMPLE;
	query->cursor = 0;
	query->nr = 0;
	query->start_boottime_ns = 0;
	query->mm = 0;
	result = run(walker, err);
	if (result < 0)
		return result;
	/* /proc counts in ticks of 10 ms. */
	if (query->found_boottime_ns / 10000000u != target_start_ticks(walker->target))
		return gone(walker, err);
	query->start_boottime_ns = query->found_boottime_ns;
	query->mm = query->found_mm;
	/* Only now is it sure that what was learnt is the target's, not its successor's. */
	result = tide_target_valid(walker->target, err);
	return result == 0 ? gone(walker, err) : result < 0 ? result : 0;
}

int walker_open(struct walker **out, struct tide_target *target, struct tide_error *err)
{
	struct walker *walker = calloc(1, sizeof(*walker));
	int result;

	if (walker == NULL)
		return error_system(err, -ENOMEM, "opening the page-table walker");
	walker->target = target;
	result = program_load(&walker->program, err);
	if (result == 0)
		result = bases_find(&walker->program, err);
	if (result == 0)
		result = attach_live_thread(walker, err);
	if (result == 0) {
		walker->program.query->budget_ns = BUDGET_NS;
		walker->program.query->longest_ns = 0;
		result = learn_identity(walker, err);
	}
	if (result < 0) {
		walker_close(walker);
		return result;
	}
	*out = walker;
	return 0;
}

void walker_close(struct walker *walker)
{
	if (walker == NULL)
		return;
	program_unload(&walker->program);
	free(walker);
}

struct walker_sample *walker_samples(struct walker *walker)
{
	return walker->program.samples;
}

void walker_ask(struct walker_sample *sample, uint64_t addr, bool wants_folio)
{
	sample->addr = addr;
	sample->wants_folio = wants_folio;
	sample->wants_counts = false;
}

void walker_ask_counts(struct walker_sample *sample, uint64_t addr)
{
	sample->addr = addr;
	sample->wants_folio = true;
	sample->wants_counts = true;
}

/* What no VMA reached is not mapped. */
static void mark_unmapped(struct walker_program *program)
{
	for (uint32_t i = program->query->cursor; i < program->query->nr; i++) {
		program->samples[i].state = WALKER_UNMAPPED;
		program->samples[i].entry = 0;
		program->samples[i].has_folio = 0;
	}
}

int walker_sample(struct walker *walker, uint32_t nr, struct tide_error *err)
{
	struct walker_query *query = walker->program.query;

	query->mode = WALKER_SAMPLE;
	query->cursor = 0;
	query->nr = nr;
	do {
		int result = run(walker, err);

		if (result < 0)
			return result;
	} while (query->status == WALKER_MORE);
	mark_unmapped(&walker->program);
	walker->cost.nr_samples += nr;
	return 0;
}

static int hand_out(struct walker *walker, walker_table_fn *fn, void *arg)
{
	for (uint32_t i = 0; i < walker->program.query->nr_tables; i++) {
		int result = fn(arg, &walker->program.tables[i]);

		if (result != 0)
			return result;
	}
	return 0;
}

int walker_scan(struct walker *walker, uint64_t start, uint64_t end, uint64_t max_entries, walker_table_fn *fn,
                void *arg, uint64_t *next, struct tide_error *err)
{
	struct walker_query *query = walker->program.query;
	uint64_t nr_entries = 0;

	*next = start;
	query->scan_start = start;
	while (*next < end && nr_entries < max_entries) {
		int result;

		query->mode = WALKER_BULK;
		query->range_start = *next;
		query->range_end = end;
		query->next = *next;
		query->nr_tables = 0;
		result = run(walker, err);
		if (result < 0)
			return result;
		nr_entries += (uint64_t)query->nr_tables * WALKER_ENTRIES;
		walker->cost.nr_entries += (uint64_t)query->nr_tables * WALKER_ENTRIES;
		*next = query->status == WALKER_MORE ? query->next : end;
		result = hand_out(walker, fn, arg);
		if (result != 0)
			return result;
	}
	return 0;
}

int walker_mm_flags(struct walker *walker, uint64_t *flags, struct tide_error *err)
{
	int result;

	walker->program.query->mode = WALKER_FLAGS;
	result = run(walker, err);
	if (result == 0)
		*flags = walker->program.query->mm_flags;
	return result;
}

int walker_mm_flags_of(struct walker *walker, pid_t pid, uint64_t *flags, struct tide_error *err)
{
	struct walker_query *query = walker->program.query;
	uint64_t start_boottime_ns = query->start_boottime_ns;
	uint64_t mm = query->mm;
	int result = program_attach(&walker->program, pid, err);

	if (result < 0)
		return result;
	walker->is_astray = true;
	query->mode = WALKER_FLAGS;
	query->start_boottime_ns = 0;
	query->mm = 0;
	result = program_run(&walker->program, err);
	query->start_boottime_ns = start_boottime_ns;
	query->mm = mm;
	if (result == 0 && query->status != WALKER_DONE)
		result = error_set(err, TIDE_CAUSE_GONE, -ESRCH, "process %d has no memory", pid);
	if (result == 0)
		*flags = query->mm_flags;
	return result;
}

bool walker_has_notifiers(const struct walker *walker)
{
	return walker->program.query->has_notifiers != 0;
}

const struct walker_facts *walker_facts(const struct walker *walker)
{
	return &walker->program.query->facts;
}

struct tide_target *walker_target(struct walker *walker)
{
	return walker->target;
}

const struct walker_cost *walker_cost(const struct walker *walker)
{
	return &walker->cost;
}
