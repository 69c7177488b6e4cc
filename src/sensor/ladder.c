/* SPDX-License-Identifier: MIT */
/* This file knows the sensors of this build, best first, and chooses one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sensor/refs.h"
#include "sensor/walk.h"

static const struct tide_sensor_ops *const ladder[] = { &sensor_walk, &sensor_refs, NULL };

#define PASSED_OVER_SIZE 140

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

/* Adds why a sensor that comes before the chosen one does not work. */
static void pass_over(char *passed_over, const struct tide_error *why)
{
	size_t used = strlen(passed_over);

	snprintf(passed_over + used, PASSED_OVER_SIZE - used, "%.*s; ", (int)(PASSED_OVER_SIZE - used - 3), why->text);
}

/* The first that works; what is said when none does is the first one's reason, as it is the one to have. */
static int choose_best(const struct tide_sensor_ops **out, struct tide_error *why)
{
	char passed_over[PASSED_OVER_SIZE] = "";
	struct tide_error first = { 0 };

	for (size_t i = 0; ladder[i] != NULL; i++) {
		struct tide_error here = { 0 };
		int result = try_sensor(ladder[i], &here);

		if (result == 0) {
			*out = ladder[i];
			snprintf(why->text, sizeof(why->text), "%sthe best that works here: %s", passed_over,
			         ladder[i]->summary);
			return 0;
		}
		if (i == 0)
			first = here;
		first.code = i == 0 ? result : first.code;
		pass_over(passed_over, &here);
	}
	*why = first;
	return first.code;
}

static int choose_named(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	int result;

	*out = find(name);
	if (*out == NULL)
		return unknown(name, why);
	result = try_sensor(*out, why);
	if (result == 0)
		snprintf(why->text, sizeof(why->text), "as asked for: %s", (*out)->summary);
	return result;
}

int tide_sensor_choose(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	struct tide_error scratch;

	if (why == NULL)
		why = &scratch;
	return name != NULL ? choose_named(out, name, why) : choose_best(out, why);
}
