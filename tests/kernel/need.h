/* SPDX-License-Identifier: MIT */
/* What a test needs of the machine. */
#ifndef TESTS_KERNEL_NEED_H
#define TESTS_KERNEL_NEED_H

/* The walk sensor: 0 it works here; 77, with the reason on stderr, it does not, and main() returns that. */
int need_walk(void);

#endif
