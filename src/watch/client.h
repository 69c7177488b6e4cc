/* SPDX-License-Identifier: MIT */
/* Another process watches for this one. */
#ifndef WATCH_CLIENT_H
#define WATCH_CLIENT_H

#include <sys/types.h>

#include <tidemark/watch.h>

struct client;

/* 1: somebody does, and an epoch of ours has begun; 0: nobody serves the target; negative with `err`. */
int client_open(struct client **out, struct tide_target *target, struct tide_error *err);
void client_close(struct client *client); /* NULL is fine */

/* Somebody serves the target: its number; 0: nobody; -errno. */
pid_t client_find_holder(const struct tide_target *target);

pid_t client_holder(const struct client *client);
const char *client_backend(const struct client *client);
void client_epoch(const struct client *client, struct tide_epoch *out);
long client_collect(struct client *client, struct tide_run *runs, size_t max, struct tide_error *err);

/* What needs a watch of one's own, or alone. Negative. */
int client_refuse(const char *what, struct tide_error *err);

#endif
