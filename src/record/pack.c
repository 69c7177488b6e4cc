/* SPDX-License-Identifier: MIT */
/* This file writes regions as text and reads them back; what it reads may come from anywhere. */
#include "record/pack.h"

#include <errno.h>

#include "record/number.h"
#include "record/schema.h"

enum {
	NR_COUNTS = 5, /* of a region */
};

static char *put_region(char *to, const struct tide_region *region, uint64_t offset)
{
	const uint32_t counts[NR_COUNTS] = { region->nr_accesses, region->age, region->nr_unobservable,
		                             region->nr_writes, region->nr_writes_unobservable };
	int nr = NR_COUNTS;

	while (nr > 0 && counts[nr - 1] == 0)
		nr--;
	*to++ = '[';
	to = number_put(to, offset);
	for (int i = 0; i < nr; i++) {
		*to++ = ',';
		to = number_put(to, counts[i]);
	}
	*to++ = ']';
	*to++ = ',';
	return to;
}

size_t pack_regions(char text[PACK_ROOM], size_t *size, const struct tide_region *regions, size_t nr)
{
	uint64_t start = regions[0].start;
	char *to = text;
	size_t i = 0;

	*to++ = '[';
	do {
		if (i > 0 && regions[i].start > regions[i - 1].end) {
			to = number_put(to, (regions[i - 1].end - start) >> SCHEMA_PAGE_SHIFT);
			*to++ = ',';
		}
		to = put_region(to, &regions[i], (regions[i].start - start) >> SCHEMA_PAGE_SHIFT);
		i++;
	} while (i < nr && to - text < PACK_FULL);
	to = number_put(to, (regions[i - 1].end - start) >> SCHEMA_PAGE_SHIFT);
	*to++ = ']';
	*to = 0;
	*size = (size_t)(to - text);
	return i;
}

/* The counts behind a region's offset, and its bracket. */
static const char *take_counts(const char *at, struct tide_region *out)
{
	uint32_t *const counts[NR_COUNTS] = { &out->nr_accesses, &out->age, &out->nr_unobservable, &out->nr_writes,
		                              &out->nr_writes_unobservable };

	for (int i = 0; i < NR_COUNTS; i++) {
		uint64_t value = 0;

		if (*at == ',') {
			at = number_take(at + 1, UINT32_MAX, &value);
			if (at == NULL)
				return NULL;
		}
		*counts[i] = (uint32_t)value;
	}
	return *at == ']' ? at + 1 : NULL;
}

int pack_parse(const char *text, size_t size, uint32_t target, uint64_t start, uint64_t end, struct tide_region *out,
               size_t nr)
{
	const uint64_t limit = (end - start) >> SCHEMA_PAGE_SHIFT;
	const char *at = text;
	uint64_t last = 0;
	bool open = false; /* out[taken - 1] has no end yet */
	size_t taken = 0;

	if (*at != '[')
		return -EBADMSG;
	do {
		bool is_region = at[1] == '[';
		uint64_t offset = 0;

		at = number_take(at + 1 + is_region, limit, &offset);
		if (at == NULL || (is_region ? taken == nr : !open) || (taken == 0 ? offset != 0 : offset <= last))
			return -EBADMSG;
		if (open)
			out[taken - 1].end = start + (offset << SCHEMA_PAGE_SHIFT);
		if (is_region) {
			out[taken].start = start + (offset << SCHEMA_PAGE_SHIFT);
			out[taken].target = target;
			at = take_counts(at, &out[taken++]);
			if (at == NULL)
				return -EBADMSG;
		}
		last = offset;
		open = is_region;
	} while (*at == ',');
	return *at == ']' && at + 1 == text + size && !open && taken == nr && last == limit ? 0 : -EBADMSG;
}
