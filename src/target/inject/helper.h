/* SPDX-License-Identifier: MIT */
/* Processes that do for us what must go on when we do not. */
#ifndef TARGET_INJECT_HELPER_H
#define TARGET_INJECT_HELPER_H

#include <sys/types.h>

/* Runs in the helper and does not return (sys_exit()). */
typedef void helper_fn(void *arg);

/*
 * Clones the caller: a copy of its memory and descriptors, in a session of its own, all signals blocked, as far from
 * the out-of-memory killer as we may. Other threads may have held any lock when it was made, so it must not allocate,
 * nor print. It has no exit signal: a program that waits for its own children does not see it, and it is waited for
 * with __WALL. Its number, or -errno.
 */
pid_t clone_helper(helper_fn *fn, void *arg);

#endif
