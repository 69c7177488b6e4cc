/* SPDX-License-Identifier: MIT */
/* A fault between a tracker and /proc/PID/pagemap: runs of soft-dirty pages that are read and never told. */
#ifndef TESTS_TORTURE_FAULTY_PAGEMAP_H
#define TESTS_TORTURE_FAULTY_PAGEMAP_H

/* From now on, every so many reads, the last run of soft-dirty pages is missing from what was read. */
void faulty_pagemap_arm(void);

/* Puts everything back. Returns how many runs were left out. */
unsigned faulty_pagemap_disarm(void);

#endif
