/* SPDX-License-Identifier: MIT */
/*
 * This file tells whether the refs sensor works here, by a positive control: pages of our own are used, cleared, seen
 * unreferenced, used again and seen referenced.
 */
#include "sensor/refs.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/fault.h"
#include "kernel/sys.h"

#define PAGE_BYTES 4096u
#define NR_PAGES   16ul
#define BYTES      (NR_PAGES * PAGE_BYTES)
#define TRIES      5 /* reclaim may come between */

/* Two places for shared memory, which never becomes one mapping with its neighbours. */
struct control {
	struct refs_state refs;
	char *here;
	char *there;
};

static void touch(const struct control *control)
{
	for (size_t i = 0; i < BYTES; i += PAGE_BYTES)
		((volatile char *)control->here)[i]++;
}

/* How many bytes of the area are referenced, or negative. */
static long referenced(struct control *control, struct tide_error *why)
{
	const struct refs_vma *vma;
	uint64_t here = (uint64_t)(uintptr_t)control->here;
	int result = refs_look(&control->refs, why);

	if (result < 0)
		return result;
	vma = refs_find(&control->refs.now, here);
	return vma != NULL && vma->start <= here ? (long)vma->referenced_bytes : 0;
}

/* To another address, of which the TLB knows nothing: clear_refs leaves in it that the pages are in use. */
static int move(struct control *control, struct tide_error *why)
{
	char *from = control->here;
	int result = sys_mremap(from, BYTES, control->there);

	if (result < 0)
		return error_system(why, result, "moving pages for the control");
	/* What was `from` is a hole now, and anybody's to map. */
	control->here = control->there;
	control->there = NULL;
	return 0;
}

static int map_places(struct control *control, struct tide_error *why)
{
	void *here = NULL;
	void *there = NULL;
	int result = sys_mmap(&here, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (result == 0)
		result = sys_mmap(&there, BYTES, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	control->here = here;
	control->there = there;
	return result < 0 ? error_system(why, result, "mapping pages for the control") : 0;
}

static void unmap_places(struct control *control)
{
	sys_munmap(control->here, BYTES);
	sys_munmap(control->there, BYTES);
}

static int try_once(struct control *control, long *idle, long *used, struct tide_error *why)
{
	int result;

	touch(control);
	control->refs.now.is_valid = false;
	result = refs_clear(&control->refs, why);
	if (result < 0)
		return result;
	*idle = referenced(control, why);
	if (*idle < 0)
		return (int)*idle;
	result = move(control, why);
	if (result < 0)
		return result;
	touch(control);
	*used = referenced(control, why);
	return *used < 0 ? (int)*used : *idle == 0 && *used == BYTES;
}

static int control_on_self(struct control *control, struct tide_error *why)
{
	long idle = 0;
	long used = 0;

	for (int i = 0; i < TRIES; i++) {
		int result = map_places(control, why);

		if (result == 0)
			result = try_once(control, &idle, &used, why);
		unmap_places(control);
		if (result != 0)
			return result;
	}
	return error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "positive control failed: of %lu bytes %ld read as referenced after clearing, %ld after use",
	                 BYTES, idle, used);
}

static int probe_self(struct control *control, struct tide_error *why)
{
	struct tide_target *self = NULL;
	int result = tide_target_open(&self, getpid(), why);

	if (result < 0)
		return result;
	result = sensor_refs.init(&control->refs, self, why);
	if (result == 0)
		result = control_on_self(control, why);
	sensor_refs.cleanup(&control->refs);
	tide_target_close(self);
	return result;
}

int refs_probe(struct tide_error *why)
{
	struct control control = { 0 };
	int result;

	if (fault_forced("no-clear-refs")) {
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		          "clear_refs is switched off by TIDEMARK_FAULT=no-clear-refs");
		return 0;
	}
	result = probe_self(&control, why);
	/* A plain no, with its reason; everything else could not be asked. */
	if (result < 0 && why != NULL && (why->cause == TIDE_CAUSE_DENIED || why->cause == TIDE_CAUSE_UNSUPPORTED))
		return 0;
	return result;
}
