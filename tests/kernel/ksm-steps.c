/* SPDX-License-Identifier: MIT */
/* This file starts and stops KSM, and waits for it. */
#include "ksm-steps.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATIENCE_S = 60,
};

static const struct setting {
	const char *path;
	unsigned long quick;
} settings[] = {
	{ "/sys/kernel/mm/ksm/run", 0 },
	{ "/sys/kernel/mm/ksm/pages_to_scan", 5000 },
	{ "/sys/kernel/mm/ksm/sleep_millisecs", 5 },
};

#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

static unsigned long before[NR_SETTINGS];
static bool begun;

static bool put(const char *path, unsigned long value)
{
	FILE *file = fopen(path, "we");
	bool written = file != NULL && fprintf(file, "%lu", value) > 0;

	return file != NULL && fclose(file) == 0 && written;
}

/* The number after `key` in the first line that begins with it. */
static bool get(const char *path, const char *key, unsigned long *value)
{
	FILE *file = fopen(path, "re");
	char line[128];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0) {
			*value = strtoul(line + strlen(key), NULL, 10);
			found = true;
		}
	if (file != NULL)
		fclose(file);
	return found;
}

static void put_back(void)
{
	for (size_t i = NR_SETTINGS; i-- > 0;)
		put(settings[i].path, before[i]);
}

bool ksm_steps_begin(void)
{
	const char *why = getenv("TIDEMARK_LANE") == NULL
	                          ? "KSM merges pages of the whole machine: this runs in a guest of tests/vm"
	                          : NULL;

	for (size_t i = 0; why == NULL && i < NR_SETTINGS; i++)
		if (!get(settings[i].path, "", &before[i]))
			why = "this kernel has no KSM";
	for (size_t i = 0; why == NULL && i < NR_SETTINGS; i++)
		if (!put(settings[i].path, settings[i].quick)) {
			why = "KSM cannot be set up";
			put_back();
		}
	begun = why == NULL;
	if (!begun)
		fprintf(stderr, "%s\n", why);
	return begun;
}

void ksm_steps_end(void)
{
	if (!begun)
		return;
	begun = false;
	ksm_steps_undo();
	put_back();
}

void ksm_steps_start(void)
{
	assert_true(put(settings[0].path, 1));
}

void ksm_steps_stop(void)
{
	assert_true(put(settings[0].path, 0));
}

void ksm_steps_undo(void)
{
	assert_true(put(settings[0].path, 2));
}

static void await(pid_t pid, const char *file, const char *key, unsigned long least, unsigned long most)
{
	unsigned long value = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	for (int i = 0; i < PATIENCE_S * 100; i++) {
		assert_true(get(path, key, &value));
		if (value >= least && value <= most)
			return;
		usleep(10000);
	}
	fail_msg("%s: %s%lu after %d seconds", path, key, value, PATIENCE_S);
}

void ksm_steps_await_merged(pid_t pid, unsigned long nr)
{
	await(pid, "ksm_merging_pages", "", nr, -1ul);
}

void ksm_steps_await_forgotten(pid_t pid)
{
	await(pid, "ksm_stat", "ksm_rmap_items ", 0, 0);
}
