/* SPDX-License-Identifier: MIT */
/* This file makes the writer a sink of a session: it asks live targets for what record_put wants to know. */
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/scope.h"
#include "record/writer.h"

int record_append(void *writer, const struct tide_sample *sample, struct tide_target *const *targets,
                  struct tide_error *err)
{
	scope_free struct record_source *sources = calloc(sample->nr_targets + 1, sizeof(*sources));

	if (sources == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < sample->nr_targets; i++)
		sources[i] = (struct record_source){ .pid = tide_target_pid(targets[i]),
			                             .name = tide_target_name(targets[i]),
			                             .layout = tide_target_layout(targets[i]) };
	return record_put(writer, sample, sources, err);
}
