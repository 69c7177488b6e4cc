/* SPDX-License-Identifier: MIT */
/*
 * This file lets the kernel's DAMON test and clear accessed bits, exactly once when told.
 *
 * DAMON has no such command: it applies its schemes at intervals, for as long as it runs. So each application is a run
 * of its own: on, wait until the statistics say that everything was tried, off. A quota of exactly that many bytes an
 * hour keeps it from beginning again in between, and from going on should we die before "off": then it ends with the
 * process it watches, or with the next claim.
 *
 * Between "on" and "off" DAMON also samples one page a region, and clears its bit; what was accessed between the start
 * of damon_apply and its end may or may not be seen afterwards.
 */
#include "kernel/damon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"
#include "kernel/text.h"

#define SAMPLE_US   1000u       /* until DAMON first applies, and until it notices "off" */
#define NEVER_US    3600000000u /* regions are neither merged nor split before an aggregation */
#define NEVER_MS    3600000u
#define MAX_REGIONS 100000000u
#define TRIES       10  /* the files are refused for a moment while somebody looks into them */
#define MAX_ROUNDS  100 /* sampling intervals without an application, at the least */

#define SCHEME "contexts/0/schemes/0/"
#define TARGET "contexts/0/targets/0/"

int damon_write(int dir, const char *path, const char *text)
{
	scope_sys_fd int fd = sys_openat(dir, path, O_WRONLY);
	ssize_t result = fd;

	for (int i = 0; fd >= 0 && i < TRIES; i++) {
		result = sys_pwrite(fd, text, strlen(text), 0);
		if (result != -EBUSY)
			break;
	}
	return result < 0 ? (int)result : 0;
}

int damon_write_number(int dir, const char *path, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return damon_write(dir, path, text);
}

int damon_read_number(int dir, const char *path, uint64_t *out)
{
	scope_sys_fd int fd = sys_openat(dir, path, O_RDONLY);
	char text[32];
	ssize_t nr = fd < 0 ? fd : sys_pread(fd, text, sizeof(text), 0);
	struct text rest = { text, text + nr };

	if (nr < 0)
		return (int)nr;
	return text_decimal(&rest, out) ? 0 : -EBADMSG;
}

int damon_command(int state, const char *command)
{
	ssize_t result = -EBUSY;

	for (int i = 0; result == -EBUSY && i < TRIES; i++)
		result = sys_pwrite(state, command, strlen(command), 0);
	return result < 0 ? (int)result : 0;
}

struct setting {
	const char *path;
	const char *text; /* NULL: the number */
	uint64_t number;
};

static int set(int dir, const struct setting *settings, size_t nr)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < nr; i++)
		result = settings[i].text != NULL ? damon_write(dir, settings[i].path, settings[i].text)
		                                  : damon_write_number(dir, settings[i].path, settings[i].number);
	return result;
}

int damon_aim(struct damon *damon, pid_t tid)
{
	const struct setting monitoring[] = {
		{ "contexts/0/operations", "fvaddr", 0 },
		{ "contexts/0/monitoring_attrs/intervals/sample_us", NULL, SAMPLE_US },
		{ "contexts/0/monitoring_attrs/intervals/aggr_us", NULL, NEVER_US },
		{ "contexts/0/monitoring_attrs/nr_regions/max", NULL, MAX_REGIONS },
		{ "contexts/0/monitoring_attrs/nr_regions/min", NULL, 3 }, /* the least that it takes */
		{ "contexts/0/targets/nr_targets", NULL, 1 },
		{ TARGET "pid_target", NULL, (uint64_t)tid },
		{ "contexts/0/schemes/nr_schemes", NULL, 1 },
		{ SCHEME "action", "stat", 0 },
		{ SCHEME "apply_interval_us", NULL, SAMPLE_US },
		{ SCHEME "access_pattern/sz/max", NULL, UINT64_MAX },
		{ SCHEME "access_pattern/nr_accesses/max", NULL, UINT32_MAX },
		{ SCHEME "access_pattern/age/max", NULL, UINT32_MAX },
		{ SCHEME "quotas/reset_interval_ms", NULL, NEVER_MS },
		{ SCHEME "ops_filters/nr_filters", NULL, 1 },
		{ SCHEME "ops_filters/0/type", "young", 0 },
		{ SCHEME "ops_filters/0/matching", "Y", 0 },
		{ SCHEME "ops_filters/0/allow", "Y", 0 },
	};
	int result = set(damon->dir, monitoring, sizeof(monitoring) / sizeof(monitoring[0]));

	/* What is not there, or not taken, this kernel does not have; unless all of it has gone. */
	if (result == -EINVAL || (result == -ENOENT && sys_pread(damon->state, &(char){ 0 }, 1, 0) >= 0))
		return -EOPNOTSUPP;
	return result == -ENOENT ? -ENODEV : result;
}

/* Writes what differs from the last time. */
static int write_regions(struct damon *damon, const struct damon_range *ranges, size_t nr)
{
	int result = 0;

	if (vec_reserve(&damon->written, nr) < 0)
		return -ENOMEM;
	if (damon->written.nr != nr) {
		damon->written.nr = 0;
		result = damon_write_number(damon->dir, TARGET "regions/nr_regions", nr);
		if (result < 0)
			return result;
		memset(damon->written.items, 0, nr * sizeof(damon->written.items[0]));
		damon->written.nr = nr;
	}
	for (size_t i = 0; result == 0 && i < nr; i++) {
		struct damon_range *is = &damon->written.items[i];
		char path[64];

		snprintf(path, sizeof(path), TARGET "regions/%zu/start", i);
		if (is->start != ranges[i].start)
			result = damon_write_number(damon->dir, path, ranges[i].start);
		snprintf(path, sizeof(path), TARGET "regions/%zu/end", i);
		if (result == 0 && is->end != ranges[i].end)
			result = damon_write_number(damon->dir, path, ranges[i].end);
		if (result == 0)
			*is = ranges[i];
	}
	if (result < 0)
		damon->written.nr = 0;
	return result;
}

/* Each round of statistics takes DAMON a sampling interval, or as long as it is busy applying. */
static int wait_applied(struct damon *damon, uint64_t wanted_bytes, struct damon_applied *out)
{
	for (int round = 0; round < MAX_ROUNDS; round++) {
		int result = damon_command(damon->state, "update_schemes_stats");

		if (result == 0)
			result = damon_read_number(damon->dir, SCHEME "stats/sz_tried", &out->tried_bytes);
		if (result == 0)
			result = damon_read_number(damon->dir, SCHEME "stats/sz_ops_filter_passed", &out->young_bytes);
		if (result < 0)
			return result;
		if (out->tried_bytes >= wanted_bytes)
			return 0;
	}
	return -ETIME;
}

int damon_apply(struct damon *damon, const struct damon_range *ranges, size_t nr, struct damon_applied *out)
{
	uint64_t wanted_bytes = 0;
	int result;

	*out = (struct damon_applied){ 0 };
	for (size_t i = 0; i < nr; i++)
		wanted_bytes += ranges[i].end - ranges[i].start;
	if (wanted_bytes == 0)
		return 0;
	result = write_regions(damon, ranges, nr);
	if (result == 0)
		result = damon_write_number(damon->dir, SCHEME "quotas/bytes", wanted_bytes);
	if (result < 0)
		return result == -ENOENT ? -ENODEV : result;
	result = damon_command(damon->state, "on");
	/* Of all the settings only the process can have become invalid. */
	if (result < 0)
		return result == -EINVAL ? -ESRCH : result;
	result = wait_applied(damon, wanted_bytes, out);
	/* A kdamond ends by itself with the process that it watches; then there is nothing to ask, nor to stop. */
	(void)damon_command(damon->state, "off");
	return result == -EINVAL || result == -ECANCELED ? -ESRCH : result;
}
