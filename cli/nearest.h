/* SPDX-License-Identifier: MIT */
/* "Did you mean": how far one word is from another. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

struct nearest {
	const char *word; /* what was typed */
	const char *best; /* NULL: nothing near enough so far */
	unsigned distance;
};

void nearest_begin(struct nearest *nearest, const char *word);
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
