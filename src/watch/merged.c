/* SPDX-License-Identifier: MIT */
/* This file finds memory that KSM may have merged. */
#include "watch/merged.h"

#include <errno.h>
#include <fcntl.h>

#include "kernel/smaps.h"
#include "kernel/sys.h"

static int count_items(struct tide_target *target, uint64_t *nr)
{
	pid_t tid;
	int result = target_live_thread(target, &tid, NULL);

	return result < 0 ? result : ksm_nr_items(target_procfs(target), tid, nr);
}

static bool has_moved(const struct ksm_progress *from, const struct ksm_progress *to)
{
	return from->nr_passes != to->nr_passes || (to->run == 2 && from->run != 2);
}

/*
 * A page that was merged has an item of KSM's, which goes in a later pass at the earliest. So where there is none now,
 * and no pass has ended since the last look, there was none in between. What has passed is read on both sides of the
 * items: KSM does not stand still meanwhile, and a pass must not end unnoticed between two readings.
 */
enum merged_state merged_look(struct merged *merged, struct tide_target *target)
{
	struct ksm_progress last = merged->progress, now = { 0 };
	uint64_t nr_items;
	int known = ksm_progress(&merged->progress);
	int counted = count_items(target, &nr_items);

	if (known == -ENOENT && counted == -ENODATA)
		return MERGED_NOTHING; /* no KSM in this kernel */
	if (counted < 0 || nr_items > 0)
		return MERGED_NOW;
	if (known < 0 || ksm_progress(&now) < 0 || has_moved(&last, &now))
		return MERGED_ONCE;
	return MERGED_NOTHING;
}

static int note(void *arg, const struct smaps_vma *vma)
{
	return vma->kinds & SMAPS_MERGEABLE ? intervals_add(arg, vma->vma.start, vma->vma.end) : 0;
}

int merged_find(struct tide_target *target, struct intervals *out)
{
	scope_sys_fd int fd = target_open_file(target, "smaps", O_RDONLY, NULL);
	long nr = fd < 0 ? fd : smaps_read(fd, note, out, NULL);

	return nr < 0 ? (int)nr : 0;
}
