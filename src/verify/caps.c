/* SPDX-License-Identifier: MIT */
/* This file has a row for each capability that tidemark can need. */
#include <string.h>

#include "verify/need.h"
#include "verify/row.h"

/* The row is called CAP_ and the need's name. */
static const struct need *find(const struct doctor_row *row)
{
	const struct need *need = needs;

	while (strcmp(need->name, row->name + strlen("CAP_")) != 0)
		need++;
	return need;
}

static void ask(struct doctor_row *row)
{
	const struct need *need = find(row);
	int has = caps_ask(need->cap);

	if (has < 0) {
		row_errno(row, has, "reading /proc/thread-self/status");
	} else if (has) {
		row_yes(row, "in effect; needed to %s", need->purpose);
	} else if (need_met(need)) {
		row_no(row, "not in effect, but CAP_SYS_ADMIN is and includes it; needed to %s", need->purpose);
	} else {
		row_no(row, "not in effect; needed to %s", need->purpose);
		(void)need_remedy(row, row->name, NEED(need->cap));
	}
}

const struct doctor_question questions_caps[] = {
	{ "CAP_BPF", ask },      { "CAP_PERFMON", ask },    { "CAP_SYS_ADMIN", ask },
	{ "CAP_SYS_NICE", ask }, { "CAP_SYS_PTRACE", ask }, { 0 },
};
