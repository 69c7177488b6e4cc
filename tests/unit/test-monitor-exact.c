/* SPDX-License-Identifier: MIT */
/* This file tests exact mode on a memory of a few tables, of which every bit is said. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/monitor.h>

#include "base/error.h"
#include "monitor/idle.h"

#define NR_TABLES 4u
#define NR_PAGES  (NR_TABLES * 512u)
#define BASE      UINT64_C(0x40000000)
#define PAGE      UINT64_C(4096)
#define SECOND    UINT64_C(1000000000)

/* The memory, and what the sensor was asked for. Owned by the test; the sensor's state points to it. */
struct memory {
	bool present[NR_PAGES];
	bool young[NR_PAGES];
	bool stuck[NR_PAGES];   /* cannot be forgotten */
	bool cleared[NR_PAGES]; /* by somebody else, who leaves a mark */
	bool is_file;
	enum tide_reason reason; /* no way forgets anything here */
	uint32_t shift;          /* of the entries: 12 or 21 */
	bool whole;
	bool coarse;
	unsigned nr_scans;
	unsigned fail_scan; /* this one fails */
	unsigned nr_looks;
	unsigned nr_forgotten; /* pages */
	unsigned nr_forgot_all;
	struct tide_pass plan; /* the last that was asked for */
};

static struct memory memory;

static uint64_t addr_of(unsigned page)
{
	return BASE + ((uint64_t)page << memory.shift);
}

static int mem_init(void *state, struct tide_target *target, struct tide_error *err)
{
	return 0;
}

static int mem_update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	static struct tide_range range;

	range = (struct tide_range){ BASE, addr_of(NR_PAGES) };
	*out = &range;
	*nr = 1;
	return 0;
}

static int mem_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	fail_msg("exact mode samples nothing");
	return 0;
}

static int scan_coarse(tide_block_fn *fn, void *arg)
{
	struct tide_block block = { .start = BASE, .nr_entries = NR_PAGES, .entry_shift = 12 };

	for (unsigned i = 0; i < NR_PAGES; i++) {
		block.nr_present += memory.present[i];
		block.nr_young += memory.young[i];
	}
	return fn(arg, &block);
}

static int mem_scan(void *state, uint64_t start, uint64_t end, uint64_t max_entries, tide_block_fn *fn, void *arg,
                    uint64_t *next, struct tide_error *err)
{
	*next = end;
	if (++memory.nr_scans == memory.fail_scan)
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "the sensor failed");
	if (memory.coarse)
		return scan_coarse(fn, arg);
	for (unsigned t = 0; t < NR_TABLES; t++) {
		uint64_t present[8] = { 0 };
		uint64_t young[8] = { 0 };
		struct tide_block block = { .start = addr_of(t * 512),
			                    .nr_entries = 512,
			                    .entry_shift = memory.shift,
			                    .present = present,
			                    .young = young,
			                    .reason = (uint8_t)memory.reason,
			                    .is_file = memory.is_file };

		for (unsigned i = 0; i < 512; i++) {
			bool is_there = memory.present[t * 512 + i];

			present[i / 64] |= (uint64_t)is_there << i % 64;
			young[i / 64] |= (uint64_t)(is_there && memory.young[t * 512 + i]) << i % 64;
			block.nr_present += is_there;
			block.nr_young += is_there && memory.young[t * 512 + i];
		}
		if (block.nr_present > 0 && fn(arg, &block) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int mem_plan(void *state, struct tide_pass *pass, struct tide_error *err)
{
	pass->way = memory.whole ? TIDE_WAY_REFS : TIDE_WAY_COLD;
	pass->whole = memory.whole;
	memory.plan = *pass;
	return 0;
}

static int mem_second_look(void *state, struct tide_check *checks, size_t nr, struct tide_error *err)
{
	for (size_t i = 0; i < nr; i++) {
		unsigned page = (unsigned)((checks[i].addr - BASE) >> memory.shift);

		assert_true(i == 0 || checks[i - 1].addr < checks[i].addr);
		checks[i].answer = memory.cleared[page] ? TIDE_ANSWER_ACCESSED : TIDE_ANSWER_IDLE;
		memory.nr_looks++;
	}
	return 0;
}

static int mem_forget(void *state, const struct tide_young_run *runs, size_t nr, tide_stuck_fn *stuck, void *arg,
                      struct tide_error *err)
{
	assert_false(memory.whole);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(runs[i].entry_shift, memory.shift);
		for (uint64_t addr = runs[i].start; addr < runs[i].end; addr += UINT64_C(1) << memory.shift) {
			unsigned page = (unsigned)((addr - BASE) >> memory.shift);

			assert_true(memory.young[page] || memory.cleared[page]);
			assert_true(i == 0 || runs[i].start >= runs[i - 1].end);
			memory.nr_forgotten++;
			if (memory.stuck[page])
				stuck(arg, addr, addr + (UINT64_C(1) << memory.shift), TIDE_REASON_SHARED);
			else
				memory.young[page] = memory.cleared[page] = false;
		}
	}
	return 0;
}

static int mem_forget_all(void *state, tide_stuck_fn *stuck, void *arg, struct tide_error *err)
{
	for (unsigned page = 0; page < sizeof(memory.young) / sizeof(memory.young[0]); page++) {
		uint64_t addr = BASE + ((uint64_t)page << memory.shift);

		if (memory.young[page] && memory.stuck[page])
			stuck(arg, addr, addr + (UINT64_C(1) << memory.shift), TIDE_REASON_OFF_LRU);
		else
			memory.young[page] = false;
	}
	memory.nr_forgot_all++;
	return 0;
}

static const struct tide_sensor_ops sensor = {
	.name = "bits",
	.state_size = 1,
	.init = mem_init,
	.update = mem_update,
	.prepare_access_checks = mem_prepare,
	.check_accesses = mem_prepare,
	.scan = mem_scan,
	.plan = mem_plan,
	.second_look = mem_second_look,
	.forget = mem_forget,
	.forget_all = mem_forget_all,
};

struct run {
	struct tide_monitor *monitor;
	uint64_t now_ns;
	const struct tide_sample *sample; /* of the last pass; NULL: it gave none */
};

static void open_run(struct run *run, uint32_t max_nr_regions)
{
	const struct tide_monitor_opts opts = {
		.size = sizeof(opts), .flags = TIDE_MONITOR_EXACT, .min_nr_regions = 3, .max_nr_regions = max_nr_regions
	};

	*run = (struct run){ .now_ns = SECOND };
	assert_int_equal(tide_monitor_open(&run->monitor, &opts, NULL), 0);
	assert_int_equal(tide_monitor_add_target(run->monitor, &sensor, calloc(1, 1), NULL, 0, NULL), 0);
}

/* A pass, one second after the last. */
static int pass(struct run *run)
{
	struct tide_error err = { 0 };
	uint64_t next_ns;
	int result = tide_monitor_step(run->monitor, run->now_ns, &next_ns, &run->sample, &err);

	assert_int_equal(next_ns, run->now_ns + SECOND);
	run->now_ns = next_ns;
	return result;
}

static void populate(unsigned from, unsigned to, bool young)
{
	for (unsigned i = from; i < to; i++) {
		memory.present[i] = true;
		memory.young[i] = young;
	}
}

static void touch(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		memory.young[i] = true;
}

static void begin(struct run *run)
{
	memset(&memory, 0, sizeof(memory));
	memory.shift = 12;
	populate(0, NR_PAGES, true);
	open_run(run, 1000);
	assert_int_equal(pass(run), 0);
	assert_null(run->sample);
}

static uint64_t bytes_at(const struct tide_idle *idle, uint64_t idle_s)
{
	for (size_t i = 0; i < idle->nr_ages; i++)
		if (idle->ages[i].idle_us == idle_s * 1000000)
			return idle->ages[i].bytes;
	return 0;
}

static void check_sums(const struct tide_idle *idle)
{
	uint64_t bytes = idle->unobservable_bytes;

	for (size_t i = 0; i < idle->nr_ages; i++) {
		assert_true(i == 0 || idle->ages[i].idle_us > idle->ages[i - 1].idle_us);
		bytes += idle->ages[i].bytes;
	}
	assert_int_equal(bytes, idle->present_bytes);
	assert_int_equal(idle->ages[0].bytes, idle->accessed_bytes);
}

static void every_accessed_page_counts_and_no_other(void **unused)
{
	struct run run;

	begin(&run);
	touch(100, 200);
	touch(1500, 1501);
	assert_int_equal(pass(&run), 1);
	check_sums(run.sample->idle);
	assert_int_equal(run.sample->idle->accessed_bytes, 101 * PAGE);
	assert_int_equal(run.sample->idle->present_bytes, NR_PAGES * PAGE);
	assert_int_equal(run.sample->idle->unobservable_bytes, 0);
	assert_int_equal(run.sample->nr_checks, 100);
	assert_int_equal(run.sample->nr_regions, 5);
	assert_int_equal(run.sample->regions[1].start, addr_of(100));
	assert_int_equal(run.sample->regions[1].end, addr_of(200));
	assert_int_equal(run.sample->regions[1].nr_accesses, 100);
	assert_int_equal(run.sample->regions[0].nr_accesses, 0);
	tide_monitor_close(run.monitor);
}

static void idle_pages_grow_old_until_they_are_accessed(void **unused)
{
	struct run run;

	begin(&run);
	for (unsigned i = 1; i <= 40; i++) {
		touch(0, 10);
		if (i == 20)
			touch(10, 20);
		assert_int_equal(pass(&run), 1);
		check_sums(run.sample->idle);
		assert_int_equal(run.sample->idle->accessed_bytes, (i == 20 ? 20 : 10) * PAGE);
		/* Never accessed: idle for as long as anybody looked. */
		assert_int_equal(run.sample->idle->ages[run.sample->idle->nr_ages - 1].idle_us / 1000000,
		                 i <= 32 ? i : idle_passes(32 + (i - 32) / 2));
		if (i > 20)
			assert_int_equal(bytes_at(run.sample->idle, i - 20), 10 * PAGE);
	}
	tide_monitor_close(run.monitor);
}

static void what_was_old_before_is_as_old_as_the_watch(void **unused)
{
	struct run run;

	memset(&memory, 0, sizeof(memory));
	memory.shift = 12;
	populate(0, 512, false);
	populate(512, NR_PAGES, true);
	open_run(&run, 1000);
	assert_int_equal(pass(&run), 0);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(pass(&run), 1);
		check_sums(run.sample->idle);
		assert_int_equal(run.sample->idle->nr_ages, 2);
		assert_int_equal(bytes_at(run.sample->idle, i), NR_PAGES * PAGE);
	}
	tide_monitor_close(run.monitor);
}

static void a_page_that_stays_young_is_not_observable(void **unused)
{
	struct run run;

	begin(&run);
	touch(0, 8);
	for (unsigned i = 0; i < 8; i++)
		memory.stuck[i] = true;
	assert_int_equal(pass(&run), 1); /* they were old: that they are young is a fact, but now they stay so */
	assert_int_equal(run.sample->idle->accessed_bytes, 8 * PAGE);
	assert_int_equal(pass(&run), 1);
	check_sums(run.sample->idle);
	assert_int_equal(run.sample->idle->unobservable_bytes, 8 * PAGE);
	assert_int_equal(run.sample->idle->accessed_bytes, 0);
	assert_int_equal(run.sample->reasons[TIDE_REASON_SHARED], 8);
	assert_int_equal(run.sample->regions[0].nr_unobservable, 100);
	/* Cleared by somebody: of that interval nothing is known, of the next one everything. */
	memset(memory.stuck, 0, sizeof(memory.stuck));
	memset(memory.young, 0, sizeof(memory.young));
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->unobservable_bytes, 8 * PAGE);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->unobservable_bytes, 0);
	assert_int_equal(bytes_at(run.sample->idle, 1), 8 * PAGE);
	tide_monitor_close(run.monitor);
}

static void what_forgetting_all_at_once_leaves_is_not_observable(void **unused)
{
	struct run run;

	begin(&run);
	memory.whole = true;
	memset(memory.stuck, true, 8);
	touch(0, 16);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->accessed_bytes, 16 * PAGE);
	assert_int_equal(pass(&run), 1);
	check_sums(run.sample->idle);
	assert_int_equal(run.sample->idle->unobservable_bytes, 8 * PAGE);
	assert_int_equal(run.sample->idle->accessed_bytes, 0);
	assert_int_equal(run.sample->reasons[TIDE_REASON_OFF_LRU], 8);
	assert_int_equal(bytes_at(run.sample->idle, 1), 8 * PAGE);
	tide_monitor_close(run.monitor);
}

static void a_bit_that_others_cleared_gets_a_second_look(void **unused)
{
	struct run run;

	begin(&run);
	touch(0, 16);
	assert_int_equal(pass(&run), 1);
	memory.nr_looks = 0;
	for (unsigned i = 0; i < 4; i++)
		memory.cleared[i] = true;
	assert_int_equal(pass(&run), 1);
	assert_int_equal(memory.nr_looks, 16); /* what was accessed before, and nothing else */
	assert_int_equal(run.sample->idle->accessed_bytes, 4 * PAGE);
	assert_int_equal(bytes_at(run.sample->idle, 1), 12 * PAGE);
	/* The mark that the other left is forgotten with the access, and tells of it once only. */
	touch(1000, 1010);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->accessed_bytes, 10 * PAGE);
	assert_int_equal(bytes_at(run.sample->idle, 1), 4 * PAGE);
	tide_monitor_close(run.monitor);
}

static void pages_that_appear_were_accessed_unless_they_are_a_files(void **unused)
{
	struct run run;

	for (int is_file = 0; is_file < 2; is_file++) {
		begin(&run);
		memory.is_file = is_file;
		memset(memory.present + 512, 0, 512);
		assert_int_equal(pass(&run), 1);
		assert_int_equal(run.sample->idle->present_bytes, (NR_PAGES - 512) * PAGE);
		populate(512, 520, true);
		assert_int_equal(pass(&run), 1);
		check_sums(run.sample->idle);
		assert_int_equal(run.sample->idle->accessed_bytes, is_file ? 0 : 8 * PAGE);
		assert_int_equal(run.sample->idle->unobservable_bytes, is_file ? 8 * PAGE : 0);
		assert_int_equal(run.sample->reasons[TIDE_REASON_PREFAULT], is_file ? 8 : 0);
		assert_int_equal(pass(&run), 1);
		assert_int_equal(run.sample->idle->unobservable_bytes, 0);
		/* One that came and is old already: somebody cleared it, it was accessed all the same. */
		populate(520, 523, false);
		assert_int_equal(pass(&run), 1);
		assert_int_equal(run.sample->idle->accessed_bytes, 3 * PAGE);
		tide_monitor_close(run.monitor);
	}
}

static void A8_what_no_way_clears_is_never_claimed(void **unused)
{
	struct run run;

	begin(&run);
	memory.reason = TIDE_REASON_HUGETLB;
	memory.nr_forgotten = 0;
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->unobservable_bytes, NR_PAGES * PAGE);
	assert_int_equal(run.sample->idle->accessed_bytes, 0);
	assert_int_equal(memory.nr_forgotten, 0);
	/* A guest's accesses are not in these tables, the process' own are. */
	memory.reason = TIDE_REASON_GUEST;
	touch(0, 4);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->accessed_bytes, 4 * PAGE);
	assert_int_equal(run.sample->idle->unobservable_bytes, (NR_PAGES - 4) * PAGE);
	tide_monitor_close(run.monitor);
}

static void A4_huge_pages_count_whole(void **unused)
{
	struct run run;

	memset(&memory, 0, sizeof(memory));
	memory.shift = 21;
	populate(0, NR_PAGES, true);
	open_run(&run, 1000);
	assert_int_equal(pass(&run), 0);
	touch(3, 5);
	assert_int_equal(pass(&run), 1);
	check_sums(run.sample->idle);
	assert_int_equal(run.sample->idle->accessed_bytes, 2 << 21);
	assert_int_equal(run.sample->regions[1].start, addr_of(3));
	assert_int_equal(run.sample->regions[1].end, addr_of(5));
	tide_monitor_close(run.monitor);
}

static void a_pass_over_cold_memory_forgets_nothing(void **unused)
{
	struct run run;

	begin(&run);
	assert_int_equal(pass(&run), 1);
	memory.nr_forgotten = memory.nr_looks = 0;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(pass(&run), 1);
	assert_int_equal(memory.nr_forgotten, 0);
	assert_int_equal(memory.nr_looks, 0);
	assert_int_equal(memory.plan.nr_young, 0);
	assert_int_equal(memory.plan.nr_present, NR_PAGES);
	tide_monitor_close(run.monitor);
}

static void a_whole_way_forgets_once_a_pass(void **unused)
{
	struct run run;

	begin(&run);
	memory.whole = true;
	memory.nr_forgotten = 0;
	touch(0, 100);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(memory.nr_forgot_all, 1);
	assert_int_equal(memory.nr_forgotten, 0);
	assert_int_equal(run.sample->idle->accessed_bytes, 100 * PAGE);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->accessed_bytes, 0);
	tide_monitor_close(run.monitor);
}

static void of_a_mapping_known_as_a_whole_the_sums_are_exact(void **unused)
{
	struct run run;

	begin(&run);
	memory.coarse = memory.whole = true;
	touch(0, 300);
	assert_int_equal(pass(&run), 1);
	check_sums(run.sample->idle);
	assert_int_equal(run.sample->idle->accessed_bytes, 300 * PAGE);
	assert_int_equal(bytes_at(run.sample->idle, 1), (NR_PAGES - 300) * PAGE);
	assert_int_equal(run.sample->regions[0].nr_accesses, 300 * 100 / NR_PAGES);
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->accessed_bytes, 0);
	assert_int_equal(bytes_at(run.sample->idle, 3), NR_PAGES * PAGE);
	tide_monitor_close(run.monitor);
}

static void a_pass_that_failed_is_followed_by_a_first_one(void **unused)
{
	struct run run;

	begin(&run);
	touch(0, 10);
	assert_int_equal(pass(&run), 1);
	memory.fail_scan = memory.nr_scans + 1;
	assert_int_equal(pass(&run), -EIO);
	assert_null(run.sample);
	assert_int_equal(pass(&run), 0);
	assert_null(run.sample);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(run.sample->idle->ages[run.sample->idle->nr_ages - 1].idle_us, 1000000);
	tide_monitor_close(run.monitor);
}

static void regions_are_never_too_many(void **unused)
{
	struct run run;

	memset(&memory, 0, sizeof(memory));
	memory.shift = 12;
	populate(0, NR_PAGES, false);
	open_run(&run, 5);
	assert_int_equal(pass(&run), 0);
	for (unsigned i = 0; i < NR_PAGES; i += 200)
		touch(i, i + 10 + i / 16);
	assert_int_equal(pass(&run), 1);
	assert_in_range(run.sample->nr_regions, 1, 5);
	assert_int_equal(run.sample->regions[0].start, BASE);
	assert_int_equal(run.sample->regions[run.sample->nr_regions - 1].end, addr_of(NR_PAGES));
	assert_true(run.sample->idle->accessed_bytes > 100 * PAGE);
	tide_monitor_close(run.monitor);
}

static int add_up(void *arg, const struct tide_idle_run *run)
{
	struct tide_idle_run *sums = arg;

	assert_int_equal(run->page_bytes, PAGE);
	if (run->unobservable)
		return -1;
	if (run->idle_us == 0)
		sums->start += run->end - run->start;
	else
		sums->end += run->end - run->start;
	return 0;
}

static void every_page_is_listed_once(void **unused)
{
	struct tide_idle_run sums = { 0 };
	struct run run;

	begin(&run);
	touch(7, 9);
	touch(1000, 1100);
	assert_int_equal(pass(&run), 1);
	assert_int_equal(tide_monitor_idle(run.monitor, 0, add_up, &sums), 0);
	assert_int_equal(sums.start, 102 * PAGE);
	assert_int_equal(sums.end, (NR_PAGES - 102) * PAGE);
	tide_monitor_close(run.monitor);
}

/* Whatever pass a page's idleness begins with: its age is never more than it was idle, and not much less. */
static void an_age_is_never_too_high(void **unused)
{
	for (uint64_t first = 1; first < 1000; first += 37) {
		unsigned code = 0;

		for (uint64_t pass = first; pass < first + 20000; pass++) {
			uint64_t idle = pass - first + 1;

			code += code < idle_limit(pass);
			if (idle_passes(code) > idle)
				fail_msg("age %u after %llu passes", idle_passes(code), (unsigned long long)idle);
			if (code < IDLE_NR_CODES - 1 && idle_passes(code) + idle / 10 + 3 < idle)
				fail_msg("age %u only after %llu passes", idle_passes(code), (unsigned long long)idle);
		}
		assert_int_equal(code, IDLE_NR_CODES - 1);
	}
}

static void a_sensor_that_cannot_is_refused(void **unused)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts), .flags = TIDE_MONITOR_EXACT };
	struct tide_sensor_ops poor = sensor;
	struct tide_monitor *monitor;
	struct tide_error err = { 0 };

	memset(&memory, 0, sizeof(memory));
	memory.shift = 12;
	poor.plan = NULL;
	assert_int_equal(tide_monitor_open(&monitor, &opts, NULL), 0);
	assert_int_equal(tide_monitor_add_target(monitor, &poor, calloc(1, 1), NULL, 0, &err), -EOPNOTSUPP);
	assert_int_equal(err.cause, TIDE_CAUSE_UNSUPPORTED);
	assert_non_null(strstr(err.text, "bits"));
	tide_monitor_close(monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_accessed_page_counts_and_no_other),
		cmocka_unit_test(idle_pages_grow_old_until_they_are_accessed),
		cmocka_unit_test(what_was_old_before_is_as_old_as_the_watch),
		cmocka_unit_test(a_page_that_stays_young_is_not_observable),
		cmocka_unit_test(what_forgetting_all_at_once_leaves_is_not_observable),
		cmocka_unit_test(a_bit_that_others_cleared_gets_a_second_look),
		cmocka_unit_test(pages_that_appear_were_accessed_unless_they_are_a_files),
		cmocka_unit_test(A8_what_no_way_clears_is_never_claimed),
		cmocka_unit_test(A4_huge_pages_count_whole),
		cmocka_unit_test(a_pass_over_cold_memory_forgets_nothing),
		cmocka_unit_test(a_whole_way_forgets_once_a_pass),
		cmocka_unit_test(of_a_mapping_known_as_a_whole_the_sums_are_exact),
		cmocka_unit_test(a_pass_that_failed_is_followed_by_a_first_one),
		cmocka_unit_test(regions_are_never_too_many),
		cmocka_unit_test(every_page_is_listed_once),
		cmocka_unit_test(an_age_is_never_too_high),
		cmocka_unit_test(a_sensor_that_cannot_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
