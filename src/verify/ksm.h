/* SPDX-License-Identifier: MIT */
/* KSM of the whole machine, where that is a test's own. */
#ifndef VERIFY_KSM_H
#define VERIFY_KSM_H

#include <stdbool.h>

/* Is this machine a test's, whose settings may change? */
bool ksm_may_run(void);

/* Lets it pass over everything until there is nothing more to merge, and stops it. 0 or -errno. */
int ksm_settle(void);

#endif
