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

static uint64_t nr_passes(void)
{
	char text[32] = "";

	return sysfile_read(ROOT "full_scans", text, sizeof(text)) > 0 ? strtoull(text, NULL, 10) : 0;
}

static int pass(void)
{
	uint64_t end_ns = sys_clock_ns(CLOCK_MONOTONIC) + TIMEOUT_NS;
	uint64_t first = nr_passes();
	int result;

	/* Not in all kernels: pages that did not change for long are to be looked at all the same. */
	(void)set(ROOT "smart_scan", "0");
	result = set(ROOT "sleep_millisecs", "0");
	if (result == 0)
		result = set(ROOT "pages_to_scan", "100000");
	if (result == 0)
		result = set(ROOT "run", "1");
	while (result == 0 && nr_passes() < first + PASSES) {
		if (sys_clock_ns(CLOCK_MONOTONIC) > end_ns)
			result = -ETIMEDOUT;
		sys_yield();
	}
	(void)set(ROOT "run", "0");
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
