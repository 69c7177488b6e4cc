/* SPDX-License-Identifier: MIT */
/* This file asks for what tests need. */
#include "need.h"

#include <stdio.h>

#include <tidemark/sensor.h>

int need_walk(void)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	if (tide_sensor_choose(&ops, "walk", &why) == 0)
		return 0;
	fprintf(stderr, "%s\n", why.text);
	return 77;
}
