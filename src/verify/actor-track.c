/* SPDX-License-Identifier: MIT */
/* This file tracks an actor's arena as trackers do: userfaultfd's write protection, PAGEMAP_SCAN, clear_refs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "verify/actor.h"

static int open_uffd(struct actor *actor)
{
	int result;

	actor->uffd = sys_userfaultfd(O_CLOEXEC | O_NONBLOCK | UFFD_USER_ONLY);
	if (actor->uffd < 0)
		return actor->uffd;
	result = uffd_api(actor->uffd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED | UFFD_WP_SHMEM);
	if (result < 0) {
		sys_close(actor->uffd);
		actor->uffd = -1;
	}
	return result;
}

int actor_track(struct actor *actor, const struct model_op *op)
{
	uint64_t start = actor_address(op->page), end = actor_address(op->page + op->nr);
	int result = actor->uffd < 0 ? open_uffd(actor) : 0;

	if (result < 0)
		return result;
	switch (op->kind) {
	case OP_REGISTER:
		return uffd_register(actor->uffd, start, end);
	case OP_UNREGISTER:
		return uffd_unregister(actor->uffd, start, end);
	case OP_ARM:
		return uffd_protect(actor->uffd, start, end);
	default:
		return uffd_unprotect(actor->uffd, start, end);
	}
}

static void report(struct model_result *result, const struct pagescan_region *region)
{
	for (uint64_t at = region->start; at < region->end; at += 4096)
		model_report(result, (at - MODEL_BASE) / 4096);
}

static int scan(struct actor *actor, struct pagescan *scan, struct model_result *result)
{
	long nr;

	if (actor->pagemap < 0)
		actor->pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
	if (actor->pagemap < 0)
		return actor->pagemap;
	nr = pagescan(actor->pagemap, scan, actor->regions, MODEL_PAGES);
	for (long i = 0; i < nr; i++)
		report(result, &actor->regions[i]);
	return nr < 0 ? (int)nr : 0;
}

int actor_rearm(struct actor *actor, const struct model_op *op, struct model_result *result)
{
	struct pagescan what = {
		.start = actor_address(op->page),
		.end = actor_address(op->page + op->nr),
		.flags = PAGESCAN_REARM | PAGESCAN_CHECK_ASYNC,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
	};

	return scan(actor, &what, result);
}

int actor_scan(struct actor *actor, const struct model_op *op, struct model_result *result)
{
	struct pagescan what = {
		.start = actor_address(op->page),
		.end = actor_address(op->page + op->nr),
		.all_of = op->value & 0xffff,
		.any_of = op->value >> 16 & 0xffff,
		.inverted = op->value >> 32 & 0xffff,
		.returned = ASK_ALL,
	};

	return scan(actor, &what, result);
}

int actor_clear(const struct model_op *op)
{
	int fd = sys_open("/proc/self/clear_refs", O_WRONLY);
	ssize_t result;

	if (fd < 0)
		return fd;
	result = sys_pwrite(fd, op->kind == OP_CLEAR_SOFT ? "4" : "1", 1, 0);
	sys_close(fd);
	return result < 0 ? (int)result : 0;
}

void actor_forget(struct actor *actor)
{
	sys_close(actor->uffd);
	sys_close(actor->pagemap);
	sys_close(actor->pipe[0]);
	sys_close(actor->pipe[1]);
	actor->uffd = actor->pagemap = actor->pipe[0] = actor->pipe[1] = -1;
	for (int i = 0; i < MODEL_PINS; i++) {
		if (actor->pins[i].ring.fd >= 0)
			uring_close(&actor->pins[i].ring);
		actor->pins[i] = (struct actor_pin){ .ring.fd = -1 };
	}
}
