/* SPDX-License-Identifier: MIT */
/* KSM for tests: it merges pages of the whole machine, so it runs in guests only. */
#ifndef TESTS_KERNEL_KSM_STEPS_H
#define TESTS_KERNEL_KSM_STEPS_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes KSM quick, and leaves it stopped. false, with the reason on stderr: not here; then all is as it was. */
bool ksm_steps_begin(void);

/* Takes apart what was merged, and puts the settings back; nothing when it was not begun. */
void ksm_steps_end(void);

void ksm_steps_start(void);
void ksm_steps_stop(void);

/* Stops, and takes apart what was merged. */
void ksm_steps_undo(void);

/* Waits, while KSM runs, until `nr` pages of the process are merged; fails the test when that takes too long. */
void ksm_steps_await_merged(pid_t pid, unsigned long nr);

/* The same, until KSM keeps nothing for the process any more. */
void ksm_steps_await_forgotten(pid_t pid);

#endif
