/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parsers of /proc/PID/stat and status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "kernel/procfs.h"

const char *const fuzz_seeds[] = {
	"77 (a) R 1 (b)) S 1 2 2 0 -1 4194560 96 0 0 0 3 4 0 0 20 -5 7 0 424242 10813440 384 18446744073709551615 4096 "
	"8192 "
	"140720000000000 0 0 0\n",
	"Name:\tx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t77\nNgid:\t0\nPid:\t77\nUid:\t0\t0\t0\t0\nKthread:\t0\n",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procfs_status status;
	struct procfs_stat stat;

	if (procfs_parse_stat((const char *)data, size, &stat) == 0) {
		if (memchr(stat.name, 0, sizeof(stat.name)) == NULL)
			abort();
		for (const char *at = stat.name; *at != 0; at++) {
			if ((unsigned char)*at < ' ' || *at == 0x7f)
				abort();
		}
	}
	if (procfs_parse_status((const char *)data, size, &status) == 0 && (status.kthread < -1 || status.kthread > 1))
		abort();
	return 0;
}
