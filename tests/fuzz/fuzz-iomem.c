/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parser of /proc/iomem. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel/iomem.h"

#define MAX_RANGES 4

const char *const fuzz_seeds[] = {
	"00001000-0009fbff : System RAM\n000a0000-000fffff : Reserved\n00100000-bfffffff : System RAM\n"
	"  01000000-01ffffff : Kernel code\n100000000-63fffffff : System RAM\n",
	"00000000-00000000 : System RAM\n00000000-00000000 : Reserved\n",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct iomem_range ranges[MAX_RANGES + 1];
	char *text = malloc(size + 1);
	int nr;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	memset(ranges, 0xa5, sizeof(ranges));
	nr = iomem_parse(text, ranges, MAX_RANGES);
	if (nr > MAX_RANGES || ranges[MAX_RANGES].start != 0xa5a5a5a5a5a5a5a5)
		abort();
	for (int i = 0; i < nr; i++)
		if (ranges[i].start >= ranges[i].end)
			abort();
	free(text);
	return 0;
}
