/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes by userfaultfd's synchronous write protection, which makes a list of them (log.h): what is
 * collected costs what was written, not what is mapped.
 *
 * Not all memory can be listed (listed.c): the rest is tracked by uffd_async, beside it. The list is what the kernel
 * said; what it does not say is found out where the list is taken (uffd_log_drain.c).
 *
 * A page is protected again by collect() alone, which knows that it was listed, or found without protection, and after
 * the handler has done with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "watch/tracker.h"
#include "watch/uffd_log.h"
#include "watch/uffd_log_probe.h"

enum {
	DEFAULT_STALL_NS = 100000000,
	DEFAULT_LISTED = 1 << 17, /* half a gigabyte, page by page, in 3 MiB */
	PATIENCE_NS = 100000000,
	DOUBTFUL = 1 << 16,         /* of a collected run's categories: they are an enum tide_why, not the kernel's */
	ADVICE_GUARD_INSTALL = 102, /* MADV_GUARD_INSTALL, Linux 6.13 */
	FEATURES = UFFD_WP_UNPOPULATED | UFFD_MOVES | UFFD_REMOVALS | UFFD_UNMAPS,
};

bool uffd_log_is_listed(const struct uffd_log *self, uint64_t start)
{
	struct interval part;

	return intervals_next(&self->listed, start, start + LOG_PAGE, &part);
}

static bool is_listed(void *state, uint64_t start)
{
	return uffd_log_is_listed(state, start);
}

/*
 * While somebody gives up memory, and has not been heard, or has not gone on, the kernel does nothing for us. The
 * deadline is `*until_ns`, 0 at first.
 */
static bool is_worth_waiting(int result, uint64_t *until_ns)
{
	uint64_t now_ns;

	if (result != -EAGAIN)
		return false;
	now_ns = sys_clock_ns(CLOCK_MONOTONIC);
	if (*until_ns == 0)
		*until_ns = now_ns + PATIENCE_NS;
	sys_yield();
	return now_ns < *until_ns;
}

/* Is it still registered? */
static int ask_registered(struct uffd_log *self, uint64_t page)
{
	uint64_t until_ns = 0;
	int result;

	self->nr_calls++;
	do
		result = uffd_is_registered(self->uffd, page);
	while (is_worth_waiting(result, &until_ns));
	return result;
}

enum {
	NR_SETS = 7,
};

/* Whatever is known by addresses of listed mappings. */
static void find_sets(struct uffd_log *self, struct intervals *sets[NR_SETS])
{
	sets[0] = &self->listed;
	sets[1] = &self->written;
	sets[2] = &self->overflowed;
	sets[3] = &self->leaving;
	sets[4] = &self->left;
	sets[5] = &self->older;
	sets[6] = &self->unknown;
}

int uffd_log_forget(struct uffd_log *self, uint64_t start, uint64_t end)
{
	struct intervals *sets[NR_SETS];
	int result = 0;

	find_sets(self, sets);
	for (size_t i = 0; result == 0 && i < NR_SETS; i++)
		result = intervals_remove(sets[i], start, end);
	return result;
}

int uffd_log_keep(struct uffd_log *self, const struct intervals *mapped)
{
	struct intervals *sets[NR_SETS];
	int result = 0;

	find_sets(self, sets);
	for (size_t i = 0; result == 0 && i < NR_SETS; i++)
		result = intervals_keep(sets[i], mapped);
	return result;
}

static int track_listed(struct uffd_log *self, uint64_t start, uint64_t end)
{
	int result = intervals_add(&self->listed, start, end);

	if (result == 0)
		result = uffd_register(self->uffd, start, end);
	if (result < 0)
		intervals_remove(&self->listed, start, end);
	return result;
}

int uffd_log_track(struct uffd_log *self, bool as_list, uint64_t start, uint64_t end)
{
	return as_list ? track_listed(self, start, end) : watch_uffd_async.track(&self->async, start, end);
}

/* A mapping that has grown has one way already, and the other one is busy. */
static int track(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;
	bool as_list = uffd_log_wants(self, start);
	int result = uffd_log_forget(self, start, end);

	if (result == 0)
		result = uffd_log_track(self, as_list, start, end);
	if (result == -EBUSY || (result == -EINVAL && as_list))
		result = uffd_log_track(self, !as_list, start, end);
	return result;
}

static int protect(struct uffd_log *self, uint64_t start, uint64_t end)
{
	uint64_t until_ns = 0;
	int result;

	self->nr_calls++;
	do
		result = uffd_protect(self->uffd, start, end);
	while (is_worth_waiting(result, &until_ns));
	return result;
}

/* In steps that let writers of the mmap lock pass, and not inside a huge page, which would be split. */
int uffd_log_protect(struct uffd_log *self, uint64_t start, uint64_t end)
{
	int result = 0;

	for (uint64_t step; result == 0 && start < end; start = step) {
		step = watch_arm_end(start, end);
		result = protect(self, start, step);
	}
	return result;
}

static int arm(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;
	int result;

	if (!is_listed(self, start))
		return watch_uffd_async.arm(&self->async, start, end);
	result = uffd_log_protect(self, start, end);
	if (result == 0)
		result = intervals_remove(&self->written, start, end);
	if (result == 0)
		result = intervals_remove(&self->overflowed, start, end);
	return result == 0 ? intervals_remove(&self->unknown, start, end) : result;
}

static int begin(void *state, uint64_t *stopped_ns, uint32_t *blind, struct tide_error *err)
{
	struct uffd_log *self = state;
	const struct tide_layout *layout;
	int result = tide_target_refresh(self->target, &layout, err);

	(void)stopped_ns;
	if (result < 0)
		return result;
	*blind |= self->has_guards ? TIDE_BLIND_GUARDS : 0;
	result = uffd_log_drain(self, layout);
	return result == 0 ? 0
	                   : error_system(err, result, "cannot take the list of what process %d (%s) has written",
	                                  tide_target_pid(self->target), tide_target_name(self->target));
}

/* Writes there may have been left out of the list: all of it, after it has been armed. */
static long collect_doubtful(struct uffd_log *self, const struct interval *part, enum tide_why why,
                             struct pagescan_region *run, uint64_t *next)
{
	int result = arm(self, part->start, part->end);

	*run = (struct pagescan_region){ part->start, part->end, DOUBTFUL | why };
	*next = part->end;
	return result < 0 ? result : 1;
}

static long collect_written(struct uffd_log *self, uint64_t start, uint64_t end, uint64_t max_pages,
                            struct pagescan_region *runs, size_t nr, uint64_t *next)
{
	uint64_t left = max_pages * LOG_PAGE;
	struct interval part;
	size_t i = 0;
	int result = 0;

	*next = start;
	for (; result == 0 && i < nr && left > 0 && intervals_next(&self->written, *next, end, &part);
	     *next = part.end) {
		if (max_pages != 0 && part.end - part.start > left)
			part.end = part.start + left;
		left -= max_pages != 0 ? part.end - part.start : 0;
		result = uffd_log_protect(self, part.start, part.end);
		runs[i++] = (struct pagescan_region){ part.start, part.end, TIDE_WHY_NONE };
	}
	if (i < nr && !intervals_next(&self->written, *next, end, &part))
		*next = end;
	if (result == 0)
		result = intervals_remove(&self->written, start, *next);
	return result < 0 ? result : (long)i;
}

static long collect(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
                    size_t nr, uint64_t *next)
{
	struct uffd_log *self = state;
	struct interval part;
	long result;

	if (!is_listed(self, start))
		return watch_uffd_async.collect(&self->async, start, end, max_pages, runs, nr, next);
	result = ask_registered(self, start);
	if (result <= 0)
		return result < 0 ? result : -EPERM;
	for (size_t i = 0; i < 2; i++) {
		const struct intervals *doubtful = i == 0 ? &self->unknown : &self->overflowed;

		if (!intervals_next(doubtful, start, end, &part))
			continue;
		if (part.start == start)
			return collect_doubtful(self, &part, i == 0 ? TIDE_WHY_NEW : TIDE_WHY_OVERFLOW, runs, next);
		end = part.start;
	}
	result = collect_written(self, start, end, max_pages, runs, nr, next);
	return result == -ENOENT ? -EPERM : result;
}

static long peek(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs, size_t nr,
                 uint64_t *next)
{
	struct uffd_log *self = state;
	struct pagescan scan = {
		.start = start,
		.end = end,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
		.max_pages = max_pages,
	};
	int registered;
	long result;

	if (!is_listed(self, start))
		return watch_uffd_async.peek(&self->async, start, end, max_pages, runs, nr, next);
	result = pagescan(self->async.pagemap, &scan, runs, nr);
	*next = scan.next;
	registered = ask_registered(self, start);
	return registered < 0 ? registered : registered == 0 ? -EPERM : result;
}

static enum tide_why why(const struct pagescan_region *run)
{
	return run->categories & DOUBTFUL ? (enum tide_why)(run->categories & ~(uint64_t)DOUBTFUL) : TIDE_WHY_NONE;
}

static int find_replaced(void *state, uint64_t start, uint64_t end, struct intervals *out)
{
	struct uffd_log *self = state;
	int result = uffd_log_take(self);

	return result == 0 ? intervals_add_part(out, &self->unknown, start, end) : result;
}

static int untrack(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;

	return is_listed(self, start) ? uffd_unregister(self->uffd, start, end)
	                              : watch_uffd_async.untrack(&self->async, start, end);
}

static void measure(void *state, struct tide_epoch *epoch)
{
	struct uffd_log *self = state;
	const struct log_shared *shared = self->log.shared;

	epoch->nr_calls += self->nr_calls;
	epoch->listed_bytes = intervals_size(&self->listed);
	self->nr_calls = 0;

	epoch->nr_faults = __atomic_load_n(&shared->nr_faults, __ATOMIC_RELAXED);
	epoch->longest_stall_ns = __atomic_load_n(&shared->longest_stall_ns, __ATOMIC_RELAXED);
	epoch->throttled_ns = __atomic_load_n(&shared->throttled_ns, __ATOMIC_RELAXED);
}

static void log_backend_close(void *state)
{
	struct uffd_log *self = state;
	struct intervals *const sets[] = { &self->mapped,  &self->listed,     &self->mergeable, &self->unwanted,
		                           &self->written, &self->overflowed, &self->leaving,   &self->left,
		                           &self->older,   &self->unknown,    &self->bare };

	log_close(&self->log);
	sys_close(self->uffd);
	self->uffd = -1;
	watch_uffd_async.close(&self->async);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		intervals_fini(sets[i]);
	vec_free(&self->taken);
}

/* Does this kernel know guard regions? Nothing can be seen of what happens in them. */
static bool knows_guards(void)
{
	void *memory = NULL;
	int result = sys_mmap(&memory, LOG_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (result == 0)
		result = sys_madvise(memory, LOG_PAGE, ADVICE_GUARD_INSTALL);
	sys_munmap(memory, LOG_PAGE);
	return result != -EINVAL;
}

static int open_log(struct uffd_log *self, const struct tide_watch_opts *opts, uint64_t *stopped_ns,
                    struct tide_error *err)
{
	const struct log_opts ask = {
		.granularity_bytes = opts->granularity_bytes != 0 ? opts->granularity_bytes : LOG_PAGE,
		.max_stall_ns = opts->max_stall_ns != 0 ? opts->max_stall_ns : DEFAULT_STALL_NS,
		.throttle_bytes_per_s = opts->throttle_bytes_per_s,
		.max_entries = opts->max_listed != 0 ? opts->max_listed : DEFAULT_LISTED,
	};
	int result = target_userfaultfd_sync(self->target, FEATURES, stopped_ns, err);

	if (result < 0)
		return result;
	self->uffd = result;
	result = log_open(&self->log, self->uffd, &ask);
	if (result < 0)
		return error_system(err, result, "cannot start the helpers that list what process %d (%s) writes",
		                    tide_target_pid(self->target), tide_target_name(self->target));
	return 0;
}

static int log_backend_open(void *state, struct tide_target *target, const struct tide_watch_opts *opts,
                            uint64_t *stopped_ns, struct tide_error *err)
{
	struct uffd_log *self = state;
	int result;

	self->target = target;
	self->uffd = -1;
	if (tide_target_pid(target) == getpid())
		return error_set(err, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		                 "whoever lists the writes of a process is a copy of the caller: a process cannot be "
		                 "its own target with uffd_log, use uffd_async");
	self->has_guards = knows_guards();
	result = watch_uffd_async.open(&self->async, target, opts, stopped_ns, err);
	if (result < 0)
		return result;
	result = open_log(self, opts, stopped_ns, err);
	if (result < 0)
		log_backend_close(self);
	return result;
}

const struct watch_backend watch_uffd_log = {
	.name = "uffd_log",
	.summary = "userfaultfd synchronous write protection: a list of what was written, writers wait until listed",
	.state_size = sizeof(struct uffd_log),
	.has_list = true,
	.probe = uffd_log_probe,
	.open = log_backend_open,
	.begin = begin,
	.track = track,
	.arm = arm,
	.collect = collect,
	.peek = peek,
	.why = why,
	.is_listed = is_listed,
	.find_replaced = find_replaced,
	.prefer = uffd_log_prefer,
	.convert = uffd_log_convert,
	.measure = measure,
	.untrack = untrack,
	.close = log_backend_close,
};
