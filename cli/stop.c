/* SPDX-License-Identifier: MIT */
/* This file turns signals into events. */
#include "stop.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"

int stop_open(struct stop *stop, struct tide_error *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction hangup;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(&mask, SIGHUP);
	stop->fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stop->fd < 0)
		return error_system(err, -errno, "cannot receive signals");
	sigprocmask(SIG_BLOCK, &mask, &stop->old_mask);
	sigaction(SIGPIPE, &ignore, &stop->old_pipe);
	return 0;
}

int stop_take(const struct stop *stop, bool *from_terminal)
{
	struct signalfd_siginfo info;

	if (stop->fd < 0 || read(stop->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	*from_terminal = info.ssi_code == SI_KERNEL;
	return (int)info.ssi_signo;
}

void stop_undo_in_child(const struct stop *stop)
{
	sigaction(SIGPIPE, &stop->old_pipe, NULL);
	sigprocmask(SIG_SETMASK, &stop->old_mask, NULL);
}

void stop_close(struct stop *stop)
{
	bool from_terminal;

	if (stop->fd < 0)
		return;
	/* A second Ctrl-C while the first was obeyed has been obeyed as well. */
	while (stop_take(stop, &from_terminal) != 0)
		;
	close(stop->fd);
	stop->fd = -1;
	/* SIGPIPE stays ignored: output_close() judges a reader that left. */
	sigprocmask(SIG_SETMASK, &stop->old_mask, NULL);
}
