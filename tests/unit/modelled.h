/* SPDX-License-Identifier: MIT */
/* Workloads of tests and benches. */
#ifndef TESTS_MODELLED_H
#define TESTS_MODELLED_H

#include "model/workload.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)
#define MS(n)  ((uint64_t)(n)*1000000)
#define SEC(n) ((uint64_t)(n)*1000000000)

/* Aborts when memory is out: a test has no better idea. What is left 0 is: all populated, 4 KiB, from 0 on, for ever.
 */
void modelled_map(struct workload *workload, struct workload_mapping mapping);

/* ... all of its pages, from 0 on, for ever. */
void modelled_use(struct workload *workload, struct workload_set set);

/*
 * `mapped_bytes` at 1 TiB by pages of 2^page_shift bytes, of which `hot_bytes`, from somewhere near the middle on, are
 * read every 2 ms, and all the rest once an hour. workload_fini is due.
 */
void modelled_hot_set(struct workload *workload, uint64_t mapped_bytes, unsigned page_shift, uint64_t hot_bytes);

#endif
