/* SPDX-License-Identifier: MIT */
/* Starts a mutator, gives it orders, and holds it still. Ends the program when the mutator fails. */
#ifndef TESTS_TORTURE_RIG_H
#define TESTS_TORTURE_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ops.h"
#include "wire.h"

struct rig {
	pid_t pid;
	int orders;
	int replies;
	struct wire_hello hello;
	struct wire_reply reply; /* the last */
};

/*
 * `program` is the mutator; `uffd`: let it make a userfaultfd of its own. The end waits for all children of this
 * process, those that the mutator has left among them.
 */
void rig_start(struct rig *rig, const char *program, uint64_t seed, const char *family, bool uffd);
void rig_end(struct rig *rig);

/* `nr` operations from the seed, or `nr` times the operation `name`. Does not wait. */
void rig_run(struct rig *rig, unsigned nr);
void rig_do(struct rig *rig, const char *name, unsigned nr);

/* Whether the last order is done; waits `timeout_ms` for it, -1: for ever. */
bool rig_done(struct rig *rig, int timeout_ms);

/* The mutator has ended when it should not have: says how, and ends the program. */
_Noreturn void rig_autopsy(const struct rig *rig);

/* Stops all threads of the mutator, and lets them go on. */
void rig_hold(struct rig *rig);
void rig_release(struct rig *rig);

#endif
