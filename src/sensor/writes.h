/* SPDX-License-Identifier: MIT */
/* The writes sensor's files: its state is a struct tracked. */
#ifndef SENSOR_WRITES_H
#define SENSOR_WRITES_H

#include "sensor/tracked.h"
#include "sensor/writes_judge.h"

extern const struct tide_sensor_ops sensor_writes;

/* writes_sample.c: of the ops. */
int writes_prepare(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);
int writes_check(void *state, struct tide_check *checks, size_t nr, struct tide_error *err);

#endif
