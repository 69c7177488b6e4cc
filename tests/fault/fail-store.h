/* SPDX-License-Identifier: MIT */
/*
 * Makes one allocation, or one system call, of the store and the reports fail: those that our own code makes through
 * libc (the linker wraps them), SQLite's (its VFS and its allocator are replaced) and jansson's. As fail-nth.h: armed
 * for N = 1, 2, ... until disarming says that number N was not reached.
 */
#ifndef TESTS_FAULT_FAIL_STORE_H
#define TESTS_FAULT_FAIL_STORE_H

#include <stdbool.h>

enum fail_kind {
	FAIL_ALLOCATION,
	FAIL_CALL, /* with the error that was given */
};

/* Once, before SQLite is used. */
void fail_store_install(void);

void fail_store_arm(enum fail_kind kind, unsigned nth, int error);

/* Whether number `nth` was reached. */
bool fail_store_disarm(void);

/* What the test itself does meanwhile neither counts nor fails. */
void fail_store_pause(void);
void fail_store_resume(void);

/* The name of the function that failed last, for messages. */
const char *fail_store_name(void);

#endif
