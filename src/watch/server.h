/* SPDX-License-Identifier: MIT */
/* Other processes are served by this one's watch. */
#ifndef WATCH_SERVER_H
#define WATCH_SERVER_H

struct server;

/* NULL is fine. Before the watch's consumers are. */
void server_close(struct server *server);

#endif
