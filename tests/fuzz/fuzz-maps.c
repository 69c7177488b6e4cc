/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parser of /proc/PID/maps. What it lets through must be sound, in pieces of any size.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel/maps.h"

const char *const fuzz_seeds[] = {
	"00400000-00452000 r-xp 00000000 fe:01 12                                 /usr/bin/dbus daemon\n"
	"7f0000001000-7f0000003000 rw-s 00002000 00:01 4026532                    /memfd:a\\012b (deleted)\n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
	"55d0c0de0000-55d0c0de1000 ---p 00000000 00:00 0 \n",
	"1000-2000 rw-p 00000000 00:00 0 [anon:1000-2000 rw-p 0 00:00 0]\n\n",
	NULL,
};

struct sum {
	uint64_t value;
	unsigned nr;
};

static int see(void *arg, const struct vma *vma)
{
	struct sum *sum = arg;

	if (vma->start >= vma->end || vma->start % 4096 != 0 || vma->end % 4096 != 0 || vma->flags > 15)
		abort();
	/* Every byte of the name is read, so that a sanitizer sees one too many. */
	for (size_t i = 0; i < vma->name_size; i++) {
		if (vma->name[i] == 0 || vma->name[i] == '\n')
			abort();
		sum->value = sum->value * 31 + (unsigned char)vma->name[i];
	}
	sum->value = (sum->value * 31 + vma->start) * 31 + vma->end + vma->offset + vma->inode + vma->flags;
	sum->nr++;
	return 0;
}

static int parse(const char *text, size_t size, size_t piece, struct sum *sum)
{
	struct maps_parser parser = { 0 };
	int result = 0;

	for (size_t at = 0; at < size && result == 0; at += piece) {
		size_t part = size - at < piece ? size - at : piece;

		result = maps_parser_feed(&parser, text + at, part, see, sum);
	}
	if (result == 0)
		result = maps_parser_end(&parser);
	maps_parser_fini(&parser);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole = { 0 };
	struct sum pieces = { 0 };
	size_t piece = size > 0 ? data[0] % 61 + 1u : 1;

	if (parse((const char *)data, size, size + 1, &whole) != parse((const char *)data, size, piece, &pieces))
		abort();
	if (whole.value != pieces.value || whole.nr != pieces.nr)
		abort();
	return 0;
}
