/* SPDX-License-Identifier: MIT */
/* The memory a workload works on: mapped as the pattern says, every page populated by writing it. */
#ifndef ORACLE_AREA_H
#define ORACLE_AREA_H

#include <stdint.h>
#include <sys/types.h>

#include "pattern.h"

struct area {
	uint8_t *start;
	uint64_t size;
	uint8_t *second; /* PAGE_MEMFD: the other mapping of the same memory, else NULL */
	pid_t companion; /* PAGE_SHARED: the other process, else 0 */
};

/* 0, or -errno with a sentence on stderr. `directory` is where PAGE_FILE puts its file. */
int area_open(struct area *area, enum page_kind kind, uint64_t size, const char *directory);

/* Unmaps; ends the companion and waits for it. */
void area_close(struct area *area);

/* Bytes of the area that are mapped by huge pages now (smaps). */
uint64_t area_huge_bytes(const struct area *area);

#endif
