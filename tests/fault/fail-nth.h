/* SPDX-License-Identifier: MIT */
/*
 * Makes system call N fail with errno E. A test arms it for N = 1, 2, ... and runs the same scenario each time, until
 * fail_nth_disarm() says that call N was not reached any more: then every call of the scenario has failed once.
 */
#ifndef TESTS_FAULT_FAIL_NTH_H
#define TESTS_FAULT_FAIL_NTH_H

#include <stdbool.h>

/*
 * From now on the calls made through sys_table are counted, with those of processes that are forked meanwhile, and
 * number `nth` (the first is 1) fails with `error`. A call that gives something back (close, munmap) does so all the
 * same. Reading a clock cannot fail and is not counted. A member of the table that this file does not know yet passes
 * through uncounted.
 */
void fail_nth_arm(unsigned nth, int error);

/*
 * The same, but call `nth` is the end of the process that makes it, by SIGKILL: of one that was started after arming,
 * or (in a process of the test's own) of the one that armed. Only the calls of those are counted.
 */
void fail_nth_kill_helper(unsigned nth);
void fail_nth_kill_self(unsigned nth);

/* Back to the real table. Whether a call was made to fail. */
bool fail_nth_disarm(void);

/* The name of the member that was made to fail last, for messages. */
const char *fail_nth_name(void);

/* How many descriptors this process has open. */
unsigned fail_nth_descriptors(void);

#endif
