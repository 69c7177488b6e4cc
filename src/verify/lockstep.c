/* SPDX-License-Identifier: MIT */
/* This file runs a program on both sides. */
#include "verify/lockstep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One program's run. */
struct pair {
	struct lockstep *lockstep;
	struct model *model;
	const struct model_op *op;
	struct difference *difference;
};

void lockstep_init(struct lockstep *lockstep, struct side *side, const struct model_opts *opts)
{
	*lockstep = (struct lockstep){ .side = side, .opts = *opts };
}

void lockstep_fini(struct lockstep *lockstep)
{
	vec_free(&lockstep->rules);
	vec_free(&lockstep->outcomes);
}

static int differ(struct pair *pair, enum difference_what what)
{
	pair->difference->what = what;
	pair->difference->process = pair->op->process;
	return 1;
}

static int count_rule(struct lockstep *lockstep, const char *name)
{
	for (size_t i = 0; i < lockstep->rules.nr; i++) {
		if (strcmp(lockstep->rules.items[i].name, name) == 0) {
			lockstep->rules.items[i].nr++;
			return 0;
		}
	}
	return vec_push(&lockstep->rules, ((struct lockstep_rule){ name, 1 }));
}

const char *lockstep_rule_text(const struct lockstep_rule *rule)
{
	const char *sentence = "", *name;

	for (unsigned i = 0; (name = model_rule(i, &sentence)) != NULL; i++)
		if (strcmp(name, rule->name) == 0)
			return sentence;
	return "";
}

static int compare_results(struct pair *pair)
{
	struct difference *difference = pair->difference;
	const struct model_result *model = &difference->model, *real = &difference->real;

	if (model->code != real->code)
		return differ(pair, DIFFERENCE_CODE);
	if ((pair->op->kind == OP_READ || pair->op->kind == OP_DEVICE_READ) && model->code == 0 &&
	    model->value != real->value)
		return differ(pair, DIFFERENCE_VALUE);
	if ((pair->op->kind != OP_REARM && pair->op->kind != OP_SCAN) || model->code != 0)
		return 0;
	for (uint32_t i = 0; i < MODEL_PAGES; i++) {
		if (model_reported(model, i) != model_reported(real, i)) {
			difference->page = i;
			return differ(pair, DIFFERENCE_REPORTED);
		}
	}
	return 0;
}

/* The first page that looks different; MODEL_PAGES: none. */
static uint32_t first_that_differs(const struct pair *pair, const struct model_seen *model,
                                   const struct model_seen *real)
{
	uint32_t sees = pair->lockstep->side->sees;

	for (uint32_t i = 0; i < MODEL_PAGES; i++)
		if (((model[i].flags ^ real[i].flags) & sees) != 0 ||
		    ((model[i].flags & SEEN_PRESENT) != 0 && (real[i].flags & SEEN_UNREAD) == 0 &&
		     model[i].value != real[i].value))
			return i;
	return MODEL_PAGES;
}

static int tell(struct pair *pair, unsigned process, uint32_t page, const struct model_seen *model,
                const struct model_seen *real)
{
	struct difference *difference = pair->difference;
	bool flags = ((model->flags ^ real->flags) & pair->lockstep->side->sees) != 0;

	differ(pair, flags ? DIFFERENCE_FLAGS : DIFFERENCE_CONTENTS);
	difference->process = process;
	difference->page = page;
	difference->model_seen = *model;
	difference->real_seen = *real;
	difference->model_seen.flags &= pair->lockstep->side->sees;
	difference->real_seen.flags &= pair->lockstep->side->sees;
	return 1;
}

/* All pages of one process; the model follows where a rule allows it. `*followed`: it did. */
static int compare_pages(struct pair *pair, unsigned process, bool *followed)
{
	struct model_seen model[MODEL_PAGES], real[MODEL_PAGES];
	struct side *side = pair->lockstep->side;
	int result = side->ops->look(side, process, real);
	uint32_t page;

	if (result < 0)
		return differ(pair, DIFFERENCE_GONE);
	pair->lockstep->nr_pages += MODEL_PAGES;
	for (uint32_t tries = 0;; tries++) {
		const char *rule;

		model_look(pair->model, process, model);
		page = first_that_differs(pair, model, real);
		if (page == MODEL_PAGES)
			return 0;
		/* Each time it follows at least one page more is as it should be. */
		rule = tries < 2 * MODEL_PAGES ? model_follow(pair->model, pair->op, process, page, side->sees, real)
		                               : NULL;
		if (rule == NULL)
			return tell(pair, process, page, &model[page], &real[page]);
		*followed = true;
		result = count_rule(pair->lockstep, rule);
		if (result < 0)
			return result;
	}
}

/*
 * What is followed in one process may show in others, too: as long as one is followed none differs for good.
 */
static int compare_processes(struct pair *pair)
{
	bool followed = true;
	int differs = 0;

	for (int rounds = 0; followed && rounds < 8 * MODEL_PROCESSES; rounds++) {
		struct difference first = { 0 };

		followed = false;
		differs = 0;
		for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
			int result = model_has(pair->model, i) ? compare_pages(pair, i, &followed) : 0;

			if (result < 0)
				return result;
			if (result == 1 && differs == 0)
				first = *pair->difference;
			differs |= result;
		}
		if (differs == 1)
			*pair->difference = first;
	}
	return differs;
}

/* Shrinking takes away what others depend on. */
static bool makes_sense(const struct pair *pair)
{
	const struct model_op *op = pair->op;

	if (!model_has(pair->model, op->process))
		return false;
	if (!model_knows(pair->model, op)) {
		pair->lockstep->nr_unknown++;
		return false;
	}
	if (op->kind == OP_FORK)
		return op->to < MODEL_PROCESSES && !model_has(pair->model, op->to);
	return op->kind != OP_EXIT || op->process != 0;
}

/* Limits of processes, descriptors or memory were met. */
static bool is_lack(int code)
{
	return code == -EAGAIN || code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

static int step(struct pair *pair)
{
	struct lockstep *lockstep = pair->lockstep;
	struct difference *difference = pair->difference;
	const char *broken;
	int result;

	if (lockstep->go_on != NULL && !lockstep->go_on(lockstep->arg, lockstep))
		return -ECANCELED;
	result = model_run(pair->model, pair->op, &difference->model);
	if (result < 0)
		return result;
	lockstep->nr_ops++;
	lockstep->nr_by_kind[pair->op->kind]++;
	result = lockstep->side->ops->run(lockstep->side, pair->op, &difference->real);
	if (result < 0)
		return is_lack(result) ? result : differ(pair, DIFFERENCE_GONE);
	result = compare_results(pair);
	if (result == 0)
		result = compare_processes(pair);
	/* What the other side does differently says more. */
	broken = model_broken(pair->model);
	snprintf(difference->broken, sizeof(difference->broken), "%s", broken != NULL ? broken : "");
	return result == 0 && broken != NULL ? differ(pair, DIFFERENCE_BROKEN) : result;
}

int lockstep_run(struct lockstep *lockstep, const struct model_op *ops, size_t nr, struct difference *difference)
{
	struct pair pair = { .lockstep = lockstep, .difference = difference };
	int result = vec_reserve(&lockstep->outcomes, nr);

	*difference = (struct difference){ 0 };
	lockstep->outcomes.nr = result == 0 ? nr : 0;
	/* Those after a difference are not run. */
	for (size_t i = 0; i < lockstep->outcomes.nr; i++)
		lockstep->outcomes.items[i] = (struct lockstep_outcome){ .skipped = true };
	if (result == 0)
		result = model_new(&pair.model, &lockstep->opts);
	if (result == 0)
		result = lockstep->side->ops->begin(lockstep->side);
	for (size_t i = 0; result == 0 && i < nr; i++) {
		struct lockstep_outcome *outcome = &lockstep->outcomes.items[i];

		pair.op = &ops[i];
		difference->step = i;
		*outcome = (struct lockstep_outcome){ .skipped = !makes_sense(&pair) };
		if (outcome->skipped)
			continue;
		result = step(&pair);
		outcome->code = difference->model.code;
		outcome->value = difference->model.value;
	}
	lockstep->nr_programs++;
	model_free(pair.model);
	return result;
}
