/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parser of io_uring's lists of registered buffers. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "kernel/fdinfo.h"

const char *const fuzz_seeds[] = {
	"pos:\t0\nflags:\t02000002\nSqThread:\t-1\nUserFiles:\t1\n    0: /a\\040b\nUserBufs:\t3\n"
	"    0: 0x7f0123456000/65536\n    1: <none>\n    2: 0x7f0123466100/1\nPollList:\n",
	"pos:\t0\nUserBufs:\t1\n    0: 0xffffffffffffffff/1\n",
	"pos:\t0\nUserBufs:\t12\nPollList:\n",
	NULL,
};

static int check(void *arg, uint64_t start, uint64_t end)
{
	(void)arg;
	if (start >= end || start % 4096 != 0 || end % 4096 != 0)
		abort();
	return start == 0x1000 ? 7 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int result = fdinfo_parse_buffers((const char *)data, size, check, NULL);

	if (result != 0 && result != 1 && result != 7)
		abort();
	return 0;
}
