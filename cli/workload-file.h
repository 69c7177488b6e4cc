/* SPDX-License-Identifier: MIT */
/* A workload as people describe it: JSON, docs/model-workloads.md. */
#ifndef CLI_WORKLOAD_FILE_H
#define CLI_WORKLOAD_FILE_H

#include "model/workload.h"

/*
 * Reads `text` of `size` bytes; what it holds on success has passed workload_check. The caller ends it with
 * workload_fini, which is harmless after an error. Errors: USAGE, a sentence that names the line or the thing; LIMIT.
 */
int workload_parse(struct workload *out, const char *text, size_t size, struct tide_error *err);

/* The same out of a file, with its path before the sentence. Errors: USAGE, LIMIT; SYSTEM, DENIED it cannot be read. */
int workload_read(struct workload *out, const char *path, struct tide_error *err);

#endif
