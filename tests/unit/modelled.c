/* SPDX-License-Identifier: MIT */
/* This file makes workloads. */
#include "modelled.h"

#include <stdlib.h>
#include <string.h>

static char *must_copy(const char *text)
{
	char *copy = strdup(text != NULL ? text : "");

	if (copy == NULL)
		abort();
	return copy;
}

void modelled_map(struct workload *workload, struct workload_mapping mapping)
{
	mapping.name = must_copy(mapping.name);
	if (mapping.populated_bytes == 0)
		mapping.populated_bytes = mapping.end - mapping.start;
	if (mapping.page_shift == 0)
		mapping.page_shift = 12;
	if (mapping.until_ns == 0)
		mapping.until_ns = WORKLOAD_FOREVER;
	if (vec_push(&workload->mappings, mapping) < 0)
		abort();
}

void modelled_use(struct workload *workload, struct workload_set set)
{
	set.name = must_copy(set.name);
	if (set.share == 0)
		set.share = WORKLOAD_ALL;
	if (set.until_ns == 0)
		set.until_ns = WORKLOAD_FOREVER;
	if (vec_push(&workload->sets, set) < 0)
		abort();
}

void modelled_hot_set(struct workload *workload, uint64_t mapped_bytes, unsigned page_shift, uint64_t hot_bytes)
{
	uint64_t offset = mapped_bytes > 4 * hot_bytes ? mapped_bytes / 16 * 7 : 0;

	*workload = (struct workload){ 0 };
	modelled_map(workload, (struct workload_mapping){
	                               .start = TIB(1), .end = TIB(1) + mapped_bytes, .page_shift = page_shift });
	modelled_use(workload, (struct workload_set){ .offset = offset, .bytes = hot_bytes, .read_ns = MS(2) });
	modelled_use(workload, (struct workload_set){ .bytes = mapped_bytes, .read_ns = SEC(3600) });
}
