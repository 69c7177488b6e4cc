/* SPDX-License-Identifier: MIT */
/*
 * This file asks a second sensor for writes, beside the one that is asked for accesses: for the same pages, at the same
 * time.
 *
 * A sensor that fails leaves the other its answers; what it was asked counts as unobservable.
 */
#include <errno.h>

#include "base/error.h"
#include "monitor/watched.h"
#include "sensor/state.h"

bool watched_tells_writes(const struct watched *target)
{
	return target->writes != NULL || (target->ops->flags & TIDE_SENSOR_TELLS_WRITES) != 0;
}

void watched_end_writes(struct watched *target)
{
	sensor_end_state(target->writes, target->writes_state);
	target->writes_state = NULL;
}

int watched_update_writes(struct watched *target, struct tide_error *err)
{
	const struct tide_range *mapped;
	size_t nr;

	return target->writes_state != NULL ? target->writes->update(target->writes_state, &mapped, &nr, err) : 0;
}

int watched_prepare_writes(struct watched *target, struct batch *batch, struct tide_error *err)
{
	size_t nr = batch->region_of.nr;
	int result;

	batch->writes.nr = 0;
	if (target->writes_state == NULL || nr == 0)
		return 0;
	if (vec_reserve(&batch->writes, nr) < 0)
		return error_system(err, -ENOMEM, "sampling %zu regions", nr);
	for (size_t i = 0; i < nr; i++)
		batch->writes.items[i] = (struct tide_check){ .addr = batch->checks.items[i].addr };
	result = target->writes->prepare_access_checks(target->writes_state, batch->writes.items, nr, err);
	if (result >= 0)
		batch->writes.nr = nr;
	return result;
}

int watched_check_writes(struct watched *target, struct tide_error *err)
{
	struct batch *batch = &target->batch;
	int result = 0;

	if (batch->writes.nr > 0)
		result = target->writes->check_accesses(target->writes_state, batch->writes.items, batch->writes.nr,
		                                        err);
	if (result < 0)
		batch->writes.nr = 0;
	return result;
}

void watched_count_write(const struct watched *target, struct region *region, size_t i, const struct tide_check *check)
{
	static const struct tide_check missed = { .answer = TIDE_ANSWER_UNOBSERVABLE, .reason = TIDE_REASON_UNREAD };

	if (target->writes != NULL)
		check = i < target->batch.writes.nr ? &target->batch.writes.items[i] : &missed;
	region->nr_writes += check->answer == TIDE_ANSWER_ACCESSED;
	region->nr_writes_unobservable += check->answer == TIDE_ANSWER_UNOBSERVABLE;
}
