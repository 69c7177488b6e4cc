/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_JSON_LINE_H
#define VERIFY_JSON_LINE_H

#include <jansson.h>
#include <stdio.h>

#include <tidemark/error.h>

/* Writes `object`, which is taken over, as one line; NULL: there was no memory for it. 0 or negative. */
int json_line(FILE *out, json_t *object, struct tide_error *err);

#endif
