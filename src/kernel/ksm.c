/* SPDX-License-Identifier: MIT */
/* This file reads what KSM says. */
#include "kernel/ksm.h"

#include <errno.h>
#include <stdio.h>

#include "kernel/procfs.h"
#include "kernel/sysfile.h"
#include "kernel/vmstat.h"

#define RUN "/sys/kernel/mm/ksm/run"

int ksm_progress(struct ksm_progress *out)
{
	int result = sysfile_value(RUN, &out->run);

	if (result == 0)
		result = sysfile_value("/sys/kernel/mm/ksm/full_scans", &out->nr_passes);
	return result == 0 ? vmstat_nr_unmerged(&out->nr_copied) : result;
}

bool ksm_is_missing(void)
{
	char text[16];

	return sysfile_read(RUN, text, sizeof(text)) == -ENOENT &&
	       sysfile_read("/proc/self/ksm_stat", text, sizeof(text)) == -ENOENT;
}

int ksm_nr_items(int dir, pid_t tid, uint64_t *nr)
{
	char path[40], text[1024];
	ssize_t size;

	snprintf(path, sizeof(path), "task/%d/ksm_stat", tid);
	size = procfs_read(dir, path, text, sizeof(text) - 1);
	if (size < 0)
		return (int)size;
	text[size] = '\0';
	*nr = sysfile_number(text, "ksm_rmap_items", UINT64_MAX);
	return *nr == UINT64_MAX ? -ENODATA : 0;
}
