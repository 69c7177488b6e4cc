/* SPDX-License-Identifier: MIT */
/* This file finds out which operations can be performed here. */
#include "verify/powers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "kernel/sysfile.h"
#include "kernel/uffd.h"
#include "kernel/uring.h"
#include "verify/ksm.h"
#include "verify/kernel-ways.h"
#include "verify/own-page.h"
#include "verify/place.h"

#define POOL      "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_FILE "/sys/kernel/mm/transparent_hugepage/enabled"

enum {
	/* Of each process all blocks, and those of pinned buffers that were unmapped since. */
	NR_OF_POOL = MODEL_PROCESSES * (1 + MODEL_PINS) * (MODEL_PAGES / MODEL_HUGE),
};

static void lacks(struct powers *powers, const enum model_op_kind *kinds, size_t nr, const char *why)
{
	for (size_t i = 0; i < nr; i++)
		powers->why_not[kinds[i]] = why;
}

#define LACKS(powers, why, ...)                                                                                        \
	lacks(powers, (const enum model_op_kind[]){ __VA_ARGS__ },                                                     \
	      sizeof((const enum model_op_kind[]){ __VA_ARGS__ }) / sizeof(enum model_op_kind), why)

static bool file_says(const char *path, const char *what)
{
	char text[256];

	return sysfile_read(path, text, sizeof(text)) > 0 && strstr(text, what) != NULL;
}

static bool tracks_writes(void)
{
	int fd = sys_userfaultfd(O_CLOEXEC | O_NONBLOCK | UFFD_USER_ONLY);
	bool works = fd >= 0 && uffd_api(fd, UFFD_WP_ASYNC | UFFD_WP_UNPOPULATED | UFFD_WP_SHMEM) == 0;

	sys_close(fd);
	return works;
}

static void ask_tracking(struct powers *powers)
{
	bool scans = pagescan_probe() == 1;

	if (!scans) {
		powers->sees &= ~(uint32_t)(SEEN_HUGE | SEEN_ZERO);
		LACKS(powers, "there is no PAGEMAP_SCAN (Linux 6.7 and later have it)", OP_REARM, OP_SCAN);
	}
	if (!tracks_writes())
		LACKS(powers, "userfaultfd cannot protect asynchronously here (Linux 6.7 and later can)", OP_REGISTER,
		      OP_UNREGISTER, OP_ARM, OP_DISARM, OP_REARM);
	powers->model.has_soft_dirty = pagemap_soft_dirty_probe() == 1;
	if (powers->model.has_soft_dirty) {
		powers->model.merges_lose_marks = ways_merges_lose_marks();
		powers->model.keeps_accounts = powers->model.merges_lose_marks && !ways_unaccounts();
		powers->model.keeps_unused_apart = powers->model.merges_lose_marks && !ways_merges_used();
		return;
	}
	powers->sees &= ~(uint32_t)SEEN_SOFT;
	LACKS(powers, "this kernel keeps no soft-dirty bits", OP_CLEAR_SOFT);
}

static bool can_pin(void)
{
	struct uring ring;
	void *page = NULL;
	bool works;

	if (uring_open(&ring) < 0)
		return false;
	works = sys_mmap(&page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == 0 &&
	        uring_pin(&ring, page, PAGE_BYTES) == 0 && uring_unpin(&ring) == 0;
	uring_close(&ring);
	sys_munmap(page, PAGE_BYTES);
	return works;
}

/* A huge page of our own: advised, collapsed. The advice that is not known is refused before anything is looked at. */
static void ask_huge(struct powers *powers)
{
	void *memory = NULL;
	char *aligned;
	bool advises, collapses, read_only, frees_tables;

	if (sys_mmap(&memory, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) < 0)
		return;
	aligned = (char *)(((uintptr_t)memory + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	powers->model.zeros_stay_huge = ways_zeros_stay_huge(aligned);
	*(volatile char *)aligned = 1;
	advises = sys_madvise(aligned, HUGE_BYTES, MADV_HUGEPAGE) == 0;
	collapses = advises && sys_madvise(aligned, HUGE_BYTES, MADV_COLLAPSE) == 0;
	read_only =
	        collapses && sys_madvise(aligned, HUGE_BYTES, MADV_DONTNEED) == 0 && ways_collapses_read_only(aligned);
	frees_tables = advises && sys_madvise(aligned, HUGE_BYTES, MADV_DONTNEED) == 0 && ways_frees_tables(aligned);
	sys_munmap(memory, 2 * HUGE_BYTES);
	powers->huge_anyway = file_says(HUGE_FILE, "[always]");
	powers->model.has_huge =
	        advises && (powers->huge_anyway || file_says(HUGE_FILE, "[madvise]")) && ways_has_huge();
	powers->model.collapses_read_only = read_only;
	powers->model.frees_tables = frees_tables;
	if (!advises)
		LACKS(powers, "this kernel has no transparent huge pages", OP_HUGEPAGE, OP_NOHUGEPAGE);
	if (!collapses)
		LACKS(powers, "huge pages cannot be collapsed on demand here", OP_COLLAPSE);
}

/* Each asks of a huge page of its own. */
static void ask_splits(struct model_opts *model)
{
	model->reuses_large = ways_reuses_large();
	model->splits_map_zeros = ways_splits_map_zeros();
	model->splits_clean = model->has_soft_dirty && ways_splits_clean();
	model->protects_clean = model->splits_clean && ways_protects_clean();
	model->moves_mark = model->has_soft_dirty && ways_moves_mark();
	model->once_of_first = ways_once_of_first();
	model->sharing = ways_shared_by_page()  ? MODEL_SHARING_ONE_PAGE
	                 : ways_shared_likely() ? MODEL_SHARING_LIKELY
	                                        : MODEL_SHARING_EXACT;
}

/* Whoever else needs a page of the pool would find none. */
static void ask_pool(struct powers *powers)
{
	uint64_t nr_free = 0, nr_promised = 0;
	int result = sysfile_value(POOL "free_hugepages", &nr_free);

	if (result == 0)
		result = sysfile_value(POOL "resv_hugepages", &nr_promised);
	if (!place_is_guest() || result < 0 || nr_free < nr_promised + NR_OF_POOL)
		LACKS(powers, "hugetlb's pool is the machine's: in the tests' virtual machines only", OP_MAP_HUGETLB);
}

static void ask_machine(struct powers *powers)
{
	char swaps[512] = "";

	if (sysfile_read("/proc/swaps", swaps, sizeof(swaps)) <= 0 || strchr(swaps, '/') == NULL)
		LACKS(powers, "there is no swap space", OP_PAGEOUT);
	if (access("/sys/devices/system/node/node1", F_OK) != 0)
		LACKS(powers, "this machine has one memory node", OP_MIGRATE);
	else if (sys_move_pages(0, NULL, NULL, NULL, MPOL_MF_MOVE_ALL) == -EPERM)
		LACKS(powers, "pages that others map, too, may be moved with CAP_SYS_NICE only", OP_MIGRATE);
	if (ksm_may_run()) {
		powers->model.stops_at_forbidden = ways_stops_at_forbidden();
		powers->model.unmerges_by_write = powers->model.has_soft_dirty && ways_unmerges_by_write();
	} else {
		LACKS(powers, "KSM is a setting of the whole machine: in the tests' virtual machines only", OP_MERGE);
	}
}

uint64_t powers_kinds(const struct powers *powers)
{
	uint64_t kinds = 0;

	for (int i = 0; i < NR_MODEL_OPS; i++)
		if (powers_can(powers, (enum model_op_kind)i))
			kinds |= UINT64_C(1) << i;
	return kinds;
}

void powers_ask(struct powers *powers)
{
	*powers = (struct powers){
		.sees = SEEN_ALL,
	};
	for (int i = FIRST_MODEL_OP; i < NR_MODEL_OPS; i++)
		powers->why_not[i] = "no call of the kernel's does that";
	ask_tracking(powers);
	ask_huge(powers);
	if (powers->model.has_huge)
		ask_splits(&powers->model);
	ask_machine(powers);
	ask_pool(powers);
	powers->model.moves_many = ways_moves_many();
	powers->model.maps_to_next = ways_maps_to_next();
	powers->model.leaves_as_new = ways_leaves_as_new();
	if (can_pin())
		powers->model.pins_one_file = !ways_pins_files();
	else
		LACKS(powers, "io_uring is not in this kernel, or not allowed", OP_PIN, OP_UNPIN, OP_DEVICE_WRITE,
		      OP_DEVICE_READ);
}
