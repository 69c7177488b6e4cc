/* SPDX-License-Identifier: MIT */
/* What a fuzz test consists of: the entry that libFuzzer calls, and a few good inputs to begin with. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Aborts when the code under test is wrong; returns 0. `data` holds `size` bytes and no terminating zero. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Texts, NULL-terminated. Used by standalone.c. */
extern const char *const fuzz_seeds[];

#endif
