/* SPDX-License-Identifier: MIT */
/* This file finds the word that somebody who mistyped may have meant. */
#include "nearest.h"

#include <string.h>

#define MAX_LENGTH 32

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions and replacements that make `b` out of `a`, both at most MAX_LENGTH long. */
static unsigned edits(const char *a, const char *b)
{
	size_t length = strlen(b);
	unsigned row[MAX_LENGTH + 1];

	for (size_t j = 0; j <= length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] != 0; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= length; j++) {
			unsigned above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

void nearest_begin(struct nearest *nearest, const char *word)
{
	*nearest = (struct nearest){ .word = word, .distance = 3 };
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t length = strlen(nearest->word);
	unsigned distance;

	if (length == 0 || length > MAX_LENGTH || strlen(candidate) > MAX_LENGTH)
		return;
	/* Somebody who wrote the beginning meant the rest; anything else may differ by two, and not in every letter. */
	distance = strncmp(candidate, nearest->word, length) == 0 ? 0 : edits(nearest->word, candidate);
	if (distance >= nearest->distance || distance >= length)
		return;
	nearest->best = candidate;
	nearest->distance = distance;
}
