/* SPDX-License-Identifier: MIT */
/* A child that does nothing: another process to put questions about. */
#ifndef VERIFY_HELPER_H
#define VERIFY_HELPER_H

#include <stddef.h>
#include <sys/types.h>

struct helper {
	pid_t pid;
	int hold;   /* it lives as long as this end of a pipe is open */
	void *page; /* at the same address in both, present in the child */
};

/* 0 or -errno. It ends with us, however we end. */
int helper_start(struct helper *helper);

/* Lets it end, and waits for that. One that was ended, or could not be started, is fine. */
void helper_end(struct helper *helper);

#endif
