/* SPDX-License-Identifier: MIT */
/* This file makes models, runs operations in them and looks at what they come to. */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>

#include "model/folio.h"
#include "model/run.h"
#include "model/steps.h"
#include "model/table.h"
#include "model/vma.h"

static const struct {
	const char *name;
	int (*run)(struct doing *doing);
} ops[] = {
#define X(name, lower, text) [OP_##name] = { #lower, op_##lower },
	MODEL_OPS(X)
#undef X
};

const char *model_op_name(enum model_op_kind kind)
{
	return ops[kind].name;
}

void mm_forget(struct model *model, struct mm *mm)
{
	table_free_all(model, mm->top);
	mm->vmas.nr = 0;
	intervals_clear(&mm->was_pinned);
	mm->has_pinned = false;
	mm->is_there = mm->is_taken = mm->is_ending = false;
	for (size_t i = 0; i < MODEL_PAGES; i++)
		mm->truth[i] = (struct truth){ 0 };
}

static int set_up(struct model *model)
{
	struct folio *no_folio = NULL;
	struct table *no_table = NULL;
	struct slot no_slot = { 0 };

	/* Number 0 of each is nothing. */
	if (vec_push(&model->folios, no_folio) < 0 || vec_push(&model->tables, no_table) < 0 ||
	    vec_push(&model->slots, no_slot) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		model->mms[i].pins = calloc(MODEL_PINS, sizeof(struct pin));
		model->mms[i].truth = calloc(MODEL_PAGES, sizeof(struct truth));
		if (model->mms[i].pins == NULL || model->mms[i].truth == NULL)
			return -ENOMEM;
	}
	if (setjmp(model->out) != 0)
		return -ENOMEM;
	file_new(model);
	for (uint64_t page = 0; page < MODEL_PAGES; page++)
		cache_find(model, 0, page, true);
	model->mms[0].top = table_new(model);
	model->mms[0].is_there = model->mms[0].is_taken = true;
	return 0;
}

int model_new(struct model **out, const struct model_opts *opts)
{
	struct model *model = calloc(1, sizeof(*model));
	int result;

	if (model == NULL)
		return -ENOMEM;
	model->opts = *opts;
	result = set_up(model);
	if (result < 0) {
		model_free(model);
		return result;
	}
	*out = model;
	return 0;
}

void model_free(struct model *model)
{
	if (model == NULL)
		return;
	for (size_t i = 1; i < model->folios.nr; i++) {
		free(model->folios.items[i]->pages);
		free(model->folios.items[i]);
	}
	for (size_t i = 1; i < model->tables.nr; i++)
		free(model->tables.items[i]);
	for (size_t i = 0; i < model->files.nr; i++)
		free(model->files.items[i]);
	for (unsigned i = 0; i < MODEL_PROCESSES; i++) {
		vec_free(&model->mms[i].vmas);
		free(model->mms[i].pins);
		free(model->mms[i].truth);
		intervals_fini(&model->mms[i].was_pinned);
	}
	vec_free(&model->folios);
	vec_free(&model->free);
	vec_free(&model->tables);
	vec_free(&model->slots);
	vec_free(&model->files);
	free(model);
}

bool model_has(const struct model *model, unsigned process)
{
	return process < MODEL_PROCESSES && model->mms[process].is_there && !model->mms[process].is_ending;
}

bool model_knows(const struct model *model, const struct model_op *op)
{
	struct mm *mm = (struct mm *)&model->mms[op->process];
	uint64_t end = FIRST_PAGE + op->page + MODEL_HUGE;
	struct vma_part part;

	if (!hugetlb_knows(mm, op))
		return false;
	if (op->kind == OP_MERGE)
		return ksm_sees_all(model);
	if (op->kind != OP_COLLAPSE)
		return true;
	for (uint64_t at = FIRST_PAGE + op->page; vma_next_part(mm, at, end, &part); at = part.end)
		if (part.vma->kind != MODEL_ANON)
			return false;
	return true;
}

const char *model_broken(const struct model *model)
{
	return model->broken[0] != 0 ? model->broken : NULL;
}

/* Devices know pages of their buffers, not of the arena. */
static bool has_pages(const struct model_op *op)
{
	return op->kind != OP_DEVICE_WRITE && op->kind != OP_DEVICE_READ && op->kind != OP_UNPIN;
}

/* Whoever walks a process's tables has a hold of it, or ought to. */
static bool holds_process(const struct model *model, const struct model_op *op)
{
	return model->opts.bug != MODEL_BUG_WALK_UNLOCKED || (op->kind != OP_MKOLD && op->kind != OP_YOUNG);
}

void run_op(struct model *model, const struct model_op *op, struct model_result *result)
{
	struct doing doing = { .model = model, .op = op, .result = result };
	uint32_t nr = op->kind == OP_COLLAPSE ? MODEL_HUGE : op->nr;

	*result = (struct model_result){ 0 };
	if (!model_has(model, op->process)) {
		result->code = -ESRCH;
		return;
	}
	if (has_pages(op) && (op->page >= MODEL_PAGES || nr > MODEL_PAGES - op->page)) {
		result->code = -EINVAL;
		return;
	}
	doing.mm = &model->mms[op->process];
	if (!hugetlb_knows(doing.mm, op)) {
		result->code = -EOPNOTSUPP;
		return;
	}
	doing.start = FIRST_PAGE + op->page;
	doing.end = doing.start + nr;
	doing.to = FIRST_PAGE + op->to;
	doing.mm->nr_users += holds_process(model, op);
	result->code = ops[op->kind].run(&doing);
	doing.mm->nr_users -= holds_process(model, op);
}

int model_run(struct model *model, const struct model_op *op, struct model_result *result)
{
	if (setjmp(model->out) != 0)
		return -ENOMEM;
	run_op(model, op, result);
	invariants_of_all(model);
	return 0;
}

static struct model_seen see(const struct model *model, const struct vma *vma, const struct entry *entry, bool is_huge)
{
	struct model_seen seen = { 0 };
	const struct folio *folio;
	unsigned counted = model->opts.once_of_first && is_huge ? 0 : entry->index;

	if ((entry->soft && vma->kind != MODEL_HUGETLB) || vma->is_soft)
		seen.flags |= SEEN_SOFT;
	if (entry->uffd_wp)
		seen.flags |= SEEN_ARMED;
	switch (entry->kind) {
	case ENTRY_PAGE:
	case ENTRY_HUGE:
		folio = model->folios.items[entry->of];
		seen.flags |= SEEN_PRESENT | (is_huge ? SEEN_HUGE : 0) | (folio->is_anon ? 0 : SEEN_FILE) |
		              (folio_mapcount(folio, counted) == 1 ? SEEN_ONCE : 0);
		seen.value = folio->pages[entry->index].value;
		break;
	case ENTRY_ZERO:
		/* The huge one is no anonymous page, and so counts as a file's. */
		seen.flags |= SEEN_PRESENT | SEEN_ZERO | (is_huge ? SEEN_HUGE | SEEN_FILE : 0);
		break;
	case ENTRY_NONE:
	case ENTRY_TABLE:
		break;
	default:
		seen.flags |= SEEN_SWAPPED;
	}
	return seen;
}

struct model_seen look_at(const struct model *model, const struct mm *mm, const struct vma *vma, uint64_t page)
{
	struct looker looker = { 0 };
	struct entry entry = table_look_on(model, mm, page, &looker);

	return see(model, vma, &entry, looker.huge->kind != ENTRY_TABLE);
}

void model_look(const struct model *model, unsigned process, struct model_seen *seen)
{
	const struct mm *mm = &model->mms[process];
	struct looker looker = { 0 };

	for (size_t i = 0; i < MODEL_PAGES; i++)
		seen[i] = (struct model_seen){ 0 };
	for (size_t i = 0; i < mm->vmas.nr; i++) {
		const struct vma *vma = &mm->vmas.items[i];

		for (uint64_t page = vma->start; page < vma->end; page++) {
			struct entry entry = table_look_on(model, mm, page, &looker);

			seen[page - FIRST_PAGE] = see(model, vma, &entry, looker.huge->kind != ENTRY_TABLE);
		}
	}
}
