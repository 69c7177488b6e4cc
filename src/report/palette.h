/* SPDX-License-Identifier: MIT */
/* The colours of pictures: 0xRRGGBB. The more often accessed the darker, so that grey prints say the same. */
#ifndef REPORT_PALETTE_H
#define REPORT_PALETTE_H

#include <stdint.h>

#define PALETTE_PAPER       0xffffffu
#define PALETTE_INK         0x1c2430u
#define PALETTE_FAINT_INK   0x5d6876u
#define PALETTE_FRAME       0x8a94a1u
#define PALETTE_GRID        0xe3e7ecu
#define PALETTE_COLD        0xd5dfeau
#define PALETTE_COLD_BESIDE 0xdfe1e3u /* in palette_writes(), where blue has a meaning */
#define PALETTE_HATCH       0x9b9b9bu
#define PALETTE_HATCH_PAPER 0xf1f1f1u

/* What was accessed in this share of the checks, in [0, 1]; 0 is cold. */
uint32_t palette_rate(double rate);

/* The same where reads and writes are told apart: `written` of the accesses, in [0, 1], were writes. */
uint32_t palette_writes(double rate, double written);

/* ... of accesses of which nobody can say whether they were writes. */
uint32_t palette_untold(double rate);

/*
 * What is unobservable is hatched, by the same rule in areas and in pixels: a pixel at (x, y) is a line's when
 * (x + y) % HATCH_PERIOD < HATCH_WIDTH.
 */
#define HATCH_PERIOD 6
#define HATCH_WIDTH  2

#endif
