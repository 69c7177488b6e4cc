/* SPDX-License-Identifier: MIT */
/*
 * The sensor over a workload: memory that does not exist, at a time that the caller says. Not on the ladder, as there
 * is no process to look at: its state is made here and given to tide_monitor_add_target().
 */
#ifndef SENSOR_MODEL_H
#define SENSOR_MODEL_H

#include <tidemark/sensor.h>

#include "model/workload.h"

/* Tells accesses, and with its scans where memory is young. */
extern const struct tide_sensor_ops sensor_model;
/* Tells writes only, to be asked beside the first. */
extern const struct tide_sensor_ops sensor_model_writes;

/*
 * A state for either of these, initialised; NULL: out of memory. Both must outlive it. `*now_ns` is the time, since the
 * workload's start: the caller moves it on, never back.
 */
void *sensor_model_new(const struct workload *workload, const uint64_t *now_ns);

#endif
