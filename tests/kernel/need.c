/* SPDX-License-Identifier: MIT */
/* This file asks for what tests need. */
#include "need.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tidemark/sensor.h>
#include <tidemark/watch.h>

int need_walk(void)
{
	const struct tide_sensor_ops *ops;
	struct tide_error why = { 0 };

	if (tide_sensor_choose(&ops, "walk", &why) == 0)
		return 0;
	fprintf(stderr, "%s\n", why.text);
	return 77;
}

static int try_watch(pid_t pid, const char *backend)
{
	struct tide_target *target = NULL;
	struct tide_watch *watch = NULL;
	struct tide_watch_opts opts = { .size = sizeof(opts), .backend = backend };
	struct tide_error why = { 0 };
	int skipped = 0;

	if (tide_target_open(&target, pid, &why) < 0 || tide_watch_open(&watch, target, &opts, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		skipped = why.cause == TIDE_CAUSE_UNSUPPORTED || why.cause == TIDE_CAUSE_DENIED ? 77 : 1;
	}
	tide_watch_close(watch);
	tide_target_close(target);
	return skipped;
}

int need_watch(void)
{
	const char *backend = getenv("WATCHED_BACKEND");

	return backend != NULL ? need_backend(backend) : try_watch(getpid(), "uffd_async");
}

int need_backend(const char *backend)
{
	pid_t pid = fork();
	int skipped;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	if (pid < 0) {
		perror("fork");
		return 1;
	}
	skipped = try_watch(pid, backend);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return skipped;
}

uint64_t vvar_with_pages(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	uint64_t vvar = 0;
	bool is_special = true;
	char line[512];

	while (smaps != NULL && fgets(line, sizeof(line), smaps) != NULL) {
		if (vvar == 0 && strstr(line, " [vvar]") != NULL)
			sscanf(line, "%lx-", &vvar);
		else if (vvar != 0 && strncmp(line, "VmFlags:", 8) == 0) {
			is_special = strstr(line, " pf") != NULL;
			break;
		}
	}
	if (smaps != NULL)
		fclose(smaps);
	return is_special ? 0 : vvar;
}
