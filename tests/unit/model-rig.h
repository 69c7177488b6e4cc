/* SPDX-License-Identifier: MIT */
/* What tests of the model share: a model, and operations in one line each. */
#ifndef TESTS_MODEL_RIG_H
#define TESTS_MODEL_RIG_H

#include "model/model.h"

struct rig {
	struct model *model;
	struct model_result last;
	struct model_seen seen[MODEL_PAGES];
};

enum {
	RW = MODEL_READ | MODEL_WRITE,
};

void rig_start(struct rig *rig, enum model_bug bug);
/* A kernel that differs. */
void rig_start_as(struct rig *rig, const struct model_opts *opts);
/* Nothing has broken meanwhile. */
void rig_end(struct rig *rig);

/* An operation of process 0, or of another. It comes to 0, or to what is said. */
void rig_do(struct rig *rig, struct model_op op);
void rig_fails(struct rig *rig, struct model_op op, int code);

#define DO(rig, name, ...)          rig_do((rig), (struct model_op){ .kind = OP_##name, __VA_ARGS__ })
#define FAILS(rig, code, name, ...) rig_fails((rig), (struct model_op){ .kind = OP_##name, __VA_ARGS__ }, (code))

/* The page as it is seen from outside. */
struct model_seen rig_see(struct rig *rig, unsigned process, uint32_t page);
/* What the process reads there. */
uint64_t rig_read(struct rig *rig, unsigned process, uint32_t page);
bool rig_reported(const struct rig *rig, uint32_t page);

#endif
