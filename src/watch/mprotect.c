/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes of one's own process by protecting pages against them (mprotect), and a handler of SIGSEGV
 * that marks a page at its first write and lifts the protection (mprotect_fault.c).
 *
 * A page that is writable is marked, or a handler that has marked it is on its way to lift it. So what is collected
 * goes in this order: take the marks, wait until all handlers have ended that were under way, then protect. A handler
 * that set a mark that was taken has lifted its page by then, and does not lift it after it was protected, when no mark
 * would tell. One that comes later sets its mark anew: then the page may end up protected and marked, which is a fault
 * more, or lifted and marked, as it should be.
 *
 * What the program does to its mappings nobody tells. Memory that is there at the beginning of an epoch, should be
 * protected and is not, has been replaced, or the program has changed its protection: all of it is reported. What was
 * replaced and is protected as it was, and what was given up (MADV_DONTNEED), looks as if nothing had happened: every
 * epoch says that it is blind to it.
 *
 * Written pages among others are mappings of their own, of which a process can have so many only. A quarter of that is
 * the bound on written pieces; beyond it, and whenever the kernel refuses one more mapping, the handler lifts the whole
 * range, and what was not marked of it is `over` (why: bound).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/maps.h"
#include "kernel/sys.h"
#include "target/target.h"
#include "watch/mprotect.h"
#include "watch/tracker.h"

struct mprotect {
	struct tide_target *target;
	struct guarded *guarded;
};

/* What there is, mapping by mapping, with the gaps between; up to `at`, it has been followed. */
struct following {
	struct guarded *guarded;
	uint64_t at;
	uint64_t end;
};

static void follow_gap(struct following *self, uint64_t until)
{
	struct guarded_memory nothing = { .start = self->at, .end = until };

	if (self->at < until)
		guarded_follow(self->guarded, &nothing);
}

static void follow_mapping(struct following *self, uint64_t start, uint64_t end, uint32_t flags, uint64_t inode)
{
	struct guarded_memory memory = {
		.start = start > self->at ? start : self->at,
		.end = end < self->end ? end : self->end,
		.prot = flags & GUARDED_PROT,
		.is_mapped = true,
		.is_anonymous = inode == 0 && !(flags & TIDE_MAPPING_SHARED),
	};

	if (memory.start >= memory.end)
		return;
	follow_gap(self, memory.start);
	guarded_follow(self->guarded, &memory);
	self->at = memory.end;
}

/* What the last refresh of the mappings says of [start, end). */
static void follow_layout(struct mprotect *self, uint64_t start, uint64_t end)
{
	const struct tide_layout *layout = tide_target_layout(self->target);
	const struct tide_mapping *mapping = watch_mapping_from(layout, start);
	struct following following = { self->guarded, start, end };

	for (; mapping != NULL && mapping < layout->mappings + layout->nr_mappings && mapping->start < end; mapping++)
		follow_mapping(&following, mapping->start, mapping->end, mapping->flags, mapping->inode);
	follow_gap(&following, end);
}

static int follow_vma(void *arg, const struct vma *vma)
{
	follow_mapping(arg, vma->start, vma->end, vma->flags, vma->inode);
	return 0;
}

/* The same, asked now. */
static int follow_now(struct mprotect *self, uint64_t start, uint64_t end)
{
	struct following following = { self->guarded, start, end };
	scope_sys_fd int fd = sys_open("/proc/thread-self/maps", O_RDONLY);
	long nr = fd < 0 ? fd : maps_read(fd, follow_vma, &following);

	if (nr < 0)
		return (int)nr;
	follow_gap(&following, end);
	return 0;
}

static int check_own(const struct tide_target *target, struct tide_error *err)
{
	if (tide_target_pid(target) == getpid())
		return 0;
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "mprotect tracks this process only (%d, not %d), and not beyond a fork: name uffd_async, "
	                 "uffd_log or soft_dirty for another one",
	                 getpid(), tide_target_pid(target));
}

static int begin(void *state, uint64_t *stopped_ns, uint32_t *blind, struct tide_error *err)
{
	struct mprotect *self = state;
	const struct tide_layout *layout;
	int result = check_own(self->target, err);

	(void)stopped_ns;
	if (result == 0)
		result = tide_target_refresh(self->target, &layout, err);
	if (result < 0)
		return result;
	__atomic_store_n(&self->guarded->nr_pieces, 0, __ATOMIC_SEQ_CST);
	follow_layout(self, 0, WATCH_END);
	*blind |= TIDE_BLIND_GIVEN_UP;
	return 0;
}

/* Where the handler would have to run. */
static bool is_stack(const struct tide_mapping *mapping)
{
	return strncmp(mapping->name, "[stack", 6) == 0;
}

/* All of it is reported by the collect that comes next, and protected then. */
static int track(void *state, uint64_t start, uint64_t end)
{
	struct mprotect *self = state;
	const struct tide_mapping *mapping = tide_layout_find(tide_target_layout(self->target), start);

	if (mapping == NULL)
		return -ENOMEM;
	if (is_stack(mapping))
		return -EINVAL;
	guarded_adopt(self->guarded,
	              &(struct guarded_memory){
	                      .start = start,
	                      .end = end,
	                      .prot = mapping->flags & GUARDED_PROT,
	                      .is_mapped = true,
	                      .is_anonymous = mapping->inode == 0 && !(mapping->flags & TIDE_MAPPING_SHARED),
	              });
	return 0;
}

/* All that is tracked is armed when it is collected. */
static int arm(void *state, uint64_t start, uint64_t end)
{
	(void)state, (void)start, (void)end;
	return 0;
}

static long collect(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
                    size_t nr, uint64_t *next)
{
	struct mprotect *self = state;
	long got = guarded_read(self->guarded, start, end, true, max_pages, runs, nr, next);

	if (got == 0)
		return 0;
	fault_wait();
	guarded_arm(self->guarded, runs, (size_t)got);
	return got;
}

static long peek(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs, size_t nr,
                 uint64_t *next)
{
	struct mprotect *self = state;
	int result = follow_now(self, start, end);

	return result < 0 ? result : guarded_read(self->guarded, start, end, false, max_pages, runs, nr, next);
}

static enum tide_why why(const struct pagescan_region *run)
{
	return (enum tide_why)run->categories;
}

static int untrack(void *state, uint64_t start, uint64_t end)
{
	struct mprotect *self = state;

	/* What the program has protected itself stays so. */
	follow_layout(self, start, end);
	return guarded_release(self->guarded, start, end);
}

/* What cannot be given back now is left to the handler, which gives each page back when it is written. */
static void mprotect_close(void *state)
{
	struct mprotect *self = state;

	if (untrack(self, 0, WATCH_END) < 0)
		return;
	fault_remove(self->guarded);
	guarded_free(self->guarded);
}

static int check_stacks(const struct intervals *asked, const struct tide_layout *layout, struct tide_error *err)
{
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	struct interval part;
	bool is_there = intervals_next(asked, here, here + 1, &part);

	for (size_t i = 0; !is_there && i < layout->nr_mappings; i++)
		is_there = is_stack(&layout->mappings[i]) &&
		           intervals_next(asked, layout->mappings[i].start, layout->mappings[i].end, &part);
	if (!is_there)
		return 0;
	return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
	                 "there is a stack at %llx, on which the handler of its own faults would have to run: leave "
	                 "out stacks, or use uffd_async",
	                 (unsigned long long)part.start);
}

static int take_ranges(const struct tide_watch_opts *opts, struct tide_target *target, struct intervals *asked,
                       struct tide_error *err)
{
	const struct tide_layout *layout;
	int result = 0;

	if (opts->nr_ranges == 0)
		return error_set(err, TIDE_CAUSE_USAGE, -EINVAL,
		                 "mprotect cannot watch all memory, as its own handler needs some: name ranges, or use "
		                 "uffd_async");
	for (size_t i = 0; result == 0 && i < opts->nr_ranges; i++)
		result = intervals_add(asked, opts->ranges[i].start, opts->ranges[i].end);
	if (result < 0)
		return error_system(err, result, "cannot note the ranges");
	result = tide_target_refresh(target, &layout, err);
	return result < 0 ? result : check_stacks(asked, layout, err);
}

static int mprotect_open(void *state, struct tide_target *target, const struct tide_watch_opts *opts,
                         uint64_t *stopped_ns, struct tide_error *err)
{
	struct mprotect *self = state;
	struct intervals asked = { 0 };
	int result = check_own(target, err);

	(void)stopped_ns;
	self->target = target;
	if (result == 0)
		result = take_ranges(opts, target, &asked, err);
	if (result == 0) {
		result = guarded_new(&self->guarded, &asked, maps_limit() / 4);
		if (result < 0)
			error_system(err, result, "cannot allocate memory for what is known of each page");
	}
	if (result == 0)
		result = fault_add(self->guarded, err);
	if (result < 0)
		guarded_free(self->guarded);
	intervals_fini(&asked);
	return result;
}

static int probe(struct tide_error *err)
{
	(void)err;
	return 1; /* every kernel has it */
}

const struct watch_backend watch_mprotect = {
	.name = "mprotect",
	.summary = "mprotect and a handler of SIGSEGV, in one's own process: a write to a protected page costs some "
	           "microseconds",
	.state_size = sizeof(struct mprotect),
	.is_whole = true,
	.probe = probe,
	.open = mprotect_open,
	.begin = begin,
	.track = track,
	.arm = arm,
	.collect = collect,
	.peek = peek,
	.why = why,
	.untrack = untrack,
	.close = mprotect_close,
};
