/* SPDX-License-Identifier: MIT */
/* The values in a workload's file: each kind is read by one function. */
#ifndef CLI_WORKLOAD_VALUES_H
#define CLI_WORKLOAD_VALUES_H

#include <jansson.h>

#include "model/workload.h"

/* Reads `value` into what `into` points to. The workload is what was read so far. Errors: USAGE, LIMIT. */
typedef int read_fn(const struct workload *workload, const json_t *value, void *into, struct tide_error *err);

read_fn read_name;    /* char *, the caller's to free */
read_fn read_size;    /* uint64_t bytes */
read_fn read_time;    /* uint64_t ns */
read_fn read_page;    /* unsigned, log2 of its bytes */
read_fn read_address; /* uint64_t */
read_fn read_share;   /* uint32_t, in WORKLOAD_ALLths */
read_fn read_mapping; /* uint32_t, the index of the mapping that is called so */
read_fn read_reason;  /* uint8_t, enum tide_reason */

#endif
