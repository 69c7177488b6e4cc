/* SPDX-License-Identifier: MIT */
/* Counters of the whole machine's memory management (/proc/vmstat). */
#ifndef KERNEL_VMSTAT_H
#define KERNEL_VMSTAT_H

#include <stdint.h>

/* How many pages reclaim has looked at since boot, whoever asked for it. 0 or -errno. */
int vmstat_nr_scanned(uint64_t *out);

/* How many lazily freed pages were discarded, and huge pages made in the place of others, since boot. 0 or -errno. */
int vmstat_nr_replaced(uint64_t *out);

/* How many pages that KSM had merged were copied for one of their processes, since boot. 0 or -errno. */
int vmstat_nr_unmerged(uint64_t *out);

#endif
