/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parser of /proc/PID/smaps. What it lets through must be sound, in pieces of any size.
 */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "kernel/smaps.h"

#define REST                                                                                                           \
	"Pss:                   4 kB\nReferenced:            8 kB\nAnonymous:             0 kB\n"                      \
	"AnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\n"                      \
	"Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:    2048 kB\nTHPeligible:           0\n"

const char *const fuzz_seeds[] = {
	"7f0000001000-7f0000003000 rw-s 00002000 00:01 4026532                    /memfd:a\\012Rss: 9 kB\n"
	"Size:                  8 kB\nRss:                   8 kB\n" REST "VmFlags: rd wr sh mr mw me ms sd \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
	"Size:                  4 kB\nRss:                   0 kB\n" REST "VmFlags: ex io pf de ht mm ?? \n",
	"1000-2000 rw-p 00000000 00:00 0 [anon:1000-2000]\nRss: 4 kB\nReferenced: 4 kB\nVmFlags: rd\n",
	"1000-2000 rw-p 00000000 00:00 0\nVmFlags: rd\nRss: 18014398509481983 kB\nReferenced: 0 kB\nNew: x\n",
	NULL,
};

struct sum {
	uint64_t value;
	unsigned nr;
};

static int see(void *arg, const struct smaps_vma *vma)
{
	struct sum *sum = arg;

	if (vma->vma.start >= vma->vma.end || vma->vma.start % 4096 != 0 || vma->vma.end % 4096 != 0 ||
	    vma->kinds >= 2 * SMAPS_MERGEABLE || vma->vma.name != NULL || vma->rss_bytes % 1024 != 0)
		abort();
	sum->value = (sum->value * 31 + vma->vma.start) * 31 + vma->vma.end + vma->rss_bytes;
	sum->value = (sum->value * 31 + vma->referenced_bytes) * 31 + vma->huge_bytes + vma->kinds;
	sum->value = sum->value * 31 + vma->hugetlb_bytes;
	sum->nr++;
	return 0;
}

static int parse(const char *text, size_t size, size_t piece, struct sum *sum)
{
	struct smaps_parser parser = { 0 };
	int result = 0;

	for (size_t at = 0; at < size && result == 0; at += piece) {
		size_t part = size - at < piece ? size - at : piece;

		result = smaps_parser_feed(&parser, text + at, part, see, sum);
	}
	if (result == 0)
		result = smaps_parser_end(&parser, see, sum);
	smaps_parser_fini(&parser);
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
