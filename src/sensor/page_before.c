/* SPDX-License-Identifier: MIT */
/* This file carries how preparing left a page behind from prepare to check. */
#include "sensor/page_before.h"

void page_before_pack(const struct page_before *before, struct tide_check *check)
{
	check->state[0] = (uint64_t)before->page | (uint64_t)before->reason << 8 | (uint64_t)before->shift << 16 |
	                  (uint64_t)before->is_file << 24;
	check->state[1] = 0;
}

void page_before_unpack(struct page_before *before, const struct tide_check *check)
{
	before->page = (enum page_standing)(check->state[0] & 0xff);
	before->reason = (enum tide_reason)(check->state[0] >> 8 & 0xff);
	before->shift = (uint8_t)(check->state[0] >> 16 & 0xff);
	before->is_file = (check->state[0] >> 24 & 1) != 0;
}
