/* SPDX-License-Identifier: MIT */
/* Every system call of a sensor's life fails once, on a target that does as it is told. */
#ifndef TESTS_FAULT_SENSOR_FAILS_H
#define TESTS_FAULT_SENSOR_FAILS_H

#include "../kernel/tracked-steps.h"

/* One life of the sensor, from sensor_try_open() to sensor_close(): 0 or negative, with `err` filled. */
typedef int sensor_life_fn(struct fixture *fix, void *arg, struct tide_error *err);

/*
 * Lives again and again, each time with the next system call failing, until one life has met no failure. What fails is
 * told, no descriptor leaks, and the target is left as it was found; else the test fails.
 */
void sensor_fails_each(sensor_life_fn *live, void *arg);

#endif
