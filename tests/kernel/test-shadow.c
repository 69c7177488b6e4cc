/* SPDX-License-Identifier: MIT */
/*
 * This file tests that the shadow of watched memory finds nothing to say about the write tracker as it is, and finds
 * the lost writes of a tracker that is broken on purpose, in each way that a tracker may be.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "kernel/sys.h"
#include "need.h"
#include "ring.h"
#include "verify/shadow.h"
#include "watch/pins.h"

enum {
	PAGE = 4096,
	NR_PAGES = 512,
	NR_STEPS = 20,
};

/* struct pm_scan_arg of include/uapi/linux/fs.h. */
struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t rest[10];
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct scan_arg)
#define SCAN_REARMS  UINT64_C(1)

static enum sabotage {
	SABOTAGE_NONE,
	SABOTAGE_DROP,  /* the last region of an answer is forgotten */
	SABOTAGE_STEAL, /* somebody else re-arms first, and gets the answer */
	SABOTAGE_KEEP,  /* nothing is re-armed */
} sabotage;

static int sabotaged_ioctl(int fd, unsigned long request, void *arg)
{
	struct scan_arg *scan = arg;
	int result;

	if (request != PAGEMAP_SCAN || (scan->flags & SCAN_REARMS) == 0)
		return sys_table_linux.ioctl(fd, request, arg);
	if (sabotage == SABOTAGE_STEAL) {
		struct scan_arg stolen = *scan;

		sys_table_linux.ioctl(fd, request, &stolen);
	}
	if (sabotage == SABOTAGE_KEEP)
		scan->flags &= ~SCAN_REARMS;
	result = sys_table_linux.ioctl(fd, request, arg);
	return sabotage == SABOTAGE_DROP && result > 0 ? result - 1 : result;
}

struct rig {
	struct child child;
	struct tide_target *target;
	struct tide_watch *watch;
	struct shadow *shadow;
	struct sys_table table;
	unsigned char *memory; /* at the same address in the child */
	int file;              /* of random contents, as large */
	uint64_t reported_bytes;
	struct tide_error err;
};

static void must(struct rig *rig, int result)
{
	if (result < 0)
		fail_msg("%s", rig->err.text);
}

static void begin(struct rig *rig, child_fn *fn, const struct tide_pins_ops *pins)
{
	struct tide_watch_opts opts = { .size = sizeof(opts), .pins = pins };

	child_start(&rig->child, fn, rig);
	must(rig, tide_target_open(&rig->target, rig->child.pid, &rig->err));
	must(rig, tide_watch_open(&rig->watch, rig->target, &opts, &rig->err));
	must(rig, shadow_new(&rig->shadow, rig->watch, rig->target, NULL, 0, &rig->err));
	must(rig, shadow_look(rig->shadow, &rig->err));
}

/* One epoch, and how many writes before it were lost. */
static size_t epoch(struct rig *rig)
{
	struct tide_run runs[64];
	const uint64_t *lost;
	size_t nr_lost;
	long nr;

	while ((nr = tide_watch_collect(rig->watch, runs, 64, &rig->err)) > 0) {
		for (long i = 0; i < nr; i++)
			rig->reported_bytes += runs[i].end - runs[i].start;
		must(rig, shadow_note(rig->shadow, runs, (size_t)nr, &rig->err));
	}
	must(rig, (int)nr);
	must(rig, shadow_judge(rig->shadow, &lost, &nr_lost, &rig->err));
	must(rig, shadow_look(rig->shadow, &rig->err));
	return nr_lost;
}

/* The child does its steps, an epoch after each, and one more to decide what the last look saw. */
static size_t epochs(struct rig *rig)
{
	size_t nr_lost = 0;

	for (int i = 0; i < NR_STEPS; i++) {
		child_step(&rig->child);
		nr_lost += epoch(rig);
	}
	return nr_lost + epoch(rig);
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	unsigned char page[PAGE];

	rig->memory = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rig->file = memfd_create("random", MFD_CLOEXEC);
	srandom(1);
	for (int i = 0; i < NR_PAGES; i++) {
		for (int byte = 0; byte < PAGE; byte++)
			page[byte] = (unsigned char)random();
		assert_int_equal(write(rig->file, page, PAGE), PAGE);
	}
	rig->table = sys_table_linux;
	rig->table.ioctl = sabotaged_ioctl;
	sys_table = &rig->table;
	sabotage = SABOTAGE_NONE;
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	sabotage = SABOTAGE_NONE;
	shadow_free(rig->shadow);
	tide_watch_close(rig->watch);
	tide_target_close(rig->target);
	child_end(&rig->child);
	sys_table = &sys_table_linux;
	munmap(rig->memory, NR_PAGES * PAGE);
	close(rig->file);
	free(rig);
	return 0;
}

/* A few pages in each step. */
static int write_pages(int in, int out, void *arg)
{
	struct rig *rig = arg;

	memset(rig->memory, 1, NR_PAGES * PAGE);
	child_say(out);
	for (unsigned step = 0;; step++) {
		child_pause(in);
		for (unsigned i = 0; i < 3; i++)
			rig->memory[(step * 7 + i * 100) % NR_PAGES * PAGE + step]++;
		child_say(out);
	}
	return 0;
}

/* Pages here and there, for ever, also some that come and go. */
static int write_all_the_time(int in, int out, void *arg)
{
	struct rig *rig = arg;

	memset(rig->memory, 1, NR_PAGES * PAGE / 2);
	child_say(out);
	for (;;) {
		long page = random() % NR_PAGES;

		if (random() % 100 == 0)
			madvise(rig->memory + page * PAGE, PAGE, MADV_DONTNEED);
		else
			rig->memory[page * PAGE + random() % PAGE] = (unsigned char)random();
	}
	return 0;
}

/* A device writes into memory that stays pinned: one page in each step. */
static int read_by_device(int in, int out, void *arg)
{
	struct rig *rig = arg;
	struct iovec buffer = { rig->memory, NR_PAGES * PAGE };
	struct ring ring;

	memset(rig->memory, 1, NR_PAGES * PAGE);
	if (ring_open(&ring) < 0 || ring_register(&ring, &buffer, 1) < 0)
		return 1;
	child_say(out);
	for (unsigned step = 0;; step++) {
		child_pause(in);
		if (ring_read_fixed(&ring, rig->file, rig->memory + step * 10 * PAGE, PAGE, step * PAGE, 0) != PAGE)
			return 1;
		child_say(out);
	}
	return 0;
}

static void nothing_is_lost_where_pages_are_written(void **state)
{
	struct rig *rig = *state;
	struct shadow_counts counts;

	begin(rig, write_pages, NULL);
	assert_int_equal(epochs(rig), 0);
	shadow_count(rig->shadow, &counts);
	assert_true(counts.nr_verified >= NR_PAGES);
	assert_int_equal(counts.unreadable_bytes, 0);
}

static void C1_nothing_is_lost_while_the_target_runs(void **state)
{
	struct rig *rig = *state;
	size_t nr_lost = 0;

	begin(rig, write_all_the_time, NULL);
	for (int i = 0; i < 100; i++)
		nr_lost += epoch(rig);
	assert_int_equal(nr_lost, 0);
}

static void a_tracker_that_drops_a_run_is_found(void **state)
{
	struct rig *rig = *state;

	begin(rig, write_pages, NULL);
	sabotage = SABOTAGE_DROP;
	assert_in_range(epochs(rig), NR_STEPS, 3 * NR_STEPS + 20);
}

static void a_tracker_that_is_not_the_only_one_to_re_arm_is_found(void **state)
{
	struct rig *rig = *state;

	begin(rig, write_pages, NULL);
	sabotage = SABOTAGE_STEAL;
	assert_in_range(epochs(rig), 3 * NR_STEPS, UINT64_MAX);
}

/* What is not armed again is reported again: too much, and nothing lost. */
static void a_tracker_that_does_not_re_arm_loses_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t before;

	begin(rig, write_pages, NULL);
	sabotage = SABOTAGE_KEEP;
	assert_int_equal(epochs(rig), 0);
	before = rig->reported_bytes;
	assert_int_equal(epoch(rig), 0);
	assert_true(rig->reported_bytes - before > NR_STEPS * PAGE);
}

static void need_ring(void)
{
	struct ring ring;

	if (ring_open(&ring) < 0) {
		fprintf(stderr, "io_uring is not to be had here\n");
		skip();
	}
	ring_close(&ring);
}

static void B4_device_writes_are_lost_without_a_look_for_pins(void **state)
{
	struct rig *rig = *state;

	need_ring();
	begin(rig, read_by_device, NULL);
	assert_int_equal(epochs(rig), NR_STEPS);
}

static void B4_device_writes_are_reported_by_io_urings_own_list(void **state)
{
	struct rig *rig = *state;

	need_ring();
	begin(rig, read_by_device, tide_pins_fdinfo());
	assert_int_equal(epochs(rig), 0);
}

static void B4_device_writes_are_reported_by_the_walker(void **state)
{
	struct rig *rig = *state;

	need_ring();
	if (need_walk() != 0)
		skip();
	begin(rig, read_by_device, tide_pins_walker());
	assert_int_equal(epochs(rig), 0);
}

/* Pins that are looked for, and never found. */
static int begin_blindly(void *pins, uint32_t *blind, struct tide_error *err)
{
	*blind = 0;
	return 1;
}

static int init_blindly(void *pins, struct tide_target *target, struct tide_error *err)
{
	return 0;
}

static int look_blindly(void *pins, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	memset(answers, PIN_NONE, nr);
	return 0;
}

static void end_blindly(void *pins)
{
}

static void B4_a_look_that_finds_no_pins_is_found(void **state)
{
	static const struct tide_pins_ops blind = {
		.name = "blind",
		.state_size = 1,
		.init = init_blindly,
		.begin = begin_blindly,
		.look = look_blindly,
		.fini = end_blindly,
	};
	struct rig *rig = *state;

	need_ring();
	begin(rig, read_by_device, &blind);
	assert_int_equal(epochs(rig), NR_STEPS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_lost_where_pages_are_written),
		TEST(C1_nothing_is_lost_while_the_target_runs),
		TEST(a_tracker_that_drops_a_run_is_found),
		TEST(a_tracker_that_is_not_the_only_one_to_re_arm_is_found),
		TEST(a_tracker_that_does_not_re_arm_loses_nothing),
		TEST(B4_device_writes_are_lost_without_a_look_for_pins),
		TEST(B4_device_writes_are_reported_by_io_urings_own_list),
		TEST(B4_device_writes_are_reported_by_the_walker),
		TEST(B4_a_look_that_finds_no_pins_is_found),
	};
	int skipped = need_watch();

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
