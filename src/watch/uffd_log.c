/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes by userfaultfd's synchronous write protection, which makes a list of them (log.h): what is
 * collected costs what was written, not what is mapped.
 *
 * The list is what the kernel said, so what the kernel does not say must be known otherwise:
 *
 *   - A page that is given up loses its protection. The kernel tells before it does that (UFFD_REMOVALS), and goes on
 *     as soon as it was heard. So the range is looked at, page by page, until each is seen to have gone or to have been
 *     written, and for one more epoch.
 *   - The kernel refuses private file mappings. KSM drops the mark of a page that it merges. A thread that exits waits
 *     for nobody, and the kernel's last word to those who join it, in the thread's own memory, would be lost if that
 *     were protected: they would wait for ever. Shared memory may hold robust mutexes, about which the same is true.
 *     All of these are tracked by uffd_async, as is what is too small to make a difference.
 *
 * A page is protected again by collect() alone, which knows that it was listed, and after the handler has done with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/vec.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "target/target.h"
#include "watch/log.h"
#include "watch/soft_merge.h"
#include "watch/tracker.h"
#include "watch/uffd_async.h"
#include "watch/uffd_log_probe.h"

enum {
	NR_REGIONS = 512,
	MIN_LISTED_BYTES = 64 << 10,
	DEFAULT_STALL_NS = 100000000,
	PATIENCE_NS = 100000000,
	ADVICE_GUARD_INSTALL = 102, /* MADV_GUARD_INSTALL, Linux 6.13 */
	FEATURES = UFFD_WP_UNPOPULATED | UFFD_REMOVALS,
};

struct uffd_log {
	struct uffd_async async;
	struct tide_target *target;
	int uffd;
	struct log log;
	bool has_guards; /* this kernel has guard regions */
	bool has_hole;   /* the list has, which was not said yet */
	struct intervals mapped;
	struct intervals listed;      /* mappings whose writes are listed; what else is tracked, is by async */
	struct intervals mergeable;   /* by KSM, which has begun */
	struct intervals written;     /* listed, and not collected yet */
	struct intervals overflowed;  /* may have been written, and is not protected */
	struct intervals leaving;     /* announced to be given up, and not seen to be */
	struct intervals left, older; /* seen to be, in this epoch and the last */
	VEC(struct interval) taken;
};

/* A stack of a thread: below it lies memory that nobody may touch. */
static bool is_stack(const struct tide_layout *layout, const struct tide_mapping *mapping)
{
	const struct tide_mapping *below = mapping > layout->mappings ? mapping - 1 : NULL;

	return strncmp(mapping->name, "[stack", 6) == 0 ||
	       (below != NULL && below->end == mapping->start && below->inode == 0 &&
	        !(below->flags & (TIDE_MAPPING_READ | TIDE_MAPPING_WRITE)));
}

static bool can_be_listed(const struct uffd_log *self, uint64_t start)
{
	const struct tide_layout *layout = tide_target_layout(self->target);
	const struct tide_mapping *mapping = watch_mapping_from(layout, start);
	struct interval part;

	return mapping != NULL && mapping->start <= start && mapping->inode == 0 &&
	       !(mapping->flags & TIDE_MAPPING_SHARED) && mapping->end - mapping->start >= MIN_LISTED_BYTES &&
	       !is_stack(layout, mapping) && !intervals_next(&self->mergeable, mapping->start, mapping->end, &part);
}

static bool is_listed(void *state, uint64_t start)
{
	const struct uffd_log *self = state;
	struct interval part;

	return intervals_next(&self->listed, start, start + LOG_PAGE, &part);
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
static int ask_registered(const struct uffd_log *self, uint64_t page)
{
	uint64_t until_ns = 0;
	int result;

	do
		result = uffd_is_registered(self->uffd, page);
	while (is_worth_waiting(result, &until_ns));
	return result;
}

static int forget(struct uffd_log *self, uint64_t start, uint64_t end)
{
	struct intervals *const sets[] = { &self->listed,  &self->written, &self->overflowed,
		                           &self->leaving, &self->left,    &self->older };
	int result = 0;

	for (size_t i = 0; result == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		result = intervals_remove(sets[i], start, end);
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

/* A mapping that has grown has one way already, and the other one is busy. */
static int track(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;
	bool as_list = can_be_listed(self, start);
	int result = forget(self, start, end);

	if (result == 0)
		result = as_list ? track_listed(self, start, end)
		                 : watch_uffd_async.track(&self->async, start, end);
	if (result != -EBUSY && (result != -EINVAL || !as_list))
		return result;
	return as_list ? watch_uffd_async.track(&self->async, start, end) : track_listed(self, start, end);
}

static int protect(const struct uffd_log *self, uint64_t start, uint64_t end)
{
	uint64_t until_ns = 0;
	int result;

	do
		result = uffd_protect(self->uffd, start, end);
	while (is_worth_waiting(result, &until_ns));
	return result;
}

/* In steps that let writers of the mmap lock pass, and not inside a huge page, which would be split. */
static int protect_all(const struct uffd_log *self, uint64_t start, uint64_t end)
{
	int result = 0;

	while (result == 0 && start < end) {
		uint64_t step = end - start > WATCH_ARM_BYTES ? (start + WATCH_ARM_BYTES) & ~(WATCH_BLOCK - 1) : end;

		result = protect(self, start, step);
		start = step;
	}
	return result;
}

static int arm(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;
	int result;

	if (!is_listed(self, start))
		return watch_uffd_async.arm(&self->async, start, end);
	result = protect(self, start, end);
	if (result == 0)
		result = intervals_remove(&self->written, start, end);
	return result == 0 ? intervals_remove(&self->overflowed, start, end) : result;
}

/* The list's entries become sets; only then does the list forget them. */
static int take_entries(struct uffd_log *self)
{
	size_t nr = log_nr(&self->log);
	int result = vec_reserve(&self->taken, nr + 1);

	self->taken.nr = 0;
	for (size_t i = 0; result == 0 && i < nr; i++) {
		const struct log_entry *entry = log_entry(&self->log, i);

		if (entry->is_removal)
			result = intervals_add(&self->leaving, entry->start, entry->end);
		else
			self->taken.items[self->taken.nr++] = (struct interval){ entry->start, entry->end };
	}
	if (result == 0)
		result = intervals_add_all(&self->written, self->taken.items, self->taken.nr);
	if (result == 0)
		log_drop(&self->log, nr);
	return result;
}

static int note_hole(struct uffd_log *self)
{
	struct interval *part = self->listed.v.items;
	int result = 0;

	for (size_t i = 0; result == 0 && i < self->listed.v.nr; i++)
		result = intervals_add(&self->overflowed, part[i].start, part[i].end);
	if (result == 0)
		self->has_hole = false;
	return result;
}

/*
 * All that was written until now. First who lists is waited for; then what it has decided to leave out, before it was
 * told to list everything again, is waited for; then what it has listed meanwhile, and may be lifting only now.
 */
static int drain(struct uffd_log *self)
{
	int result = log_sync(&self->log);

	self->has_hole |= log_overflowed(&self->log) || result < 0;
	result = take_entries(self);
	if (log_sync(&self->log) < 0)
		self->has_hole = true;
	return result == 0 && self->has_hole ? note_hole(self) : result;
}

/* Pages of [start, end) without protection are written, and need not be waited for any longer. */
static int look_at(struct uffd_log *self, uint64_t start, uint64_t end)
{
	struct pagescan_region regions[NR_REGIONS];
	int result = 0;

	while (result == 0 && start < end) {
		struct pagescan scan = {
			.start = start,
			.end = end,
			.all_of = PAGESCAN_WRITTEN,
			.returned = PAGESCAN_WRITTEN,
		};
		long nr = pagescan(self->async.pagemap, &scan, regions, NR_REGIONS);

		if (nr < 0 || scan.next <= start)
			return nr < 0 ? (int)nr : -EIO;
		for (long i = 0; result == 0 && i < nr; i++) {
			result = intervals_add(&self->written, regions[i].start, regions[i].end);
			if (result == 0)
				result = intervals_add(&self->left, regions[i].start, regions[i].end);
		}
		start = scan.next;
	}
	return result;
}

static int look_at_leaving(struct uffd_log *self)
{
	const struct intervals *const sets[] = { &self->leaving, &self->older };
	int result = 0;

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; result == 0 && j < sets[i]->v.nr; j++) {
			uint64_t end = sets[i]->v.items[j].end;
			struct interval part;

			for (uint64_t at = sets[i]->v.items[j].start;
			     result == 0 && intervals_next(&self->listed, at, end, &part); at = part.end)
				result = look_at(self, part.start, part.end);
		}
	for (size_t i = 0; result == 0 && i < self->left.v.nr; i++)
		result = intervals_remove(&self->leaving, self->left.v.items[i].start, self->left.v.items[i].end);
	return result;
}

/* What was seen to be given up in this epoch is looked at once more at the beginning of the next. */
static void grow_older(struct uffd_log *self)
{
	struct intervals oldest = self->older;

	self->older = self->left;
	self->left = oldest;
	intervals_clear(&self->left);
}

/* What KSM may merge is not listed any more: collect() will find it not to be tracked, and track() to be mergeable. */
static int drop_mergeable(struct uffd_log *self)
{
	struct interval part;
	int result;

	intervals_clear(&self->mergeable);
	result = soft_merge_find(self->target, &self->mergeable);
	for (size_t i = 0; result == 0 && i < self->mergeable.v.nr; i++) {
		uint64_t end = self->mergeable.v.items[i].end;

		for (uint64_t at = self->mergeable.v.items[i].start;
		     result == 0 && intervals_next(&self->listed, at, end, &part); at = part.end)
			result = uffd_unregister(self->uffd, part.start, part.end);
	}
	return result;
}

static int follow(struct uffd_log *self, const struct tide_layout *layout)
{
	struct intervals *const sets[] = { &self->listed,  &self->written, &self->overflowed,
		                           &self->leaving, &self->left,    &self->older };
	int result = 0;

	intervals_clear(&self->mapped);
	for (size_t i = 0; result == 0 && i < layout->nr_mappings; i++)
		result = intervals_add(&self->mapped, layout->mappings[i].start, layout->mappings[i].end);
	for (size_t i = 0; result == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		result = intervals_keep(sets[i], &self->mapped);
	return result;
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
	result = follow(self, layout);
	if (result == 0)
		result = drop_mergeable(self);
	if (result == 0)
		result = drain(self);
	if (result == 0)
		result = look_at_leaving(self);
	if (result == 0)
		grow_older(self);
	return result == 0 ? 0
	                   : error_system(err, result, "cannot take the list of what process %d (%s) has written",
	                                  tide_target_pid(self->target), tide_target_name(self->target));
}

/* Writes may have been left out of the list: all of it, after it has been armed. */
static long collect_overflowed(struct uffd_log *self, const struct interval *part, struct pagescan_region *run,
                               uint64_t *next)
{
	int result = protect_all(self, part->start, part->end);

	if (result == 0)
		result = intervals_remove(&self->overflowed, part->start, part->end);
	if (result == 0)
		result = intervals_remove(&self->written, part->start, part->end);
	*run = (struct pagescan_region){ part->start, part->end, TIDE_WHY_OVERFLOW };
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
		result = protect_all(self, part.start, part.end);
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
	if (intervals_next(&self->overflowed, start, end, &part)) {
		if (part.start == start)
			return collect_overflowed(self, &part, runs, next);
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
	return run->categories == TIDE_WHY_OVERFLOW ? TIDE_WHY_OVERFLOW : TIDE_WHY_NONE;
}

static int untrack(void *state, uint64_t start, uint64_t end)
{
	struct uffd_log *self = state;

	return is_listed(self, start) ? uffd_unregister(self->uffd, start, end)
	                              : watch_uffd_async.untrack(&self->async, start, end);
}

static void measure(void *state, struct tide_epoch *epoch)
{
	const struct uffd_log *self = state;
	const struct log_shared *shared = self->log.shared;

	epoch->nr_faults = __atomic_load_n(&shared->nr_faults, __ATOMIC_RELAXED);
	epoch->longest_stall_ns = __atomic_load_n(&shared->longest_stall_ns, __ATOMIC_RELAXED);
	epoch->throttled_ns = __atomic_load_n(&shared->throttled_ns, __ATOMIC_RELAXED);
}

static void log_backend_close(void *state)
{
	struct uffd_log *self = state;
	struct intervals *const sets[] = { &self->mapped,     &self->listed,  &self->mergeable, &self->written,
		                           &self->overflowed, &self->leaving, &self->left,      &self->older };

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
	.measure = measure,
	.untrack = untrack,
	.close = log_backend_close,
};
