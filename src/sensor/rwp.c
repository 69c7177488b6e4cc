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
#include "sensor/rwp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/maps.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "target/target.h"

static void cleanup(void *state)
{
	struct rwp_state *rwp = state;

	rwp_release(rwp);
	sys_close(rwp->uffd);
	sys_close(rwp->pagemap);
	rwp->uffd = rwp->pagemap = -1;
	mapped_fini(&rwp->mapped);
	vec_free(&rwp->mappings);
	vec_free(&rwp->before);
	free(rwp->regions);
	rwp->regions = NULL;
}

static int open_descriptors(struct rwp_state *rwp, struct tide_error *err)
{
	rwp->pagemap = target_open_file(rwp->target, "pagemap", O_RDONLY, err);
	if (rwp->pagemap < 0)
		return rwp->pagemap;
	rwp->uffd = target_userfaultfd(rwp->target, UFFD_RWP | UFFD_RWP_ASYNC, &rwp->cost.stopped_ns, err);
	return rwp->uffd < 0 ? rwp->uffd : 0;
}

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct rwp_state *rwp = state;
	int result;

	rwp->target = target;
	rwp->uffd = rwp->pagemap = -1;
	rwp->nr_max_mappings = maps_limit();
	rwp->regions = calloc(RWP_NR_REGIONS, sizeof(rwp->regions[0]));
	if (rwp->regions == NULL)
		return error_system(err, -ENOMEM, "watching process %d", tide_target_pid(target));
	result = open_descriptors(rwp, err);
	if (result < 0)
		cleanup(rwp);
	return result;
}

static int update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct rwp_state *rwp = state;
	int result = mapped_update(&rwp->mapped, rwp->target, out, nr, err);

	return result < 0 ? result : rwp_follow(rwp, err);
}

static int target_valid(void *state, struct tide_error *err)
{
	struct rwp_state *rwp = state;

	return tide_target_valid(rwp->target, err);
}

static void cost(const void *state, struct tide_sensor_cost *out)
{
	*out = ((const struct rwp_state *)state)->cost;
}

const struct tide_sensor_ops sensor_rwp = {
	.name = "rwp",
	.summary = "pages protected by userfaultfd until their first access, which costs the target a fault",
	.state_size = sizeof(struct rwp_state),
	.flags = TIDE_SENSOR_SEES_GUESTS,
	.ways = 1u << TIDE_WAY_RWP,
	.probe = rwp_probe,
	.init = init,
	.update = update,
	.prepare_access_checks = rwp_prepare,
	.check_accesses = rwp_check,
	.target_valid = target_valid,
	.cleanup = cleanup,
	.scan = rwp_scan,
	.cost = cost,
	.plan = rwp_plan,
	.forget = rwp_forget,
};
