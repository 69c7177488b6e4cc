/* SPDX-License-Identifier: MIT */
/*
 * This file tests the handler of the list of written pages: a write is in the list when it is let go, nobody waits for
 * too long, and whoever takes over from one that was killed loses nothing.
 *
 * The table of system calls plays the kernel, the writers, and the clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sys.h"
#include "watch/log.h"

#define PAGE     ((uint64_t)LOG_PAGE)
#define MS       ((uint64_t)1000000)
#define STALL_NS (50 * MS)

/* Two places that are bounds of the largest pieces; `fill()` uses the first. */
#define HERE  ((uint64_t)0x7f0000000000)
#define THERE ((uint64_t)0x7f0040000000)

enum {
	FD = 77,
	NR_ENTRIES = 4096, /* at most */
	NR_MESSAGES = 8192,
	NR_CALLS = 16384,
	NR_BURST = 10, /* pages, when the throttle lets pass one in a millisecond */
	MANY = LOG_NR_WAITING + 500,
};

/* What the handler asked the kernel for, and what was so at that moment. */
struct call {
	unsigned long request;
	uint64_t start;
	uint64_t end;
	int error; /* 0: it was done */
	bool is_odd;
	bool is_listed; /* as written */
	bool has_hole;
	size_t nr_listed;
};

static struct {
	struct log log;
	struct log_handler handler;
	uint64_t now_ns;
	uint64_t step_ns; /* each look at the clock moves it */

	struct uffd_msg messages[NR_MESSAGES];
	size_t nr_messages;
	size_t nr_read;

	struct call calls[NR_CALLS];
	size_t nr_calls;
	unsigned nr_busy;      /* how often lifting says EAGAIN */
	uint64_t mapped_bytes; /* larger ranges are not mapped throughout: ENOENT */

	/* The handler can be killed before and after each system call. */
	unsigned nr_moments;
	unsigned dies_at;
	jmp_buf death;
} rig;

static struct sys_table table;

static void moment(void)
{
	if (rig.nr_moments++ == rig.dies_at)
		longjmp(rig.death, 1);
}

static bool is_listed(uint64_t start, uint64_t end)
{
	for (size_t i = log_nr(&rig.log); i-- > 0;) {
		const struct log_entry *entry = log_entry(&rig.log, i);

		if (entry->what == LOG_WRITTEN && entry->start <= start && end <= entry->end)
			return true;
	}
	return false;
}

static int error_of(unsigned long request, const struct uffdio_range *range)
{
	if (request != UFFDIO_WRITEPROTECT)
		return 0;
	if (rig.nr_busy > 0) {
		rig.nr_busy--;
		return EAGAIN;
	}
	return range->len > rig.mapped_bytes ? ENOENT : 0;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	const struct uffdio_range *range = arg; /* each of these begins with it */
	struct call *call = &rig.calls[rig.nr_calls];

	assert_int_equal(fd, FD);
	assert_true(request == UFFDIO_WRITEPROTECT || request == UFFDIO_UNREGISTER || request == UFFDIO_WAKE);
	assert_true(request != UFFDIO_WRITEPROTECT || ((const struct uffdio_writeprotect *)arg)->mode == 0);
	assert_in_range(rig.nr_calls, 0, NR_CALLS - 1);
	moment();
	*call = (struct call){
		.request = request,
		.start = range->start,
		.end = range->start + range->len,
		.error = error_of(request, range),
		.is_odd = (rig.log.shared->turn & 1) != 0,
		.is_listed = is_listed(range->start, range->start + range->len),
		.has_hole = rig.log.shared->has_overflowed != 0,
		.nr_listed = log_nr(&rig.log),
	};
	rig.nr_calls++;
	moment();
	errno = call->error;
	return call->error == 0 ? 0 : -1;
}

static ssize_t fake_read(int fd, void *buf, size_t size)
{
	static const struct uffd_msg nothing[LOG_NR_BATCH];
	size_t nr = size / sizeof(rig.messages[0]);

	assert_int_equal(fd, FD);
	assert_memory_equal(buf, nothing, size); /* kernel/uffd.h asks for it */
	moment();
	if (nr > rig.nr_messages - rig.nr_read)
		nr = rig.nr_messages - rig.nr_read;
	memcpy(buf, &rig.messages[rig.nr_read], nr * sizeof(rig.messages[0]));
	rig.nr_read += nr;
	moment();
	errno = EAGAIN;
	return nr > 0 ? (ssize_t)(nr * sizeof(rig.messages[0])) : -1;
}

static int fake_clock_gettime(clockid_t clock, struct timespec *time)
{
	moment();
	rig.now_ns += rig.step_ns;
	*time = (struct timespec){ .tv_sec = (time_t)(rig.now_ns / 1000000000),
		                   .tv_nsec = (long)(rig.now_ns % 1000000000) };
	return 0;
}

static int begin(void **unused)
{
	struct log_shared *shared = calloc(1, sizeof(*shared) + NR_ENTRIES * sizeof(shared->entries[0]));

	(void)unused;
	assert_non_null(shared);
	shared->granularity_bytes = PAGE;
	shared->max_stall_ns = STALL_NS;
	shared->nr_entries = NR_ENTRIES;
	shared->max_written = NR_ENTRIES / 2;
	memset(&rig, 0, sizeof(rig));
	rig.log = (struct log){ .shared = shared, .handler = -1, .standby = -1 };
	rig.handler = (struct log_handler){ .shared = shared, .uffd = FD, .caller = -1, .handler = -1, .epoll = -1 };
	rig.now_ns = 1000000 * MS;
	rig.mapped_bytes = UINT64_MAX;
	rig.dies_at = UINT32_MAX;
	table = sys_table_linux;
	table.ioctl = fake_ioctl;
	table.read = fake_read;
	table.clock_gettime = fake_clock_gettime;
	sys_table = &table;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	sys_table = &sys_table_linux;
	free(rig.log.shared);
	return 0;
}

static struct uffd_msg write_of(uint64_t page)
{
	return (struct uffd_msg){
		.event = UFFD_EVENT_PAGEFAULT,
		.arg.pagefault = { .flags = UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE,
		                   .address = page + 0x128 },
	};
}

static void tell(struct uffd_msg message)
{
	assert_in_range(rig.nr_messages, 0, NR_MESSAGES - 1);
	rig.messages[rig.nr_messages++] = message;
}

static void somebody_writes(uint64_t page)
{
	tell(write_of(page));
}

/* One writer for each of `nr` pieces. */
static void many_write(uint64_t start, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		somebody_writes(start + i * rig.log.shared->granularity_bytes);
}

static void somebody_gives_up(uint8_t event, uint64_t start, uint64_t until)
{
	tell((struct uffd_msg){ .event = event, .arg.remove = { .start = start, .end = until } });
}

static void somebody_moves(uint64_t from, uint64_t to, uint64_t size)
{
	tell((struct uffd_msg){ .event = UFFD_EVENT_REMAP, .arg.remap = { .from = from, .to = to, .len = size } });
}

/* Does anybody wait now, for whom the handler looks again by itself? */
static bool handle(void)
{
	int timeout_ms = log_handle(&rig.handler);

	assert_int_equal(rig.log.shared->turn & 1, 0);
	assert_int_equal(timeout_ms >= 0, log_nr_waiting(rig.log.shared) > 0);
	return timeout_ms >= 0;
}

/* `room`: for what is given up. */
static void set_room(size_t max_written, size_t room)
{
	rig.log.shared->max_written = max_written;
	rig.log.shared->nr_entries = max_written + room;
}

/* As many writes as the list takes. */
static void fill(size_t nr, size_t room)
{
	set_room(nr, room);
	many_write(HERE, nr);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), nr);
}

/* A list of four that was full for too long. */
static void overflow(void)
{
	fill(4, 4);
	somebody_writes(THERE);
	assert_true(handle());
	rig.now_ns += STALL_NS;
	assert_false(handle());
}

/* One piece in `interval_ns`. */
static void throttle_to(uint64_t interval_ns)
{
	rig.log.shared->throttle_bytes_per_s = rig.log.shared->granularity_bytes * 1000 * MS / interval_ns;
}

static void expect_entry(size_t i, enum log_what what, uint64_t start, uint64_t until)
{
	const struct log_entry *entry = log_entry(&rig.log, i);

	assert_in_range(i, 0, log_nr(&rig.log) - 1);
	assert_int_equal(entry->what, what);
	assert_int_equal(entry->start, start);
	assert_int_equal(entry->end, until);
}

static void expect_call(size_t i, unsigned long request, uint64_t start, uint64_t until, int error)
{
	assert_in_range(i, 0, rig.nr_calls - 1);
	assert_int_equal(rig.calls[i].request, request);
	assert_int_equal(rig.calls[i].start, start);
	assert_int_equal(rig.calls[i].end, until);
	assert_int_equal(rig.calls[i].error, error);
}

static bool lets_go(const struct call *call)
{
	return call->request != UFFDIO_UNREGISTER && call->error == 0;
}

/* How often who waits for the page was let go. */
static size_t nr_let_go(uint64_t page)
{
	size_t nr = 0;

	for (size_t i = 0; i < rig.nr_calls; i++)
		nr += lets_go(&rig.calls[i]) && rig.calls[i].start <= page && page < rig.calls[i].end;
	return nr;
}

/* Whoever was let go was in the list before, and who syncs waits until that is over. */
static void expect_all_were_listed(void)
{
	for (size_t i = 0; i < rig.nr_calls; i++) {
		assert_true(!lets_go(&rig.calls[i]) || rig.calls[i].is_listed);
		assert_true(rig.calls[i].is_odd);
	}
}

static void E2_a_write_is_in_the_list_before_it_is_let_go(void **unused)
{
	somebody_writes(THERE);
	assert_false(handle());
	assert_int_equal(rig.nr_calls, 1);
	expect_call(0, UFFDIO_WRITEPROTECT, THERE, THERE + PAGE, 0);
	assert_true(rig.calls[0].is_listed);
	assert_true(rig.calls[0].is_odd);
	assert_int_equal(log_nr(&rig.log), 1);
	expect_entry(0, LOG_WRITTEN, THERE, THERE + PAGE);
	assert_int_equal(rig.log.shared->nr_faults, 1);
}

static void E2_two_who_write_the_same_page_are_both_let_go(void **unused)
{
	somebody_writes(THERE);
	somebody_writes(THERE);
	assert_false(handle());
	assert_int_equal(nr_let_go(THERE), 2);
	expect_all_were_listed();
}

static void E2_the_list_keeps_its_order_when_it_begins_anew(void **unused)
{
	set_room(4, 3);
	for (uint64_t at = THERE; at < THERE + 40 * PAGE; at += 4 * PAGE) {
		many_write(at, 4);
		assert_false(handle());
		assert_int_equal(log_nr(&rig.log), 4);
		for (size_t i = 0; i < 4; i++)
			expect_entry(i, LOG_WRITTEN, at + i * PAGE, at + (i + 1) * PAGE);
		log_drop(&rig.log, 4);
	}
	assert_false(log_overflowed(&rig.log));
}

/* Who collects protects the page when it takes the entry; the writer, let go later, would not be seen. */
static void E2_who_must_wait_is_listed_again_when_the_entry_was_taken(void **unused)
{
	rig.nr_busy = 1;
	somebody_writes(THERE);
	assert_true(handle());
	assert_int_equal(log_nr(&rig.log), 1);
	log_drop(&rig.log, 1);
	assert_int_equal(nr_let_go(THERE), 0);
	assert_false(handle());
	assert_int_equal(nr_let_go(THERE), 1);
	expect_all_were_listed();
	assert_int_equal(log_nr(&rig.log), 1);
	expect_entry(0, LOG_WRITTEN, THERE, THERE + PAGE);
}

static void E2_who_must_wait_is_not_listed_twice(void **unused)
{
	rig.nr_busy = 3;
	somebody_writes(THERE);
	for (int i = 0; i < 3; i++)
		assert_true(handle());
	assert_false(handle());
	assert_int_equal(nr_let_go(THERE), 1);
	assert_int_equal(log_nr(&rig.log), 1);
	expect_all_were_listed();
}

static void E2_a_page_that_cannot_be_lifted_is_not_tracked_any_more(void **unused)
{
	rig.nr_busy = UINT32_MAX;
	somebody_writes(THERE);
	assert_true(handle());
	rig.now_ns += STALL_NS - 1;
	assert_true(handle());
	rig.now_ns++;
	assert_false(handle());
	expect_call(0, UFFDIO_WRITEPROTECT, THERE, THERE + PAGE, EAGAIN);
	expect_call(1, UFFDIO_WRITEPROTECT, THERE, THERE + PAGE, EAGAIN);
	expect_call(2, UFFDIO_WRITEPROTECT, THERE, THERE + PAGE, EAGAIN);
	expect_call(3, UFFDIO_UNREGISTER, THERE, THERE + PAGE, 0);
	assert_int_equal(rig.calls[3].nr_listed, 2);
	assert_int_equal(nr_let_go(THERE), 1);
	expect_entry(1, LOG_UNKNOWN, THERE, THERE + PAGE);
}

static void E5_a_piece_is_listed_and_lifted_whole(void **unused)
{
	const uint64_t pieces[] = { 64 << 10, 2 << 20 };

	for (size_t i = 0; i < 2; i++) {
		uint64_t start = THERE + 3 * pieces[i];

		rig.log.shared->granularity_bytes = pieces[i];
		somebody_writes(start + 5 * PAGE);
		assert_false(handle());
		assert_int_equal(rig.nr_calls, i + 1);
		expect_call(i, UFFDIO_WRITEPROTECT, start, start + pieces[i], 0);
		assert_int_equal(log_nr(&rig.log), i + 1);
		expect_entry(i, LOG_WRITTEN, start, start + pieces[i]);
	}
	expect_all_were_listed();
}

static void E5_of_a_piece_that_sticks_out_the_page_alone_is_lifted(void **unused)
{
	rig.log.shared->granularity_bytes = 64 << 10;
	rig.mapped_bytes = PAGE;
	somebody_writes(THERE + 5 * PAGE);
	assert_false(handle());
	assert_int_equal(rig.nr_calls, 2);
	expect_call(0, UFFDIO_WRITEPROTECT, THERE, THERE + 16 * PAGE, ENOENT);
	expect_call(1, UFFDIO_WRITEPROTECT, THERE + 5 * PAGE, THERE + 6 * PAGE, 0);
	expect_entry(0, LOG_WRITTEN, THERE, THERE + 16 * PAGE);
	expect_all_were_listed();
}

static void who_writes_what_is_not_tracked_any_more_is_woken(void **unused)
{
	rig.mapped_bytes = 0;
	somebody_writes(THERE);
	assert_false(handle());
	assert_int_equal(rig.nr_calls, 2);
	expect_call(1, UFFDIO_WAKE, THERE, THERE + PAGE, 0);
	rig.log.shared->granularity_bytes = 64 << 10;
	somebody_writes(THERE + 5 * PAGE);
	assert_false(handle());
	assert_int_equal(rig.nr_calls, 5);
	expect_call(3, UFFDIO_WRITEPROTECT, THERE + 5 * PAGE, THERE + 6 * PAGE, ENOENT);
	expect_call(4, UFFDIO_WAKE, THERE + 5 * PAGE, THERE + 6 * PAGE, 0);
}

static void E2_a_full_list_keeps_writers_waiting(void **unused)
{
	fill(4, 4);
	many_write(THERE, 2);
	assert_true(handle());
	rig.now_ns += STALL_NS - 1;
	assert_true(handle());
	assert_int_equal(rig.nr_calls, 4);
	assert_int_equal(log_nr(&rig.log), 4);
	assert_false(log_overflowed(&rig.log));
}

static void E2_a_list_that_is_full_for_too_long_is_over(void **unused)
{
	overflow();
	assert_int_equal(nr_let_go(THERE), 1);
	assert_true(rig.calls[rig.nr_calls - 1].has_hole);
	assert_int_equal(log_nr(&rig.log), 4);
	assert_int_equal(rig.log.shared->longest_stall_ns, STALL_NS);
}

static void E2_a_list_that_is_over_stalls_nobody_else(void **unused)
{
	overflow();
	many_write(THERE + PAGE, 3);
	assert_false(handle());
	assert_int_equal(rig.nr_calls, 4 + 1 + 3);
	assert_int_equal(log_nr(&rig.log), 4);
	assert_true(log_overflowed(&rig.log));
}

static void E2_writes_are_listed_again_once_the_hole_is_known(void **unused)
{
	overflow();
	assert_true(log_overflowed(&rig.log));
	somebody_writes(THERE + PAGE);
	assert_true(handle());
	log_drop(&rig.log, 4);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 1);
	expect_entry(0, LOG_WRITTEN, THERE + PAGE, THERE + 2 * PAGE);
	assert_true(rig.calls[rig.nr_calls - 1].is_listed);
	assert_false(log_overflowed(&rig.log));
}

static void E2_room_in_time_is_no_hole(void **unused)
{
	fill(4, 4);
	somebody_writes(THERE);
	assert_true(handle());
	rig.now_ns += STALL_NS - 1;
	log_drop(&rig.log, 1);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 4);
	expect_entry(3, LOG_WRITTEN, THERE, THERE + PAGE);
	expect_all_were_listed();
	assert_false(log_overflowed(&rig.log));
}

/* The list is full for writes, one of which waits. */
static void expect_listed_all_the_same(size_t nr)
{
	assert_true(handle());
	assert_int_equal(log_nr(&rig.log), 4 + nr);
	assert_int_equal(nr_let_go(THERE), 0);
	assert_false(log_overflowed(&rig.log));
}

static void E2_what_is_given_up_is_listed_though_writes_find_no_room(void **unused)
{
	fill(4, 4);
	somebody_writes(THERE);
	somebody_gives_up(UFFD_EVENT_REMOVE, THERE + PAGE, THERE + 9 * PAGE);
	expect_listed_all_the_same(1);
	expect_entry(4, LOG_LEAVING, THERE + PAGE, THERE + 9 * PAGE);
}

/* What was given up and what was written are different things to who collects. */
static void E2_a_write_to_what_is_given_up_is_listed_beside_that(void **unused)
{
	somebody_gives_up(UFFD_EVENT_REMOVE, THERE, THERE + PAGE);
	somebody_writes(THERE);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 2);
	expect_entry(0, LOG_LEAVING, THERE, THERE + PAGE);
	expect_entry(1, LOG_WRITTEN, THERE, THERE + PAGE);
	expect_all_were_listed();
}

static void E2_what_is_moved_is_listed_though_writes_find_no_room(void **unused)
{
	fill(4, 4);
	somebody_writes(THERE);
	somebody_moves(THERE + PAGE, THERE + 100 * PAGE, 8 * PAGE);
	expect_listed_all_the_same(2);
	expect_entry(4, LOG_LEAVING, THERE + PAGE, THERE + 9 * PAGE);
	expect_entry(5, LOG_UNKNOWN, THERE + 100 * PAGE, THERE + 108 * PAGE);
}

static void E2_what_is_unmapped_is_listed_though_writes_find_no_room(void **unused)
{
	fill(4, 4);
	somebody_writes(THERE);
	somebody_gives_up(UFFD_EVENT_UNMAP, THERE + PAGE, THERE + 9 * PAGE);
	expect_listed_all_the_same(1);
	expect_entry(4, LOG_UNKNOWN, THERE + PAGE, THERE + 9 * PAGE);
}

static void E2_more_given_up_than_there_is_room_for_is_a_hole(void **unused)
{
	fill(4, 2);
	for (uint64_t i = 0; i < 3; i++)
		somebody_gives_up(UFFD_EVENT_REMOVE, THERE + i * PAGE, THERE + (i + 1) * PAGE);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 6);
	expect_entry(0, LOG_WRITTEN, HERE, HERE + PAGE);
	expect_entry(5, LOG_LEAVING, THERE + PAGE, THERE + 2 * PAGE);
	assert_true(log_overflowed(&rig.log));
}

static void E3_without_a_throttle_nobody_is_held_back(void **unused)
{
	many_write(THERE, 1000);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 1000);
	assert_int_equal(rig.log.shared->throttled_ns, 0);
}

static void E3_no_more_than_a_burst_passes_at_once(void **unused)
{
	throttle_to(MS);
	many_write(THERE, 100);
	assert_true(handle());
	assert_in_range(log_nr(&rig.log), NR_BURST, NR_BURST + 1);
	assert_true(handle());
	assert_in_range(log_nr(&rig.log), NR_BURST, NR_BURST + 1);
	assert_int_equal(rig.nr_calls, log_nr(&rig.log));
	expect_all_were_listed();
}

static void E3_a_pause_saves_up_no_more_than_a_burst(void **unused)
{
	throttle_to(MS);
	somebody_writes(HERE);
	assert_false(handle());
	rig.now_ns += 10000 * MS;
	many_write(THERE, 100);
	assert_true(handle());
	assert_in_range(log_nr(&rig.log), 1 + NR_BURST, 1 + NR_BURST + 1);
}

/* Once nothing is saved up any more, ten go in ten intervals, and never two at a time. */
static void E3_who_is_held_back_goes_at_the_rate(void **unused)
{
	const uint64_t pieces[] = { PAGE, 64 << 10, 2 << 20 };

	for (size_t i = 0; i < 3; i++) {
		uint64_t interval_ns = pieces[i] / PAGE * MS;
		size_t before;

		end(NULL);
		begin(NULL);
		rig.log.shared->granularity_bytes = pieces[i];
		rig.log.shared->max_stall_ns = UINT64_MAX;
		throttle_to(interval_ns);
		many_write(THERE, 100);
		assert_true(handle());
		rig.now_ns += interval_ns;
		assert_true(handle());
		before = log_nr(&rig.log);
		for (int step = 0; step < 100; step++) {
			size_t nr = log_nr(&rig.log);

			rig.now_ns += interval_ns / 10;
			assert_true(handle());
			assert_in_range(log_nr(&rig.log), nr, nr + 1);
		}
		assert_int_equal(log_nr(&rig.log), before + 10);
		expect_all_were_listed();
	}
}

static void E3_nobody_is_held_back_for_longer_than_agreed(void **unused)
{
	throttle_to(1000000 * MS);
	many_write(THERE, 3);
	assert_true(handle());
	rig.now_ns += STALL_NS - 1;
	assert_true(handle());
	assert_int_equal(log_nr(&rig.log), 1);
	assert_int_equal(rig.log.shared->throttled_ns, 0);
	rig.now_ns++;
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 3);
	expect_all_were_listed();
	assert_false(log_overflowed(&rig.log));
	assert_int_equal(rig.log.shared->throttled_ns, 2 * STALL_NS);
	assert_int_equal(rig.log.shared->longest_stall_ns, STALL_NS);
}

/* What passes during a hole, or for being overdue, is no debt that those who come later pay off for ever. */
static void E3_debts_are_bounded(void **unused)
{
	throttle_to(MS);
	many_write(THERE, 500);
	assert_true(handle());
	rig.now_ns += STALL_NS;
	assert_false(handle());
	rig.now_ns += 2 * STALL_NS + 20 * MS;
	somebody_writes(THERE);
	assert_false(handle());
}

static void E2_a_writer_whose_own_entry_fills_the_list_is_no_hole(void **unused)
{
	rig.log.shared->max_written = 1;
	rig.nr_busy = 1;
	somebody_writes(THERE);
	assert_true(handle());
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 1);
	assert_false(log_overflowed(&rig.log));
}

static void E3_who_may_go_is_not_held_back_again(void **unused)
{
	throttle_to(1000000 * MS);
	rig.nr_busy = 1;
	many_write(THERE, 2);
	assert_true(handle());
	assert_int_equal(nr_let_go(THERE), 0);
	assert_true(handle());
	assert_int_equal(nr_let_go(THERE), 1);
	assert_int_equal(nr_let_go(THERE + PAGE), 0);
}

/* Of three messages the first is done with. */
static void leave_a_batch(void)
{
	const struct uffd_msg left = write_of(THERE);
	const struct uffd_msg gone = { .event = UFFD_EVENT_REMOVE,
		                       .arg.remove = { .start = HERE, .end = HERE + PAGE } };

	memcpy(&rig.log.shared->batch[1], &left, sizeof(left));
	memcpy(&rig.log.shared->batch[2], &gone, sizeof(gone));
	rig.log.shared->turn = 7;
}

static void E2_what_was_read_by_one_that_was_killed_is_not_lost(void **unused)
{
	leave_a_batch();
	somebody_writes(THERE + PAGE);
	assert_false(handle());
	assert_int_equal(log_nr(&rig.log), 3);
	expect_entry(0, LOG_LEAVING, HERE, HERE + PAGE);
	expect_entry(1, LOG_WRITTEN, THERE, THERE + PAGE);
	expect_entry(2, LOG_WRITTEN, THERE + PAGE, THERE + 2 * PAGE);
	assert_int_equal(rig.nr_calls, 2);
	expect_all_were_listed();
}

static void E2_who_collects_waits_for_who_takes_over(void **unused)
{
	leave_a_batch();
	rig.step_ns = 100 * MS;
	assert_int_equal(log_sync(&rig.log), -ETIMEDOUT);
	rig.step_ns = 0;
	assert_false(handle());
	assert_true(rig.log.shared->turn > 7);
	assert_int_equal(log_sync(&rig.log), 0);
}

static void E3_who_was_let_go_by_one_that_was_killed_goes(void **unused)
{
	struct log_shared *shared = rig.log.shared;

	throttle_to(1000000 * MS);
	shared->free_from_ns = rig.now_ns + 1000000 * MS;
	shared->waiting[0] = (struct log_waiting){ THERE, rig.now_ns };
	shared->waiting[1] = (struct log_waiting){ THERE + PAGE, rig.now_ns };
	shared->next = 2;
	shared->first_may_go = 1;
	shared->turn = 7;
	assert_true(handle());
	assert_int_equal(nr_let_go(THERE), 1);
	assert_int_equal(nr_let_go(THERE + PAGE), 0);
	expect_all_were_listed();
}

/* Is it alive after that? */
static bool handle_until_killed(unsigned at)
{
	rig.dies_at = at;
	if (setjmp(rig.death) == 0) {
		handle();
		return true;
	}
	assert_int_equal(rig.log.shared->turn & 1, 1);
	return false;
}

static bool has_entry(enum log_what what, uint64_t start)
{
	for (size_t i = 0; i < log_nr(&rig.log); i++)
		if (log_entry(&rig.log, i)->what == what && log_entry(&rig.log, i)->start == start)
			return true;
	return false;
}

static void E2_one_that_is_killed_at_any_call_loses_nothing(void **unused)
{
	bool is_alive = false;
	unsigned at;

	for (at = 0; !is_alive; at++) {
		end(NULL);
		begin(NULL);
		many_write(THERE, 3);
		somebody_moves(HERE, HERE + 100 * PAGE, PAGE);
		is_alive = handle_until_killed(at);
		if (!is_alive)
			assert_false(handle());
		for (uint64_t i = 0; i < 3; i++)
			assert_in_range(nr_let_go(THERE + i * PAGE), 1, 2);
		expect_all_were_listed();
		assert_true(has_entry(LOG_LEAVING, HERE));
		assert_true(has_entry(LOG_UNKNOWN, HERE + 100 * PAGE));
	}
	assert_true(at > 10);
}

/* Takes all that is listed: one entry for each write, in their order. */
static void collect(size_t *nr_taken)
{
	size_t nr = log_nr(&rig.log);

	for (size_t i = 0; i < nr; i++) {
		uint64_t page = THERE + (*nr_taken)++ * PAGE;

		expect_entry(i, LOG_WRITTEN, page, page + PAGE);
	}
	log_drop(&rig.log, nr);
}

static void E2_more_writers_than_can_wait_lose_nothing(void **unused)
{
	size_t nr_taken = 0;

	set_room(1000, 10);
	many_write(THERE, MANY);
	assert_true(handle());
	assert_true(rig.nr_read < MANY);
	for (int i = 0; i < 10; i++) {
		collect(&nr_taken);
		handle();
	}
	assert_int_equal(nr_taken, MANY);
	assert_int_equal(log_nr_waiting(rig.log.shared), 0);
	assert_int_equal(rig.nr_calls, MANY);
	for (uint64_t i = 0; i < MANY; i++)
		assert_int_equal(nr_let_go(THERE + i * PAGE), 1);
	expect_all_were_listed();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(E2_a_write_is_in_the_list_before_it_is_let_go),
		TEST(E2_two_who_write_the_same_page_are_both_let_go),
		TEST(E2_the_list_keeps_its_order_when_it_begins_anew),
		TEST(E2_who_must_wait_is_listed_again_when_the_entry_was_taken),
		TEST(E2_who_must_wait_is_not_listed_twice),
		TEST(E2_a_page_that_cannot_be_lifted_is_not_tracked_any_more),
		TEST(E5_a_piece_is_listed_and_lifted_whole),
		TEST(E5_of_a_piece_that_sticks_out_the_page_alone_is_lifted),
		TEST(who_writes_what_is_not_tracked_any_more_is_woken),
		TEST(E2_a_full_list_keeps_writers_waiting),
		TEST(E2_a_list_that_is_full_for_too_long_is_over),
		TEST(E2_a_list_that_is_over_stalls_nobody_else),
		TEST(E2_writes_are_listed_again_once_the_hole_is_known),
		TEST(E2_room_in_time_is_no_hole),
		TEST(E2_what_is_given_up_is_listed_though_writes_find_no_room),
		TEST(E2_a_write_to_what_is_given_up_is_listed_beside_that),
		TEST(E2_what_is_moved_is_listed_though_writes_find_no_room),
		TEST(E2_what_is_unmapped_is_listed_though_writes_find_no_room),
		TEST(E2_more_given_up_than_there_is_room_for_is_a_hole),
		TEST(E3_without_a_throttle_nobody_is_held_back),
		TEST(E3_no_more_than_a_burst_passes_at_once),
		TEST(E3_a_pause_saves_up_no_more_than_a_burst),
		TEST(E3_who_is_held_back_goes_at_the_rate),
		TEST(E3_nobody_is_held_back_for_longer_than_agreed),
		TEST(E3_debts_are_bounded),
		TEST(E2_a_writer_whose_own_entry_fills_the_list_is_no_hole),
		TEST(E3_who_may_go_is_not_held_back_again),
		TEST(E2_what_was_read_by_one_that_was_killed_is_not_lost),
		TEST(E2_who_collects_waits_for_who_takes_over),
		TEST(E3_who_was_let_go_by_one_that_was_killed_goes),
		TEST(E2_one_that_is_killed_at_any_call_loses_nothing),
		TEST(E2_more_writers_than_can_wait_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
