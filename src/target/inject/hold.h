/* SPDX-License-Identifier: MIT */
/* A target is held still while its caller looks at it and changes what the kernel keeps of it. */
#ifndef TARGET_INJECT_HOLD_H
#define TARGET_INJECT_HOLD_H

#include <stdint.h>

#include <tidemark/target.h>

struct hold;

/*
 * Returns when all threads of the target, and all tasks that share its memory, stand still. They go on at hold_end(),
 * when the caller dies, when the helper that holds them does, and after two seconds in any case. A signal that comes
 * meanwhile is delivered afterwards, interrupted calls go on. Errors as of inject_run(): GONE; DENIED; BUSY (somebody
 * traces it; a thread cannot be stopped in time); LIMIT; USAGE (the calling process itself); SYSTEM. Costs a clone of
 * the caller.
 */
TIDE_MUST_USE int hold_begin(struct hold **out, struct tide_target *target, struct tide_error *err);

/*
 * Lets them go. 0: they stood still from hold_begin() until this call; negative: they may have run. `*stopped_ns` is
 * how long they stood. Frees `hold` in any case.
 */
TIDE_MUST_USE int hold_end(struct hold *hold, uint64_t *stopped_ns);

#endif
