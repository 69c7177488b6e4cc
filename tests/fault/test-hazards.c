/* SPDX-License-Identifier: MIT */
/* This file makes every system call of the hazard probes fail once: none may leak, or call a loss what was a failure.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "fail-nth.h"
#include "kernel/sys.h"
#include "verify/hazards.h"

struct trial {
	hazard_script *script;
	enum arena_kind kind;
	const struct arena_tracker *tracker;
};

/* True when there was a call to fail. Collects of what failed before lose nothing: a script ends at its first error. */
static bool survives(const struct trial *trial, unsigned nth)
{
	struct arena arena;

	fail_nth_arm(nth, EIO);
	arena_init(&arena, trial->tracker, trial->kind);
	trial->script(&arena);
	arena_write(&arena, ARENA_PAGES - 1);
	arena_collect(&arena);
	arena_fini(&arena);
	if (arena.error < 0)
		assert_non_null(arena.why);
	else if (trial->tracker == &arena_uffd)
		assert_int_equal(arena.nr_lost, 0);
	return fail_nth_disarm();
}

static void probes_survive_every_failure(void **state)
{
	static const struct trial trials[] = {
		{ hazard_pte_hole, ARENA_SMALL, &arena_uffd },
		{ hazard_huge_zero_page, ARENA_HUGE_EMPTY, &arena_uffd },
		{ hazard_huge_split, ARENA_HUGE, &arena_uffd },
		{ hazard_folio_split, ARENA_HUGE_SPARSE, &arena_uffd },
		{ hazard_collapse, ARENA_SMALL, &arena_uffd },
		{ hazard_fork, ARENA_SMALL, &arena_uffd },
		{ hazard_mremap, ARENA_SMALL, &arena_uffd },
		{ hazard_swap, ARENA_SMALL, &arena_uffd },
		{ hazard_migration, ARENA_SMALL, &arena_uffd },
		{ hazard_hugetlb, ARENA_HUGETLB, &arena_uffd },
		{ hazard_pinned_fork, ARENA_SMALL, &arena_uffd },
		{ hazard_unpopulated, ARENA_FILE_PRIVATE, &arena_uffd },
		{ hazard_replaced, ARENA_SMALL, &arena_soft_dirty },
		{ hazard_mremap, ARENA_SMALL, &arena_soft_dirty },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		unsigned before = fail_nth_descriptors();
		unsigned nth = 1;

		while (survives(&trials[i], nth))
			nth++;
		print_message("script %zu: %u calls failed\n", i, nth - 1);
		assert_true(nth > 3);
		assert_int_equal(fail_nth_descriptors(), before);
	}
}

/* How much is mapped, in bytes. */
static unsigned long mapped(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &pages), 1);
	fclose(file);
	return pages * ARENA_PAGE;
}

static void a_move_that_fails_leaves_nothing_mapped(void **state)
{
	const struct trial trial = { hazard_mremap, ARENA_SMALL, &arena_uffd };
	unsigned long before = mapped();

	(void)state;
	for (unsigned nth = 1; survives(&trial, nth); nth++)
		assert_true(mapped() < before + ARENA_BLOCK * ARENA_PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_survive_every_failure),
		cmocka_unit_test(a_move_that_fails_leaves_nothing_mapped),
	};
	struct arena arena;

	arena_init(&arena, &arena_uffd, ARENA_EMPTY);
	arena_fini(&arena);
	if (arena.error < 0) {
		fprintf(stderr, "userfaultfd does not track writes on this kernel: %s\n", arena.why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
