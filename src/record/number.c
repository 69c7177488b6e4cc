/* SPDX-License-Identifier: MIT */
/* This file writes and reads numbers as digits. */
#include "record/number.h"

#include <stddef.h>

char *number_put(char *to, uint64_t number)
{
	char digits[20];
	int nr = 0;

	do {
		digits[nr++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (nr > 0)
		*to++ = digits[--nr];
	return to;
}

const char *number_take(const char *at, uint64_t max, uint64_t *out)
{
	const char *first = at;
	uint64_t value = 0;

	/* 19 digits cannot wrap around. */
	for (; *at >= '0' && *at <= '9' && at - first < 19; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (at == first || (*first == '0' && at > first + 1) || (*at >= '0' && *at <= '9') || value > max)
		return NULL;
	*out = value;
	return at;
}
