/* SPDX-License-Identifier: MIT */
/* How a judgement is written down. */
#ifndef SENSOR_ANSWER_H
#define SENSOR_ANSWER_H

#include <tidemark/sensor.h>

static inline void answer(struct tide_check *check, enum tide_answer what, enum tide_reason reason)
{
	check->answer = (uint8_t)what;
	check->reason = (uint8_t)reason;
}

#endif
