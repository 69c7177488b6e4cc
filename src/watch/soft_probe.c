/* SPDX-License-Identifier: MIT */
/*
 * This file asks whether soft-dirty bits work. Where the kernel has none, clearing succeeds and nothing is ever marked;
 * so a page is written after a clearing, and another one is not. A child does it: somebody may be tracking us.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/error.h"
#include "kernel/fault.h"
#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "watch/soft_dirty.h"

enum {
	PAGE_BYTES = 4096,
	NR_TRIES = 4,
};

/* The child's exit code; an error's is its number. */
enum verdict {
	WORKS = 0,
	NOT_CLEARED = 250,
	NOT_MARKED,
	OTHER_MARKED,
};

static int is_marked(int pagemap, const char *page)
{
	uint64_t entry = 0;
	long got = pagemap_read(pagemap, (uint64_t)(uintptr_t)page, &entry, 1);

	if (got != 1)
		return got < 0 ? (int)got : -EIO;
	return (pagemap_categories(entry) & PAGESCAN_SOFT_DIRTY) != 0;
}

static int control(int pagemap, int clear, char *pages)
{
	volatile char *written = pages;
	ssize_t wrote;
	int result;

	pages[0] = pages[PAGE_BYTES] = 1;
	wrote = sys_pwrite(clear, "4", 1, 0);
	if (wrote != 1)
		return wrote < 0 ? (int)-wrote : EIO;
	result = is_marked(pagemap, pages);
	if (result != 0)
		return result < 0 ? -result : NOT_CLEARED;
	*written = 2;
	result = is_marked(pagemap, pages);
	if (result <= 0)
		return result < 0 ? -result : NOT_MARKED;
	result = is_marked(pagemap, pages + PAGE_BYTES);
	return result == 0 ? WORKS : result < 0 ? -result : OTHER_MARKED;
}

_Noreturn static void try_out(void)
{
	int pagemap = sys_open("/proc/self/pagemap", O_RDONLY);
	int clear = sys_open("/proc/self/clear_refs", O_WRONLY);
	void *pages = NULL;
	int result =
	        sys_mmap(&pages, (size_t)2 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (result == 0)
		result = pagemap < 0 ? pagemap : clear < 0 ? clear : 0;
	sys_exit(result < 0 ? -result : control(pagemap, clear, pages));
}

/* How the child ended, or -errno. */
static int ask_child(void)
{
	sigset_t all, before;
	pid_t child, ended = -EIO;
	int status = 0;
	int result;

	sigfillset(&all);
	result = sys_sigmask(&all, &before);
	if (result < 0)
		return result;
	child = sys_clone(0);
	if (child == 0)
		try_out();
	for (int tries = 0; tries < NR_TRIES && sys_sigmask(&before, NULL) < 0; tries++)
		;
	if (child < 0)
		return child;
	for (int tries = 0; tries < NR_TRIES && ended < 0 && ended != -ECHILD; tries++)
		ended = sys_wait4(child, &status, __WALL);
	return ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

int soft_dirty_probe(struct tide_error *why)
{
	int verdict = fault_forced("no-soft-dirty") ? NOT_MARKED : ask_child();

	switch (verdict) {
	case WORKS:
		return 1;
	case NOT_MARKED:
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		          "this kernel has no soft-dirty bits (CONFIG_MEM_SOFT_DIRTY)");
		return 0;
	case NOT_CLEARED:
	case OTHER_MARKED:
		error_set(why, TIDE_CAUSE_UNSUPPORTED, -EOPNOTSUPP,
		          "this kernel's soft-dirty bits say 'written' of pages that were not");
		return 0;
	default:
		return error_system(why, verdict < 0 ? verdict : -verdict, "cannot try soft-dirty bits");
	}
}
