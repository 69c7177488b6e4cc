/* SPDX-License-Identifier: MIT */
/* Reports as JSON: one object per line. Every object handed in is taken over, also on failure. */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "record/record.h"
#include "verify/json-line.h"

/* The first line of a report over (from_us, to_us]: schema, report, what was recorded and how. The caller adds to it.
 */
json_t *json_header(const char *report, const struct record_info *info, uint64_t from_us, uint64_t to_us);

/* "0x..." */
json_t *json_address(uint64_t address);

/* A size or count; what outgrows JSON's integers is cut. */
json_t *json_number(uint64_t number);

/* A share or mean, not negative, rounded to 4 decimals. */
json_t *json_share(double value);

/* Any bytes as a string: those that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text);

#endif
