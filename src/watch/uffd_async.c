/* SPDX-License-Identifier: MIT */
/*
 * This file tracks writes by userfaultfd's asynchronous write protection.
 *
 * The kernel lifts the protection of a page at its first write, by itself, and nobody waits; PAGEMAP_SCAN finds the
 * pages without it and, in the same walk and under the same page-table lock, puts it back. Two things about that call
 * shape this file. The masks are "written" and nothing else: that is the path that is fast, and the only one that some
 * kernels get right for pages that were freed meanwhile. And an error says nothing of how far it came, while what it
 * passed is protected again: so each call stays within one mapping, writes into memory that is there and locked, and
 * its error makes all of its range doubtful.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "target/target.h"
#include "watch/backend.h"
#include "watch/uffd_async.h"

enum {
	PROBE_BLOCK = 2 << 20,
	PROBE_BYTES = 2 * PROBE_BLOCK,
};

static long scan(int pagemap, uint64_t flags, uint64_t start, uint64_t end, uint64_t max_pages,
                 struct pagescan_region *runs, size_t nr, uint64_t *next)
{
	struct pagescan args = {
		.start = start,
		.end = end,
		.flags = flags,
		.all_of = PAGESCAN_WRITTEN,
		.returned = PAGESCAN_WRITTEN,
		.max_pages = max_pages,
	};
	long result = pagescan(pagemap, &args, runs, nr);

	*next = args.next;
	return result;
}

static long collect(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs,
                    size_t nr, uint64_t *next)
{
	const struct uffd_async *self = state;

	return scan(self->pagemap, PAGESCAN_REARM | PAGESCAN_CHECK_ASYNC, start, end, max_pages, runs, nr, next);
}

static long peek(void *state, uint64_t start, uint64_t end, uint64_t max_pages, struct pagescan_region *runs, size_t nr,
                 uint64_t *next)
{
	const struct uffd_async *self = state;

	return scan(self->pagemap, PAGESCAN_CHECK_ASYNC, start, end, max_pages, runs, nr, next);
}

static int track(void *state, uint64_t start, uint64_t end)
{
	const struct uffd_async *self = state;

	return uffd_register(self->uffd, start, end);
}

static int arm(void *state, uint64_t start, uint64_t end)
{
	const struct uffd_async *self = state;
	int result;

	/* The mappings may be changing under way: each time some part has been done. */
	do
		result = uffd_protect(self->uffd, start, end);
	while (result == -EAGAIN);
	return result;
}

static int untrack(void *state, uint64_t start, uint64_t end)
{
	const struct uffd_async *self = state;

	return uffd_unregister(self->uffd, start, end);
}

static void async_close(void *state)
{
	struct uffd_async *self = state;

	sys_close(self->uffd);
	sys_close(self->pagemap);
	self->uffd = self->pagemap = -1;
}

/* Exactly these pages of the probe's memory are written, and are armed again? 1, 0, -errno. */
static int expect(struct uffd_async *self, uint64_t from, uint64_t start, uint64_t end)
{
	struct pagescan_region runs[4];
	uint64_t next;
	long nr = collect(self, from, from + PROBE_BYTES, 0, runs, 4, &next);

	if (nr < 0)
		return (int)nr;
	if (start == end)
		return nr == 0;
	return nr == 1 && runs[0].start == start && runs[0].end == end;
}

/*
 * Makes happen what must be reported: a write, a page that is freed and written again, a whole page table that is freed
 * and written again. Each must be seen once, and the armed memory after it be quiet.
 */
static int control(struct uffd_async *self, unsigned char *memory, const char **failed)
{
	uint64_t start = (uint64_t)(uintptr_t)memory, page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t block = (start + PROBE_BLOCK - 1) & ~(uint64_t)(PROBE_BLOCK - 1);
	int result;

	memset(memory, 1, PROBE_BYTES);
	result = track(self, start, start + PROBE_BYTES);
	if (result == 0)
		result = arm(self, start, start + PROBE_BYTES);
	if (result < 0)
		return result;
	*failed = "memory that nobody wrote";
	result = expect(self, start, start, start);
	if (result <= 0)
		return result;
	*failed = "a write";
	memory[page] = 2;
	result = expect(self, start, start + page, start + 2 * page);
	if (result <= 0)
		return result;
	*failed = "a page that was freed";
	result = sys_madvise(memory + page, page, MADV_DONTNEED);
	if (result < 0)
		return result;
	result = expect(self, start, start + page, start + 2 * page);
	if (result <= 0)
		return result;
	*failed = "a write after a page was freed";
	memory[page] = 3;
	result = expect(self, start, start + page, start + 2 * page);
	if (result <= 0)
		return result;
	*failed = "a page table that was freed";
	result = sys_madvise(memory + (block - start), PROBE_BLOCK, MADV_DONTNEED);
	if (result < 0)
		return result;
	result = expect(self, start, block, block + PROBE_BLOCK);
	if (result <= 0)
		return result;
	*failed = "a write after a page table was freed";
	memory[block - start] = 4;
	return expect(self, start, block, block + page);
}

static int make_own(struct uffd_async *self, int *cause)
{
	self->uffd = self->pagemap = -1;
	self->uffd = sys_userfaultfd(O_NONBLOCK | UFFD_USER_ONLY);
	*cause = self->uffd < 0 ? self->uffd : uffd_api(self->uffd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED);
	if (*cause == 0) {
		self->pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
		*cause = self->pagemap < 0 ? self->pagemap : 0;
	}
	return *cause;
}

static int probe(struct tide_error *why)
{
	struct uffd_async self;
	const char *failed = "the setting up";
	void *memory = NULL;
	int result = pagescan_probe();

	if (result < 0)
		return error_system(why, result, "cannot ask for PAGEMAP_SCAN");
	if (result == 0) {
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -ENOTTY,
		          "this kernel has no PAGEMAP_SCAN: uffd_async needs Linux 6.7 or later");
		return 0;
	}
	if (make_own(&self, &result) == 0)
		result = sys_mmap(&memory, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result == 0) {
		sys_madvise(memory, PROBE_BYTES, MADV_NOHUGEPAGE);
		result = control(&self, memory, &failed);
	}
	sys_munmap(memory, PROBE_BYTES);
	async_close(&self);
	if (result == 0)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EINVAL,
		          "this kernel does not report %s as it should: tracking would lose writes", failed);
	else if (result == -ENOSYS || result == -EINVAL)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, result,
		          "this kernel's userfaultfd has no asynchronous write protection (Linux 6.7, "
		          "CONFIG_PTE_MARKER_UFFD_WP)");
	else if (result < 0)
		return error_system(why, result, "cannot try write protection (userfaultfd)");
	return result > 0;
}

static int async_open(void *state, struct tide_target *target, const struct tide_watch_opts *opts, uint64_t *stopped_ns,
                      struct tide_error *err)
{
	struct uffd_async *self = state;
	int result;

	(void)opts;
	self->uffd = self->pagemap = -1;
	self->pagemap = target_open_file(target, "pagemap", O_RDONLY, err);
	if (self->pagemap < 0)
		return self->pagemap;
	result = target_userfaultfd(target, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED, stopped_ns, err);
	if (result < 0) {
		async_close(self);
		return result;
	}
	self->uffd = result;
	return 0;
}

const struct watch_backend watch_uffd_async = {
	.name = "uffd_async",
	.summary = "userfaultfd asynchronous write protection and PAGEMAP_SCAN: never blocks a writer",
	.state_size = sizeof(struct uffd_async),
	.probe = probe,
	.open = async_open,
	.track = track,
	.arm = arm,
	.collect = collect,
	.peek = peek,
	.untrack = untrack,
	.close = async_close,
};
