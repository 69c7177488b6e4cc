/* SPDX-License-Identifier: MIT */
/* This file takes numbers off the front of procfs text. */
#include "kernel/text.h"

bool text_char(struct text *text, char wanted)
{
	if (text->at == text->end || *text->at != wanted)
		return false;
	text->at++;
	return true;
}

bool text_hex(struct text *text, uint64_t *out)
{
	const char *first = text->at;
	uint64_t value = 0;

	for (; text->at < text->end; text->at++) {
		char c = *text->at;
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		if (value >> 60 != 0)
			return false;
		value = value << 4 | digit;
	}
	*out = value;
	return text->at > first;
}

bool text_decimal(struct text *text, uint64_t *out)
{
	const char *first = text->at;
	uint64_t value = 0;

	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (unsigned)(*text->at - '0'), &value))
			return false;
	}
	*out = value;
	return text->at > first;
}

void text_blanks(struct text *text)
{
	while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
		text->at++;
}
