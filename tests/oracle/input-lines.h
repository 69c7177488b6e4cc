/* SPDX-License-Identifier: MIT */
/* JSON lines: one object a line, the first one says by its "schema" what follows. */
#ifndef ORACLE_INPUT_LINES_H
#define ORACLE_INPUT_LINES_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Called for each object, `number` from 1. Non-zero ends the reading and is returned. */
typedef int lines_fn(void *arg, const json_t *object, size_t number);

/* 0, what `fn` returned, or -EINVAL with "name:line: sentence" on stderr. A last line without newline is left out: it
 * is still being written. */
int lines_read(FILE *file, const char *name, const char *schema, lines_fn *fn, void *arg);

/* An address: a string "0x...". 0 or -EINVAL. */
int lines_address(const json_t *object, const char *key, uint64_t *address);

/* A number, or `otherwise` when the object has none of that name. */
double lines_number(const json_t *object, const char *key, double otherwise);

#endif
