/* SPDX-License-Identifier: MIT */
/*
 * This file serves other processes: each connection is a consumer.
 *
 * Nobody is waited for. A peer that asks and does not read its answer has room for it in its socket, or is sent away.
 */
#include "watch/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/scope.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/share.h"
#include "watch/tracker.h"

enum {
	MAX_PEERS = 16,
	NR_EVENTS = 8,
};

struct peer {
	int socket; /* -1: not in use */
	struct tide_consumer *consumer;
};

struct server {
	struct tide_watch *watch;
	int epoll;
	int listener;
	struct peer peers[MAX_PEERS];
};

/* What an event is about: the listener, or a peer. */
enum {
	ABOUT_LISTENER = MAX_PEERS,
};

static void send_away(struct server *server, struct peer *peer)
{
	if (peer->socket < 0)
		return;
	sys_epoll_del(server->epoll, peer->socket);
	sys_close(peer->socket);
	tide_consumer_close(peer->consumer);
	*peer = (struct peer){ .socket = -1 };
}

static struct peer *free_place(struct server *server)
{
	for (size_t i = 0; i < MAX_PEERS; i++)
		if (server->peers[i].socket < 0)
			return &server->peers[i];
	return NULL;
}

/* Of the same user, or root's. Others, and those for whom there is no room, see the end of their connection. */
static void welcome(struct server *server)
{
	struct peer *peer = free_place(server);
	int socket = sys_accept(server->listener);
	uid_t uid;
	pid_t pid;

	if (socket < 0)
		return;
	if (peer == NULL || share_peer(socket, &uid, &pid) < 0 || (uid != 0 && uid != geteuid()) ||
	    sys_epoll_add(server->epoll, socket, (uint64_t)(peer - server->peers)) < 0) {
		sys_close(socket);
		return;
	}
	peer->socket = socket;
}

/* A first request begins its epoch; later ones get runs. */
static void answer(struct server *server, struct peer *peer, char request, struct share_answer *answer)
{
	long result = -EINVAL;

	if (request == SHARE_HELLO && peer->consumer == NULL)
		result = tide_consumer_open(&peer->consumer, server->watch, &answer->err);
	else if (request == SHARE_COLLECT && peer->consumer != NULL)
		result = tide_consumer_collect(peer->consumer, answer->runs, SHARE_NR_RUNS, &answer->err);
	answer->version = SHARE_VERSION;
	answer->result = (int32_t)result;
	strncpy(answer->backend, tide_watch_backend(server->watch), sizeof(answer->backend) - 1);
	if (peer->consumer != NULL)
		tide_consumer_epoch(peer->consumer, &answer->epoch);
}

static void serve(struct server *server, struct peer *peer)
{
	scope_free struct share_answer *said = calloc(1, sizeof(*said));
	size_t size = offsetof(struct share_answer, runs);
	char request;

	if (said == NULL || sys_receive(peer->socket, &request, 1) != 1) {
		send_away(server, peer);
		return;
	}
	answer(server, peer, request, said);
	if (said->result > 0)
		size += (size_t)said->result * sizeof(said->runs[0]);
	if (sys_send(peer->socket, said, size) != (ssize_t)size)
		send_away(server, peer);
}

void tide_watch_step(struct tide_watch *watch)
{
	struct server *server = watch->server;
	struct epoll_event events[NR_EVENTS];
	int nr = server != NULL ? sys_epoll_wait(server->epoll, events, NR_EVENTS, 0) : 0;

	for (int i = 0; i < nr; i++) {
		if (events[i].data.u64 == ABOUT_LISTENER)
			welcome(server);
		else if (server->peers[events[i].data.u64].socket >= 0)
			serve(server, &server->peers[events[i].data.u64]);
	}
}

int tide_watch_fd(const struct tide_watch *watch)
{
	return watch->server != NULL ? watch->server->epoll : -1;
}

void server_close(struct server *server)
{
	if (server == NULL)
		return;
	for (size_t i = 0; i < MAX_PEERS; i++)
		send_away(server, &server->peers[i]);
	sys_close(server->listener);
	sys_close(server->epoll);
	free(server);
}

static int listen_at(struct server *server)
{
	struct sockaddr_un address;
	socklen_t size = share_address(&address, server->watch->target, geteuid());
	int result = sys_epoll_create();

	server->epoll = result;
	if (result >= 0)
		result = server->listener = sys_listen((const struct sockaddr *)&address, size);
	return result < 0 ? result : sys_epoll_add(server->epoll, server->listener, ABOUT_LISTENER);
}

int tide_watch_serve(struct tide_watch *watch, struct tide_error *err)
{
	struct server *server;
	int result;

	if (watch->client != NULL || watch->server != NULL)
		return error_set(err, TIDE_CAUSE_BUSY, -EBUSY, "process %d (%s) is served already",
		                 tide_target_pid(watch->target), tide_target_name(watch->target));
	server = calloc(1, sizeof(*server));
	if (server == NULL)
		return error_system(err, -ENOMEM, "cannot serve others");
	*server = (struct server){ .watch = watch, .epoll = -1, .listener = -1 };
	for (size_t i = 0; i < MAX_PEERS; i++)
		server->peers[i].socket = -1;
	result = listen_at(server);
	if (result == 0) {
		watch->server = server;
		return 0;
	}
	server_close(server);
	return result == -EADDRINUSE
	               ? error_set(err, TIDE_CAUSE_BUSY, -EBUSY, "process %d (%s) is served by somebody else",
	                           tide_target_pid(watch->target), tide_target_name(watch->target))
	               : error_system(err, result, "cannot serve others that watch process %d (%s)",
	                              tide_target_pid(watch->target), tide_target_name(watch->target));
}
