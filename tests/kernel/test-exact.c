/* SPDX-License-Identifier: MIT */
/*
 * This file tests exact mode page by page: what this process, and children of it, really used in an interval against
 * what the monitor says of each page.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/monitor.h>

#include "base/rng.h"
#include "child.h"
#include "damon-steps.h"
#include "need.h"
#include "pages/walker.h"
#include "sensor/clear_refs.h"
#include "sensor/walk.h"
#include "sensor/way_damon.h"

#define PAGE   4096ul
#define MIB    (1024ul * 1024)
#define HUGE   (2 * MIB)
#define AREA   (64 * MIB)
#define NR     (AREA / PAGE)
#define SECOND UINT64_C(1000000000)

enum said {
	SAID_NOTHING = 0, /* not present */
	SAID_IDLE,
	SAID_ACCESSED,
	SAID_UNSEEN,
};

struct fixture {
	struct tide_target *target;
	struct tide_monitor *monitor;
	struct walk_state *sensor;
	char *memory; /* AREA bytes of the target's: all that is watched */
	uint64_t now_ns;
	const struct tide_sample *sample;
	struct tide_error err;
	uint8_t said[NR]; /* of each page, by the last pass */
	bool used[NR];    /* the truth */
};

static char *map(size_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* `max_stall_us` 0: as long as it takes. A slow machine is not to change the way: intervals are virtual, and long. */
static void watch(struct fixture *fix, pid_t pid, char *memory, enum tide_way way, uint64_t max_stall_us)
{
	const struct tide_monitor_opts opts = { .size = sizeof(opts),
		                                .flags = TIDE_MONITOR_EXACT,
		                                .way = way,
		                                .aggregation_us = 1000000000,
		                                .max_stall_us = max_stall_us != 0 ? max_stall_us : 10000000 };
	const struct tide_range range = { (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + AREA };
	const struct tide_sensor_ops *ops;

	memset(fix, 0, sizeof(*fix));
	fix->memory = memory;
	fix->now_ns = SECOND;
	if (tide_sensor_choose(&ops, "walk", &fix->err) < 0 || tide_target_open(&fix->target, pid, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	fix->sensor = calloc(1, ops->state_size);
	if (ops->init(fix->sensor, fix->target, &fix->err) < 0 ||
	    tide_monitor_open(&fix->monitor, &opts, &fix->err) < 0 ||
	    tide_monitor_add_target(fix->monitor, ops, fix->sensor, &range, 1, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

static void unwatch(struct fixture *fix)
{
	tide_monitor_close(fix->monitor);
	tide_target_close(fix->target);
	fix->monitor = NULL;
}

static int note(void *arg, const struct tide_idle_run *run)
{
	struct fixture *fix = arg;

	for (uint64_t addr = run->start; addr < run->end; addr += PAGE) {
		size_t page = (addr - (uint64_t)(uintptr_t)fix->memory) / PAGE;

		if (page < NR)
			fix->said[page] = run->unobservable   ? SAID_UNSEEN
			                  : run->idle_us == 0 ? SAID_ACCESSED
			                                      : SAID_IDLE;
	}
	return 0;
}

static int try_pass(struct fixture *fix)
{
	uint64_t next_ns;
	int result = tide_monitor_step(fix->monitor, fix->now_ns, &next_ns, &fix->sample, &fix->err);

	fix->now_ns = next_ns;
	memset(fix->said, SAID_NOTHING, sizeof(fix->said));
	if (result > 0)
		assert_int_equal(tide_monitor_idle(fix->monitor, 0, note, fix), 0);
	return result;
}

static void pass(struct fixture *fix, int expected)
{
	if (try_pass(fix) != expected)
		fail_msg("%s", fix->err.text);
}

static uint32_t ways(const struct fixture *fix)
{
	struct tide_sensor_cost cost;

	tide_monitor_cost(fix->monitor, &cost);
	return cost.ways;
}

static void touch(struct fixture *fix, size_t page)
{
	*(volatile char *)(fix->memory + page * PAGE) += 1;
	fix->used[page] = true;
}

/*
 * Where a clear leaves the TLB alone, a page used right after a pass is missed if its entry is still there. What is
 * used here comes after the entries have gone, as they do in the course of an interval.
 */
static void turn_over_tlb(const struct fixture *fix)
{
	uint32_t unflushed = 1u << TIDE_WAY_DAMON | (clear_refs_can_flush() ? 0 : 1u << TIDE_WAY_REFS);

	if (fix->monitor != NULL && (ways(fix) & unflushed) != 0)
		damon_steps_flush_tlb();
}

/* About every `one_in`th page, others each time. */
static void touch_some(struct fixture *fix, struct rng *rng, uint32_t one_in)
{
	turn_over_tlb(fix);
	memset(fix->used, 0, sizeof(fix->used));
	for (size_t i = 0; i < NR; i++)
		if (rng_below(rng, one_in) == 0)
			touch(fix, i);
}

/* Precision and recall of what was said against what was used; unobservable used pages count as missed. */
static void score(const struct fixture *fix, double *precision, double *recall, size_t *nr_unseen)
{
	size_t right = 0;
	size_t said = 0;
	size_t used = 0;

	*nr_unseen = 0;
	for (size_t i = 0; i < NR; i++) {
		right += fix->used[i] && fix->said[i] == SAID_ACCESSED;
		said += fix->said[i] == SAID_ACCESSED;
		used += fix->used[i];
		*nr_unseen += fix->said[i] == SAID_UNSEEN;
	}
	*precision = said > 0 ? (double)right / (double)said : 1;
	*recall = used > 0 ? (double)right / (double)used : 1;
}

static void expect_exact(const struct fixture *fix, size_t max_unseen)
{
	double precision;
	double recall;
	size_t nr_unseen;

	score(fix, &precision, &recall, &nr_unseen);
	if (precision < 0.999 || recall < 0.999 || nr_unseen > max_unseen)
		fail_msg("precision %.4f, recall %.4f, %zu unobservable pages", precision, recall, nr_unseen);
}

/* Fresh pages wait in per-CPU batches before they are on an LRU list: MADV_COLD takes what is there. */
static char *populate(int flags, int fd)
{
	char *memory = map(AREA, flags, fd);

	/* Huge pages have a test of their own. */
	madvise(memory, AREA, MADV_NOHUGEPAGE);
	memset(memory, 1, AREA);
	madvise(memory, PAGE, MADV_COLD);
	return memory;
}

/* DAMON is to be had; else skips, with the reason. */
static void need_damon(void)
{
	struct tide_error why = { 0 };

	if (getenv("TIDEMARK_LANE") != NULL && way_damon_probe(&why) == 1)
		return;
	fprintf(stderr, "way damon: %s\n",
	        why.code != 0 ? why.text : "DAMON is this machine's: tests/vm/lane runs this in a guest");
	skip();
}

static void exact_by(enum tide_way way)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = map(AREA, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct rng rng;

	rng_init(&rng, 1);
	madvise(memory, AREA, MADV_NOHUGEPAGE);
	memset(memory, 1, AREA);
	watch(fix, getpid(), memory, way, 0);
	pass(fix, 0);
	pass(fix, 1); /* what was on no LRU list in the first one is, by now */
	for (uint32_t round = 0; round < 6; round++) {
		touch_some(fix, &rng, round % 2 == 0 ? 10 : 100);
		pass(fix, 1);
		expect_exact(fix, 0);
		assert_int_equal(fix->sample->idle->present_bytes, AREA);
	}
	assert_true(ways(fix) & 1u << way);
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

static void A1_every_private_page_is_told_right_by_cold(void **unused)
{
	exact_by(TIDE_WAY_COLD);
}

static void A1_every_private_page_is_told_right_by_refs(void **unused)
{
	exact_by(TIDE_WAY_REFS);
}

static void A1_every_private_page_is_told_right_by_damon(void **unused)
{
	need_damon();
	exact_by(TIDE_WAY_DAMON);
	damon_steps_assert_free();
}

static void cold_memory_costs_no_clearing(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct tide_sensor_cost before;
	struct tide_sensor_cost after;

	watch(fix, getpid(), memory, TIDE_WAY_AUTO, 0);
	pass(fix, 0);
	pass(fix, 1);
	pass(fix, 1);
	tide_monitor_cost(fix->monitor, &before);
	for (int i = 0; i < 5; i++)
		pass(fix, 1);
	tide_monitor_cost(fix->monitor, &after);
	assert_int_equal(after.nr_cleared - before.nr_cleared, 0);
	assert_int_equal(after.nr_stalls, 0);
	assert_int_equal(after.nr_read - before.nr_read, 0);
	/* Its tables, and the tables above them; not more of what else is mapped. */
	assert_in_range(after.nr_scanned - before.nr_scanned, 5 * NR, 5 * (NR + 4 * 512));
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

/* Another process that maps the same pages, and does nothing. */
static int idle_child(int in, int out, void *arg)
{
	volatile char *memory = arg;
	unsigned sum = 0;

	for (size_t i = 0; i < NR; i++)
		sum += (unsigned char)memory[i * PAGE];
	child_say(out);
	child_serve(in, out);
	return (int)(sum & 1);
}

static void A8_shared_memory_is_unobservable_by_cold_and_seen_by_refs(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_SHARED | MAP_ANONYMOUS, -1);
	struct child child;
	struct rng rng;

	rng_init(&rng, 2);
	child_start(&child, idle_child, memory);
	watch(fix, getpid(), memory, TIDE_WAY_COLD, 0);
	pass(fix, 0);
	pass(fix, 1);
	assert_in_range(fix->sample->idle->unobservable_bytes, AREA - AREA / 100, AREA);
	assert_in_range(fix->sample->reasons[TIDE_REASON_SHARED], NR - NR / 100, NR);
	unwatch(fix);

	/* Left to itself it finds that out, and takes the way that sees it. */
	watch(fix, getpid(), memory, TIDE_WAY_AUTO, 0);
	pass(fix, 0);
	pass(fix, 1);
	pass(fix, 1);
	for (int round = 0; round < 3; round++) {
		touch_some(fix, &rng, 10);
		pass(fix, 1);
		expect_exact(fix, 0);
	}
	assert_true(ways(fix) & 1u << TIDE_WAY_REFS);
	unwatch(fix);

	/* Not if that would keep the process waiting for longer than allowed. */
	watch(fix, getpid(), memory, TIDE_WAY_AUTO, 1);
	for (int i = 0; i < 4; i++)
		pass(fix, i > 0);
	assert_false(ways(fix) & 1u << TIDE_WAY_REFS);
	unwatch(fix);
	child_end(&child);
	munmap(memory, AREA);
	free(fix);
}

/*
 * Right from the first pass on, with no stall; those that map the same keep their bits. Of a page that somebody
 * isolates for a moment it is said that nothing can be said.
 */
static void A8_shared_memory_is_seen_by_damon(void **unused)
{
	struct fixture *fix;
	char *memory;
	struct child child;
	struct rng rng;

	need_damon();
	fix = malloc(sizeof(*fix));
	memory = populate(MAP_SHARED | MAP_ANONYMOUS, -1);
	rng_init(&rng, 5);
	child_start(&child, idle_child, memory);
	watch(fix, getpid(), memory, TIDE_WAY_DAMON, 1);
	pass(fix, 0);
	pass(fix, 1);
	for (int round = 0; round < 4; round++) {
		touch_some(fix, &rng, 10);
		pass(fix, 1);
		expect_exact(fix, NR / 100);
	}
	assert_int_equal(ways(fix), 1u << TIDE_WAY_DAMON);
	assert_in_range(damon_steps_young(child.pid, (uint64_t)(uintptr_t)memory, (uint64_t)(uintptr_t)memory + AREA),
	                NR - NR / 100, NR);
	unwatch(fix);

	/* Left to itself it takes it where clear_refs is not allowed, once it finds that much is stuck. */
	touch_some(fix, &rng, 1);
	watch(fix, getpid(), memory, TIDE_WAY_AUTO, 1);
	for (int i = 0; i < 4; i++)
		pass(fix, i > 0);
	touch_some(fix, &rng, 10);
	pass(fix, 1);
	expect_exact(fix, NR / 100);
	assert_int_equal(ways(fix) & (1u << TIDE_WAY_DAMON | 1u << TIDE_WAY_REFS), 1u << TIDE_WAY_DAMON);
	unwatch(fix);
	damon_steps_assert_free();
	child_end(&child);
	munmap(memory, AREA);
	free(fix);
}

/* What another clears after a pass by DAMON is not called idle, and is seen again afterwards. */
static void A8_what_others_clear_after_damon_is_no_idle_page(void **unused)
{
	struct fixture *fix;
	char *memory;

	need_damon();
	fix = malloc(sizeof(*fix));
	memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	watch(fix, getpid(), memory, TIDE_WAY_DAMON, 0);
	pass(fix, 0);
	pass(fix, 1);
	for (size_t i = 0; i < NR; i++)
		touch(fix, i);
	pass(fix, 1);
	for (size_t i = 0; i < NR / 2; i++)
		touch(fix, i);
	assert_int_equal(madvise(memory, AREA / 2, MADV_COLD), 0);
	pass(fix, 1);
	for (size_t i = 0; i < NR / 2; i++)
		assert_int_not_equal(fix->said[i], SAID_IDLE);
	assert_in_range(fix->sample->idle->unobservable_bytes, AREA / 2 - AREA / 50, AREA / 2);
	assert_in_range(fix->sample->reasons[TIDE_REASON_CLEARED], NR / 2 - NR / 50, NR / 2);
	pass(fix, 1);
	assert_in_range(fix->sample->idle->unobservable_bytes, 0, AREA / 100);
	for (size_t i = 0; i < NR; i++)
		touch(fix, i);
	pass(fix, 1);
	assert_in_range(fix->sample->idle->accessed_bytes, AREA - AREA / 50, AREA);
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

/* By name there is no other way; nor is there time for it in short intervals. */
static void damon_is_refused_with_the_reason(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	setenv("TIDEMARK_FAULT", "no-damon", 1);
	watch(fix, getpid(), memory, TIDE_WAY_DAMON, 0);
	assert_true(try_pass(fix) < 0);
	assert_int_equal(fix->err.cause, TIDE_CAUSE_UNSUPPORTED);
	assert_non_null(strstr(fix->err.text, "the way damon"));
	unwatch(fix);
	unsetenv("TIDEMARK_FAULT");
	munmap(memory, AREA);
	free(fix);
}

static void a_stall_that_is_too_long_is_refused(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);

	watch(fix, getpid(), memory, TIDE_WAY_REFS, 1);
	pass(fix, 0);
	assert_int_equal(try_pass(fix), -EINVAL);
	assert_int_equal(fix->err.cause, TIDE_CAUSE_USAGE);
	assert_non_null(strstr(fix->err.text, "--max-stall"));
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

static void A8_a_file_is_unobservable_only_as_it_appears(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char path[] = "/var/tmp/tidemark-exact-XXXXXX";
	int fd = mkstemp(path);
	char *memory;
	struct rng rng;
	char *block = calloc(1, MIB);

	assert_true(fd >= 0);
	unlink(path);
	for (size_t i = 0; i < AREA / MIB; i++)
		assert_int_equal(write(fd, block, MIB), MIB);
	free(block);
	fsync(fd);
	rng_init(&rng, 3);
	memory = map(AREA, MAP_SHARED, fd);
	watch(fix, getpid(), memory, TIDE_WAY_COLD, 0);
	pass(fix, 0);
	memset(fix->used, 0, sizeof(fix->used));
	for (size_t i = 0; i < NR; i += 16) { /* each maps 16 pages, by which it is surrounded */
		volatile char *byte = memory + i * PAGE;

		(void)*byte;
	}
	pass(fix, 1);
	assert_int_equal(fix->sample->idle->accessed_bytes, 0);
	assert_in_range(fix->sample->idle->unobservable_bytes, AREA / 16, AREA);
	assert_int_equal(fix->sample->reasons[TIDE_REASON_PREFAULT], fix->sample->idle->unobservable_bytes / PAGE);
	for (size_t i = 0; i < NR; i++)
		touch(fix, i);
	pass(fix, 1);
	pass(fix, 1);
	for (int round = 0; round < 3; round++) {
		touch_some(fix, &rng, 10);
		pass(fix, 1);
		if (fix->sample->idle->unobservable_bytes > AREA / 50) {
			/* Large folios of the page cache, of which others hold a part. */
			fprintf(stderr, "note: %zu KiB unobservable\n",
			        (size_t)fix->sample->idle->unobservable_bytes / 1024);
			break;
		}
	}
	unwatch(fix);
	munmap(memory, AREA);
	close(fd);
	free(fix);
}

/* Of the mapping that begins there: others of the process come and go. */
static size_t huge_bytes(const char *memory)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uintptr_t start = 0, at, end;
	char line[256];
	size_t kib = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &at, &end) == 2)
			start = at;
		if (start == (uintptr_t)memory)
			(void)sscanf(line, "AnonHugePages: %zu kB", &kib);
	}
	assert_non_null(file);
	fclose(file);
	return kib * 1024;
}

static void A4_huge_pages_are_told_whole_and_stay_huge(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *area = map(AREA + HUGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *memory = (char *)(((uintptr_t)area + HUGE - 1) / HUGE * HUGE);
	size_t before;
	bool counted;

	madvise(memory, AREA, MADV_HUGEPAGE);
	memset(memory, 1, AREA);
	before = huge_bytes(memory);
	if (before < AREA) {
		munmap(area, AREA + HUGE);
		free(fix);
		fprintf(stderr, "no huge pages to be had\n");
		skip();
	}
	watch(fix, getpid(), memory, TIDE_WAY_COLD, 0);
	/* Before Linux 6.10 nothing says how often a huge page is mapped, so nobody can say that it is mapped whole. */
	counted = walker_facts(fix->sensor->walker)->has_large_mapcount;
	pass(fix, 0);
	pass(fix, 1);
	for (size_t round = 0; round < 4; round++) {
		memset(fix->used, 0, sizeof(fix->used));
		for (size_t i = round; i < AREA / HUGE; i += 4) {
			touch(fix, i * (HUGE / PAGE) + 77);
			memset(fix->used + i * (HUGE / PAGE), 1, HUGE / PAGE);
		}
		pass(fix, 1);
		if (counted)
			expect_exact(fix, 0);
		else
			assert_int_equal(fix->sample->reasons[TIDE_REASON_PARTIAL], NR);
	}
	assert_int_equal(huge_bytes(memory), before);
	unwatch(fix);
	munmap(area, AREA + HUGE);
	free(fix);
}

static void A8_locked_memory_is_seen_by_damon(void **unused)
{
	struct fixture *fix;
	char *memory;
	struct rng rng;

	need_damon();
	fix = malloc(sizeof(*fix));
	memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	rng_init(&rng, 6);
	assert_int_equal(mlock(memory, AREA), 0);
	watch(fix, getpid(), memory, TIDE_WAY_DAMON, 0);
	pass(fix, 0);
	pass(fix, 1);
	for (int round = 0; round < 3; round++) {
		touch_some(fix, &rng, 10);
		pass(fix, 1);
		expect_exact(fix, NR / 100);
	}
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

static void A8_locked_memory_is_seen_by_refs_only(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct rng rng;

	rng_init(&rng, 4);
	if (mlock(memory, AREA) < 0) {
		munmap(memory, AREA);
		free(fix);
		fprintf(stderr, "no memory can be locked\n");
		skip();
	}
	watch(fix, getpid(), memory, TIDE_WAY_COLD, 0);
	pass(fix, 0);
	touch_some(fix, &rng, 1);
	pass(fix, 1);
	touch_some(fix, &rng, 1);
	pass(fix, 1);
	assert_in_range(fix->sample->idle->unobservable_bytes, AREA - AREA / 50, AREA);
	unwatch(fix);
	watch(fix, getpid(), memory, TIDE_WAY_REFS, 0);
	pass(fix, 0);
	pass(fix, 1);
	touch_some(fix, &rng, 10);
	pass(fix, 1);
	touch_some(fix, &rng, 10);
	pass(fix, 1);
	expect_exact(fix, 0);
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

/* Uses its memory, then ends, or executes another program. */
static int ending_child(int in, int out, void *arg)
{
	child_say(out);
	child_pause(in);
	child_say(out);
	child_pause(in);
	execl("/bin/sleep", "sleep", "100", (char *)NULL);
	return 1;
}

static void A6_a_target_that_goes_away_ends_it(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct child child;

	for (int exec = 0; exec < 2; exec++) {
		int result = 0;

		child_start(&child, ending_child, NULL);
		watch(fix, child.pid, memory, TIDE_WAY_AUTO, 0);
		pass(fix, 0);
		pass(fix, 1);
		if (exec) {
			child_step(&child);
			child_tell(&child);
		} else {
			child_kill(&child);
		}
		for (int i = 0; i < 1000 && result >= 0; i++) {
			result = try_pass(fix);
			usleep(exec ? 10000 : 0);
		}
		assert_true(result < 0);
		assert_int_equal(fix->err.cause, TIDE_CAUSE_GONE);
		unwatch(fix);
		child_end(&child);
	}
	munmap(memory, AREA);
	free(fix);
}

static void mappings_that_change_are_followed(void **unused)
{
	struct fixture *fix = malloc(sizeof(*fix));
	char *memory = populate(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	uint64_t present;

	watch(fix, getpid(), memory, TIDE_WAY_COLD, 0);
	pass(fix, 0);
	pass(fix, 1);
	munmap(memory + AREA / 2, AREA / 4);
	madvise(memory, AREA / 4, MADV_DONTNEED);
	pass(fix, 1);
	present = fix->sample->idle->present_bytes;
	assert_int_equal(present, AREA / 2);
	assert_int_equal(fix->said[0], SAID_NOTHING);
	assert_int_equal(fix->said[NR / 2], SAID_NOTHING);
	memset(memory, 2, AREA / 4);
	pass(fix, 1);
	assert_in_range(fix->sample->idle->accessed_bytes, AREA / 4, AREA / 4 + 16 * PAGE);
	assert_int_equal(fix->said[0], SAID_ACCESSED);
	unwatch(fix);
	munmap(memory, AREA);
	free(fix);
}

/* What waits for its place on a list does so by the processor where it came, and MADV_COLD takes that one's alone. */
static void stay_here(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A1_every_private_page_is_told_right_by_cold),
		cmocka_unit_test(A1_every_private_page_is_told_right_by_refs),
		cmocka_unit_test(A1_every_private_page_is_told_right_by_damon),
		cmocka_unit_test(A8_shared_memory_is_seen_by_damon),
		cmocka_unit_test(A8_locked_memory_is_seen_by_damon),
		cmocka_unit_test(A8_what_others_clear_after_damon_is_no_idle_page),
		cmocka_unit_test(cold_memory_costs_no_clearing),
		cmocka_unit_test(A8_shared_memory_is_unobservable_by_cold_and_seen_by_refs),
		cmocka_unit_test(a_stall_that_is_too_long_is_refused),
		cmocka_unit_test(A8_a_file_is_unobservable_only_as_it_appears),
		cmocka_unit_test(A4_huge_pages_are_told_whole_and_stay_huge),
		cmocka_unit_test(A8_locked_memory_is_seen_by_refs_only),
		cmocka_unit_test(A6_a_target_that_goes_away_ends_it),
		cmocka_unit_test(mappings_that_change_are_followed),
		cmocka_unit_test(damon_is_refused_with_the_reason), /* the last: a refusal is remembered */
	};
	int result = need_walk();

	stay_here();
	if (result == 0 && getenv("TIDEMARK_LANE") != NULL)
		damon_steps_stat_module(false);
	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
