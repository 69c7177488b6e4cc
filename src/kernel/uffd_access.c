/* SPDX-License-Identifier: MIT */
/* This file tries userfaultfd's protection against access. */
#include "kernel/uffd_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/fault.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"

static uint64_t page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

struct control {
	int uffd;
	int pagemap;
	volatile char *page;
	const char *failed; /* what is being tried */
};

/* Does the kernel say by both ways that the page is protected, or that it is not? 1, 0, -errno. */
static int expect(const struct control *control, bool is_protected)
{
	uint64_t start = (uint64_t)(uintptr_t)control->page;
	uint64_t entry = 0;
	struct pagescan_region region = { 0 };
	struct pagescan scan = {
		.start = start,
		.end = start + page_bytes(),
		.all_of = PAGESCAN_PRESENT,
		.returned = PAGESCAN_PRESENT | PAGESCAN_ACCESSED,
	};
	long result = pagescan(control->pagemap, &scan, &region, 1);

	if (result < 0)
		return (int)result;
	if (result != 1 || ((region.categories & PAGESCAN_ACCESSED) == 0) != is_protected)
		return 0;
	result = pagemap_read(control->pagemap, start, &entry, 1);
	if (result < 0)
		return (int)result;
	return result == 1 && ((pagemap_categories(entry) & PAGESCAN_WRITTEN) == 0) == is_protected;
}

static int protect(struct control *control)
{
	uint64_t start = (uint64_t)(uintptr_t)control->page;
	int result = uffd_protect_access(control->uffd, start, start + page_bytes());

	control->failed = "a page that nobody accessed";
	return result < 0 ? result : expect(control, true);
}

static int try_accesses(struct control *control)
{
	uint64_t start = (uint64_t)(uintptr_t)control->page;
	ssize_t got;
	int result;

	*control->page = 1;
	result = uffd_register_access(control->uffd, start, start + page_bytes());
	if (result == 0)
		result = protect(control);
	if (result <= 0)
		return result;
	control->failed = "a page that was read";
	(void)*control->page;
	result = expect(control, false);
	if (result > 0)
		result = protect(control);
	if (result <= 0)
		return result;
	control->failed = "a page that a system call wrote to";
	got = sys_pread(control->pagemap, (void *)(uintptr_t)start, sizeof(uint64_t), 0);
	return got < 0 ? (int)got : expect(control, false);
}

static int set_up(struct control *control)
{
	void *page = NULL;
	int result;

	control->uffd = sys_userfaultfd(O_NONBLOCK | UFFD_USER_ONLY);
	result = control->uffd < 0 ? control->uffd : uffd_api(control->uffd, UFFD_RWP | UFFD_RWP_ASYNC);
	if (result < 0)
		return result;
	control->pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
	if (control->pagemap < 0)
		return control->pagemap;
	result = sys_mmap(&page, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	control->page = page;
	return result;
}

int uffd_access_probe(const char **failed)
{
	struct control control = { .uffd = -1, .pagemap = -1 };
	int result = fault_forced("no-uffd-rwp") ? -EINVAL : set_up(&control);
	bool is_there = result == 0;

	if (is_there)
		result = try_accesses(&control);
	sys_munmap((void *)(uintptr_t)control.page, page_bytes());
	sys_close(control.pagemap);
	sys_close(control.uffd);
	*failed = result == 0 ? control.failed : NULL;
	return !is_there && (result == -EINVAL || result == -ENOSYS) ? 0 : result;
}
