/* SPDX-License-Identifier: MIT */
/*
 * This file makes happen what must be listed, in memory of our own: a write, a page that is given up; and asks whether
 * the kernel tells registered memory from other memory.
 */
#include "watch/uffd_log_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/uffd.h"
#include "watch/log.h"

enum {
	PROBE_PAGES = 16,
	WRITTEN_AT = 3 * LOG_PAGE,
	GIVEN_UP_AT = 5 * LOG_PAGE,
	STALL_NS = 1000000000,
};

#define PROBE_BYTES ((size_t)PROBE_PAGES * LOG_PAGE)

/* Exactly one entry is there, this one; it is taken. */
static bool expect(struct log *log, uint64_t page, enum log_what what)
{
	bool is_right;

	if (log_sync(log) < 0 || log_nr(log) != 1)
		return false;
	is_right = log_entry(log, 0)->start == page && log_entry(log, 0)->end == page + LOG_PAGE &&
	           log_entry(log, 0)->what == what;
	log_drop(log, 1);
	return is_right;
}

/* 1, 0 and what the kernel failed to do, -errno. */
static int control(int uffd, struct log *log, unsigned char *memory, const char **failed)
{
	uint64_t start = (uint64_t)(uintptr_t)memory;
	int result;

	*failed = "tell registered memory";
	result = uffd_is_registered(uffd, start);
	if (result != 0)
		return result < 0 ? result : 0;
	result = uffd_register(uffd, start, start + PROBE_BYTES);
	if (result == 0)
		result = uffd_protect(uffd, start, start + PROBE_BYTES);
	if (result < 0)
		return result;
	result = uffd_is_registered(uffd, start);
	if (result <= 0)
		return result;
	*failed = "report a write";
	((volatile unsigned char *)memory)[WRITTEN_AT] = 2;
	if (!expect(log, start + WRITTEN_AT, LOG_WRITTEN))
		return 0;
	*failed = "report a page that was freed";
	result = sys_madvise(memory + GIVEN_UP_AT, LOG_PAGE, MADV_DONTNEED);
	return result < 0 ? result : expect(log, start + GIVEN_UP_AT, LOG_LEAVING);
}

static int try(int uffd, const char **failed)
{
	const struct log_opts opts = { .granularity_bytes = LOG_PAGE,
		                       .max_stall_ns = STALL_NS,
		                       .max_entries = PROBE_PAGES };
	struct log log = { 0 };
	void *memory = NULL;
	int result = uffd_api(uffd, UFFD_WP_UNPOPULATED | UFFD_MOVES | UFFD_REMOVALS | UFFD_UNMAPS);

	if (result == 0)
		result = sys_mmap(&memory, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result < 0 || memory == NULL)
		return result;
	memset(memory, 1, PROBE_BYTES);
	result = log_open(&log, uffd, &opts);
	if (result == 0)
		result = control(uffd, &log, memory, failed);
	/* While there is somebody who answers. */
	sys_munmap(memory, PROBE_BYTES);
	log_close(&log);
	return result;
}

/* A descriptor for ourselves, by privilege or by permission. */
static int own_uffd(void)
{
	int device, result = sys_userfaultfd(O_NONBLOCK);

	if (result != -EPERM)
		return result;
	device = sys_open(UFFD_DEVICE, O_RDWR);
	if (device < 0)
		return -EPERM;
	result = sys_ioctl(device, UFFD_NEW, (void *)(uintptr_t)(O_CLOEXEC | O_NONBLOCK)); /* NOLINT */
	sys_close(device);
	return result;
}

int uffd_log_probe(struct tide_error *why)
{
	const char *failed = "set it up";
	int result = pagescan_probe();
	int uffd;

	if (result < 0)
		return error_system(why, result, "cannot ask for PAGEMAP_SCAN");
	if (result == 0) {
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -ENOTTY,
		          "this kernel has no PAGEMAP_SCAN: uffd_log needs Linux 6.7 or later");
		return 0;
	}
	uffd = own_uffd();
	if (uffd == -EPERM)
		return error_set(why, TIDE_CAUSE_DENIED, -EPERM,
		                 "uffd_log makes writers wait, also in system calls, for which userfaultfd needs "
		                 "CAP_SYS_PTRACE, access to " UFFD_DEVICE ", or vm.unprivileged_userfaultfd=1");
	result = uffd < 0 ? uffd : try(uffd, &failed);
	sys_close(uffd);
	if (result == 0)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EINVAL,
		          "this kernel's userfaultfd does not %s as it should: tracking would lose writes", failed);
	else if (result == -ENOSYS || result == -EINVAL)
		error_set(why, TIDE_CAUSE_UNSUPPORTED, result,
		          "this kernel's userfaultfd cannot protect memory and tell of it (Linux 6.7, "
		          "CONFIG_PTE_MARKER_UFFD_WP)");
	else if (result < 0)
		return error_system(why, result, "cannot try write protection (userfaultfd)");
	return result > 0;
}
