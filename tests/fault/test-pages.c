/* SPDX-License-Identifier: MIT */
/* This file makes every system call of a look at pages fail once: nothing may leak, no answer be wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../kernel/child.h"
#include "fail-nth.h"
#include "told.h"
#include "pages/summary.h"

#define START 0x200000000000ul
#define PAGE  4096ul
#define NR    256u

/* Every other page is written. */
static int lay_out(int in, int out, void *unused)
{
	char *memory = mmap((void *)START, NR * PAGE, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)unused;
	if (memory != (char *)START || madvise(memory, NR * PAGE, MADV_NOHUGEPAGE) != 0)
		return 1;
	for (size_t i = 0; i < NR; i += 2)
		((volatile char *)memory)[i * PAGE] = 1;
	child_serve(in, out);
	return 0;
}

/* Opens both, whatever fails closes both. */
static int open_both(pid_t pid, struct tide_target **target, struct tide_pages **pages, struct tide_error *err)
{
	int result = tide_target_open(target, pid, err);

	return result < 0 ? result : tide_pages_open(pages, *target, err);
}

static int list(pid_t pid, struct tide_error *err)
{
	struct tide_pages_query query = {
		.size = sizeof(query), .start = START, .end = START + NR * PAGE, .all_of = TIDE_PAGE_PRESENT
	};
	struct tide_target *target = NULL;
	struct tide_pages *pages = NULL;
	struct tide_page_run runs[10];
	int result = open_both(pid, &target, &pages, err);
	unsigned nr_runs = 0;

	while (result >= 0 && query.start < query.end) {
		long nr = tide_pages_get(pages, &query, runs, 10, err);

		for (long i = 0; i < nr; i++)
			assert_int_equal(runs[i].start, START + 2 * PAGE * nr_runs++);
		result = nr < 0 ? (int)nr : 0;
		if (nr >= 0)
			query.start = query.next;
	}
	if (result >= 0)
		assert_int_equal(nr_runs, NR / 2);
	tide_pages_close(pages);
	tide_target_close(target);
	return result;
}

static int sum_up(pid_t pid, struct tide_error *err)
{
	const struct tide_range range = { START, START + NR * PAGE };
	struct tide_target *target = NULL;
	struct tide_pages *pages = NULL;
	struct summary summary = { 0 };
	int result = open_both(pid, &target, &pages, err);

	if (result >= 0)
		result = summary_take(&summary, target, pages, &range, 1, NULL, NULL, err);
	if (result >= 0) {
		assert_int_equal(summary.rows.nr, 1);
		assert_int_equal(summary.rows.items[0].bytes[SUMMARY_PRESENT], NR / 2 * PAGE);
		/* What was not seen is not said. */
		if (summary.told & 1u << SUMMARY_DIRTY)
			assert_int_equal(summary.rows.items[0].bytes[SUMMARY_DIRTY], NR / 2 * PAGE);
		else
			assert_true(summary.lack.text[0] != 0);
	}
	summary_fini(&summary);
	tide_pages_close(pages);
	tide_target_close(target);
	return result;
}

typedef int look_fn(pid_t pid, struct tide_error *err);

static unsigned fail_each_call(look_fn *look, pid_t pid, int error)
{
	unsigned descriptors;
	unsigned nr_refused = 0;

	/* What is found once for the life of the program does not count. */
	assert_true(look(pid, NULL) >= 0);
	descriptors = fail_nth_descriptors();
	for (unsigned nth = 1;; nth++) {
		struct tide_error err = { 0 };
		int result;

		fail_nth_arm(nth, error);
		result = look(pid, &err);
		if (!fail_nth_disarm()) {
			assert_true(result >= 0);
			return nr_refused;
		}
		told_assert(nth, result, &err, descriptors);
		nr_refused += result < 0;
	}
}

static void with_errors(look_fn *look, const int *errors, size_t nr)
{
	struct child child;

	child_start(&child, lay_out, NULL);
	for (size_t i = 0; i < nr; i++)
		assert_true(fail_each_call(look, child.pid, errors[i]) > 20);
	child_end(&child);
}

static void with_each_error(look_fn *look)
{
	static const int errors[] = { EIO, ENOMEM, EACCES };

	with_errors(look, errors, sizeof(errors) / sizeof(errors[0]));
}

static void a_list_by_scan(void **unused)
{
	(void)unused;
	with_each_error(list);
}

static void a_list_by_entries(void **unused)
{
	(void)unused;
	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	with_each_error(list);
	unsetenv("TIDEMARK_FAULT");
}

/* Loads the walker each time, which is slow. */
static void a_summary(void **unused)
{
	static const int error = EIO;

	(void)unused;
	with_errors(sum_up, &error, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_by_scan),
		cmocka_unit_test(a_list_by_entries),
		cmocka_unit_test(a_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
