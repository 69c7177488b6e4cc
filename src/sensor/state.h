/* SPDX-License-Identifier: MIT */
/* The end of a sensor's state, whoever holds it. */
#ifndef SENSOR_STATE_H
#define SENSOR_STATE_H

#include <stdlib.h>

#include <tidemark/sensor.h>

/* Undoes what init() did, and frees `state`; NULL: there is none. */
static inline void sensor_end_state(const struct tide_sensor_ops *ops, void *state)
{
	if (state != NULL && ops->cleanup != NULL)
		ops->cleanup(state);
	free(state);
}

#endif
