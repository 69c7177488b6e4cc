/* SPDX-License-Identifier: MIT */
/*
 * This file finds memory that KSM may have merged. Reading VmFlags of smaps takes as long as reading all page tables;
 * it is done when KSM keeps something for this process, or that cannot be told.
 */
#include "watch/soft_merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/procfs.h"
#include "kernel/smaps.h"
#include "kernel/sys.h"

/* May a page of the process have been merged? Each has an item of KSM's, which stays as long as it may be. */
static bool may_have_merged(struct tide_target *target)
{
	static const char key[] = "ksm_rmap_items ";
	char path[40], text[1024];
	const char *at;
	ssize_t size;
	pid_t tid;

	if (target_live_thread(target, &tid, NULL) < 0)
		return true;
	snprintf(path, sizeof(path), "task/%d/ksm_stat", tid);
	size = procfs_read(target_procfs(target), path, text, sizeof(text) - 1);
	if (size < 0)
		return true;
	text[size] = '\0';
	at = strstr(text, key);
	return at == NULL || strtoull(at + sizeof(key) - 1, NULL, 10) > 0;
}

static int note(void *arg, const struct smaps_vma *vma)
{
	return vma->kinds & SMAPS_MERGEABLE ? intervals_add(arg, vma->vma.start, vma->vma.end) : 0;
}

static int read_mappings(struct tide_target *target, struct intervals *out)
{
	scope_sys_fd int fd = target_open_file(target, "smaps", O_RDONLY, NULL);
	long nr = fd < 0 ? fd : smaps_read(fd, note, out, NULL);

	return nr < 0 ? (int)nr : 0;
}

int soft_merge_find(struct tide_target *target, struct intervals *out)
{
	return may_have_merged(target) ? read_mappings(target, out) : 0;
}

int soft_merge_pend(const struct soft_merge *merge, uint64_t start, uint64_t end, struct soft_pending *pending)
{
	const struct intervals *const sets[] = { &merge->was, &merge->is };
	struct interval part;
	int result = 0;

	for (size_t i = 0; i < 2; i++)
		for (uint64_t at = start; result == 0 && intervals_next(sets[i], at, end, &part); at = part.end)
			result = soft_pend(pending, TIDE_WHY_REFUSED, part.start, part.end);
	return result;
}

int soft_merge_look(struct soft_merge *merge, struct tide_target *target, struct soft_pending *pending)
{
	struct intervals was = merge->was;
	int result;

	merge->was = merge->is;
	merge->is = was;
	intervals_clear(&merge->is);
	result = soft_merge_find(target, &merge->is);
	return result == 0 ? soft_merge_pend(merge, 0, ~(uint64_t)0, pending) : result;
}

void soft_merge_fini(struct soft_merge *merge)
{
	intervals_fini(&merge->was);
	intervals_fini(&merge->is);
}
