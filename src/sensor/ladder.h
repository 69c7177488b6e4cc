/* SPDX-License-Identifier: MIT */
/* Two sensors for one target: the one for accesses, and beside it the one for writes. */
#ifndef SENSOR_LADDER_H
#define SENSOR_LADDER_H

#include <tidemark/sensor.h>

/* As tide_sensor_choose(), for a sensor that is to get along with the one for writes. */
int sensor_choose_beside_writes(const struct tide_sensor_ops **out, const char *name, struct tide_error *why);

/* The sensor that tells writes. Errors as tide_sensor_choose(). */
int sensor_choose_writes(const struct tide_sensor_ops **out, struct tide_error *why);

#endif
