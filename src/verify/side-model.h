/* SPDX-License-Identifier: MIT */
/* A second model in the kernel's place: with a bug switched on, it shows what a comparison finds. */
#ifndef VERIFY_SIDE_MODEL_H
#define VERIFY_SIDE_MODEL_H

#include "model/model.h"
#include "verify/side.h"

struct side_model {
	struct side side;
	struct model_opts opts;
	struct model *model; /* NULL before the first world */
};

void side_model_init(struct side_model *self, const struct model_opts *opts);
void side_model_fini(struct side_model *self);

#endif
