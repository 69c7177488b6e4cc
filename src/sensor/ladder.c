/* SPDX-License-Identifier: MIT */
/* This file knows the sensors of this build, best first, and chooses one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sensor/ladder.h"
#include "sensor/refs.h"
#include "sensor/rwp.h"
#include "sensor/walk.h"
#include "sensor/writes.h"

static const struct tide_sensor_ops *const ladder[] = { &sensor_walk, &sensor_rwp, &sensor_refs, &sensor_writes, NULL };

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

/*
 * The first that works, of those that have one of `ways` (0: of all) and none of the flags `without`; what is said when
 * none does is the first one's reason, as it is the one to have.
 */
static int choose_best(const struct tide_sensor_ops **out, uint32_t ways, uint32_t without, struct tide_error *why)
{
	char passed_over[PASSED_OVER_SIZE] = "";
	struct tide_error first = { 0 };

	for (size_t i = 0; ladder[i] != NULL; i++) {
		struct tide_error here = { 0 };
		int result;

		if (ladder[i]->flags & (without | TIDE_SENSOR_TELLS_WRITES) ||
		    (ways != 0 && (ladder[i]->ways & ways) == 0))
			continue;
		result = try_sensor(ladder[i], &here);
		if (result == 0) {
			*out = ladder[i];
			*why = (struct tide_error){ 0 };
			snprintf(why->text, sizeof(why->text), "%sthe best that works here: %s", passed_over,
			         ladder[i]->summary);
			return 0;
		}
		if (first.code == 0)
			first = here;
		pass_over(passed_over, &here);
	}
	*why = first;
	return first.code < 0 ? first.code : -EOPNOTSUPP;
}

static int choose_named(const struct tide_sensor_ops *ops, struct tide_error *why)
{
	int result = try_sensor(ops, why);

	if (result == 0)
		snprintf(why->text, sizeof(why->text), "as asked for: %s", ops->summary);
	return result;
}

int tide_sensor_choose(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	struct tide_error scratch;

	if (why == NULL)
		why = &scratch;
	if (name == NULL)
		return choose_best(out, 0, 0, why);
	*out = find(name);
	return *out == NULL ? unknown(name, why) : choose_named(*out, why);
}

int sensor_choose_beside_writes(const struct tide_sensor_ops **out, const char *name, struct tide_error *why)
{
	if (name == NULL)
		return choose_best(out, 0, TIDE_SENSOR_TAKES_UFFD, why);
	*out = find(name);
	if (*out == NULL)
		return unknown(name, why);
	if ((*out)->flags & TIDE_SENSOR_TAKES_UFFD && !((*out)->flags & TIDE_SENSOR_TELLS_WRITES))
		return error_set(
		        why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		        "the sensor %s and the one for writes both need the process's userfaultfd, of which there "
		        "can be one: take another sensor, or leave the writes out",
		        name);
	return choose_named(*out, why);
}

int sensor_choose_writes(const struct tide_sensor_ops **out, struct tide_error *why)
{
	struct tide_error here = { 0 };
	int result = try_sensor(&sensor_writes, &here);

	*out = &sensor_writes;
	if (result < 0)
		*why = here;
	return result;
}

static int check_way(const struct tide_sensor_ops *ops, enum tide_way way, struct tide_error *why)
{
	if (ops->ways == 0)
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP, "sensor %s has no exact mode", ops->name);
	if (way != TIDE_WAY_AUTO && !(ops->ways >> way & 1))
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "sensor %s cannot forget accesses by the way %s", ops->name, tide_way_name(way));
	return 0;
}

int tide_sensor_choose_exact(const struct tide_sensor_ops **out, const char *name, enum tide_way way,
                             struct tide_error *why)
{
	struct tide_error scratch;
	int result = -EOPNOTSUPP;

	if (why == NULL)
		why = &scratch;
	if (name != NULL) {
		*out = find(name);
		if (*out == NULL)
			return unknown(name, why);
		result = choose_named(*out, why);
		return result < 0 ? result : check_way(*out, way, why);
	}
	/* When none works, the last reason is told: of the way that asks for least. */
	for (unsigned best = TIDE_WAY_AUTO + 1; best < TIDE_NR_WAYS; best++) {
		struct tide_error here = { 0 };

		if (way != TIDE_WAY_AUTO && way != best)
			continue;
		result = choose_best(out, 1u << best, 0, &here);
		if (here.code != 0 || result == 0)
			*why = here;
		if (result == 0)
			return 0;
	}
	if (why->code == 0)
		return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP, "no sensor forgets accesses by the way %s",
		                 tide_way_name(way));
	return why->code;
}
