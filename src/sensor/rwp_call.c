/* SPDX-License-Identifier: MIT */
/* This file makes the rwp sensor's system calls, and counts what they cost. */
#include <errno.h>

#include "base/error.h"
#include "kernel/pagemap.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "sensor/rwp.h"

static void count(struct rwp_state *rwp, uint64_t began_ns)
{
	uint64_t took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began_ns;

	rwp->cost.nr_calls++;
	if (took_ns > rwp->cost.longest_hold_ns)
		rwp->cost.longest_hold_ns = took_ns;
}

int rwp_protect(struct rwp_state *rwp, uint64_t start, uint64_t end)
{
	int result;

	do { /* The mappings may be changing under way. */
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);

		result = uffd_protect_access(rwp->uffd, start, end);
		count(rwp, began_ns);
	} while (result == -EAGAIN);
	rwp->cost.nr_cleared += result == 0;
	return result;
}

long rwp_pagescan(struct rwp_state *rwp, struct pagescan *scan, struct pagescan_region *regions, size_t nr)
{
	long result;

	do {
		uint64_t began_ns = sys_clock_ns(CLOCK_MONOTONIC);

		result = pagescan(rwp->pagemap, scan, regions, nr);
		count(rwp, began_ns);
	} while (result == -EINTR);
	return result;
}

int64_t rwp_look(struct rwp_state *rwp, uint64_t addr)
{
	uint64_t entry;
	long got = pagemap_read(rwp->pagemap, addr, &entry, 1);

	rwp->cost.nr_calls++;
	rwp->cost.nr_read++;
	if (got <= 0)
		return got < 0 ? got : -ESRCH;
	return (int64_t)pagemap_categories(entry);
}

int rwp_failed(struct rwp_state *rwp, int code, const char *what, struct tide_error *err)
{
	if (tide_target_valid(rwp->target, err) == 0)
		return -ESRCH;
	return error_system(err, code, "cannot %s the memory of process %d (%s)", what, tide_target_pid(rwp->target),
	                    tide_target_name(rwp->target));
}
