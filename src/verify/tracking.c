/* SPDX-License-Identifier: MIT */
/* This file asks which ways to track writes and accesses there are, by making them and seeing them reported. */
#include <errno.h>
#include <string.h>

#include "kernel/fault.h"
#include "kernel/pagescan.h"
#include "kernel/uffd.h"
#include "kernel/uffd_access.h"
#include "verify/apart.h"
#include "verify/hazards.h"
#include "watch/uffd_log_probe.h"

#define TIMEOUT_MS 20000

#define FILTER_REMEDY                                                                                                  \
	"write tracking needs userfaultfd(2), which a seccomp filter may refuse: in a container, --security-opt "      \
	"seccomp=unconfined"

#define LIST_REMEDY                                                                                                    \
	"uffd_log needs CAP_SYS_PTRACE (run as root, in a container with --cap-add SYS_PTRACE), access "               \
	"to " UFFD_DEVICE ", or the sysctl vm.unprivileged_userfaultfd=1"

static void try_out(struct arena *arena, const struct arena_tracker *tracker)
{
	arena_init(arena, tracker, ARENA_EMPTY);
	arena_read(arena, 3);
	hazard_unpopulated(arena);
}

static void say_error(struct doctor_row *row, const struct arena *arena)
{
	if (arena->error == -ENOTSUP) {
		row_no(row, "%s", arena->why);
	} else if (arena->error == -ENOSYS) {
		row_no(row, "this kernel has no userfaultfd(2)");
	} else if (arena->error == -EINVAL) {
		row_no(row, "userfaultfd of this kernel cannot protect asynchronously (Linux 6.7 and later can)");
	} else if (arena->error == -EPERM) {
		row_no(row, "userfaultfd(2) is refused");
		row_remedy(row, FILTER_REMEDY);
	} else {
		row_errno(row, arena->error, arena->why);
	}
}

static void ask_uffd_here(struct doctor_row *row)
{
	struct arena arena;

	try_out(&arena, &arena_uffd);
	if (arena.error < 0)
		say_error(row, &arena);
	else if (arena.nr_lost > 0)
		row_no(row, "%u of %u writes of our own were not reported", arena.nr_lost, arena.nr_changes);
	else
		row_yes(row,
		        "userfaultfd and PAGEMAP_SCAN reported writes of our own; no privilege is needed for that");
	arena_fini(&arena);
}

static void ask_uffd(struct doctor_row *row)
{
	int result = pagescan_probe();

	if (fault_forced("no-pagemap-scan"))
		row_no(row, "switched off by TIDEMARK_FAULT=no-pagemap-scan");
	else if (result < 0)
		row_errno(row, result, "asking PAGEMAP_SCAN for our own stack");
	else if (result == 0)
		row_no(row, "this kernel has no PAGEMAP_SCAN (Linux 6.7 and later have it)");
	else
		apart_ask(row, ask_uffd_here, TIMEOUT_MS);
}

static void ask_list_here(struct doctor_row *row)
{
	struct tide_error why = { 0 };

	if (uffd_log_probe(&why) > 0)
		row_yes(row, "userfaultfd listed a write of our own, and a page that was freed: uffd_log works");
	else
		row_error(row, &why);
	if (why.cause == TIDE_CAUSE_DENIED)
		row_remedy(row, LIST_REMEDY);
}

/* Whoever answers our writes may not do so. */
static void ask_list(struct doctor_row *row)
{
	if (fault_forced("no-pagemap-scan"))
		row_no(row, "switched off by TIDEMARK_FAULT=no-pagemap-scan");
	else
		apart_ask(row, ask_list_here, TIMEOUT_MS);
}

static void ask_soft_dirty_here(struct doctor_row *row)
{
	struct arena arena;

	try_out(&arena, &arena_soft_dirty);
	if (arena.error < 0)
		row_errno(row, arena.error, arena.why);
	else if (arena.nr_lost > 0)
		row_no(row, "not in this kernel: writing 4 to clear_refs succeeds, and no write is reported after it");
	else
		row_yes(row, "writes of our own were reported after writing 4 to clear_refs");
	arena_fini(&arena);
}

static void ask_soft_dirty(struct doctor_row *row)
{
	apart_ask(row, ask_soft_dirty_here, TIMEOUT_MS);
}

static void ask_access(struct doctor_row *row)
{
	const char *failed;
	int result = uffd_access_probe(&failed);

	if (result > 0) {
		row_yes(row, "userfaultfd and PAGEMAP_SCAN reported accesses of our own, and a system call's");
	} else if (result == -EPERM) {
		row_no(row, "userfaultfd(2) is refused");
		row_remedy(row, FILTER_REMEDY);
	} else if (result < 0) {
		row_errno(row, result, "protecting a page of our own against access");
	} else if (failed != NULL) {
		row_no(row, "%s was not reported as it should be", failed);
	} else if (fault_forced("no-uffd-rwp")) {
		row_no(row, "switched off by TIDEMARK_FAULT=no-uffd-rwp");
	} else {
		row_no(row, "userfaultfd of this kernel cannot protect against access (Linux 7.3 can)");
	}
}

const struct doctor_question questions_tracking[] = {
	{ "write-protect-tracking", ask_uffd },
	{ "write-list", ask_list },
	{ "access-protection", ask_access },
	{ "soft-dirty", ask_soft_dirty },
	{ 0 },
};
