/* SPDX-License-Identifier: MIT */
/*
 * This file finds pinned pages without privileges: by what io_uring says of its registered buffers. All other pins, and
 * those of rings that have no descriptor any more, cannot be seen; so every epoch is blind to devices' writes.
 */
#include "watch/pins.h"
#include "watch/registered.h"

#define BLIND (TIDE_BLIND_DEVICE_WRITES | TIDE_BLIND_REFERENCES)

struct by_list {
	struct tide_target *target;
	struct registered registered;
};

static int init(void *state, struct tide_target *target, struct tide_error *err)
{
	struct by_list *list = state;

	int result;

	list->target = target;
	result = registered_read(&list->registered, target, err);
	if (result < 0)
		registered_fini(&list->registered);
	return result;
}

static int begin(void *state, uint32_t *blind, struct tide_error *err)
{
	struct by_list *list = state;
	int result = registered_read(&list->registered, list->target, err);

	*blind = BLIND;
	return result < 0 ? result : list->registered.ranges.nr > 0;
}

static int look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	struct by_list *list = state;
	const struct tide_range *range = list->registered.ranges.items;
	const struct tide_range *end = range + list->registered.ranges.nr;

	(void)err;
	for (size_t i = 0; i < nr; i++) {
		while (range < end && range->end <= addresses[i])
			range++;
		answers[i] = range < end && range->start <= addresses[i] ? PIN_PINNED : PIN_NONE;
	}
	return 0;
}

static int known(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	struct by_list *list = state;

	(void)err;
	*out = list->registered.ranges.items;
	*nr = list->registered.ranges.nr;
	return 0;
}

static void fini(void *state)
{
	struct by_list *list = state;

	registered_fini(&list->registered);
}

static const struct tide_pins_ops pins_fdinfo = {
	.name = "fdinfo",
	.state_size = sizeof(struct by_list),
	.blind = BLIND,
	.init = init,
	.begin = begin,
	.look = look,
	.known = known,
	.fini = fini,
};

const struct tide_pins_ops *tide_pins_fdinfo(void)
{
	return &pins_fdinfo;
}
