/* SPDX-License-Identifier: MIT */
/* This file knows the sensors of this build, best first, and chooses one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sensor/walk.h"

static const struct tide_sensor_ops *const ladder[] = { &sensor_walk, NULL };

const struct tide_sensor_ops *const *tide_sensors(void)
{
	return ladder;
}

static const struct tide_sensor_ops *find(const char *name)
{
	for (size_t i = 0; ladder[i] != NULL; i++)
		if (strcmp(ladder[i]->name, name) == 0)
			return ladder[i];
	return NULL;
}

static int unknown(const char *name, struct tide_error *why)
{
	char names[120] = "";
	size_t used = 0;

	for (size_t i = 0; ladder[i] != NULL && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
		                         ladder[i]->name);
	return error_set(why, TIDE_CAUSE_USAGE, -EINVAL, "no sensor is called %.60s; there is: %s", name, names);
}

static int try_sensor(const struct tide_sensor_ops *ops, struct tide_error *why)
{
	int result = ops->probe(why);

	if (result > 0)
		return 0;
	if (result == 0 && why != NULL)
		result = why->code;
	return error_prefix(why, result < 0 ? result : -EOPNOTSUPP, "sensor %s", ops->name);
}

int tide_sensor_choose(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	struct tide_error scratch;
	int result = -EOPNOTSUPP;

	if (why == NULL)
		why = &scratch;
	if (name != NULL) {
		*out = find(name);
		if (*out == NULL)
			return unknown(name, why);
		result = try_sensor(*out, why);
		if (result == 0)
			snprintf(why->text, sizeof(why->text), "as asked for: %s", (*out)->summary);
		return result;
	}
	for (size_t i = 0; ladder[i] != NULL; i++) {
		*out = ladder[i];
		result = try_sensor(ladder[i], why);
		if (result == 0) {
			snprintf(why->text, sizeof(why->text), "the best that works here: %s", (*out)->summary);
			return 0;
		}
	}
	return result;
}
