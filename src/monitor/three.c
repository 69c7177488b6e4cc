/* SPDX-License-Identifier: MIT */
/* This file finds the two biggest gaps. */
#include "monitor/three.h"

size_t three_regions(const struct tide_range *ranges, size_t nr, struct tide_range out[3])
{
	size_t cut[2] = { 0, 0 }; /* a gap lies before ranges[cut]; 0: none */
	uint64_t bytes[2] = { 0, 0 };
	size_t pieces = 0;

	if (nr == 0)
		return 0;
	for (size_t i = 1; i < nr; i++) {
		uint64_t gap = ranges[i].start - ranges[i - 1].end;

		if (gap > bytes[0]) {
			cut[1] = cut[0];
			bytes[1] = bytes[0];
			cut[0] = i;
			bytes[0] = gap;
		} else if (gap > bytes[1]) {
			cut[1] = i;
			bytes[1] = gap;
		}
	}
	out[0].start = ranges[0].start;
	for (size_t i = 1; i < nr; i++) {
		if (i != cut[0] && i != cut[1])
			continue;
		out[pieces++].end = ranges[i - 1].end;
		out[pieces].start = ranges[i].start;
	}
	out[pieces++].end = ranges[nr - 1].end;
	return pieces;
}
