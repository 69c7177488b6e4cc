/* SPDX-License-Identifier: MIT */
/* This file puts a model in the kernel's place. */
#include "verify/side-model.h"

static struct side_model *of(struct side *side)
{
	return (struct side_model *)side;
}

static int begin(struct side *side)
{
	struct side_model *self = of(side);

	model_free(self->model);
	self->model = NULL;
	return model_new(&self->model, &self->opts);
}

static int run(struct side *side, const struct model_op *op, struct model_result *result)
{
	return model_run(of(side)->model, op, result);
}

static int look(struct side *side, unsigned process, struct model_seen *seen)
{
	model_look(of(side)->model, process, seen);
	return 0;
}

static const struct side_ops ops = { .begin = begin, .run = run, .look = look };

void side_model_init(struct side_model *self, const struct model_opts *opts)
{
	*self = (struct side_model){ .side = { &ops, UINT32_MAX }, .opts = *opts };
}

void side_model_fini(struct side_model *self)
{
	model_free(self->model);
	self->model = NULL;
}
