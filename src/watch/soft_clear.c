/* SPDX-License-Identifier: MIT */
/*
 * This file clears soft-dirty bits, and knows whether something may have been marked since they were read.
 *
 * That the process stands still does not stop the kernel: a lazily freed page (MADV_FREE) is discarded, and where it
 * was a huge page takes up zeros, marked like a write, which the clearing would hide. The machine's counters tell: of
 * discarded pages, counted as soon as they are unmapped, and of huge pages that are to take the place of others.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/vmstat.h"
#include "target/target.h"
#include "watch/soft_dirty.h"

static int write_clear_refs(struct tide_target *target, struct tide_error *err)
{
	scope_sys_fd int fd = target_open_file(target, "clear_refs", O_WRONLY, err);
	ssize_t wrote;

	if (fd < 0)
		return fd;
	wrote = sys_pwrite(fd, "4", 1, 0);
	return wrote == 1 ? 0
	                  : error_system(err, wrote < 0 ? (int)wrote : -EIO,
	                                 "cannot clear the soft-dirty bits of process %d (%s)", tide_target_pid(target),
	                                 tide_target_name(target));
}

void soft_clear_prepare(struct soft_clear *clear)
{
	clear->is_known = vmstat_nr_replaced(&clear->nr_replaced) == 0;
}

int soft_clear(const struct soft_clear *clear, struct tide_target *target, struct tide_error *err)
{
	uint64_t nr_replaced;
	int result = write_clear_refs(target, err);

	if (result < 0)
		return result;
	return !clear->is_known || vmstat_nr_replaced(&nr_replaced) < 0 || nr_replaced != clear->nr_replaced;
}
