/* SPDX-License-Identifier: MIT */
/* What a test needs of the machine. */
#ifndef TESTS_KERNEL_NEED_H
#define TESTS_KERNEL_NEED_H

#include <stdint.h>

/* The walk sensor: 0 it works here; 77, with the reason on stderr, it does not, and main() returns that. */
int need_walk(void);

/* ... for tracking writes exactly, or as the environment names it (WATCHED_BACKEND). */
int need_watch(void);

/* ... for tracking another process's writes by this backend. */
int need_backend(const char *backend);

/* Where the kernel's own data is mapped, if it is memory like any other (later kernels); 0: it has no struct pages. */
uint64_t vvar_with_pages(void);

#endif
