/* SPDX-License-Identifier: MIT */
/* This file reads /proc/vmstat. */
#include "kernel/vmstat.h"

#include "kernel/sysfile.h"

int vmstat_nr_scanned(uint64_t *out)
{
	static const char *const by[] = { "pgscan_kswapd", "pgscan_direct", "pgscan_khugepaged", "pgscan_proactive" };
	char text[16384];
	int result = sysfile_read("/proc/vmstat", text, sizeof(text));

	if (result < 0)
		return result;
	*out = 0;
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++)
		*out += sysfile_number(text, by[i], 0);
	return 0;
}
