/* SPDX-License-Identifier: MIT */
/*
 * This file knows which colour stands for how hot. The scale is a part of "inferno", of the perceptually uniform ones
 * of matplotlib (public domain): its lightness falls evenly, so that steps look alike, to the colour-blind and in grey
 * too. Cold has a bluish grey of its own, lighter than any of them: "never" is no small "sometimes".
 */
#include "report/palette.h"

#include <stddef.h>

#define NR_STEPS 8u
static const uint32_t anchors[NR_STEPS + 1] = { 0xf6d746, 0xfca50a, 0xf37819, 0xdd513a, 0xbc3754,
	                                        0x932667, 0x6a176e, 0x420a68, 0x160b39 };

/*
 * What is read is blue and what is written orange: red-green blindness leaves that difference as it is. Half and half
 * is wine-red, which the blind to red or green see as the grey between the two. At the same rate the three are of the
 * same lightness, so that in grey, too, dark means often and nothing else.
 */
#define NR_SHADES 4u
static const uint32_t shades[3][NR_SHADES + 1] = {
	{ 0xa5cffe, 0x6eadf2, 0x388adf, 0x0069bd, 0x004b8b },
	{ 0xeabbd0, 0xd491b0, 0xbd6792, 0x9a4872, 0x713052 },
	{ 0xfeba7e, 0xed8e38, 0xcc6900, 0xa24c00, 0x7a3200 },
};

/* Of no hue, and of the same lightness again. */
static const uint32_t greys[NR_SHADES + 1] = { 0xcacaca, 0xa9a9a9, 0x868686, 0x666666, 0x494949 };

static uint32_t mix_one(uint32_t from, uint32_t to, double share, int shift)
{
	double a = (double)(from >> shift & 0xff);
	double b = (double)(to >> shift & 0xff);

	return (uint32_t)(a + (b - a) * share + 0.5) << shift;
}

static uint32_t mix(uint32_t from, uint32_t to, double share)
{
	return mix_one(from, to, share, 16) | mix_one(from, to, share, 8) | mix_one(from, to, share, 0);
}

/* The colour at `place`, in [0, 1], of a scale of nr_steps + 1. */
static uint32_t pick(const uint32_t *scale, uint32_t nr_steps, double place)
{
	uint32_t i = (uint32_t)(place * nr_steps);

	return place < 1 ? mix(scale[i], scale[i + 1], place * nr_steps - i) : scale[nr_steps];
}

uint32_t palette_rate(double rate)
{
	return rate > 0 ? pick(anchors, NR_STEPS, rate) : PALETTE_COLD;
}

uint32_t palette_writes(double rate, double written)
{
	size_t low = written < 0.5 ? 0 : 1;
	double share = written < 1 ? written * 2 - (double)low : 1;

	if (!(rate > 0))
		return PALETTE_COLD_BESIDE;
	return mix(pick(shades[low], NR_SHADES, rate), pick(shades[low + 1], NR_SHADES, rate), share);
}

uint32_t palette_untold(double rate)
{
	return rate > 0 ? pick(greys, NR_SHADES, rate) : PALETTE_COLD_BESIDE;
}
