/* SPDX-License-Identifier: MIT */
/* This file plays a watch to those who copy from one. */
#include "scripted-watch.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

void scripted_init(struct tide_watch *watch)
{
	*watch = (struct tide_watch){ 0 };
	watch->mappings[0] = (struct tide_mapping){
		.start = SCRIPTED_START,
		.end = scripted_address(SCRIPTED_PAGES),
		.flags = TIDE_MAPPING_READ | TIDE_MAPPING_WRITE,
		.name = "",
	};
	watch->layout = (struct tide_layout){ 1, 1, watch->mappings };
}

uint64_t scripted_address(size_t page)
{
	return SCRIPTED_START + page * 4096;
}

void scripted_write(struct tide_watch *watch, size_t page, uint64_t value)
{
	watch->present[page] = true;
	watch->contents[page] = value;
}

void scripted_zap(struct tide_watch *watch, size_t page)
{
	watch->present[page] = false;
	watch->contents[page] = 0;
}

const struct tide_layout *tide_watch_layout(const struct tide_watch *watch)
{
	return &watch->layout;
}

int tide_watch_copy(struct tide_watch *watch, uint64_t start, uint64_t end, void *buf, uint8_t *certainty,
                    struct tide_error *err)
{
	if (watch->copy_result < 0)
		return error_set(err, TIDE_CAUSE_GONE, watch->copy_result, "process 1 has exited");
	if (watch->unreadable >= start && watch->unreadable < end)
		return error_set(err, TIDE_CAUSE_SYSTEM, -EIO, "cannot read");
	memset(buf, 0, end - start);
	for (uint64_t addr = start; addr < end; addr += 4096) {
		size_t page = (addr - SCRIPTED_START) / 4096;

		memcpy((char *)buf + (addr - start), &watch->contents[page], sizeof(watch->contents[page]));
		certainty[(addr - start) / 4096] =
		        watch->present[page] || watch->mappings[0].inode == 0 ? TIDE_EXACT : TIDE_OVER;
		if (watch->vanished != 0 && page == watch->vanished)
			certainty[(addr - start) / 4096] = TIDE_LOST;
		watch->nr_copied++;
	}
	return 0;
}
