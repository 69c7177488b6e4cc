/* SPDX-License-Identifier: MIT */
/* This file finds those who share a watch, and carries their messages. */
#include "watch/share.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/sys.h"
#include "target/target.h"

/* The name has the user in it: nobody can take the place of another, as credentials are looked at on both sides. */
socklen_t share_address(struct sockaddr_un *address, const struct tide_target *target, uid_t uid)
{
	int size;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	size = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "tidemark/watch/%u/%d/%llu", uid,
	                tide_target_pid(target), (unsigned long long)target_start_ticks(target));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

int share_peer(int socket, uid_t *uid, pid_t *pid)
{
	struct ucred peer = { 0 };
	int result = sys_socket_peer(socket, &peer);

	*uid = peer.uid;
	*pid = peer.pid;
	return result;
}

int share_wait(int socket, int timeout_ms)
{
	scope_sys_fd int epoll = sys_epoll_create();
	struct epoll_event event;
	int result = epoll < 0 ? epoll : sys_epoll_add(epoll, socket, 0);

	return result < 0 ? result : sys_epoll_wait(epoll, &event, 1, timeout_ms);
}
