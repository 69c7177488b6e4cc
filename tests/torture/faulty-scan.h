/* SPDX-License-Identifier: MIT */
/* A PAGEMAP_SCAN that does not do as it says, put in by the table of system calls. */
#ifndef TESTS_TORTURE_FAULTY_SCAN_H
#define TESTS_TORTURE_FAULTY_SCAN_H

#include "rig.h"

enum faulty_scan {
	FAULTY_DROP = 1,  /* now and then the last region of an answer is missing */
	FAULTY_NO_REARM,  /* now and then nothing is protected again; the answer is right */
	FAULTY_FORGET,    /* the same, and what was not protected again is missing from the next answer */
	FAULTY_MEANWHILE, /* faulty_scan_before_next() */
};

void faulty_scan_arm(enum faulty_scan fault);

/* Before the next scan that protects again, the mutator does operation `name`, once. */
void faulty_scan_before_next(struct rig *rig, const char *name);

/* Back to the real table. How often the fault happened. */
unsigned faulty_scan_disarm(void);

#endif
