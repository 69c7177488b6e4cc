/* SPDX-License-Identifier: MIT */
/* This file changes how memory is tracked while it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "target/inject/hold.h"
#include "target/target.h"
#include "watch/tracker.h"

static int convert(struct tide_watch *watch, const struct tide_mapping *mapping)
{
	struct intervals doubts = { 0 };
	struct interval gap;
	int result;

	if (intervals_next_gap(&watch->tracked, mapping->start, mapping->end, &gap))
		return 0; /* in part, or not at all: the next collect tracks it, as it is wanted by then */
	watch->now.nr_calls++;
	result = watch->backend->convert(watch->state, mapping->start, mapping->end, &watch->armed, &doubts);
	if (result < 0) {
		/* Tracked by nobody, perhaps: the next collect begins with it anew. */
		watch->backend->untrack(watch->state, mapping->start, mapping->end);
		result = watch_forget(watch, mapping);
	}
	for (size_t i = 0; result == 0 && i < doubts.v.nr; i++)
		result = watch_doubt(watch, doubts.v.items[i].start, doubts.v.items[i].end);
	intervals_fini(&doubts);
	return result;
}

static int convert_all(struct tide_watch *watch, uint64_t start, uint64_t end)
{
	const struct tide_layout *layout = tide_target_layout(watch->target);
	const struct tide_mapping *mapping;
	int result = 0;

	for (uint64_t at = start; result == 0 && at < end; at = mapping->end) {
		mapping = watch_mapping_from(layout, at);
		if (mapping == NULL || mapping->start >= end)
			break;
		result = convert(watch, mapping);
	}
	return result;
}

/* While it stands still. */
static int change(struct tide_watch *watch, uint64_t start, uint64_t end, bool as_list, struct tide_error *err)
{
	int result = watch_begin(watch, err);

	if (result < 0)
		return result;
	result = watch->backend->prefer(watch->state, start, end, as_list);
	if (result == 0)
		result = convert_all(watch, start, end);
	return result < 0 ? error_system(err, result, "cannot change how process %d (%s) is watched",
	                                 tide_target_pid(watch->target), tide_target_name(watch->target))
	                  : 0;
}

int tide_watch_switch(struct tide_watch *watch, uint64_t start, uint64_t end, const char *backend,
                      struct tide_error *err)
{
	bool as_list = strcmp(backend, "uffd_log") == 0;
	struct hold *hold;
	uint64_t stopped_ns = 0;
	int result, held;

	if (!as_list && strcmp(backend, "uffd_async") != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' cannot be switched to: uffd_async and uffd_log can", backend);
	if (watch->client != NULL)
		return client_refuse("only who watches itself can switch", err);
	if (watch->backend->convert == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "a watch that was opened with %s cannot be switched: only one with uffd_log can",
		                 watch->backend->name);
	if (start >= end || (start | end) % WATCH_PAGE != 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "%llx-%llx is no range of whole pages",
		                 (unsigned long long)start, (unsigned long long)end);
	result = hold_begin(&hold, watch->target, err);
	if (result < 0)
		return result;
	result = change(watch, start, end, as_list, err);
	held = hold_end(hold, &stopped_ns);
	watch->now.stopped_ns += stopped_ns;
	/* It ran meanwhile, or nobody knows how far it was changed. */
	if ((held < 0 || result < 0) && watch_doubt(watch, start, end) < 0)
		watch_owe(watch, start, end);
	return result;
}
