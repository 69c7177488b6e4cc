/* SPDX-License-Identifier: MIT */
/*
 * What a process that watches and one that is served by it say to each other: both on this machine, messages over a
 * socket of packets in the abstract namespace. A request is one byte; each has one answer.
 */
#ifndef WATCH_SHARE_H
#define WATCH_SHARE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <tidemark/watch.h>

enum {
	SHARE_VERSION = 1,
	SHARE_NR_RUNS = 1024,
	SHARE_NAME_SIZE = 24,
};

enum share_request {
	SHARE_HELLO = 'h',   /* first: begin an epoch of mine */
	SHARE_COLLECT = 'c', /* some runs */
};

struct share_answer {
	uint32_t version;
	int32_t result; /* of collect: the number of runs, or negative, as `err` says */
	char backend[SHARE_NAME_SIZE];
	struct tide_epoch epoch; /* the last */
	struct tide_error err;
	struct tide_run runs[SHARE_NR_RUNS]; /* `result` of them are sent */
};

/* The address under which user `uid` serves the target; its length. */
socklen_t share_address(struct sockaddr_un *address, const struct tide_target *target, uid_t uid);

/* The user and the process at the other end. 0 or -errno. */
int share_peer(int socket, uid_t *uid, pid_t *pid);

/* 1: there is something to read, or the end; 0: not in time; -errno. */
int share_wait(int socket, int timeout_ms);

#endif
