/* SPDX-License-Identifier: MIT */
/* This file tests the list of writes: what it costs, in which pieces, whom it leaves alone, and switching from it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "need.h"
#include "watch-steps.h"

enum {
	AREA = 16 << 20,
	NR = AREA / PAGE,
	NR_PER_BLOCK = BLOCK / PAGE,
	NOBODY = 65534,
};

#define SMALL ((uint64_t)1 << 30)
#define LARGE ((uint64_t)1 << 40)

static void touch(struct watched *self, size_t page, size_t nr, long value)
{
	assert_int_equal(watched_order(self, do_touch, self->area + page * PAGE, nr * PAGE, value), 0);
}

static void open_list(struct watched *self, uint64_t granularity)
{
	struct tide_watch_opts opts = { .size = sizeof(opts), .backend = "uffd_log", .granularity_bytes = granularity };

	watched_open(self, &opts);
	assert_string_equal(tide_watch_backend(self->watch), "uffd_log");
}

static void begin(struct watched *self, uint64_t granularity)
{
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	open_list(self, granularity);
	assert_int_equal(watched_collect(self), 0);
}

static void E2_writes_come_as_a_list(void **state)
{
	struct watched *self = *state;

	begin(self, 0);
	touch(self, 3, 2, 2);
	touch(self, NR - 1, 1, 2);
	assert_int_equal(watched_collect(self), 3 * PAGE);
	assert_pages(self, 3, 5, TIDE_EXACT);
	assert_pages(self, NR - 1, NR, TIDE_EXACT);
	assert_true(self->told.nr_faults >= 3);
	assert_true(self->told.longest_stall_ns > 0);
	assert_int_equal(self->told.throttled_ns, 0);
	touch(self, 3, 1, 3);
	assert_int_equal(watched_collect(self), PAGE);
	assert_int_equal(watched_collect(self), 0);
}

/* Memory that is there, page tables and all, and costs next to nothing: huge pages of zeros. */
static long do_read_blocks(struct order *order)
{
	unsigned char *at = mmap(NULL, (size_t)order->value + BLOCK, PROT_READ | PROT_WRITE,
	                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned char sum = 0;

	if (at == MAP_FAILED)
		return -1;
	at += BLOCK - (uintptr_t)at % BLOCK;
	madvise(at, (size_t)order->value, MADV_HUGEPAGE);
	for (size_t block = 0; block < (size_t)order->value; block += BLOCK)
		sum |= ((volatile unsigned char *)at)[block];
	*(unsigned char **)order->at = at;
	return sum;
}

/* A thousand pages in a thousand blocks, or in as many as there are. */
static long do_write_thousand(struct order *order)
{
	unsigned char *at = *(unsigned char **)order->at;

	for (size_t i = 0; i < 1000; i++)
		at[i * 64 * PAGE] = 1;
	return 0;
}

static struct tide_epoch cost(struct watched *self, const char *backend, uint64_t bytes)
{
	struct tide_watch_opts opts = { .size = sizeof(opts), .backend = backend };
	struct tide_epoch told;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	if (watched_order(self, do_read_blocks, self->area, PAGE, (long)bytes) != 0)
		fail_msg("no memory of %lu bytes can be mapped", bytes);
	watched_open(self, &opts);
	watched_collect(self);
	watched_order(self, do_write_thousand, self->area, PAGE, 0);
	watched_collect(self);
	assert_true(self->told.armed_bytes > bytes / 2);
	assert_true(self->told.written_bytes >= 1000 * PAGE);
	told = self->told;
	watched_end(self);
	return told;
}

static void E2_the_cost_is_what_is_written_not_what_is_mapped(void **state)
{
	struct tide_epoch small, large, scanned;

	if (getenv("TIDEMARK_LANE") != NULL) /* half a million faults, emulated */
		skip();
	small = cost(*state, "uffd_log", SMALL);
	large = cost(*state, "uffd_log", LARGE);
	scanned = cost(*state, "uffd_async", LARGE);
	print_message("1,000 pages written: %lu calls for 1 GiB, %lu for 1 TiB; by scanning %lu\n", small.nr_calls,
	              large.nr_calls, scanned.nr_calls);
	assert_true(large.nr_calls < small.nr_calls + 40);
	assert_true(scanned.nr_calls > 4000);
}

static uint64_t huge_bytes(const struct watched *self)
{
	return number_of(self->child.pid, "smaps_rollup", "AnonHugePages");
}

static bool want_huge(struct watched *self)
{
	unsigned char *area = area_map(AREA, MAP_PRIVATE);

	madvise(area, AREA, MADV_HUGEPAGE);
	watched_start(self, area, AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	return huge_bytes(self) >= AREA / 1024;
}

static void write_here_and_there(struct watched *self)
{
	touch(self, NR_PER_BLOCK + 5, 1, 2);
	touch(self, NR_PER_BLOCK + 100, 3, 2);
	touch(self, 4 * NR_PER_BLOCK, 1, 2);
}

static void E5_at_2_MiB_huge_pages_stay_huge(void **state)
{
	struct watched *self = *state;
	uint64_t before;

	if (!want_huge(self))
		skip();
	open_list(self, BLOCK);
	before = huge_bytes(self);
	assert_int_equal(watched_collect(self), 0);
	write_here_and_there(self);
	assert_int_equal(watched_collect(self), 2 * BLOCK);
	assert_pages(self, NR_PER_BLOCK, 2 * NR_PER_BLOCK, TIDE_EXACT);
	assert_pages(self, 4 * NR_PER_BLOCK, 5 * NR_PER_BLOCK, TIDE_EXACT);
	assert_int_equal(huge_bytes(self), before);
	assert_int_equal(self->told.huge_lost_bytes, 0);
	watched_close(self);
	assert_int_equal(huge_bytes(self), before);
}

static void E5_at_4_KiB_huge_pages_are_split_and_put_back(void **state)
{
	struct watched *self = *state;
	uint64_t before;

	if (!want_huge(self))
		skip();
	open_list(self, 0);
	before = huge_bytes(self);
	write_here_and_there(self);
	assert_int_equal(watched_collect(self), 5 * PAGE);
	assert_int_equal(self->told.huge_lost_bytes, 2 * BLOCK);
	assert_true(huge_bytes(self) < before);
	watched_close(self);
	assert_int_equal(huge_bytes(self), before);
}

/* The same writes, with huge pages or without, are the same report. */
static void E5_the_report_is_the_same_without_huge_pages(void **state)
{
	static const uint64_t granularities[] = { PAGE, 16 * PAGE, BLOCK };
	struct watched *self = *state;

	for (size_t i = 0; i < 3; i++) {
		static int with[NR], without[NR];

		want_huge(self);
		open_list(self, granularities[i]);
		watched_collect(self);
		write_here_and_there(self);
		watched_collect(self);
		memcpy(with, self->pages, sizeof(with));
		watched_end(self);
		begin(self, granularities[i]);
		write_here_and_there(self);
		watched_collect(self);
		memcpy(without, self->pages, sizeof(without));
		watched_end(self);
		assert_memory_equal(with, without, sizeof(with));
	}
}

static void E2_what_is_given_up_is_reported_though_nobody_writes_it(void **state)
{
	struct watched *self = *state;

	begin(self, 0);
	watched_order(self, do_advise, self->area + 7 * PAGE, 3 * PAGE, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), 3 * PAGE);
	assert_pages(self, 7, 10, TIDE_EXACT);
	touch(self, 8, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	watched_order(self, do_advise, self->area + BLOCK, BLOCK, MADV_DONTNEED);
	assert_int_equal(watched_collect(self), BLOCK);
	touch(self, NR_PER_BLOCK + 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
	/* Freed, and there until the kernel wants it: reported when it is written, or gone. */
	watched_order(self, do_advise, self->area + 20 * PAGE, 2 * PAGE, MADV_FREE);
	touch(self, 20, 1, 2);
	watched_collect(self);
	assert_pages(self, 20, 21, TIDE_EXACT);
}

static long do_drop_privileges(struct order *order)
{
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

static void E2_a_target_needs_no_privileges(void **state)
{
	struct watched *self = *state;
	unsigned descriptors;

	if (geteuid() != 0)
		skip();
	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	watched_order(self, do_fill, self->area, AREA, 1);
	assert_int_equal(watched_order(self, do_drop_privileges, self->area, 0, 0), 0);
	descriptors = descriptors_of(self->child.pid);
	open_list(self, 0);
	assert_int_equal(descriptors_of(self->child.pid), descriptors);
	touch(self, 3, 1, 2);
	assert_int_equal(watched_collect(self), PAGE);
}

static pthread_t thread;
static int thread_go[2];

/*
 * Ends without a last word in its own memory: what it writes lies pages below what the kernel is to write, and the
 * kernel is told not to write there each time that the thread runs (rseq).
 */
static void *wait_and_vanish(void *unused)
{
	volatile char far_below[16 * PAGE];
	char *byte = (char *)&far_below[0];

	(void)unused;
	far_below[0] = 0;
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
	syscall(SYS_read, thread_go[0], byte, 1);
	syscall(SYS_exit, 0);
	return NULL;
}

static long do_start_thread(struct order *order)
{
	return pipe(thread_go) == 0 && pthread_create(&thread, NULL, wait_and_vanish, NULL) == 0 ? 0 : -1;
}

static long do_join_thread(struct order *order)
{
	alarm(20); /* it would wait for ever */
	if (write(thread_go[1], "x", 1) != 1 || pthread_join(thread, NULL) != 0)
		return -1;
	alarm(0);
	return 0;
}

static void E2_a_thread_that_exits_can_be_joined(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	assert_int_equal(watched_order(self, do_start_thread, self->area, 0, 0), 0);
	open_list(self, 0);
	watched_collect(self);
	watched_collect(self);
	assert_int_equal(watched_order(self, do_join_thread, self->area, 0, 0), 0);
	watched_collect(self);
}

static void switch_to(struct watched *self, const char *backend)
{
	uint64_t start = (uint64_t)(uintptr_t)self->area;

	if (tide_watch_switch(self->watch, start, start + AREA, backend, &self->err) < 0)
		fail_msg("%s", self->err.text);
}

/* Faults that the area's writes take from here on: none, once it is not listed. */
static uint64_t faults_of(struct watched *self, size_t page)
{
	uint64_t before = self->told.nr_faults;

	touch(self, page, 10, 5);
	assert_int_equal(watched_collect(self), 10 * PAGE);
	return self->told.nr_faults - before;
}

static void E4_a_switch_loses_no_write(void **state)
{
	struct watched *self = *state;

	begin(self, 0);
	for (size_t i = 0; i < 5; i++) {
		touch(self, 3 + i, 2, 2);
		switch_to(self, i % 2 == 0 ? "uffd_async" : "uffd_log");
		touch(self, 100 + i, 1, 2);
		assert_int_equal(watched_collect(self), 3 * PAGE);
		assert_pages(self, 3 + i, 5 + i, TIDE_EXACT);
		assert_int_equal(watched_collect(self), 0);
		if (i % 2 == 0)
			assert_true(faults_of(self, 300) < 10);
		else
			assert_true(faults_of(self, 300) >= 10);
	}
	assert_true(self->told.stopped_ns > 0);
}

/* Within an epoch, and twice in a row. */
static void E4_a_switch_within_an_epoch_loses_no_write(void **state)
{
	struct watched *self = *state;
	struct tide_run runs[8];
	long nr;

	begin(self, 0);
	for (size_t page = 0; page < 40; page += 2)
		touch(self, page, 1, 2);
	nr = tide_watch_collect(self->watch, runs, 8, &self->err);
	assert_int_equal(nr, 8);
	watched_take(self, runs, nr);
	touch(self, 60, 1, 2);
	switch_to(self, "uffd_async");
	touch(self, 62, 1, 2);
	switch_to(self, "uffd_log");
	touch(self, 64, 1, 2);
	/* What is written within an epoch may be told by the next one. */
	while ((nr = tide_watch_collect(self->watch, runs, 8, &self->err)) > 0)
		watched_take(self, runs, nr);
	assert_int_equal(nr, 0);
	watched_collect(self);
	assert_int_equal(watched_collect(self), 0);
}

/* Moves the second half of [at, at + size) onto the first. */
static long do_move_down(struct order *order)
{
	size_t half = order->size / 2;

	return mremap(order->at + half, half, half, MREMAP_MAYMOVE | MREMAP_FIXED, order->at) == order->at ? 0 : -1;
}

/* It comes with its registration and its marks, which mean nothing where it is now. */
static void E4_a_switch_does_not_believe_what_has_moved_in(void **state)
{
	struct watched *self = *state;

	for (int i = 0; i < 2; i++) {
		begin(self, 0);
		touch(self, NR / 2, NR / 2, 2);
		watched_collect(self);
		assert_int_equal(watched_order(self, do_move_down, self->area, AREA, 0), 0);
		if (i == 0)
			switch_to(self, "uffd_async");
		assert_int_equal(watched_collect(self), AREA / 2);
		assert_pages(self, 0, NR / 2, TIDE_OVER);
		assert_int_equal(watched_collect(self), 0);
		touch(self, 5, 1, 3);
		assert_int_equal(watched_collect(self), PAGE);
		watched_end(self);
	}
}

static void E4_only_a_list_can_be_switched(void **state)
{
	struct watched *self = *state;

	begin(self, 0);
	assert_int_equal(tide_watch_switch(self->watch, 0, PAGE, "soft_dirty", &self->err), -EINVAL);
	assert_int_equal(self->err.cause, TIDE_CAUSE_USAGE);
	assert_int_equal(tide_watch_switch(self->watch, PAGE, PAGE, "uffd_log", &self->err), -EINVAL);
	watched_close(self);
	watched_open(self,
	             &(struct tide_watch_opts){ .size = sizeof(struct tide_watch_opts), .backend = "uffd_async" });
	assert_int_equal(tide_watch_switch(self->watch, 0, PAGE, "uffd_log", &self->err), -EINVAL);
	assert_non_null(strstr(self->err.text, "uffd_async"));
}

static void refuse(struct watched *self, struct tide_watch_opts opts, const char *word)
{
	struct tide_watch *watch;

	opts.size = sizeof(opts);
	assert_true(tide_watch_open(&watch, self->target, &opts, &self->err) < 0);
	assert_int_equal(self->err.cause, TIDE_CAUSE_USAGE);
	if (strstr(self->err.text, word) == NULL)
		fail_msg("'%s' does not say %s", self->err.text, word);
}

static void E5_wrong_pieces_are_refused(void **state)
{
	struct watched *self = *state;

	watched_start(self, area_map(AREA, MAP_PRIVATE), AREA);
	assert_int_equal(tide_target_open(&self->target, self->child.pid, &self->err), 0);
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_log", .granularity_bytes = 2048 }, "2048");
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_log", .granularity_bytes = 4 << 20 }, "2 MiB");
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_log", .granularity_bytes = 12288 }, "powers of two");
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_log", .max_listed = 3 }, "3 pieces");
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_async", .granularity_bytes = PAGE }, "uffd_log");
	refuse(self, (struct tide_watch_opts){ .backend = "uffd_async", .max_stall_ns = 1 }, "uffd_log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCHED_TEST(E2_writes_come_as_a_list),
		WATCHED_TEST(E2_the_cost_is_what_is_written_not_what_is_mapped),
		WATCHED_TEST(E2_what_is_given_up_is_reported_though_nobody_writes_it),
		WATCHED_TEST(E2_a_target_needs_no_privileges),
		WATCHED_TEST(E2_a_thread_that_exits_can_be_joined),
		WATCHED_TEST(E4_a_switch_loses_no_write),
		WATCHED_TEST(E4_a_switch_within_an_epoch_loses_no_write),
		WATCHED_TEST(E4_a_switch_does_not_believe_what_has_moved_in),
		WATCHED_TEST(E4_only_a_list_can_be_switched),
		WATCHED_TEST(E5_at_2_MiB_huge_pages_stay_huge),
		WATCHED_TEST(E5_at_4_KiB_huge_pages_are_split_and_put_back),
		WATCHED_TEST(E5_the_report_is_the_same_without_huge_pages),
		WATCHED_TEST(E5_wrong_pieces_are_refused),
	};
	int skipped = need_backend("uffd_log");

	return skipped != 0 ? skipped : cmocka_run_group_tests_name("watch-list", tests, NULL, NULL);
}
