/* SPDX-License-Identifier: MIT */
/* Named faults: every fallback can be forced from outside, so that it is tested where the kernel would not need it. */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <stdbool.h>

/*
 * True when the comma-separated list in the environment variable TIDEMARK_FAULT holds `name`, e.g. "no-procmap-query".
 * Asked by probes only, which are rare. Programs with more privileges than their caller ignore the variable.
 */
bool fault_forced(const char *name);

#endif
