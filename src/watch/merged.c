/* SPDX-License-Identifier: MIT */
/* This file finds memory that KSM may have merged. */
#include "watch/merged.h"

#include <errno.h>
#include <fcntl.h>

#include "kernel/smaps.h"
#include "kernel/sys.h"

enum {
	FEW_PASSES = 16, /* more than there are in an epoch */
};

static int count_items(struct tide_target *target, uint64_t *nr)
{
	pid_t tid;
	int result = target_live_thread(target, &tid, NULL);

	return result < 0 ? result : ksm_nr_items(target_procfs(target), tid, nr);
}

/*
 * A page that was merged has an item of KSM's, which goes in a later pass at the earliest. So where there is none now,
 * and no pass has ended since the last look, there was none in between; unless KSM was told to take everything apart
 * (`run` is 2), began anew, and has come to the same small number of passes. But then what was merged was copied; all
 * but pages of zeros (use_zero_pages), and what had been swapped out.
 */
enum merged_state merged_judge(const struct ksm_progress *last, uint64_t nr_items, const struct ksm_progress *after)
{
	if (nr_items > 0)
		return MERGED_NOW;
	if (after->nr_passes != last->nr_passes || (after->run == 2 && last->run != 2) ||
	    (after->nr_passes <= FEW_PASSES && after->nr_copied != last->nr_copied))
		return MERGED_ONCE;
	return MERGED_NOTHING;
}

/* KSM does not stand still meanwhile: no pass may end between two readings and be in neither look. */
enum merged_state merged_look(struct merged *merged, struct tide_target *target)
{
	struct ksm_progress before = { 0 }, after = { 0 };
	int known = ksm_progress(&before);
	uint64_t nr_items = 1;
	enum merged_state state;

	if (known == -ENOENT && ksm_is_missing())
		return MERGED_NOTHING;
	if (count_items(target, &nr_items) < 0)
		return MERGED_NOW;
	if (known == 0)
		known = ksm_progress(&after);
	state = merged_judge(&merged->progress, nr_items, &after);
	merged->progress = before;
	return known < 0 && state == MERGED_NOTHING ? MERGED_ONCE : state;
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
