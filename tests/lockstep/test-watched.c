/* SPDX-License-Identifier: MIT */
/*
 * This file watches a process while it and the model perform the same programs: what the watch reports must be enough
 * to know all of the model's contents, and what it calls exact must have been touched.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <tidemark/target.h>
#include <tidemark/watch.h>

#include "verify/program.h"
#include "verify/real.h"

enum {
	NR_PROGRAMS = 40,
	NR_BETWEEN = 9, /* operations between collects */
	NR_RUNS = 512,
};

#define PAGE    UINT64_C(4096)
#define BIT(op) (UINT64_C(1) << OP_##op)

static struct real real;

/* What somebody knows who copied all pages at the beginning, and what was reported since. */
struct known {
	bool is_known[MODEL_PAGES]; /* else what it is like before it is touched */
	uint64_t value[MODEL_PAGES];
};

struct watched {
	struct tide_target *target;
	struct tide_watch *watch;
	struct model *model;
	struct known known;
	bool touched[MODEL_PAGES]; /* since the last collect */
	bool is_first;
	uint64_t nr_collects, nr_exact, nr_over, nr_lost, nr_invented;
	bool forgets; /* one run of each epoch: the check must see it */
};

static int set_up(void **state)
{
	return real_open(&real, NULL);
}

static int tear_down(void **state)
{
	real_close(&real);
	return 0;
}

static void touch(struct watched *watched, uint32_t start, uint32_t nr)
{
	for (uint32_t i = 0; i < nr && start + i < MODEL_PAGES; i++)
		watched->touched[start + i] = true;
}

/* What was mapped anew is not known any more; a range that was unmapped is not reported. */
static void forget(struct watched *watched, uint32_t start, uint32_t nr)
{
	for (uint32_t i = 0; i < nr && start + i < MODEL_PAGES; i++)
		watched->known.is_known[start + i] = false;
}

/*
 * What changes more than its own pages: a huge page comes whole; and one that is advised in part is split, and what of
 * it holds zeros only is mapped anew, without its protection.
 */
static bool touches_blocks(const struct watched *watched, const struct model_op *op)
{
	static struct model_seen seen[MODEL_PAGES];

	if (op->kind == OP_FREE || op->kind == OP_COLD || op->kind == OP_PAGEOUT || op->kind == OP_MIGRATE)
		return true;
	if (op->kind != OP_READ && op->kind != OP_WRITE && op->kind != OP_PIN)
		return false;
	model_look(watched->model, 0, seen);
	return (seen[op->page].flags & SEEN_HUGE) != 0;
}

static void perform(struct watched *watched, const struct model_op *op)
{
	struct model_result model, kernel;
	char text[PROGRAM_TEXT_SIZE];

	if (!model_has(watched->model, op->process))
		return;
	assert_int_equal(model_run(watched->model, op, &model), 0);
	assert_int_equal(real.side.ops->run(&real.side, op, &kernel), 0);
	/* Whether a collapse succeeds depends on marks that the model's memory has not; contents do not. */
	if (model.code != kernel.code && op->kind != OP_COLLAPSE)
		fail_msg("%s: %d in the model, %d in the kernel", program_op_text(text, op), model.code, kernel.code);
	if (op->process != 0)
		return;
	touch(watched, op->page, op->kind == OP_COLLAPSE ? MODEL_HUGE : op->nr);
	if (touches_blocks(watched, op))
		touch(watched, op->page / MODEL_HUGE * MODEL_HUGE, op->page % MODEL_HUGE + op->nr + MODEL_HUGE);
	/* A device touches pages of its buffers. */
	if (op->kind == OP_DEVICE_WRITE)
		touch(watched, 0, MODEL_PAGES);
	if (model.code == 0 && (op->kind == OP_MAP || op->kind == OP_UNMAP))
		forget(watched, op->page, op->nr);
}

static void learn(struct watched *watched, const struct model_seen *seen, const struct tide_run *run)
{
	uint64_t end = MODEL_BASE + MODEL_PAGES * PAGE;

	for (uint64_t at = run->start > MODEL_BASE ? run->start : MODEL_BASE; at < run->end && at < end; at += PAGE) {
		uint32_t page = (uint32_t)((at - MODEL_BASE) / PAGE);

		watched->nr_exact += run->certainty == TIDE_EXACT;
		watched->nr_over += run->certainty != TIDE_EXACT;
		watched->nr_invented += run->certainty == TIDE_EXACT && !watched->touched[page] && !watched->is_first;
		watched->known.is_known[page] = (seen[page].flags & SEEN_PRESENT) != 0;
		watched->known.value[page] = seen[page].value;
	}
}

/* Pages that hold something else than what is known, where both sides have a page. */
static void compare(struct watched *watched, const struct model_seen *model)
{
	static struct model_seen kernel[MODEL_PAGES];

	assert_int_equal(real.side.ops->look(&real.side, 0, kernel), 0);
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		bool is_fresh = (model[i].flags & (SEEN_ZERO | SEEN_FILE)) != 0 || model[i].value == 0;

		if (!(model[i].flags & kernel[i].flags & SEEN_PRESENT))
			continue;
		assert_int_equal(model[i].value, kernel[i].value);
		if (watched->known.is_known[i] ? watched->known.value[i] != model[i].value : !is_fresh) {
			if (!watched->forgets)
				print_message("page %u holds %llx, known is %llx\n", i,
				              (unsigned long long)model[i].value,
				              (unsigned long long)watched->known.value[i]);
			watched->nr_lost++;
		}
	}
}

/* The watch registers all there is: what the kernel makes of registered memory, the model is to make of its own. */
static void register_all(struct watched *watched)
{
	struct model_op op = { .kind = OP_REGISTER, .nr = MODEL_PAGES };
	struct model_result result;

	assert_int_equal(model_run(watched->model, &op, &result), 0);
}

static void collect(struct watched *watched)
{
	static struct model_seen seen[MODEL_PAGES];
	struct tide_run runs[NR_RUNS];
	struct tide_error err = { 0 };
	long nr;

	model_look(watched->model, 0, seen);
	while ((nr = tide_watch_collect(watched->watch, runs, NR_RUNS, &err)) > 0)
		for (long i = 0; i < nr; i++)
			if (!watched->forgets || i > 0)
				learn(watched, seen, &runs[i]);
	if (nr < 0)
		fail_msg("%s", err.text);
	/* What was there at the open and came and went before the first collect leaves no trace (watch.h). */
	for (uint32_t i = 0; watched->is_first && i < MODEL_PAGES; i++)
		if (!(seen[i].flags & SEEN_PRESENT))
			watched->known.is_known[i] = false;
	watched->is_first = false;
	watched->nr_collects++;
	register_all(watched);
	compare(watched, seen);
	memset(watched->touched, 0, sizeof(watched->touched));
}

static void open_watch(struct watched *watched)
{
	static struct model_seen seen[MODEL_PAGES];
	struct tide_watch_opts opts = { .size = sizeof(opts), .pins = tide_pins_walker() };
	struct tide_error err = { 0 };

	if (tide_target_open(&watched->target, real.processes[0].pid, &err) < 0 ||
	    tide_watch_open(&watched->watch, watched->target, &opts, &err) < 0)
		fail_msg("%s", err.text);
	register_all(watched);
	model_look(watched->model, 0, seen);
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		watched->known.is_known[i] = (seen[i].flags & SEEN_PRESENT) != 0;
		watched->known.value[i] = seen[i].value;
	}
	watched->is_first = true;
}

static void run_program(struct watched *watched, uint64_t seed)
{
	struct model_op ops[PROGRAM_MAX];
	/* The watch's part, and moves, which stop half way where memory is registered in part. */
	uint64_t others = BIT(REGISTER) | BIT(UNREGISTER) | BIT(ARM) | BIT(DISARM) | BIT(REARM) | BIT(CLEAR_SOFT) |
	                  BIT(MOVE) | BIT(MAP_HUGETLB);
	struct program_opts opts = { .can = powers_kinds(&real.powers) & ~others, .advises = real.powers.huge_anyway };
	size_t nr;

	nr = program_make(ops, seed, &opts);
	assert_int_equal(model_new(&watched->model, &real.powers.model), 0);
	assert_int_equal(real.side.ops->begin(&real.side), 0);
	for (size_t i = 0; i < nr; i++) {
		perform(watched, &ops[i]);
		if (i == NR_BETWEEN)
			open_watch(watched);
		else if (i > NR_BETWEEN && i % NR_BETWEEN == 0)
			collect(watched);
	}
	tide_watch_close(watched->watch);
	tide_target_close(watched->target);
	model_free(watched->model);
}

static void need(void)
{
	if (powers_can(&real.powers, OP_REARM) && powers_can(&real.powers, OP_PIN))
		return;
	print_message("%s\n", real.powers.why_not[powers_can(&real.powers, OP_REARM) ? OP_PIN : OP_REARM]);
	skip();
}

static void D3_a_watch_reports_all_that_the_model_knows_was_changed(void **state)
{
	static struct watched watched;

	need();
	for (uint64_t seed = 1; seed <= NR_PROGRAMS; seed++)
		run_program(&watched, seed);
	print_message("%llu epochs, %llu pages exact, %llu not\n", (unsigned long long)watched.nr_collects,
	              (unsigned long long)watched.nr_exact, (unsigned long long)watched.nr_over);
	assert_int_equal(watched.nr_lost, 0);
	assert_int_equal(watched.nr_invented, 0);
	assert_true(watched.nr_collects > NR_PROGRAMS * 10 && watched.nr_exact > 1000);
}

static void a_run_that_is_left_out_is_noticed(void **state)
{
	static struct watched watched = { .forgets = true };

	need();
	for (uint64_t seed = 1; seed <= 5; seed++)
		run_program(&watched, seed);
	assert_true(watched.nr_lost > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(D3_a_watch_reports_all_that_the_model_knows_was_changed, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_run_that_is_left_out_is_noticed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
