/* SPDX-License-Identifier: MIT */
/*
 * This file asks who else clears accessed bits. Such clearing between two looks of ours is noticed (the folio's flags,
 * canaries) and what it hides is called unobservable; here is said who it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "kernel/vmstat.h"
#include "verify/row.h"
#include "kernel/sysfile.h"

#define MOMENT_MS 100

/* The word in reports, so that whoever reads one finds the way here. */
#define IF_CLEARED "where reports call much memory unobservable for the reason \"cleared\", "

struct kthreads {
	unsigned nr_kdamonds;
	bool any; /* kernel threads are visible at all */
};

static int count_kdamond(void *arg, pid_t pid)
{
	struct kthreads *seen = arg;
	struct procfs_stat stat;
	scope_sys_fd int dir = procfs_open(pid);

	/* One that ended meanwhile, or is hidden, is none. */
	if (dir < 0 || procfs_read_stat(dir, 0, &stat) < 0 || !stat.kthread)
		return 0;
	seen->any = true;
	seen->nr_kdamonds += strncmp(stat.name, "kdamond", strlen("kdamond")) == 0;
	return 0;
}

/* The names of DAMON's modules that say they are at work. */
static void enabled_modules(char *out, size_t size)
{
	static const char *const modules[] = { "damon_stat", "damon_reclaim", "damon_lru_sort" };
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		char path[80];
		char text[8];

		snprintf(path, sizeof(path), "/sys/module/%s/parameters/enabled", modules[i]);
		if (sysfile_read(path, text, sizeof(text)) > 0 && text[0] == 'Y')
			used += (size_t)snprintf(out + used, size - used, " %s", modules[i]);
	}
}

static void ask_damon(struct doctor_row *row)
{
	struct kthreads seen = { 0 };
	char modules[64];
	int result = procfs_each_process(count_kdamond, &seen);

	enabled_modules(modules, sizeof(modules));
	if (seen.nr_kdamonds > 0 || modules[0] != 0) {
		row_yes(row, "kdamond threads: %u; modules at work:%s", seen.nr_kdamonds,
		        modules[0] ? modules : " none");
		row_remedy(row,
		           IF_CLEARED
		           "DAMON is one that clears: stop it for the measurement if it is yours to stop (%s)",
		           modules[0] ? "echo N >/sys/module/.../parameters/enabled"
		                      : "echo off >/sys/kernel/mm/damon/admin/kdamonds/.../state");
	} else if (result < 0) {
		row_errno(row, result, "listing /proc");
	} else if (!seen.any) {
		row_unknown(row, "kernel threads are not visible from here");
	} else {
		row_no(row, "no kdamond thread runs");
	}
}

static void ask_mglru(struct doctor_row *row)
{
	char text[32];
	unsigned enabled = 0;
	int result = sysfile_read("/sys/kernel/mm/lru_gen/enabled", text, sizeof(text));

	if (result == -ENOENT) {
		row_no(row, "not in this kernel");
	} else if (result < 0) {
		row_errno(row, result, "reading /sys/kernel/mm/lru_gen/enabled");
	} else if (sscanf(text, "%x", &enabled) == 1 && enabled == 0) {
		row_no(row, "switched off");
	} else {
		row_yes(row, "enabled (%.*s): it clears accessed bits when memory is short", (int)strcspn(text, "\n"),
		        text);
		row_remedy(row, IF_CLEARED "the multi-generational LRU may be one that clears: echo 0 "
		                           ">/sys/kernel/mm/lru_gen/enabled for the measurement, or give it memory");
	}
}

static void ask_reclaim(struct doctor_row *row)
{
	uint64_t before = 0;
	uint64_t after = 0;
	int result = vmstat_nr_scanned(&before);

	sys_sleep(MOMENT_MS * UINT64_C(1000000));
	if (result == 0)
		result = vmstat_nr_scanned(&after);
	if (result < 0) {
		row_unknown(row, "/proc/vmstat could not be read");
	} else if (after > before) {
		row_yes(row, "it looked at %llu pages within %d ms: memory is short",
		        (unsigned long long)(after - before), MOMENT_MS);
		row_remedy(row, IF_CLEARED "reclaim is one that clears: measure while memory is not short");
	} else {
		row_no(row, "it looked at no page within %d ms (%llu since boot)", MOMENT_MS,
		       (unsigned long long)after);
	}
}

static void ask_page_idle(struct doctor_row *row)
{
	scope_sys_fd int fd = sys_open("/sys/kernel/mm/page_idle/bitmap", O_RDONLY);

	if (fd == -ENOENT)
		row_no(row, "not in this kernel: nobody can clear through it");
	else
		row_yes(row, "there is /sys/kernel/mm/page_idle/bitmap: whoever is root may clear through it");
}

const struct doctor_question questions_others[] = {
	{ "others-damon", ask_damon },
	{ "others-mglru", ask_mglru },
	{ "others-reclaim", ask_reclaim },
	{ "others-page-idle", ask_page_idle },
	{ 0 },
};
