/* SPDX-License-Identifier: MIT */
/* Strict numbers out of procfs text: no sign, no blanks, no locale, no silent overflow. */
#ifndef KERNEL_TEXT_H
#define KERNEL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of text that is read from the front; it needs no terminating zero. */
struct text {
	const char *at;
	const char *end;
};

/* Each takes what it names from the front and says whether it was there; when not, `text` may be left anywhere. */
bool text_char(struct text *text, char wanted);
bool text_hex(struct text *text, uint64_t *out);
bool text_decimal(struct text *text, uint64_t *out);

/* Drops blanks and tabs from the front. */
void text_blanks(struct text *text);

#endif
