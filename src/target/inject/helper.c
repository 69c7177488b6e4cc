/* SPDX-License-Identifier: MIT */
/* This file starts helpers. */
#include "target/inject/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

#include "kernel/sys.h"

enum {
	NR_TRIES = 4,
};

static void become_unlikely_to_die(void)
{
	scope_sys_fd int fd = sys_open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd >= 0)
		sys_pwrite(fd, "-1000", 5, 0);
}

pid_t clone_helper(helper_fn *fn, void *arg)
{
	sigset_t all;
	sigset_t before;
	pid_t helper;
	int result;

	/* No handler of the program may run in the helper. */
	sigfillset(&all);
	result = sys_sigmask(&all, &before);
	if (result < 0)
		return result;
	helper = sys_clone(0);
	if (helper == 0) {
		sys_setsid();
		sys_signal_default(SIGCHLD);
		become_unlikely_to_die();
		fn(arg);
		sys_exit(0);
	}
	result = -EIO;
	for (int tries = 0; tries < NR_TRIES && result < 0; tries++)
		result = sys_sigmask(&before, NULL);
	return helper;
}
