/* SPDX-License-Identifier: MIT */
/* This file opens and closes what the sensors on userfaultfd share. */
#include "sensor/tracked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/error.h"
#include "kernel/maps.h"
#include "kernel/sys.h"
#include "target/target.h"

void tracked_close(void *state)
{
	struct tracked *tracked = state;

	tracked_release(tracked);
	sys_close(tracked->uffd);
	sys_close(tracked->pagemap);
	tracked->uffd = tracked->pagemap = -1;
	mapped_fini(&tracked->mapped);
	vec_free(&tracked->mappings);
	vec_free(&tracked->before);
	free(tracked->regions);
	tracked->regions = NULL;
}

static int open_descriptors(struct tracked *tracked, struct tide_error *err)
{
	tracked->pagemap = target_open_file(tracked->target, "pagemap", O_RDONLY, err);
	if (tracked->pagemap < 0)
		return tracked->pagemap;
	tracked->uffd = target_userfaultfd(tracked->target, tracked->kind->features, &tracked->cost.stopped_ns, err);
	return tracked->uffd < 0 ? tracked->uffd : 0;
}

int tracked_open(struct tracked *tracked, const struct tracked_kind *kind, struct tide_target *target,
                 struct tide_error *err)
{
	int result;

	tracked->kind = kind;
	tracked->target = target;
	tracked->uffd = tracked->pagemap = -1;
	tracked->nr_max_mappings = maps_limit();
	tracked->regions = calloc(TRACKED_NR_REGIONS, sizeof(tracked->regions[0]));
	if (tracked->regions == NULL)
		return error_system(err, -ENOMEM, "watching process %d", tide_target_pid(target));
	result = open_descriptors(tracked, err);
	if (result < 0)
		tracked_close(tracked);
	return result;
}

int tracked_update(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct tracked *tracked = state;
	int result = mapped_update(&tracked->mapped, tracked->target, out, nr, err);

	return result < 0 ? result : tracked_follow(tracked, err);
}

int tracked_valid(void *state, struct tide_error *err)
{
	struct tracked *tracked = state;

	return tide_target_valid(tracked->target, err);
}

void tracked_cost(const void *state, struct tide_sensor_cost *out)
{
	*out = ((const struct tracked *)state)->cost;
}
