/* SPDX-License-Identifier: MIT */
/* This file knows what each capability is needed for, and what to do where it lacks. */
#include "verify/need.h"

#include <stdio.h>

#include "verify/place.h"

const struct need needs[] = {
	{ CAPS_BPF, "BPF", "load the page-table walker", true },
	{ CAPS_PERFMON, "PERFMON", "let the page-table walker read kernel memory", true },
	{ CAPS_SYS_ADMIN, "SYS_ADMIN", "see physical addresses", false },
	{ CAPS_SYS_NICE, "SYS_NICE", "clear accessed bits in another process", false },
	{ CAPS_SYS_PTRACE, "SYS_PTRACE", "look at processes of other users", false },
	{ 0 },
};

bool need_met(const struct need *need)
{
	return caps_have(need->cap) || (need->admin_does && caps_have(CAPS_SYS_ADMIN));
}

bool need_remedy(struct doctor_row *row, const char *what, uint64_t set)
{
	const struct need *one = NULL;
	char names[120] = "";
	size_t used = 0;
	int nr = 0;

	for (const struct need *need = needs; need->name != NULL; need++) {
		if (!(set & NEED(need->cap)) || need_met(need) || used >= sizeof(names))
			continue;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%sCAP_%s", nr > 0 ? ", " : "",
		                         need->name);
		one = need;
		nr++;
	}
	if (nr > 1)
		row_remedy(row, "%s needs %s: run as root, in a container with --privileged", what, names);
	else if (nr == 1)
		row_remedy(row, "CAP_%s is needed to %s: run as root, in a container with --cap-add %s", one->name,
		           one->purpose, one->name);
	else if (place_in_user_namespace() == 1)
		row_remedy(row, PLACE_USER_NAMESPACE_REMEDY);
	else
		return false;
	return true;
}
