/* SPDX-License-Identifier: MIT */
/* This file looks for pins before the scan: the order that loses writes. */
#include "pins-early.h"

#include <stdbool.h>
#include <string.h>

#include "watch/pins.h"

static bool is_early;
static struct tide_pins_ops ops;

static int look(void *state, const uint64_t *addresses, size_t nr, uint8_t *answers, struct tide_error *err)
{
	if (!is_early)
		return tide_pins_walker()->look(state, addresses, nr, answers, err);
	memset(answers, PIN_NONE, nr);
	return 0;
}

static int known(void *state, const struct tide_range **out, size_t *nr, struct tide_error *err)
{
	int result = tide_pins_walker()->known(state, out, nr, err);

	*nr = is_early ? 0 : *nr;
	return result;
}

const struct tide_pins_ops *pins_early(void)
{
	ops = *tide_pins_walker();
	ops.name = "early";
	ops.look = look;
	ops.known = known;
	return &ops;
}

void pins_early_begin(void)
{
	is_early = true;
}

void pins_early_end(void)
{
	is_early = false;
}
