/* SPDX-License-Identifier: MIT */
/* This file reads the arguments of options. */
#include "option-parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tidemark/pages.h>

#include "base/error.h"
#include "nearest.h"
#include "report/picture.h"
#include "units.h"

#define AT(member)                  offsetof(struct options, member)
#define MEMBER(options, spec, type) ((type *)((char *)(options) + (spec)->offset))

int option_parse_flag(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	*MEMBER(options, spec, bool) = true;
	return 0;
}

int option_parse_text(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	if (*text == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "the argument is empty");
	*MEMBER(options, spec, const char *) = text;
	return 0;
}

static int refuse_zero(uint64_t us, struct tide_error *err)
{
	return us ? 0
	          : error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "0 is no time at all: give a duration greater than 0");
}

/* How long: a number that stands alone is seconds. */
int option_parse_duration(struct options *options, const struct option_spec *spec, const char *text,
                          struct tide_error *err)
{
	uint64_t *us = MEMBER(options, spec, uint64_t);
	int result = units_parse_duration(text, 1000000, us, err);

	return result < 0 ? result : refuse_zero(*us, err);
}

/* How often: the unit must be there, for nobody's guess between ms and us is the same. */
int option_parse_interval(struct options *options, const struct option_spec *spec, const char *text,
                          struct tide_error *err)
{
	uint64_t *us = MEMBER(options, spec, uint64_t);
	int result = units_parse_duration(text, 0, us, err);

	return result < 0 ? result : refuse_zero(*us, err);
}

int option_parse_bytes(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	uint64_t *bytes = MEMBER(options, spec, uint64_t);
	int result = units_parse_size(text, bytes, err);

	if (result == 0 && *bytes == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "0 bytes are no size: give more");
	return result;
}

int option_parse_width(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	return units_parse_count(text, "a width in columns", 20, 1000, &options->width, err);
}

int option_parse_size(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	const char *cross = strchr(text, 'x');
	char width[16];
	int result;

	if (cross == NULL || cross == text || cross[1] == 0 || cross - text >= (long)sizeof(width))
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' is not WIDTHxHEIGHT: write pixels like 1200x800", text);
	memcpy(width, text, (size_t)(cross - text));
	width[cross - text] = 0;
	result = units_parse_count(width, "a width in pixels", PICTURE_MIN_WIDTH, PICTURE_MAX_SIZE,
	                           &options->picture_width, err);
	if (result < 0)
		return result;
	return units_parse_count(cross + 1, "a height in pixels", PICTURE_MIN_HEIGHT, PICTURE_MAX_SIZE,
	                         &options->picture_height, err);
}

int option_parse_top(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	return units_parse_count(text, "a number of regions", 1, 1000000000, &options->top, err);
}

int option_parse_seed(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	return units_parse_count(text, "a seed", 0, UINT64_MAX, &options->monitor.seed, err);
}

int option_parse_color(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	static const char *const names[] = {
		[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"
	};

	for (int i = COLOR_AUTO; i <= COLOR_NEVER; i++) {
		if (strcmp(text, names[i]) == 0) {
			options->color = (enum color_mode)i;
			return 0;
		}
	}
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not one of auto, always and never", text);
}

int option_parse_way(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	for (uint32_t way = TIDE_WAY_AUTO; way < TIDE_NR_WAYS; way++) {
		if (strcmp(text, tide_way_name((enum tide_way)way)) == 0) {
			options->monitor.way = way;
			return 0;
		}
	}
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no way '%.40s': --help lists them", text);
}

/* A word of digits is a number, whatever a command may be called; anything else is a name. */
static int add_name(struct options *options, const char *text, struct tide_error *err)
{
	char *copy = strdup(text);

	for (size_t i = 0; i < options->names.nr; i++) {
		if (strcmp(options->names.items[i], text) == 0) {
			free(copy);
			return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is named twice", text);
		}
	}
	if (copy != NULL && vec_push(&options->names, (const char *)copy) == 0)
		return 0;
	free(copy);
	return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
}

static int add_pid(struct options *options, const char *text, struct tide_error *err)
{
	uint64_t pid;
	int result;

	if (text[0] != 0 && text[strspn(text, "0123456789")] != 0)
		return add_name(options, text, err);
	result = units_parse_count(text, "a process ID", 1, INT32_MAX, &pid, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < options->pids.nr; i++)
		if (options->pids.items[i] == (pid_t)pid)
			return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "process %s is named twice", text);
	if (vec_push(&options->pids, (pid_t)pid) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return 0;
}

int option_parse_pids(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	char *copy = strdup(text);
	char *rest = copy;
	char *one;
	int result = 0;

	if (copy == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	while (result == 0 && (one = strsep(&rest, ",")) != NULL)
		result = add_pid(options, one, err);
	free(copy);
	return result;
}

/* The two sides of MIN..MAX; `min` has room for 24 characters. NULL: that is none. */
static const char *split_bounds(const char *text, char min[24])
{
	const char *dots = strstr(text, "..");

	if (dots == NULL || dots == text || dots[2] == 0 || dots - text >= 24)
		return NULL;
	memcpy(min, text, (size_t)(dots - text));
	min[dots - text] = 0;
	return dots + 2;
}

/* Hundredths of a percent count, but no more of it. */
int option_parse_goal(struct options *options, const struct option_spec *spec, const char *text, struct tide_error *err)
{
	char *end;
	double percent = strtod(text, &end);

	if (end != text && *end == '%')
		end++;
	if (end == text || *end != 0 || strspn(text, "0123456789.%") != strlen(text) || percent < 0.01 || percent > 99)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' is not a share of all accesses: give a percentage from 0.01 to 99", text);
	options->monitor.goal_bp = (uint32_t)(percent * 100 + 0.5);
	return 0;
}

int option_parse_bounds(struct options *options, const struct option_spec *spec, const char *text,
                        struct tide_error *err)
{
	struct tide_monitor_opts *monitor = &options->monitor;
	char min[24];
	const char *max = split_bounds(text, min);
	int result;

	if (max == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not MIN..MAX: write it like 5ms..1s",
		                 text);
	result = units_parse_duration(min, 0, &monitor->min_sampling_us, err);
	if (result == 0)
		result = units_parse_duration(max, 0, &monitor->max_sampling_us, err);
	if (result == 0)
		result = refuse_zero(monitor->min_sampling_us, err);
	if (result == 0 && monitor->max_sampling_us < monitor->min_sampling_us)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' has its shorter time last: write MIN..MAX",
		                 text);
	return result;
}

int option_parse_regions(struct options *options, const struct option_spec *spec, const char *text,
                         struct tide_error *err)
{
	char min_text[24];
	const char *max_text = split_bounds(text, min_text);
	uint64_t min = 0;
	uint64_t max = 0;
	int result;

	if (max_text == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' is not MIN..MAX: write it like 10..1000",
		                 text);
	result = units_parse_count(min_text, "a number of regions", 0, 1000000, &min, err);
	if (result == 0)
		result = units_parse_count(max_text, "a number of regions", 0, 1000000, &max, err);
	if (result < 0)
		return result;
	if (max < min)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "'%.40s' has its smaller number last: write MIN..MAX",
		                 text);
	if (min < 3)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.40s' allows too few: at least 3 regions are wanted", text);
	options->monitor.min_nr_regions = (uint32_t)min;
	options->monitor.max_nr_regions = (uint32_t)max;
	return 0;
}

/* A hexadecimal address, 0x or not, that ends with `end`; NULL when it is none. */
static const char *read_address(const char *text, char end, uint64_t *out)
{
	char *stop;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (strspn(text, "0123456789abcdefABCDEF") == 0)
		return NULL;
	errno = 0;
	*out = strtoull(text, &stop, 16);
	return errno == 0 && *stop == end ? stop : NULL;
}

int option_parse_range(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	struct tide_range range = { 0 };
	const char *dash = read_address(text, '-', &range.start);

	if (dash == NULL || read_address(dash + 1, 0, &range.end) == NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.60s' is not START-END: write two hexadecimal addresses, as in /proc/PID/maps",
		                 text);
	if (range.start >= range.end)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.60s' is an empty range: its end must be the greater one", text);
	if ((range.start | range.end) & 4095)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "'%.60s' does not begin and end at pages of 4096 bytes", text);
	if (vec_push(&options->ranges, range) < 0)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	return 0;
}

int option_parse_limit(struct options *options, const struct option_spec *spec, const char *text,
                       struct tide_error *err)
{
	return units_parse_count(text, "a number of rows", 1, 1000000000, &options->limit, err);
}

static int add_category(uint64_t *mask, const char *name, struct tide_error *err)
{
	struct nearest nearest;

	nearest_begin(&nearest, name);
	for (uint64_t bit = 1; bit <= TIDE_PAGE_EVERY; bit <<= 1) {
		if (strcmp(name, tide_page_category_name(bit)) == 0) {
			*mask |= bit;
			return 0;
		}
		nearest_try(&nearest, tide_page_category_name(bit));
	}
	if (nearest.best != NULL)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "there is no category '%.40s': did you mean '%s'?",
		                 name, nearest.best);
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
	                 "there is no category '%.40s': \"tidemark help pages\" lists them", name);
}

int option_parse_categories(struct options *options, const struct option_spec *spec, const char *text,
                            struct tide_error *err)
{
	uint64_t *mask = MEMBER(options, spec, uint64_t);
	char *copy = strdup(text);
	char *rest = copy;
	char *one;
	int result = 0;

	if (copy == NULL)
		return error_set(err, TIDE_CAUSE_LIMIT, -ENOMEM, "out of memory");
	while (result == 0 && (one = strsep(&rest, ",")) != NULL)
		result = add_category(mask, one, err);
	free(copy);
	return result;
}
