/* SPDX-License-Identifier: MIT */
/* Where the running kernel keeps physical memory and its page descriptors. */
#ifndef PAGES_BASES_H
#define PAGES_BASES_H

#include "pages/program.h"

/*
 * Finds the direct map, the depth of page tables, vmemmap and the page flags, proves each on pages of our own, and
 * leaves them in program->query. Afterwards the program is attached to the calling thread. Errors: DENIED where
 * physical addresses are hidden (CAP_SYS_ADMIN); UNSUPPORTED when a proof fails.
 */
int bases_find(struct walker_program *program, struct tide_error *err);

#endif
