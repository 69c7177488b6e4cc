/* SPDX-License-Identifier: MIT */
/* Which privileges tidemark needs, what for, and what to do where they lack. */
#ifndef VERIFY_NEED_H
#define VERIFY_NEED_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/caps.h"
#include "verify/row.h"

struct need {
	enum caps cap;
	const char *name;    /* as capabilities(7) writes it, without "CAP_" */
	const char *purpose; /* continues "needed to" */
	bool admin_does;     /* CAP_SYS_ADMIN includes it */
};

/* Ended by a NULL name. */
extern const struct need needs[];

/* Sets of capabilities. */
#define NEED(cap)     (1ull << (cap))
#define NEED_BPF      NEED(CAPS_BPF)
#define NEED_ADDRESS  NEED(CAPS_SYS_ADMIN)
#define NEED_CLEARING NEED(CAPS_SYS_NICE)
#define NEED_WALKER   (NEED(CAPS_BPF) | NEED(CAPS_PERFMON) | NEED(CAPS_SYS_ADMIN))

/* True when this thread can do what the capability is for. */
bool need_met(const struct need *need);

/*
 * The remedy for `what`, which needs the capabilities of `set`, where one of them lacks or does not count (user
 * namespace). False, and nothing done, when it is not privileges that lack. The same lack has the same sentence.
 */
bool need_remedy(struct doctor_row *row, const char *what, uint64_t set);

#endif
