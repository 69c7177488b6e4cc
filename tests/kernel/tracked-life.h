/* SPDX-License-Identifier: MIT */
/* What every sensor on a target's userfaultfd must say of a target that changes, whatever uses of pages it tells. */
#ifndef TESTS_KERNEL_TRACKED_LIFE_H
#define TESTS_KERNEL_TRACKED_LIFE_H

#include "tracked-steps.h"

/* How the target uses pages so that the sensor tells, and whether it reads others, of which the sensor must not. */
struct use {
	enum errand errand;
	bool reads_others;
};

/* Of all 512 pages that are checked every other is used, three times over: those are told, and no other. */
void alternate(struct fixture *fix, const struct use *use);

/* Tests. Those with a use end in alternate(). */
void life_freed(void);
void life_replaced(const struct use *use);
void life_moved(const struct use *use);
void life_forked(const struct use *use);
void life_gone(enum errand errand);

#endif
