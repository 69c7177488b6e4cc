/* SPDX-License-Identifier: MIT */
/*
 * This file is the rwp sensor: userfaultfd's protection against access (Linux 7.3), lifted by the first access itself.
 *
 * The kernel resolves that access by itself, and nobody waits; the mark that protection leaves in a page's entry tells
 * afterwards whether there was one, by the processor, by a system call, or by a guest whose page tables follow these.
 * Nothing else clears it, and no page moves towards reclaim. The price is one fault of the target for each page that
 * was protected and is accessed again. It works on memory of the process's own, on shared memory (shmem, memfd) and on
 * hugetlb pages; mappings of other files cannot be registered, and huge pages of shared memory would be unmapped by it:
 * both are left alone, and are unobservable. A target that has a userfaultfd itself is refused.
 *
 * What was found out about the interface, and how: docs/design/007-rwp.md.
 */
#include "kernel/uffd.h"
#include "sensor/rwp.h"

static const struct tracked_kind kind = {
	.features = UFFD_RWP | UFFD_RWP_ASYNC,
	.enlist = uffd_register_access,
	.protect = uffd_protect_access,
};

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	return tracked_open(state, &kind, target, err);
}

const struct tide_sensor_ops sensor_rwp = {
	.name = "rwp",
	.summary = "pages protected by userfaultfd until their first access, which costs the target a fault",
	.state_size = sizeof(struct tracked),
	.flags = TIDE_SENSOR_SEES_GUESTS | TIDE_SENSOR_TAKES_UFFD,
	.ways = 1u << TIDE_WAY_RWP,
	.probe = rwp_probe,
	.init = init,
	.update = tracked_update,
	.prepare_access_checks = rwp_prepare,
	.check_accesses = rwp_check,
	.target_valid = tracked_valid,
	.cleanup = tracked_close,
	.scan = rwp_scan,
	.cost = tracked_cost,
	.plan = rwp_plan,
	.forget = rwp_forget,
};
