/* SPDX-License-Identifier: MIT */
/* What KSM says of itself and of a process (Documentation/admin-guide/mm/ksm.rst; proc.rst there, ksm_stat). */
#ifndef KERNEL_KSM_H
#define KERNEL_KSM_H

#include <stdint.h>
#include <sys/types.h>

struct ksm_progress {
	uint64_t run;       /* 0 stopped, 1 it runs, 2 stopped and what was merged taken apart */
	uint64_t nr_passes; /* through all that is mergeable; begins anew with `run` 2 */
};

/* 0 or -errno; -ENOENT: this kernel has no KSM, or there is no sysfs here. */
int ksm_progress(struct ksm_progress *out);

/*
 * For how many pages of the process it keeps an item: each page that it merges has one. An item of memory that is not
 * mergeable any more stays until the next pass gets there.
 * `dir` is of /proc/PID, `tid` a thread. 0 or -errno; -ENODATA: this kernel has no KSM, or does not say (before
 * Linux 6.1).
 */
int ksm_nr_items(int dir, pid_t tid, uint64_t *nr);

#endif
