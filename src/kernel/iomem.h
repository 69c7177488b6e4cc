/* SPDX-License-Identifier: MIT */
/* /proc/iomem: which physical addresses are memory. */
#ifndef KERNEL_IOMEM_H
#define KERNEL_IOMEM_H

#include <stddef.h>
#include <stdint.h>

struct iomem_range {
	uint64_t start; /* physical, bytes, half-open */
	uint64_t end;
};

/* Fills in at most `max` System RAM ranges, ascending; returns how many, -EACCES when addresses are hidden from us. */
int iomem_system_ram(struct iomem_range *ranges, size_t max);

/* The same from the file's text; for tests. */
int iomem_parse(const char *text, struct iomem_range *ranges, size_t max);

#endif
