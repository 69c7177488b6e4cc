/* SPDX-License-Identifier: MIT */
/*
 * This file knows which colour stands for how hot. The scale is a part of "inferno", of the perceptually uniform ones
 * of matplotlib (public domain): its lightness falls evenly, so that steps look alike, to the colour-blind and in grey
 * too. Cold has a bluish grey of its own, lighter than any of them: "never" is no small "sometimes".
 */
#include "report/palette.h"

#define NR_STEPS 8u
static const uint32_t anchors[NR_STEPS + 1] = { 0xf6d746, 0xfca50a, 0xf37819, 0xdd513a, 0xbc3754,
	                                        0x932667, 0x6a176e, 0x420a68, 0x160b39 };

static uint32_t mix(uint32_t from, uint32_t to, double share, int shift)
{
	double a = (double)(from >> shift & 0xff);
	double b = (double)(to >> shift & 0xff);

	return (uint32_t)(a + (b - a) * share + 0.5) << shift;
}

uint32_t palette_rate(double rate)
{
	double place = rate * NR_STEPS;
	uint32_t i;

	if (!(rate > 0))
		return PALETTE_COLD;
	if (rate >= 1)
		return anchors[NR_STEPS];
	i = (uint32_t)place;
	place -= i;
	return mix(anchors[i], anchors[i + 1], place, 16) | mix(anchors[i], anchors[i + 1], place, 8) |
	       mix(anchors[i], anchors[i + 1], place, 0);
}
