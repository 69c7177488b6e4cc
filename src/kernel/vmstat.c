/* SPDX-License-Identifier: MIT */
/* This file reads /proc/vmstat. */
#include "kernel/vmstat.h"

#include "kernel/sysfile.h"

static int sum_of(const char *const *names, size_t nr, uint64_t *out)
{
	char text[16384];
	int result = sysfile_read("/proc/vmstat", text, sizeof(text));

	if (result < 0)
		return result;
	*out = 0;
	for (size_t i = 0; i < nr; i++)
		*out += sysfile_number(text, names[i], 0);
	return 0;
}

int vmstat_nr_scanned(uint64_t *out)
{
	static const char *const by[] = { "pgscan_kswapd", "pgscan_direct", "pgscan_khugepaged", "pgscan_proactive" };

	return sum_of(by, sizeof(by) / sizeof(by[0]), out);
}

int vmstat_nr_replaced(uint64_t *out)
{
	static const char *const by[] = { "pglazyfreed", "thp_collapse_alloc" };

	return sum_of(by, sizeof(by) / sizeof(by[0]), out);
}

int vmstat_nr_unmerged(uint64_t *out)
{
	static const char *const by[] = { "cow_ksm", "ksm_swpin_copy" };

	return sum_of(by, sizeof(by) / sizeof(by[0]), out);
}
