/* SPDX-License-Identifier: MIT */
/* This file is served by another process's watch. */
#include "watch/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/share.h"

enum {
	PATIENCE_MS = 20000, /* a collect of theirs may take long, a stopped process for ever */
};

struct client {
	struct tide_target *target;
	int socket;
	pid_t holder;
	bool in_epoch;
	size_t at; /* of the answer's runs: returned so far */
	struct share_answer answer;
};

/* A socket to one who is root, or who we are; -ENOENT: nobody is there. */
static int find(const struct tide_target *target, pid_t *holder)
{
	const uid_t users[] = { geteuid(), 0 };

	for (size_t i = 0; i < (users[0] == 0 ? 1 : 2); i++) {
		struct sockaddr_un address;
		socklen_t size = share_address(&address, target, users[i]);
		int socket = sys_connect((const struct sockaddr *)&address, size);
		uid_t uid;

		if (socket == -ECONNREFUSED || socket == -ENOENT)
			continue;
		if (socket < 0)
			return socket;
		if (share_peer(socket, &uid, holder) == 0 && uid == users[i])
			return socket;
		sys_close(socket);
	}
	return -ENOENT;
}

pid_t client_find_holder(const struct tide_target *target)
{
	pid_t holder = 0;
	int socket = find(target, &holder);

	sys_close(socket);
	return socket >= 0 ? holder : socket == -ENOENT ? 0 : socket;
}

static int lost(const struct client *client, const char *how, int code, struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_SYSTEM, code,
	                 "process %d, which watches process %d (%s) for others, %s: end it, or try again",
	                 (int)client->holder, tide_target_pid(client->target), tide_target_name(client->target), how);
}

/* One request, and its answer. What it says is checked: it is another process, if one that we trust. */
static int ask(struct client *client, enum share_request request, struct tide_error *err)
{
	struct share_answer *answer = &client->answer;
	const char byte = (char)request;
	ssize_t size = sys_send(client->socket, &byte, 1);
	int ready = size == 1 ? share_wait(client->socket, PATIENCE_MS) : (int)size;

	client->at = 0;
	if (ready == 0)
		return lost(client, "does not answer", -ETIMEDOUT, err);
	if (ready > 0)
		size = sys_receive(client->socket, answer, sizeof(*answer));
	if (ready < 0 || size <= 0)
		return lost(client, "has ended, or serves no more", -EPIPE, err);
	if (size < (ssize_t)offsetof(struct share_answer, runs) || answer->version != SHARE_VERSION ||
	    answer->result > SHARE_NR_RUNS ||
	    (answer->result > 0 && request == SHARE_COLLECT &&
	     size != (ssize_t)(offsetof(struct share_answer, runs) + (size_t)answer->result * sizeof(answer->runs[0]))))
		return lost(client, "is another version of this program", -EPROTO, err);
	answer->backend[sizeof(answer->backend) - 1] = '\0';
	answer->err.text[sizeof(answer->err.text) - 1] = '\0';
	if (answer->result < 0 && err != NULL)
		*err = answer->err;
	return answer->result;
}

int client_open(struct client **out, struct tide_target *target, struct tide_error *err)
{
	struct client *client = calloc(1, sizeof(*client));
	int result;

	if (client == NULL)
		return error_system(err, -ENOMEM, "cannot watch process %d", tide_target_pid(target));
	client->target = target;
	client->socket = result = find(target, &client->holder);
	if (result < 0) {
		free(client);
		return result == -ENOENT ? 0
		                         : error_system(err, result, "cannot ask who watches process %d (%s)",
		                                        tide_target_pid(target), tide_target_name(target));
	}
	result = ask(client, SHARE_HELLO, err);
	if (result < 0) {
		client_close(client);
		return result;
	}
	*out = client;
	return 1;
}

void client_close(struct client *client)
{
	if (client == NULL)
		return;
	sys_close(client->socket);
	free(client);
}

pid_t client_holder(const struct client *client)
{
	return client->holder;
}

const char *client_backend(const struct client *client)
{
	return client->answer.backend;
}

void client_epoch(const struct client *client, struct tide_epoch *out)
{
	*out = client->answer.epoch;
}

long client_collect(struct client *client, struct tide_run *runs, size_t max, struct tide_error *err)
{
	const struct tide_layout *layout;
	size_t nr;
	int result = 0;

	/* What was left of the last answer, or the next one. */
	if (client->at >= (size_t)(client->answer.result > 0 ? client->answer.result : 0)) {
		if (!client->in_epoch)
			result = tide_target_refresh(client->target, &layout, err);
		if (result == 0)
			result = ask(client, SHARE_COLLECT, err);
		if (result < 0)
			return result;
		client->in_epoch = result > 0;
	}
	nr = (size_t)client->answer.result - client->at;
	nr = nr < max ? nr : max;
	memcpy(runs, &client->answer.runs[client->at], nr * sizeof(runs[0]));
	client->at += nr;
	return (long)nr;
}

int client_refuse(const char *what, struct tide_error *err)
{
	return error_set(err, TIDE_CAUSE_USAGE, -EINVAL, "this watch is shared with others: %s", what);
}
