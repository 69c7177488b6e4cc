/* SPDX-License-Identifier: MIT */
/* This file has KSM pass over all memory. */
#include "verify/ksm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "kernel/sys.h"
#include "kernel/sysfile.h"

#define ROOT "/sys/kernel/mm/ksm/"

/* A page is looked at in one pass, is seen unchanged in the next, and merged; one more, as one has begun already. */
#define PASSES     4
#define TIMEOUT_NS UINT64_C(20000000000)

bool ksm_may_run(void)
{
	char text[16];

	return getenv("TIDEMARK_LANE") != NULL && sysfile_read(ROOT "full_scans", text, sizeof(text)) > 0;
}

/* Set for the pass, and put back. Not in all kernels: that pages which did not change for long are passed over. */
static struct setting {
	const char *path, *value;
	bool is_optional;
	char was[32];
} settings[] = {
	{ ROOT "smart_scan", "0", .is_optional = true },
	/* Refused while pages are merged: by then it is what the first pass made it. */
	{ ROOT "max_page_sharing", "1000000", .is_optional = true },
	{ ROOT "sleep_millisecs", "0", .is_optional = false },
	{ ROOT "pages_to_scan", "100000", .is_optional = false },
	{ ROOT "run", "1", .is_optional = false },
};
#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

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

static int set_all(void)
{
	for (size_t i = 0; i < NR_SETTINGS; i++) {
		struct setting *setting = &settings[i];
		int result;

		if (sysfile_read(setting->path, setting->was, sizeof(setting->was)) <= 0)
			setting->was[0] = 0;
		result = set(setting->path, setting->value);
		if (result < 0 && !setting->is_optional)
			return result;
	}
	return 0;
}

/* The last that was set is the first that is put back. */
static void put_back(void)
{
	for (size_t i = NR_SETTINGS; i-- > 0;)
		if (settings[i].was[0] != 0)
			(void)set(settings[i].path, settings[i].was);
}

static uint64_t nr_passes(void)
{
	char text[32] = "";

	return sysfile_read(ROOT "full_scans", text, sizeof(text)) > 0 ? strtoull(text, NULL, 10) : 0;
}

static int pass(void)
{
	uint64_t end_ns = sys_clock_ns(CLOCK_MONOTONIC) + TIMEOUT_NS;
	uint64_t first = nr_passes();
	int result = set_all();

	while (result == 0 && nr_passes() < first + PASSES) {
		if (sys_clock_ns(CLOCK_MONOTONIC) > end_ns)
			result = -ETIMEDOUT;
		sys_yield();
	}
	put_back();
	return result;
}

int ksm_settle(void)
{
	void *page = NULL;
	int result = sys_mmap(&page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* It passes over nothing as long as nobody has asked for it. */
	if (result == 0)
		result = sys_madvise(page, 4096, MADV_MERGEABLE);
	if (result == 0)
		result = pass();
	sys_munmap(page, 4096);
	return result;
}
