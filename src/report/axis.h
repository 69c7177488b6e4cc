/* SPDX-License-Identifier: MIT */
/*
 * The address axis of a heatmap. An address space is mostly empty, so addresses are squeezed: byte n of the axis is
 * byte n of the ranges that matter, laid end to end. Rows are equal parts of that, but begin anew after each wide gap.
 */
#ifndef REPORT_AXIS_H
#define REPORT_AXIS_H

#include <stddef.h>
#include <stdint.h>

#include <tidemark/target.h>

struct axis_row {
	uint64_t from; /* squeezed: [from, to) */
	uint64_t to;
	uint64_t start; /* addresses: of the first byte, and behind the last one */
	uint64_t end;
	uint64_t gap; /* bytes not mapped before this row; 0: not worth a line */
};

struct axis {
	const struct tide_range *ranges; /* ascending, disjoint; the caller's */
	uint64_t *before;                /* squeezed start of each range, and the total */
	size_t nr_ranges;
	struct axis_row *rows;
	size_t nr_rows;
};

struct axis_shape {
	size_t height;   /* rows; more when wide gaps divide them into more parts than there is room for */
	size_t min_rows; /* of each part between wide gaps, however small; 0: 1 */
	size_t max_gaps; /* wide gaps, the widest ones */
	size_t gap_rows; /* that the caller shows a gap in; the height is meant with them */
};

/* 0 or -ENOMEM. */
int axis_init(struct axis *axis, const struct tide_range *ranges, size_t nr_ranges, const struct axis_shape *shape);
void axis_fini(struct axis *axis);

/*
 * Where `addr` lies on the axis; between ranges: where the next one begins. `*hint` is any index of a range, faster if
 * `addr` follows the one before; it is moved.
 */
uint64_t axis_squeeze(const struct axis *axis, uint64_t addr, size_t *hint);

#endif
