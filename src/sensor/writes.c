/* SPDX-License-Identifier: MIT */
/*
 * This file is the writes sensor: sampled pages, and only those, protected against writes by userfaultfd, until the
 * first write lifts it.
 *
 * The kernel resolves that write by itself, and nobody waits (Linux 6.7; Documentation/admin-guide/mm/userfaultfd.rst,
 * "Write Protect Notifications"). The price is one fault of the target, of about a microsecond, for each sampled page
 * that is written. No privilege is needed beyond those of ptrace(2), so a process's writes can be watched by its own
 * user. What is seen is what this process writes, by the processor or by system calls: shared memory that others write
 * changes unnoticed, and so does what devices write to pinned pages.
 *
 * A huge page would be split by its first write, for good: it is left alone, and unobservable. hugetlb's are protected
 * whole.
 */
#include "sensor/writes.h"

#include "kernel/uffd.h"
#include "watch/backend.h"

static const struct tracked_kind kind = {
	.features = UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED,
	.enlist = uffd_register,
	.protect = uffd_protect,
};

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	return tracked_open(state, &kind, target, err);
}

/* The same as tracking all writes stands on, with its positive controls. */
static int probe(struct tide_error *why)
{
	return watch_uffd_async.probe(why);
}

const struct tide_sensor_ops sensor_writes = {
	.name = "writes",
	.summary = "sampled pages protected by userfaultfd until their first write, which costs the target a fault",
	.state_size = sizeof(struct tracked),
	.flags = TIDE_SENSOR_TELLS_WRITES | TIDE_SENSOR_TAKES_UFFD,
	.probe = probe,
	.init = init,
	.update = tracked_update,
	.prepare_access_checks = writes_prepare,
	.check_accesses = writes_check,
	.target_valid = tracked_valid,
	.cleanup = tracked_close,
	.cost = tracked_cost,
};
