/* SPDX-License-Identifier: MIT */
/* This file tests random programs, and that they are shrunk to what shows a bug: a second model has it. */
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "verify/program.h"
#include "verify/shrink.h"
#include "verify/side-model.h"

#define BIT(kind) (UINT64_C(1) << (kind))
#define OF_KERNEL (BIT(FIRST_MODEL_OP) - 1)

static void the_same_seed_makes_the_same_program(void **state)
{
	static struct model_op one[PROGRAM_MAX], other[PROGRAM_MAX];
	const struct program_opts opts = { .can = OF_KERNEL };

	for (uint64_t seed = 0; seed < 50; seed++) {
		size_t nr = program_make(one, seed, &opts);

		assert_int_equal(nr, program_make(other, seed, &opts));
		assert_memory_equal(one, other, nr * sizeof(one[0]));
		assert_int_not_equal(nr, 0);
		program_make(other, seed + 1, &opts);
		assert_memory_not_equal(one, other, nr * sizeof(one[0]));
	}
}

static void only_what_can_be_done_is_in_it_and_within_the_arena(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	const struct program_opts opts = { .can = OF_KERNEL & ~BIT(OP_FORK) & ~BIT(OP_REARM) };

	for (uint64_t seed = 0; seed < 200; seed++) {
		size_t nr = program_make(ops, seed, &opts);

		assert_int_equal(program_kinds(ops, nr) & ~opts.can, 0);
		for (size_t i = 0; i < nr; i++) {
			assert_true(ops[i].process < MODEL_PROCESSES);
			assert_true(ops[i].page + ops[i].nr <= MODEL_PAGES);
			assert_true(ops[i].kind != OP_MOVE || ops[i].to + ops[i].nr <= MODEL_PAGES);
		}
	}
}

static void every_kind_is_in_some_program(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	const struct program_opts opts = { .can = BIT(NR_MODEL_OPS) - 1 };
	uint64_t kinds = 0;

	for (uint64_t seed = 0; seed < 200; seed++)
		kinds |= program_kinds(ops, program_make(ops, seed, &opts));
	assert_int_equal(kinds, opts.can);
}

static void an_advised_mapping_is_told_at_once(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	const struct program_opts opts = { .can = OF_KERNEL, .advises = true };
	size_t nr = program_make(ops, 3, &opts);

	for (size_t i = 0; i + 1 < nr; i++)
		if (ops[i].kind == OP_MAP)
			assert_true(ops[i + 1].kind == OP_HUGEPAGE || ops[i + 1].kind == OP_NOHUGEPAGE);
}

static void cases_have_names_of_their_own(void **state)
{
	for (const struct program_case *it = program_cases; it->name != NULL; it++) {
		assert_ptr_equal(program_find(it->name), it);
		assert_true(it->nr > 0 && it->nr <= PROGRAM_MAX);
	}
	assert_null(program_find("nobody"));
}

/* Runs programs until a model and one with `bug` differ; the shortest program, and what differs. */
static size_t find(enum model_bug bug, uint64_t can, struct model_op *ops, struct difference *difference)
{
	const struct model_opts right = { .has_soft_dirty = true, .has_huge = true };
	const struct model_opts wrong = { .bug = bug, .has_soft_dirty = true, .has_huge = true };
	const struct program_opts opts = { .can = can };
	struct lockstep lockstep;
	struct side_model other;
	size_t nr = 0;
	int result = 0;

	side_model_init(&other, &wrong);
	lockstep_init(&lockstep, &other.side, &right);
	for (uint64_t seed = 0; result == 0 && seed < 60; seed++) {
		nr = program_make(ops, seed, &opts);
		result = lockstep_run(&lockstep, ops, nr, difference);
	}
	if (result == 1) {
		assert_int_equal(shrink(&lockstep, ops, &nr, difference), 1);
		/* It still shows the same. */
		assert_int_equal(lockstep_run(&lockstep, ops, nr, difference), 1);
		assert_int_equal(difference->step, nr - 1);
	}
	lockstep_fini(&lockstep);
	side_model_fini(&other);
	return result == 1 ? nr : 0;
}

static void two_models_agree(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	struct difference difference;

	assert_int_equal(find(MODEL_NO_BUG, OF_KERNEL, ops, &difference), 0);
}

static void a_shared_pinned_page_is_found_and_shrunk(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	struct difference difference;
	size_t nr =
	        find(MODEL_BUG_FORK_PINNED, BIT(OP_MAP) | BIT(OP_WRITE) | BIT(OP_PIN) | BIT(OP_FORK), ops, &difference);

	/* Map, pin, fork. */
	assert_in_range(nr, 3, 4);
	assert_true(program_kinds(ops, nr) & BIT(OP_PIN));
	assert_int_equal(ops[nr - 1].kind, OP_FORK);
	assert_int_equal(difference.what, DIFFERENCE_FLAGS);
}

static void holes_that_are_not_reported_are_found_and_shrunk(void **state)
{
	static struct model_op ops[PROGRAM_MAX];
	struct difference difference;
	size_t nr =
	        find(MODEL_BUG_HOLES, BIT(OP_MAP) | BIT(OP_WRITE) | BIT(OP_REGISTER) | BIT(OP_REARM), ops, &difference);

	/* Map, register, scan: of one page each. */
	assert_int_equal(nr, 3);
	assert_int_equal(difference.what, DIFFERENCE_REPORTED);
	assert_int_equal(ops[2].kind, OP_REARM);
	assert_int_equal(ops[2].nr, 1);
}

static bool goes_on(void *arg, const struct lockstep *lockstep)
{
	return (*(int *)arg)-- > 0;
}

/* `left`: so many operations until it is stopped. */
static int shrink_for(int left, size_t *nr, struct difference *difference)
{
	static struct model_op ops[PROGRAM_MAX];
	const struct model_opts right = { .has_soft_dirty = true },
	                        wrong = { .bug = MODEL_BUG_HOLES, .has_soft_dirty = true };
	const struct program_opts opts = { .can = BIT(OP_MAP) | BIT(OP_WRITE) | BIT(OP_REGISTER) | BIT(OP_REARM) };
	struct lockstep lockstep;
	struct side_model other;
	uint64_t nr_ops;
	int result;

	side_model_init(&other, &wrong);
	lockstep_init(&lockstep, &other.side, &right);
	for (uint64_t seed = 0; lockstep_run(&lockstep, ops, *nr = program_make(ops, seed, &opts), difference) == 0;)
		seed++;
	assert_true(difference->step + 1 < *nr);
	/* What comes after the difference was not run. */
	assert_false(lockstep.outcomes.items[0].skipped);
	assert_true(lockstep.outcomes.items[*nr - 1].skipped);
	lockstep.go_on = goes_on;
	lockstep.arg = &left;
	nr_ops = lockstep.nr_ops;
	result = shrink(&lockstep, ops, nr, difference);
	assert_int_equal(lockstep.nr_ops, nr_ops);
	assert_int_equal(lockstep.outcomes.nr, *nr);
	lockstep_fini(&lockstep);
	side_model_fini(&other);
	return result;
}

static void shrinking_can_be_stopped_and_keeps_the_best(void **state)
{
	struct difference difference;
	size_t whole, shorter, nr;

	assert_int_equal(shrink_for(0, &whole, &difference), -ECANCELED);
	assert_true(difference.step + 1 < whole);
	assert_int_equal(shrink_for((int)whole, &shorter, &difference), 1);
	assert_true(shorter < whole && shorter == difference.step + 1);
	assert_int_equal(shrink_for(1000000, &nr, &difference), 1);
	assert_int_equal(nr, 3);
}

/* A model that hangs in each fork. */
struct hanging {
	struct side side;
	struct side_model model;
	int nr_hangs;
};

static int hanging_begin(struct side *side)
{
	struct side *model = &((struct hanging *)side)->model.side;

	return model->ops->begin(model);
}

static int hanging_run(struct side *side, const struct model_op *op, struct model_result *result)
{
	struct hanging *hanging = (struct hanging *)side;

	if (op->kind != OP_FORK)
		return hanging->model.side.ops->run(&hanging->model.side, op, result);
	hanging->nr_hangs++;
	return -ETIMEDOUT;
}

static int hanging_look(struct side *side, unsigned process, struct model_seen *seen)
{
	struct side *model = &((struct hanging *)side)->model.side;

	return model->ops->look(model, process, seen);
}

static void what_hangs_is_not_tried_for_ever(void **state)
{
	static const struct side_ops hangs = { hanging_begin, hanging_run, hanging_look };
	static struct model_op ops[PROGRAM_MAX];
	const struct model_opts opts = { .has_soft_dirty = true };
	struct hanging hanging = { .side = { &hangs, UINT32_MAX } };
	struct difference difference;
	struct lockstep lockstep;
	size_t nr = PROGRAM_MAX;

	/* Each of them can be taken away, but the last one. */
	for (size_t i = 0; i < nr; i++)
		ops[i] = (struct model_op){ .kind = i == nr - 1 ? OP_FORK : OP_MAP, .nr = MODEL_PAGES, .to = 1 };
	side_model_init(&hanging.model, &opts);
	lockstep_init(&lockstep, &hanging.side, &opts);
	assert_int_equal(lockstep_run(&lockstep, ops, nr, &difference), 1);
	assert_int_equal(difference.what, DIFFERENCE_GONE);
	assert_int_equal(shrink(&lockstep, ops, &nr, &difference), 1);
	assert_in_range(hanging.nr_hangs, 2, 40);
	assert_true(nr < PROGRAM_MAX && ops[nr - 1].kind == OP_FORK);
	lockstep_fini(&lockstep);
	side_model_fini(&hanging.model);
}

static int absent_begin(struct side *side)
{
	return -EMFILE;
}

static void a_side_that_is_not_there_is_no_difference(void **state)
{
	static const struct side_ops absent = { .begin = absent_begin };
	const struct model_op op = { .kind = OP_MAP, .nr = 1 };
	const struct model_opts opts = { 0 };
	struct side side = { &absent, UINT32_MAX };
	struct difference difference;
	struct lockstep lockstep;

	lockstep_init(&lockstep, &side, &opts);
	assert_int_equal(lockstep_run(&lockstep, &op, 1, &difference), -EMFILE);
	lockstep_fini(&lockstep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_makes_the_same_program),
		cmocka_unit_test(only_what_can_be_done_is_in_it_and_within_the_arena),
		cmocka_unit_test(every_kind_is_in_some_program),
		cmocka_unit_test(an_advised_mapping_is_told_at_once),
		cmocka_unit_test(cases_have_names_of_their_own),
		cmocka_unit_test(two_models_agree),
		cmocka_unit_test(a_shared_pinned_page_is_found_and_shrunk),
		cmocka_unit_test(holes_that_are_not_reported_are_found_and_shrunk),
		cmocka_unit_test(shrinking_can_be_stopped_and_keeps_the_best),
		cmocka_unit_test(what_hangs_is_not_tried_for_ever),
		cmocka_unit_test(a_side_that_is_not_there_is_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
