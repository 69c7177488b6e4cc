/* SPDX-License-Identifier: MIT */
/* What KSM says of itself and of a process (Documentation/admin-guide/mm/ksm.rst; proc.rst there, ksm_stat). */
#ifndef KERNEL_KSM_H
#define KERNEL_KSM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ksm_progress {
	uint64_t run;       /* 0 stopped, 1 it runs, 2 stopped and what was merged taken apart */
	uint64_t nr_passes; /* through all that is mergeable; counted anew after `run` was 2 */
	uint64_t nr_copied; /* pages that were merged, and are their process's own again; since boot */
};

/* 0 or -errno; -ENOENT: there is no KSM in this kernel, or no sysfs here. */
int ksm_progress(struct ksm_progress *out);

/* Has this kernel no KSM, by all that can be read? */
bool ksm_is_missing(void);

/*
 * For how many pages of a process it keeps an item: each that it merges has one, which stays until a later pass, also
 * where the page is not merged any more. Before Linux 6.18 or so a forked child has its parent's number, for ever.
 * `dir` is of /proc/PID, `tid` a thread. 0 or -errno: also of kernels that do not say (before Linux 6.1).
 */
int ksm_nr_items(int dir, pid_t tid, uint64_t *nr);

#endif
