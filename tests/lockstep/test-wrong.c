/* SPDX-License-Identifier: MIT */
/* This file compares the kernel with models that are wrong, which must be found; and runs what is printed of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "verify/check.h"
#include "verify/emit.h"

static struct check check;

static int set_up(void **state)
{
	return check_open(&check, NULL);
}

static int tear_down(void **state)
{
	check_close(&check);
	return 0;
}

static void skip_unless_here(const struct program_case *it)
{
	enum model_op_kind lacking = check_lacking(&check, it->ops, it->nr);

	if (lacking == NR_MODEL_OPS)
		return;
	print_message("%s\n", check.real.powers.why_not[lacking]);
	skip();
}

static bool write_to(const char *directory)
{
	char path[64];
	FILE *file;
	bool good;

	snprintf(path, sizeof(path), "%s/program.c", directory);
	file = fopen(path, "w");
	good = file != NULL && check_print_program(file, &check, NULL) == 0;
	return file != NULL && fclose(file) == 0 && good;
}

/* Compiles the program without a warning, and runs it: its exit status. Nothing stays of it, whatever happens. */
static int compile_and_run(void)
{
	char directory[] = "/tmp/tidemark-lockstep.XXXXXX", command[256];
	bool written;
	int status;

	assert_non_null(mkdtemp(directory));
	written = write_to(directory);
	snprintf(command, sizeof(command),
	         "cd %s && cc -std=gnu11 -Wall -Wextra -Werror -o program program.c || exit 99; ./program", directory);
	status = written ? system(command) : 0;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
	assert_true(written);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 99); /* it was not compiled */
	return WEXITSTATUS(status);
}

static void wrong_model_is_found(enum model_bug bug, const char *name)
{
	const struct program_case *it = program_find(name);
	const struct check_opts opts = { .only = it };

	skip_unless_here(it);
	check.lockstep.opts.bug = bug;
	assert_int_equal(check_run(&check, &opts, NULL), 1);
	assert_true(check.again);
	assert_true(check.nr < it->nr);
	assert_int_equal(compile_and_run(), 1);
}

static void D3_a_model_that_shares_pinned_pages_is_found_wrong(void **state)
{
	wrong_model_is_found(MODEL_BUG_FORK_PINNED, "pinned-fork");
}

static void D1_a_model_that_shares_pinned_huge_pages_is_found_wrong(void **state)
{
	wrong_model_is_found(MODEL_BUG_FORK_PINNED, "pinned-huge-fork");
}

static void a_model_that_passes_over_holes_is_found_wrong(void **state)
{
	wrong_model_is_found(MODEL_BUG_HOLES, "hole");
}

static void a_model_that_passes_over_huge_entries_is_found_wrong(void **state)
{
	if (!check.real.powers.model.has_huge)
		skip();
	wrong_model_is_found(MODEL_BUG_HUGE_UNSEEN, "huge-split-armed");
}

/* What is printed of a program that shows nothing agrees, too. */
static void programs_that_agree_agree_in_C(void **state)
{
	unsigned nr = 0;

	for (const struct program_case *it = program_cases; it->name != NULL; it++) {
		const struct check_opts opts = { .only = it };

		if (check_lacking(&check, it->ops, it->nr) != NR_MODEL_OPS)
			continue;
		print_message("%s\n", it->name);
		check.lockstep.rules.nr = 0;
		assert_int_equal(check_run(&check, &opts, NULL), 0);
		if (check.lockstep.rules.nr > 0)
			continue; /* the kernel may do otherwise the next time */
		check.difference = (struct difference){ .what = DIFFERENCE_FLAGS };
		assert_int_equal(compile_and_run(), 0);
		nr++;
	}
	print_message("%u programs\n", nr);
	assert_true(nr > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(D3_a_model_that_shares_pinned_pages_is_found_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(D1_a_model_that_shares_pinned_huge_pages_is_found_wrong, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_model_that_passes_over_holes_is_found_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_model_that_passes_over_huge_entries_is_found_wrong, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(programs_that_agree_agree_in_C, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
