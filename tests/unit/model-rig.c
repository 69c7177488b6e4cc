/* SPDX-License-Identifier: MIT */
/* This file runs operations in a model for tests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "model-rig.h"

void rig_start(struct rig *rig, enum model_bug bug)
{
	struct model_opts opts = { .bug = bug, .has_soft_dirty = true, .has_huge = true };

	rig_start_as(rig, &opts);
}

void rig_start_as(struct rig *rig, const struct model_opts *opts)
{
	assert_int_equal(model_new(&rig->model, opts), 0);
}

void rig_end(struct rig *rig)
{
	if (model_broken(rig->model) != NULL)
		fail_msg("%s", model_broken(rig->model));
	model_free(rig->model);
}

void rig_fails(struct rig *rig, struct model_op op, int code)
{
	assert_int_equal(model_run(rig->model, &op, &rig->last), 0);
	if (rig->last.code != code)
		fail_msg("%s of page %u: %d, not %d", model_op_name(op.kind), op.page, rig->last.code, code);
}

void rig_do(struct rig *rig, struct model_op op)
{
	rig_fails(rig, op, 0);
}

struct model_seen rig_see(struct rig *rig, unsigned process, uint32_t page)
{
	model_look(rig->model, process, rig->seen);
	return rig->seen[page];
}

uint64_t rig_read(struct rig *rig, unsigned process, uint32_t page)
{
	DO(rig, READ, .process = process, .page = page, .nr = 1);
	return rig->last.value;
}

bool rig_reported(const struct rig *rig, uint32_t page)
{
	return model_reported(&rig->last, page);
}
