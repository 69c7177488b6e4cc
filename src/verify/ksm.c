/* SPDX-License-Identifier: MIT */
/* This file has KSM pass over all memory. */
#include "verify/ksm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernel/sys.h"
#include "kernel/sysfile.h"
#include "verify/place.h"

#define ROOT "/sys/kernel/mm/ksm/"

/*
 * A page is looked at in one pass, and is seen unchanged in the next, where huge ones are split; then it is merged. One
 * more, as one has begun already, and two for what was referred to by others for a moment.
 */
#define PASSES     6
#define TIMEOUT_NS UINT64_C(20000000000)

bool ksm_may_run(void)
{
	uint64_t nr;

	return place_is_guest() && sysfile_value(ROOT "full_scans", &nr) == 0;
}

/* For a pass, put back after it. Some kernels pass over pages that did not change for long, if they are let. */
static const struct setting {
	const char *path, *value;
	bool is_everywhere;
} settings[] = {
	{ ROOT "smart_scan", "0", false },
	{ ROOT "sleep_millisecs", "0", true },
	{ ROOT "pages_to_scan", "100000", true },
	{ ROOT "run", "1", true },
};

enum {
	NR_SETTINGS = sizeof(settings) / sizeof(settings[0]),
	TEXT_BYTES = 32,
};

static int set(const char *path, const char *value)
{
	int fd = sys_open(path, O_WRONLY);
	ssize_t result;

	if (fd < 0)
		return fd;
	result = sys_pwrite(fd, value, strlen(value), 0);
	sys_close(fd);
	return result < 0 ? (int)result : 0;
}

/* `was`: what there was, empty for what was not changed. */
static int set_all(char was[NR_SETTINGS][TEXT_BYTES])
{
	for (size_t i = 0; i < NR_SETTINGS; i++) {
		const struct setting *setting = &settings[i];
		int result = sysfile_read(setting->path, was[i], TEXT_BYTES);

		if (result > 0)
			result = set(setting->path, setting->value);
		if (result < 0) {
			was[i][0] = 0;
			if (setting->is_everywhere)
				return result;
		}
	}
	return 0;
}

/* The last that was set is the first that is put back. */
static void put_back(char was[NR_SETTINGS][TEXT_BYTES])
{
	for (size_t i = NR_SETTINGS; i-- > 0;)
		if (was[i][0] != 0)
			(void)set(settings[i].path, was[i]);
}

static uint64_t nr_passes(void)
{
	uint64_t nr;

	return sysfile_value(ROOT "full_scans", &nr) == 0 ? nr : 0;
}

static int pass(void)
{
	uint64_t end_ns = sys_clock_ns(CLOCK_MONOTONIC) + TIMEOUT_NS;
	uint64_t first = nr_passes();
	char was[NR_SETTINGS][TEXT_BYTES] = { "" };
	int result = set_all(was);

	while (result == 0 && nr_passes() < first + PASSES) {
		if (sys_clock_ns(CLOCK_MONOTONIC) > end_ns)
			result = -ETIMEDOUT;
		sys_yield();
	}
	put_back(was);
	return result;
}

int ksm_settle(void)
{
	void *page = NULL;
	int result = sys_mmap(&page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* All that are equal become one page. This stays: it cannot be changed while any are merged. */
	(void)set(ROOT "max_page_sharing", "1000000");
	/* It passes over nothing as long as nobody has asked for it. */
	if (result == 0)
		result = sys_madvise(page, 4096, MADV_MERGEABLE);
	if (result == 0)
		result = pass();
	sys_munmap(page, 4096);
	return result;
}
