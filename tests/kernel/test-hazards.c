/* SPDX-License-Identifier: MIT */
/* This file runs the probes of lost writes on the running kernel, and on kernels that are made to lose some. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "verify/apart.h"
#include "verify/hazards.h"

static struct doctor_row asked(const struct doctor_question *question)
{
	struct doctor_row row = { .answer = DOCTOR_UNKNOWN };

	snprintf(row.name, sizeof(row.name), "%s", question->name);
	question->ask(&row);
	print_message("%-24s %d %s\n", row.name, (int)row.answer, row.reason);
	return row;
}

static struct doctor_row asked_name(const struct doctor_question *questions, const char *name)
{
	while (questions->name != NULL && strcmp(questions->name, name) != 0)
		questions++;
	assert_non_null(questions->name);
	return asked(questions);
}

static struct doctor_row tracked(const char *name)
{
	return asked_name(questions_tracked, name);
}

static void is_yes(const char *name)
{
	assert_int_equal(tracked(name).answer, DOCTOR_YES);
}

/* Huge pages, swap, memory nodes and io_uring are what a machine has or has not: without them the test ends here. */
static void is_yes_where_asked(const char *name)
{
	struct doctor_row row = tracked(name);

	assert_int_not_equal(row.answer, DOCTOR_NO);
	if (row.answer == DOCTOR_UNKNOWN)
		skip();
}

/* The interfaces; programs without them have nothing to ask here. */
static bool tracks(void)
{
	return asked_name(questions_tracking, "write-protect-tracking").answer == DOCTOR_YES;
}

static void B3_holes_and_first_touches_are_reported(void **state)
{
	(void)state;
	is_yes("tracked-pte-hole");
	is_yes("tracked-pmd-hole");
	is_yes("tracked-unpopulated");
	is_yes("tracked-zero-page");
	is_yes_where_asked("tracked-huge-hole");
	is_yes_where_asked("tracked-huge-zero-page");
}

static void E1_writes_survive_a_split(void **state)
{
	(void)state;
	is_yes("tracked-collapse");
	is_yes_where_asked("tracked-huge-split");
	is_yes_where_asked("tracked-folio-split");
}

static void E1_writes_survive_a_migration(void **state)
{
	(void)state;
	is_yes_where_asked("tracked-migration");
	is_yes_where_asked("tracked-huge-migration");
}

static void B3_writes_survive_swapping(void **state)
{
	(void)state;
	is_yes_where_asked("tracked-swap");
	is_yes_where_asked("tracked-huge-swap");
}

static void B3_huge_pages_of_the_pool_are_tracked(void **state)
{
	(void)state;
	is_yes_where_asked("tracked-hugetlb");
}

static void B4_a_pinned_page_is_not_replaced_by_a_copy(void **state)
{
	(void)state;
	is_yes_where_asked("tracked-pinned-fork");
}

static ssize_t write_something_else(int fd, const void *buf, size_t size, off_t offset)
{
	(void)buf;
	return size == 1 ? sys_table_linux.pwrite(fd, "x", 1, offset) : -1;
}

static void B4_what_a_device_wrote_to_a_copy_is_found_out(void **state)
{
	struct sys_table broken = sys_table_linux;
	struct doctor_row row;

	(void)state;
	is_yes_where_asked("tracked-pinned-fork");
	broken.pwrite = write_something_else;
	sys_table = &broken;
	row = tracked("tracked-pinned-fork");
	sys_table = &sys_table_linux;
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.reason, "3 of 6 "));
}

static void writes_survive_a_fork_and_a_move(void **state)
{
	(void)state;
	is_yes("tracked-fork");
	is_yes("tracked-mremap");
	is_yes_where_asked("tracked-huge-fork");
	is_yes_where_asked("tracked-huge-mremap");
}

/* Everybody who trusts one of these would lose writes; nobody has to do anything about it. */
static void what_the_interface_loses_is_known(void **state)
{
	static const char *const names[] = { "tracked-scan-error", "tracked-file-drop", "tracked-file-write",
		                             "tracked-device-write" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct doctor_row row = tracked(names[i]);

		/* Where io_uring is not allowed, the last one. */
		if (row.answer == DOCTOR_UNKNOWN && strstr(row.reason, "io_uring") != NULL)
			continue;
		assert_int_equal(row.answer, DOCTOR_NO);
		assert_non_null(strstr(row.reason, "; a tracker "));
		assert_string_equal(row.remedy, "");
	}
}

/* Where soft-dirty is not, clearing it succeeds all the same: only the control tells. */
static void C4_soft_dirty_is_believed_only_after_a_control(void **state)
{
	struct doctor_row row = asked_name(questions_tracking, "soft-dirty");

	(void)state;
	assert_int_not_equal(row.answer, DOCTOR_UNKNOWN);
	if (row.answer == DOCTOR_NO) {
		assert_non_null(strstr(row.reason, "succeeds"));
		/* No script of it may say that all is well then. */
		for (const struct doctor_question *q = questions_soft_dirty; q->name != NULL; q++)
			assert_int_not_equal(asked(q).answer, DOCTOR_YES);
		return;
	}
	for (const struct doctor_question *q = questions_soft_dirty; q->name != NULL; q++)
		asked(q);
}

/* PAGEMAP_SCAN's argument, as far as the broken kernels below change it. */
struct scan_head {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
};

static bool is_scan(unsigned long request)
{
	return _IOC_TYPE(request) == 'f' && _IOC_NR(request) == 16;
}

static int scan_without_rearm(int fd, unsigned long request, void *arg)
{
	if (is_scan(request))
		((struct scan_head *)arg)->flags &= ~(uint64_t)PAGESCAN_REARM;
	return sys_table_linux.ioctl(fd, request, arg);
}

/* Protects again what was written, and says nothing of it. */
static int scan_that_forgets(int fd, unsigned long request, void *arg)
{
	int result = sys_table_linux.ioctl(fd, request, arg);

	if (!is_scan(request) || result < 0 || (((struct scan_head *)arg)->flags & PAGESCAN_REARM) == 0)
		return result;
	((struct scan_head *)arg)->walk_end = ((struct scan_head *)arg)->end;
	return 0;
}

static int last_uffd;

static int remember_uffd(int flags)
{
	last_uffd = sys_table_linux.userfaultfd(flags);
	return last_uffd;
}

/* What is dropped stays armed, as if its content had not changed. */
static int madvise_that_keeps(void *addr, size_t size, int advice)
{
	struct uffdio_writeprotect range = { .range = { .start = (uintptr_t)addr, .len = size },
		                             .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	int result = sys_table_linux.madvise(addr, size, advice);

	if (advice == MADV_DONTNEED && result == 0)
		result = sys_table_linux.ioctl(last_uffd, UFFDIO_WRITEPROTECT, &range);
	return result;
}

static void no_answer_counts_where_arming_has_no_effect(void **state)
{
	struct sys_table broken = sys_table_linux;
	unsigned nr_controls = 0;

	(void)state;
	broken.ioctl = scan_without_rearm;
	sys_table = &broken;
	for (const struct doctor_question *q = questions_tracked; q->name != NULL; q++) {
		struct doctor_row row = asked(q);

		/* Kernels that never arm what is not there cannot be told from this one by a look at it. */
		if (row.answer == DOCTOR_YES)
			assert_non_null(strstr(row.reason, "reported that nobody changed"));
		else
			assert_int_equal(row.answer, DOCTOR_UNKNOWN);
		nr_controls += strstr(row.reason, "nobody wrote after arming") != NULL;
	}
	assert_int_equal(asked_name(questions_tracking, "write-protect-tracking").answer, DOCTOR_NO);
	sys_table = &sys_table_linux;
	assert_true(nr_controls >= 10);
}

static void a_kernel_that_forgets_writes_is_found_out(void **state)
{
	struct sys_table broken = sys_table_linux;
	unsigned nr_found = 0;

	(void)state;
	broken.ioctl = scan_that_forgets;
	sys_table = &broken;
	for (const struct doctor_question *q = questions_tracked; q->name != NULL; q++) {
		struct doctor_row row = asked(q);

		assert_int_not_equal(row.answer, DOCTOR_YES);
		nr_found += row.answer == DOCTOR_NO;
	}
	assert_int_equal(asked_name(questions_tracking, "write-protect-tracking").answer, DOCTOR_NO);
	sys_table = &sys_table_linux;
	assert_true(nr_found >= 10);
}

static void B3_a_kernel_that_hides_holes_is_found_out(void **state)
{
	struct sys_table broken = sys_table_linux;
	struct doctor_row row;

	(void)state;
	broken.userfaultfd = remember_uffd;
	broken.madvise = madvise_that_keeps;
	sys_table = &broken;
	row = tracked("tracked-pte-hole");
	assert_int_equal(row.answer, DOCTOR_NO);
	/* Three pages are dropped, one of them is written before the next look. */
	assert_non_null(strstr(row.reason, "2 of 7 "));
	assert_true(row.remedy[0] != 0);
	row = tracked("tracked-pmd-hole");
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.reason, "1024 of 1029 "));
	assert_int_equal(tracked("tracked-unpopulated").answer, DOCTOR_YES);
	sys_table = &sys_table_linux;
}

static void hang(struct doctor_row *row)
{
	row_yes(row, "never said");
	for (;;)
		pause();
}

static void crash(struct doctor_row *row)
{
	row_yes(row, "never said");
	raise(SIGKILL);
}

static void say_yes(struct doctor_row *row)
{
	row_yes(row, "by %d", getpid());
}

static void a_child_that_hangs_or_dies_is_no_answer(void **state)
{
	struct doctor_row row = { .name = "x" };
	char own[32];

	(void)state;
	apart_ask(&row, hang, 50);
	assert_int_equal(row.answer, DOCTOR_UNKNOWN);
	assert_non_null(strstr(row.reason, "no answer within"));
	apart_ask(&row, crash, 60000);
	assert_int_equal(row.answer, DOCTOR_UNKNOWN);
	assert_non_null(strstr(row.reason, "died"));
	apart_ask(&row, say_yes, 60000);
	assert_int_equal(row.answer, DOCTOR_YES);
	snprintf(own, sizeof(own), "by %d", getpid());
	assert_string_not_equal(row.reason, own);
	assert_string_equal(row.name, "x");
	/* None is left behind. */
	assert_int_equal(sys_wait4(-1, NULL, 0), -ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B3_holes_and_first_touches_are_reported),
		cmocka_unit_test(E1_writes_survive_a_split),
		cmocka_unit_test(E1_writes_survive_a_migration),
		cmocka_unit_test(B3_writes_survive_swapping),
		cmocka_unit_test(B3_huge_pages_of_the_pool_are_tracked),
		cmocka_unit_test(B4_a_pinned_page_is_not_replaced_by_a_copy),
		cmocka_unit_test(B4_what_a_device_wrote_to_a_copy_is_found_out),
		cmocka_unit_test(writes_survive_a_fork_and_a_move),
		cmocka_unit_test(what_the_interface_loses_is_known),
		cmocka_unit_test(C4_soft_dirty_is_believed_only_after_a_control),
		cmocka_unit_test(no_answer_counts_where_arming_has_no_effect),
		cmocka_unit_test(a_kernel_that_forgets_writes_is_found_out),
		cmocka_unit_test(B3_a_kernel_that_hides_holes_is_found_out),
		cmocka_unit_test(a_child_that_hangs_or_dies_is_no_answer),
	};

	unsetenv("TIDEMARK_FAULT");
	if (!tracks()) {
		fprintf(stderr, "userfaultfd and PAGEMAP_SCAN do not track writes on this kernel\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
