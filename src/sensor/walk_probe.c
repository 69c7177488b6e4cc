/* SPDX-License-Identifier: MIT */
/*
 * This file tells whether the walk sensor works here, by a positive control: a page of our own is used, seen young,
 * cleared, seen old, used again and seen young.
 */
#include "sensor/walk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/caps.h"
#include "kernel/sys.h"

#define PAGE_BYTES 4096u
#define TRIES      20 /* reclaim and other monitors may clear the bit first; a fresh page may not be on an LRU list yet */

static int answer_after(struct walk_state *walk, volatile char *page, bool touch, struct tide_error *why)
{
	struct tide_check check = { .addr = (uint64_t)(uintptr_t)page };
	int result;

	result = walk_prepare(walk, &check, 1, why);
	if (result < 0)
		return result;
	if (touch)
		*page = 2;
	result = walk_check(walk, &check, 1, why);
	return result < 0 ? result : check.answer;
}

/* A fresh page waits in a per-CPU batch until the LRU list takes it in: MADV_COLD on this processor empties the batch.
 */
static void drain(struct walk_state *walk, volatile char *page)
{
	struct tide_range range = { (uint64_t)(uintptr_t)page, (uint64_t)(uintptr_t)page + PAGE_BYTES };
	bool failed;

	*page = 0;
	(void)cold_clear(&walk->cold, tide_target_pidfd(walk->target), &range, 1, &failed, NULL);
}

static int control(struct walk_state *walk, volatile char *page, struct tide_error *why)
{
	int used = 0;
	int idle = 0;

	for (int i = 0; i < TRIES; i++) {
		drain(walk, page);
		used = answer_after(walk, page, true, why);
		if (used < 0)
			return used;
		idle = answer_after(walk, page, false, why);
		if (idle < 0)
			return idle;
		/* With a guest's memory in this process nothing reads as idle, rightly. */
		if (used == TIDE_ANSWER_ACCESSED && (idle == TIDE_ANSWER_IDLE || walker_has_notifiers(walk->walker)))
			return 1;
	}
	return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "positive control failed: a page that was used reads as %s, one that was not as %s",
	                 used == TIDE_ANSWER_ACCESSED ? "accessed" : "not accessed",
	                 idle == TIDE_ANSWER_IDLE ? "idle" : "not idle");
}

static int control_on_self(struct walk_state *walk, struct tide_error *why)
{
	void *page = NULL;
	int result = sys_mmap(&page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (result < 0)
		return error_system(why, result, "mapping a page for the control");
	result = sensor_walk.init(walk, walk->target, why);
	if (result == 0) {
		result = control(walk, page, why);
		sensor_walk.cleanup(walk);
	}
	sys_munmap(page, PAGE_BYTES);
	return result;
}

int walk_probe(struct tide_error *why)
{
	struct walk_state walk = { 0 };
	int result;

	/* Of our own pages the kernel lets us clear; of others' only with this. */
	if (!caps_have(CAPS_SYS_NICE)) {
		error_set(why, TIDE_CAUSE_DENIED, -EPERM,
		          "clearing accessed bits in another process needs CAP_SYS_NICE: run as root");
		return 0;
	}
	result = tide_target_open(&walk.target, getpid(), why);
	if (result < 0)
		return result;
	result = control_on_self(&walk, why);
	tide_target_close(walk.target);
	/* A plain no, with its reason; everything else could not be asked. */
	if (result < 0 && why != NULL && (why->cause == TIDE_CAUSE_DENIED || why->cause == TIDE_CAUSE_UNSUPPORTED))
		return 0;
	return result;
}
