/* SPDX-License-Identifier: MIT */
/* This file turns a target's mappings into ranges. */
#include "sensor/mapped.h"

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"

int mapped_update(struct mapped *mapped, struct tide_target *target, const struct tide_range **out, size_t *nr,
                  struct tide_error *err)
{
	const struct tide_layout *layout;
	int result = tide_target_refresh(target, &layout, err);

	if (result < 0)
		return result;
	if (vec_reserve(&mapped->ranges, layout->nr_mappings + 1) < 0)
		return error_system(err, -ENOMEM, "updating %zu mappings", layout->nr_mappings);
	mapped->ranges.nr = 0;
	for (size_t i = 0; i < layout->nr_mappings; i++) {
		const struct tide_mapping *mapping = &layout->mappings[i];
		struct tide_range *last = mapped->ranges.items + mapped->ranges.nr - 1;

		/* [vsyscall] is in the kernel's half: no memory of the process. */
		if (mapping->start >> 63)
			break;
		if (mapped->ranges.nr > 0 && last->end == mapping->start)
			last->end = mapping->end;
		else
			mapped->ranges.items[mapped->ranges.nr++] = (struct tide_range){ mapping->start, mapping->end };
	}
	*out = mapped->ranges.items;
	*nr = mapped->ranges.nr;
	return 0;
}

void mapped_fini(struct mapped *mapped)
{
	vec_free(&mapped->ranges);
}
