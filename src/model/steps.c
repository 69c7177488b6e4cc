/* SPDX-License-Identifier: MIT */
/*
 * This file takes micro-steps: of one operation after another, or of several, each with a stack of its own, in an order
 * that a seed decides.
 */
#include "model/steps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "model/run.h"

enum {
	STACK_BYTES = 256 << 10,
	ALONE = 1, /* the holder of locks when nobody else runs */
};

struct task {
	ucontext_t context;
	char *stack;
	const struct model_op *op;
	struct model_result *result;
	bool is_done;
};

struct scheduler {
	ucontext_t main;
	struct rng rng;
	struct task *tasks;
	size_t nr_tasks, nr_left;
	size_t now;
	size_t nr_waits; /* since the last step that was taken */
};

static uint32_t me(const struct model *model)
{
	return model->scheduler != NULL ? (uint32_t)model->scheduler->now + 2 : ALONE;
}

static void yield_to_scheduler(struct scheduler *scheduler)
{
	swapcontext(&scheduler->tasks[scheduler->now].context, &scheduler->main);
}

void step(struct model *model, uint32_t folio)
{
	if (folio != 0)
		invariants_of_folio(model, folio);
	if (model->scheduler != NULL) {
		model->scheduler->nr_waits = 0;
		yield_to_scheduler(model->scheduler);
	}
}

void step_wait(struct model *model)
{
	if (model->scheduler == NULL) {
		break_model(model, "an operation waits for nobody");
		step_no_memory(model);
	}
	model->scheduler->nr_waits++;
	yield_to_scheduler(model->scheduler);
}

void step_no_memory(struct model *model)
{
	model->no_memory = true;
	if (model->scheduler == NULL)
		longjmp(model->out, 1);
	for (;;)
		yield_to_scheduler(model->scheduler);
}

void break_model(struct model *model, const char *format, ...)
{
	va_list args;

	if (model->broken[0] != 0)
		return;
	va_start(args, format);
	vsnprintf(model->broken, sizeof(model->broken), format, args);
	va_end(args);
}

void lock_mmap_read(struct model *model, struct mm *mm)
{
	while (mm->writer != 0)
		step_wait(model);
	mm->nr_readers++;
	step(model, 0);
}

void lock_mmap_write(struct model *model, struct mm *mm)
{
	while (mm->writer != 0 || mm->nr_readers > 0)
		step_wait(model);
	mm->writer = me(model);
	step(model, 0);
}

void unlock_mmap(struct model *model, struct mm *mm)
{
	if (mm->writer == me(model))
		mm->writer = 0;
	else
		mm->nr_readers--;
	step(model, 0);
}

static void lock(struct model *model, uint32_t *lock)
{
	while (*lock != 0)
		step_wait(model);
	*lock = me(model);
}

void lock_table(struct model *model, struct table *table)
{
	lock(model, &table->locked_by);
}

void unlock_table(struct model *model, struct table *table)
{
	table->locked_by = 0;
	step(model, 0);
}

void lock_folio(struct model *model, uint32_t folio)
{
	lock(model, &model->folios.items[folio]->locked_by);
}

bool trylock_folio(struct model *model, uint32_t folio)
{
	if (model->folios.items[folio]->locked_by != 0)
		return false;
	lock_folio(model, folio);
	return true;
}

void unlock_folio(struct model *model, uint32_t folio)
{
	model->folios.items[folio]->locked_by = 0;
	step(model, folio);
}

static void run_task(uint32_t high, uint32_t low)
{
	struct model *model = (struct model *)(uintptr_t)((uint64_t)high << 32 | low);
	struct task *task = &model->scheduler->tasks[model->scheduler->now];

	run_op(model, task->op, task->result);
	task->is_done = true;
	model->scheduler->nr_left--;
	model->scheduler->nr_waits = 0;
	yield_to_scheduler(model->scheduler);
}

static int start_task(struct model *model, struct task *task)
{
	uintptr_t self = (uintptr_t)model;

	task->stack = malloc(STACK_BYTES);
	if (task->stack == NULL || getcontext(&task->context) < 0)
		return -ENOMEM;
	task->context.uc_stack = (stack_t){ .ss_sp = task->stack, .ss_size = STACK_BYTES };
	task->context.uc_link = NULL;
	makecontext(&task->context, (void (*)(void))run_task, 2, (uint32_t)((uint64_t)self >> 32), (uint32_t)self);
	return 0;
}

/* One that is left, at random. */
static size_t choose(struct scheduler *scheduler)
{
	uint64_t nth = rng_below(&scheduler->rng, scheduler->nr_left);

	for (size_t i = 0;; i++)
		if (!scheduler->tasks[i].is_done && nth-- == 0)
			return i;
}

static int take_turns(struct model *model, struct scheduler *scheduler)
{
	/* Each waits for another many times over, as the choice is random. */
	while (scheduler->nr_left > 0 && scheduler->nr_waits < 1000 * scheduler->nr_tasks && !model->no_memory) {
		scheduler->now = choose(scheduler);
		swapcontext(&scheduler->main, &scheduler->tasks[scheduler->now].context);
	}
	return model->no_memory ? -ENOMEM : scheduler->nr_left > 0 ? -EDEADLK : 0;
}

int model_run_all(struct model *model, const struct model_op *ops, size_t nr, uint64_t seed,
                  struct model_result *results)
{
	struct scheduler scheduler = { .nr_tasks = nr, .nr_left = nr, .tasks = calloc(nr, sizeof(*scheduler.tasks)) };
	int result = scheduler.tasks == NULL ? -ENOMEM : 0;

	rng_init(&scheduler.rng, seed);
	for (size_t i = 0; result == 0 && i < nr; i++) {
		scheduler.tasks[i].op = &ops[i];
		scheduler.tasks[i].result = &results[i];
		result = start_task(model, &scheduler.tasks[i]);
	}
	if (result == 0) {
		model->scheduler = &scheduler;
		result = take_turns(model, &scheduler);
		model->scheduler = NULL;
	}
	for (size_t i = 0; scheduler.tasks != NULL && i < nr; i++)
		free(scheduler.tasks[i].stack);
	free(scheduler.tasks);
	if (result == 0)
		invariants_of_all(model);
	return result;
}
