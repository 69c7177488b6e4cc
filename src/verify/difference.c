/* SPDX-License-Identifier: MIT */
/* This file tells in words in what model and kernel differ. */
#include <stdio.h>
#include <string.h>

#include "verify/lockstep.h"

const char *seen_text(char buf[SEEN_TEXT_SIZE], uint32_t flags)
{
	static const char *const names[] = { "present", "swapped", "file", "once", "armed", "soft", "huge", "zero" };
	size_t used = 0;

	buf[0] = 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((flags >> i & 1) != 0)
			used += (size_t)snprintf(buf + used, SEEN_TEXT_SIZE - used, "%s%s", used > 0 ? " " : "",
			                         names[i]);
	if (used == 0)
		snprintf(buf, SEEN_TEXT_SIZE, "nothing");
	return buf;
}

static const char *code_text(int code)
{
	return code == 0 ? "success" : strerrorname_np(-code) != NULL ? strerrorname_np(-code) : "an unknown error";
}

static void page_text(char buf[DIFFERENCE_TEXT_SIZE], const struct difference *difference)
{
	char model[SEEN_TEXT_SIZE], real[SEEN_TEXT_SIZE];

	if (difference->what == DIFFERENCE_FLAGS)
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "page %u of process %u: model \"%s\", kernel \"%s\"",
		         difference->page, difference->process, seen_text(model, difference->model_seen.flags),
		         seen_text(real, difference->real_seen.flags));
	else
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "page %u of process %u holds: model 0x%llx, kernel 0x%llx",
		         difference->page, difference->process, (unsigned long long)difference->model_seen.value,
		         (unsigned long long)difference->real_seen.value);
}

const char *difference_text(char buf[DIFFERENCE_TEXT_SIZE], const struct difference *difference)
{
	const struct model_result *model = &difference->model, *real = &difference->real;
	bool reported = model_reported(model, difference->page);

	switch (difference->what) {
	case DIFFERENCE_CODE:
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "the operation returns: model %s, kernel %s",
		         code_text(model->code), code_text(real->code));
		break;
	case DIFFERENCE_VALUE:
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "the operation reads: model 0x%llx, kernel 0x%llx",
		         (unsigned long long)model->value, (unsigned long long)real->value);
		break;
	case DIFFERENCE_REPORTED:
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "page %u is reported: model %s, kernel %s", difference->page,
		         reported ? "yes" : "no", reported ? "no" : "yes");
		break;
	case DIFFERENCE_BROKEN:
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "the model is broken: %s", difference->broken);
		break;
	case DIFFERENCE_GONE:
		snprintf(buf, DIFFERENCE_TEXT_SIZE, "a process was killed or hangs, or cannot be looked at");
		break;
	default:
		page_text(buf, difference);
	}
	return buf;
}
